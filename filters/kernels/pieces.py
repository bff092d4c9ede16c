"""Pieces: a huge text -> stretches that can be looked at one after the other, so that what is kept of each stays small.

A piece is a stretch of the same buffer, so nothing is copied: bytes with the offsets of pieces are what bytes with the offsets
of texts are. Where a text may be cut is the filter's to say, for it is to find in pieces what it would find in the whole.

    pieces, of_words     cut behind some code points; behind those that are in no word
    groups               pieces that are looked at together
"""

from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from filters.kernels.arrays import Bytes, Ints, Scalar, read_only
from filters.kernels.characters import BROKEN, IDEOGRAPH, TABLE, WORD, classes, decode, folds
from filters.kernels.compiled import kernel, part

PIECE = 16 << 20  # bytes; a longer text is cut


class Pieces(NamedTuple):
    """Piece k is `data[offsets[k]:offsets[k + 1]]`; text i is the pieces `bounds[i]` to `bounds[i + 1]`, one at least."""

    offsets: Ints
    bounds: Ints

    def text_of(self, piece: Ints) -> Ints:
        """Return the text that each piece is of."""
        found: Ints = np.searchsorted(self.bounds, piece, side="right") - 1
        return found


def pieces(data: Bytes, offsets: Ints, last: Bytes) -> Pieces:
    """Cut each text that is longer than `PIECE`, behind the first code point from there on for which `last` is set.

    `last` is `uint8[TABLE]`. Where there is none, a piece is the longer.
    """
    if len(offsets) < 2 or int(np.diff(offsets).max()) <= PIECE:
        return Pieces(offsets, np.arange(len(offsets)))
    cut, bounds = _cut(data, offsets, last, PIECE)
    return Pieces(read_only(cut), bounds)


def of_words(data: Bytes, offsets: Ints) -> Pieces:
    """Cut each text that is longer than `PIECE` between words, folded or not."""
    return pieces(data, offsets, _between_words())


def groups(offsets: Ints, most: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield runs of texts, or of pieces, of `most` bytes together (by default `PIECE`), or of one that is longer.

    >>> list(groups(np.array([0, 3, 5, 15, 16, 17]), 5))
    [(0, 2), (2, 3), (3, 5)]
    """
    yield from pairwise(_starts(read_only(offsets), PIECE if most is None else most).tolist())


@cache
def behind(characters: str) -> Bytes:
    """Return the table of some characters for `pieces`."""
    table = np.zeros(TABLE, dtype=np.uint8)
    table[[ord(character) for character in characters]] = 1
    return read_only(table)


@cache
def _between_words() -> Bytes:
    folded = classes()[np.minimum(folds(), TABLE - 1)]
    inside = np.isin(classes(), (WORD, IDEOGRAPH)) | np.isin(folded, (WORD, IDEOGRAPH))
    inside[BROKEN] = True
    return read_only((~inside).astype(np.uint8))


@kernel
def _cut(data: Bytes, offsets: Ints, last: Bytes, size: int) -> tuple[Ints, Ints]:
    out = np.empty((offsets[-1] - offsets[0]) // size + len(offsets), dtype=np.int64)
    bounds, found = np.zeros(len(offsets), dtype=np.int64), 0
    out[0] = offsets[0]
    for text in range(len(offsets) - 1):
        at, end = offsets[text], offsets[text + 1]
        while end - at > size:
            at = _next(data, at + size, end, last)
            if at < end:
                found += 1
                out[found] = at
        found += 1
        out[found] = end
        bounds[text + 1] = found
    return out[: found + 1].copy(), bounds


@part
def _next(data: Bytes, at: Scalar, end: Scalar, last: Bytes) -> Scalar:
    """Return the byte behind the next code point, from a byte on, behind which a text may be cut; or the end."""
    while at < end and data[at] & 0xC0 == 0x80:
        at += 1
    while at < end:
        code, at = decode(data, at, end)
        if code < len(last) and last[code]:
            break
    return at


@kernel
def _starts(offsets: Ints, most: int) -> Ints:
    starts, found = np.zeros(len(offsets) + 1, dtype=np.int64), 0
    for text in range(len(offsets) - 1):
        if text > starts[found] and offsets[text + 1] - offsets[starts[found]] > most:
            found += 1
            starts[found] = text
    starts[found + 1] = len(offsets) - 1
    return starts[: found + 2]
