"""Folding: text -> the same with case, white-space runs and typographic quotes evened out, and the way back."""

import numpy as np

from filters.kernels.arrays import Bytes, Codes, Ints, Scalar, read_only
from filters.kernels.characters import BROKEN, SPACE, classes, decode, folds
from filters.kernels.compiled import kernel, part
from filters.kernels.instructions import between, copy_folded, lowest_bit


def fold(data: Bytes, offsets: Ints, *, origins: bool = False) -> tuple[Bytes, Ints, Ints]:
    """Even out case, white-space runs and typographic quotes.

    Returns the folded bytes, the `int64[n + 1]` offsets of the texts in them and, with `origins`, for each folded byte where
    its code point begins in `data`, and one more for the end of each text at `origin[byte + text]`.
    """
    out, bounds, origin = _fold(data, offsets, classes(), folds(), origins)
    return read_only(out), read_only(bounds), origin


@kernel
def _fold(data: Bytes, offsets: Ints, classes_: Bytes, folds_: Codes, origins: bool) -> tuple[Bytes, Ints, Ints]:
    texts = len(offsets) - 1
    room = 3 * (offsets[-1] - offsets[0]) // 2 + 80  # the worst growth: U+023A (2 bytes) to U+2C65 (3 bytes)
    out, bounds = np.empty(room, dtype=np.uint8), np.zeros(texts + 1, dtype=np.int64)
    origin = np.empty(room + texts if origins else 0, dtype=np.int64)
    to = 0
    for text in range(texts):
        at, end, blank = offsets[text], offsets[text + 1], False
        while at < end:
            if at + 64 <= len(data) and not origins:
                plain, spaces = _plain(data, at, end, blank)
                if plain > 0:
                    copy_folded(data, at, out, to)
                    blank = (spaces >> np.uint64(plain - 1)) & np.uint64(1) != np.uint64(0)
                    at, to = at + plain, to + plain
                    continue
            begin = at
            code, at = decode(data, at, end)
            space = code < len(classes_) and classes_[code] == SPACE
            if space and blank:
                continue
            blank, first = space, to
            if code == BROKEN and at - begin == 1:  # a broken byte stays as it is
                out[to], to = data[begin], to + 1
            else:
                to = _write(np.int64(folds_[code]) if code < len(folds_) else code, out, to)
            if origins:
                origin[first + text : to + text] = begin
        if origins:
            origin[to + text] = end
        bounds[text + 1] = to
    return out[:to], bounds, origin[: to + texts] if origins else origin


@part
def _plain(data: Bytes, at: Scalar, end: Scalar, blank: Scalar) -> tuple[Scalar, Scalar]:
    """Return how many of 64 bytes are ASCII without a blank after a blank, and which of the 64 are white space."""
    spaces = between(data, at, 0x09, 0x0D) | between(data, at, 0x1C, 0x20)
    special = between(data, at, 128, 255) | (spaces & (spaces << np.uint64(1) | np.uint64(blank)))
    return min(lowest_bit(special), end - at), spaces


@part
def _write(code: Scalar, out: Bytes, to: Scalar) -> Scalar:
    """Write a code point as UTF-8; returns the place behind it."""
    if code < 0x80:
        out[to] = code
        return to + 1
    if code < 0x800:
        out[to], out[to + 1] = 0xC0 | (code >> 6), 0x80 | (code & 0x3F)
        return to + 2
    if code < 0x10000:
        out[to], out[to + 1], out[to + 2] = 0xE0 | (code >> 12), 0x80 | ((code >> 6) & 0x3F), 0x80 | (code & 0x3F)
        return to + 3
    out[to], out[to + 1] = 0xF0 | (code >> 18), 0x80 | ((code >> 12) & 0x3F)
    out[to + 2], out[to + 3] = 0x80 | ((code >> 6) & 0x3F), 0x80 | (code & 0x3F)
    return to + 4
