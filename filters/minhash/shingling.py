"""Words -> shingles: a hash for each run of words of a document, by a polynomial rolled along."""

from collections.abc import Iterator

import numpy as np

from filters import kernels
from filters.kernels import Hashes, Ints, Scalar, kernel, part, pieces
from filters.kinds import Offsets, Texts

WORDLESS = np.uint64(0x13198A2E03707344)


def in_runs(texts: Texts, offsets: Offsets) -> Iterator[tuple[Texts, Offsets, bool]]:
    """Yield documents that are looked at together: their texts, their offsets in these, and whether it is a huge one alone."""
    ends = kernels.buffers(texts)[1][offsets]
    for first, last in pieces.groups(ends):
        own = offsets[first : last + 1]
        huge = last == first + 1 and bool(ends[last] - ends[first] > pieces.PIECE)
        yield texts.slice(own[0], own[-1] - own[0]), own - own[0], huge


def hashed(texts: Texts, offsets: Offsets, split: bool) -> tuple[Hashes, Ints, Hashes]:
    """Return the hashes of words, the offsets of the documents in them, and for documents without words one of their bytes."""
    data, text_offsets = kernels.buffers(texts)
    hashes, bounds = kernels.hash_words(data, text_offsets, kernels.classes(), kernels.folds(), split)
    found = bounds[offsets]
    whole = np.zeros(len(offsets) - 1, dtype=np.uint64)
    wordless = np.flatnonzero(np.diff(found) == 0)
    whole[wordless] = kernels.hash_documents(data, text_offsets, offsets, WORDLESS, wordless)
    return hashes, found, whole


def stretches(texts: Texts, length: int, split: bool) -> Iterator[Hashes]:
    """Yield the hashes of one document's shingles, stretch by stretch; those of words on both sides of a cut are there, too."""
    data, offsets = kernels.buffers(texts)
    cut = pieces.of_words(data, offsets).offsets
    words, none = np.zeros(0, dtype=np.uint64), True
    for first, last in pieces.groups(cut):
        found, _ = kernels.hash_words(data, cut[first : last + 1], kernels.classes(), kernels.folds(), split)
        words = np.concatenate([words, found])
        if len(words) >= length:
            yield _shingles_of(words, length)
            words, none = words[len(words) - length + 1 :].copy(), False
    if none:
        whole = np.array([0, len(texts)])
        yield shingle_hashes(*hashed(texts, whole, split), length)[0]


def _shingles_of(words: Hashes, length: int) -> Hashes:
    return shingle_hashes(words, np.array([0, len(words)]), np.zeros(1, dtype=np.uint64), length)[0]


@kernel
def shingle_hashes(words: Hashes, offsets: Ints, whole: Hashes, length: int) -> tuple[Hashes, Ints]:
    """Hash each run of `length` words of each document; a short document is one run, and one without words its `whole`."""
    bounds = np.zeros(len(offsets), dtype=np.int64)
    for document in range(len(whole)):
        bounds[document + 1] = bounds[document] + max(1, offsets[document + 1] - offsets[document] - length + 1)
    out = np.empty(bounds[-1], dtype=np.uint64)
    for document in range(len(whole)):
        write_hashes(words, offsets[document], offsets[document + 1], whole[document], length, out, bounds[document])
    return out, bounds


@part
def write_hashes(words: Hashes, first: Scalar, last: Scalar, whole: Scalar, length: int, out: Hashes, to: Scalar) -> Scalar:
    """Write the hashes of the runs of one document by a polynomial rolled along; returns where the next one's go."""
    if first == last:
        out[to] = whole
        return to + 1
    base, oldest, rolling = kernels.GOLDEN, np.uint64(1), np.uint64(0)
    for word in range(first, min(first + length, last)):
        rolling, oldest = rolling * base + words[word], oldest * base
    if last - first < length:
        rolling ^= np.uint64(last - first)
    out[to] = kernels.avalanche(rolling)
    for word in range(first + length, last):
        rolling, to = rolling * base + words[word] - oldest * words[word - length], to + 1
        out[to] = kernels.avalanche(rolling)
    return to + 1


@part
def largest(offsets: Ints) -> Scalar:
    """Return the size of the largest document."""
    size = 0
    for document in range(len(offsets) - 1):
        size = max(size, offsets[document + 1] - offsets[document])
    return size
