"""Near duplicates: text -> a MinHash signature, cut into bands whose hashes are the bucket keys.

Words (folded, see `kernels`) -> 5-word shingles by a rolling hash -> a signature by Fast Similarity Sketching (Dahlgaard,
Knudsen, Thorup 2017, https://arxiv.org/abs/1704.04370): as true to the Jaccard similarity as independent permutations, at
the cost of a few. A document shorter than a shingle is one shingle, so different short answers stay different; one without
words is the shingle of its bytes.
"""

import math
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from filters import kernels
from filters.kernels import Scalar, kernel, part
from filters.kinds import Offsets, Sets, Texts, duplicates

RECALL_AT_THRESHOLD = 0.95
MOST_HASHES = 160
WORDLESS = np.uint64(0x13198A2E03707344)


def bands_and_rows(threshold: float) -> tuple[int, int]:
    """Return the bands b and rows r that find 95 % of the pairs at the threshold, 1 - (1 - J^r)^b, with the longest bands.

    Candidates are verified, so a band may be short; the longer it is, the fewer candidates fail. At most 160 hashes.

    >>> bands_and_rows(0.7), bands_and_rows(0.8)
    ((24, 6), (17, 8))
    """
    best = (MOST_HASHES, 1)
    for rows in range(1, 33):
        bands = math.ceil(math.log(1 - RECALL_AT_THRESHOLD) / math.log1p(-(threshold**rows))) if threshold < 1 else 1
        if bands * rows <= MOST_HASHES:
            best = (bands, rows)
    return best


def recall(similarity: float, bands: int, rows: int) -> float:
    """Return the probability that two documents of a Jaccard similarity become candidates: 1 - (1 - J^r)^b.

    >>> round(recall(0.8, 14, 8), 3)
    0.924
    """
    return float(1 - (1 - similarity**rows) ** bands)


def recall_at_threshold(*, threshold: float, bands: int | None = None, rows: int | None = None, **_: object) -> float:
    """Return which share of the pairs at the threshold become candidates, for the settings of `near_duplicates`.

    >>> round(recall_at_threshold(threshold=0.7), 2)
    0.95
    """
    if bands is None or rows is None:
        bands, rows = bands_and_rows(threshold)
    return recall(threshold, bands, rows)


def shingles(
    texts: Texts,
    offsets: Offsets,
    *,
    threshold: float = 0.7,  # noqa: ARG001  the same arguments as the filter's
    words: int = 5,
    bands: int | None = None,  # noqa: ARG001
    rows: int | None = None,  # noqa: ARG001
    split_ideographs: bool = False,
) -> Sets:
    """Give each document the sorted 64-bit hashes of its shingles, each once; `uint64[shingles]`."""
    return Sets(*unique(*shingle_hashes(*_words(texts, offsets, split_ideographs), words)))


@duplicates(version=3, sets=shingles, recall=recall_at_threshold)
def near_duplicates(
    texts: Texts,
    offsets: Offsets,
    *,
    threshold: Annotated[float, Field(ge=0.01, le=1)] = 0.7,
    words: Annotated[int, Field(ge=1)] = 5,
    bands: Annotated[int, Field(ge=1)] | None = None,
    rows: Annotated[int, Field(ge=1)] | None = None,
    split_ideographs: bool = False,
) -> npt.NDArray[np.uint64]:
    """Find documents whose word shingles overlap: Jaccard similarity at or above the threshold.

    `words` is the length of a shingle; `bands` and `rows` follow from the threshold unless both are set. A word is a run of
    letters and digits; with `split_ideographs`, made for Chinese and Japanese, each ideograph is a word.

    >>> import pyarrow as pa
    >>> near_duplicates(pa.array(["Yes.", "yes", "No."], pa.large_string()), np.arange(4), bands=1, rows=2).argsort(0).shape
    (3, 1)
    """
    if bands is None or rows is None:
        bands, rows = bands_and_rows(threshold)
    return band_keys(*_words(texts, offsets, split_ideographs), words, bands, rows)


def _words(texts: Texts, offsets: Offsets, split: bool) -> tuple[kernels.Hashes, kernels.Ints, kernels.Hashes]:
    """Return the hashes of words, the offsets of the documents in them, and for documents without words one of their bytes."""
    data, text_offsets = kernels.buffers(texts)
    hashes, bounds = kernels.hash_words(data, text_offsets, kernels.classes(), kernels.folds(), split)
    found = bounds[offsets]
    whole = np.zeros(len(offsets) - 1, dtype=np.uint64)
    wordless = np.flatnonzero(np.diff(found) == 0)
    whole[wordless] = kernels.hash_documents(data, text_offsets, offsets, WORDLESS, wordless)
    return hashes, found, whole


