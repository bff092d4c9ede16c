"""Phrases for a kernel: a few words, packed so that most bytes are told from them at a glance."""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from filters.kernels import Bytes, Ints, Scalar, part


class Phrases(NamedTuple):
    """Words for a kernel: sorted, as bytes and offsets; those with first byte b are `firsts[b]` to `firsts[b + 1]`.

    `sizes[b]` has the bits of their sizes in bytes, the last one for all that are longer.
    """

    data: Bytes
    offsets: Ints
    firsts: Ints
    sizes: Ints


def packed(words: Iterable[str]) -> Phrases:
    """Pack words, each once."""
    encoded = sorted({word.encode() for word in words})
    firsts = np.searchsorted([word[0] for word in encoded], np.arange(257))
    sizes = np.zeros(256, dtype=np.int64)
    for word in encoded:
        sizes[word[0]] |= 1 << min(len(word), 62)
    return Phrases(np.frombuffer(b"".join(encoded), np.uint8), np.cumsum([0, *map(len, encoded)]), firsts, sizes)


@part
def find(data: Bytes, begin: Scalar, end: Scalar, phrases: Phrases) -> Scalar:
    """Return which phrase bytes are, or -1."""
    for phrase in range(phrases.firsts[data[begin]], phrases.firsts[np.int64(data[begin]) + 1]):
        first, at = phrases.offsets[phrase], 0
        if phrases.offsets[phrase + 1] - first == end - begin:
            while at < end - begin and data[begin + at] == phrases.data[first + at]:
                at += 1
            if at == end - begin:
                return phrase
    return -1


@part
def ends_with(data: Bytes, begin: Scalar, end: Scalar, marks: Phrases, whole: bool) -> Scalar:
    """Say whether bytes end with an ellipsis mark (or, with `whole`, are one), whatever the case of their letters."""
    for mark in range(len(marks.offsets) - 1):
        first, size = marks.offsets[mark], marks.offsets[mark + 1] - marks.offsets[mark]
        fits = size == end - begin if whole else size <= end - begin
        at = 0
        while fits and at < size:
            byte = data[end - size + at]
            fits = (byte | 32 if 65 <= byte <= 90 else byte) == marks.data[first + at]
            at += 1
        if fits:
            return True
    return False