@kernel
def shingle_hashes(
    words: kernels.Hashes, offsets: kernels.Ints, whole: kernels.Hashes, length: int
) -> tuple[kernels.Hashes, kernels.Ints]:
    """Hash each run of `length` words of each document; a short document is one run, and one without words its `whole`."""
    bounds = np.zeros(len(offsets), dtype=np.int64)
    for document in range(len(whole)):
        bounds[document + 1] = bounds[document] + max(1, offsets[document + 1] - offsets[document] - length + 1)
    out = np.empty(bounds[-1], dtype=np.uint64)
    for document in range(len(whole)):
        _runs(words, offsets[document], offsets[document + 1], whole[document], length, out, bounds[document])
    return out, bounds


@part
def _runs(
    words: kernels.Hashes, first: Scalar, last: Scalar, whole: Scalar, length: int, out: kernels.Hashes, to: Scalar
) -> Scalar:
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
def largest(offsets: kernels.Ints) -> Scalar:
    """Return the size of the largest document."""
    size = 0
    for document in range(len(offsets) - 1):
        size = max(size, offsets[document + 1] - offsets[document])
    return size


@kernel
def unique(hashes: kernels.Hashes, offsets: kernels.Ints) -> tuple[kernels.Hashes, kernels.Ints]:
    """Sort each document's hashes and keep each once.

    A table twice as large is filled by linear probing. A hash's place follows from its upper bits, and a larger hash makes way
    for a smaller one, so the table is in order at any time (Amble, Knuth 1974, https://doi.org/10.1093/comjnl/17.2.135).
    """
    out, bounds, to = np.empty(len(hashes), dtype=np.uint64), np.zeros(len(offsets), dtype=np.int64), 0
    table, empty = np.empty(3 * largest(offsets), dtype=np.uint64), np.uint64(0xFFFFFFFFFFFFFFFF)
    for document in range(len(offsets) - 1):
        first, last = offsets[document], offsets[document + 1]
        table[: 3 * (last - first)] = empty
        size = np.uint64(2 * (last - first))
        for at in range(first, last):
            hash_ = min(hashes[at], empty - np.uint64(1))
            place = np.int64((hash_ >> np.uint64(32)) * size >> np.uint64(32))
            while table[place] < hash_:
                place += 1
            while table[place] != hash_ and hash_ != empty:
                table[place], hash_ = hash_, table[place]
                place += 1
        for held in table[: 3 * (last - first)]:
            if held != empty:
                out[to], to = held, to + 1
        bounds[document + 1] = to
    return out[:to].copy(), bounds


@kernel
def band_keys(
    words: kernels.Hashes, offsets: kernels.Ints, whole: kernels.Hashes, length: int, bands: int, rows: int
) -> kernels.Hashes:
    """Sketch each document's shingles into `bands * rows` minima and hash them band by band; `uint64[documents, bands]`."""
    keys = np.empty((len(whole), bands), dtype=np.uint64)
    bins = np.empty(bands * rows, dtype=np.uint64)
    hashes = np.empty(largest(offsets) + 1, dtype=np.uint64)
    for document in range(len(whole)):
        count = _runs(words, offsets[document], offsets[document + 1], whole[document], length, hashes, 0)
        _sketch(hashes, count, bins)
        for band in range(bands):
            running = np.uint64(band)
            for row in range(rows):
                running = running * kernels.GOLDEN + bins[band * rows + row]
            keys[document, band] = kernels.avalanche(running)
    return keys


@part
def _sketch(hashes: kernels.Hashes, count: Scalar, bins: kernels.Hashes) -> None:
    """Sketch the first `count` hashes of a set into minima, one a bin.

    Round i < t throws every element into a random bin with the value i + u; round t + i throws all into bin i; a bin keeps its
    least value, and the rounds end when none is empty. The round stands in the value's upper bits. The hashes are random
    already, so a product with the round's own odd number throws them anew: its upper bits are the bin, its lower ones u.
    """
    empty, lower, size = np.uint64(0xFFFFFFFFFFFFFFFF), np.uint64(0xFFFFFFFFFFFF), np.uint64(len(bins))
    bins[:] = empty
    turn, unfilled = np.uint64(0), len(bins)
    while unfilled:
        factor = kernels.avalanche(turn) | np.uint64(1)
        floor = turn << np.uint64(48)
        for at in range(count):
            thrown = hashes[at] * factor
            bin_ = ((thrown >> np.uint64(32)) * size) >> np.uint64(32) if turn < size else turn - size
            bins[bin_] = min(bins[bin_], floor | (thrown & lower))
        turn, unfilled = turn + np.uint64(1), 0
        for bin_ in range(len(bins)):
            unfilled += bins[bin_] == empty
