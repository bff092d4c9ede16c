"""Near duplicates: text -> a MinHash signature, cut into bands whose hashes are the bucket keys.

Words (folded, see `kernels`) -> 5-word shingles by a rolling hash -> a signature by Fast Similarity Sketching (Dahlgaard,
Knudsen, Thorup 2017, https://arxiv.org/abs/1704.04370): as true to the Jaccard similarity as independent permutations, at
the cost of a few. A document shorter than a shingle is one shingle, so different short answers stay different; one without
words is the shingle of its bytes.

A huge document goes through in stretches of words. The sketch of a set is the least of the sketches of its parts, bin by bin: a
round that one part does without has values greater than all that are in its bins.
"""

import math
from collections.abc import Iterator
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from filters import kernels
from filters.kernels import Scalar, kernel, part, pieces
from filters.kinds import Offsets, Sets, Texts, duplicates

RECALL_AT_THRESHOLD = 0.95
MOST_HASHES = 160
WORDLESS = np.uint64(0x13198A2E03707344)
EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)


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
    found = [
        _huge_set(own, words, split_ideographs)
        if huge
        else Sets(*unique(*shingle_hashes(*_words(own, bounds, split_ideographs), words)))
        for own, bounds, huge in _in_runs(texts, offsets)
    ]
    if len(found) == 1:
        return found[0]
    sizes = np.concatenate([[0], *(np.diff(bounds) for _, bounds in found)])
    return Sets(np.concatenate([hashes for hashes, _ in found]), np.cumsum(sizes).astype(np.int64))


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
    found = [
        _huge_keys(own, words, bands, rows, split_ideographs)
        if huge
        else band_keys(*_words(own, bounds, split_ideographs), words, bands, rows)
        for own, bounds, huge in _in_runs(texts, offsets)
    ]
    return np.concatenate(found)


def _in_runs(texts: Texts, offsets: Offsets) -> Iterator[tuple[Texts, Offsets, bool]]:
    """Yield documents that are looked at together: their texts, their offsets in these, and whether it is a huge one alone."""
    ends = kernels.buffers(texts)[1][offsets]
    for first, last in pieces.groups(ends):
        own = offsets[first : last + 1]
        huge = last == first + 1 and bool(ends[last] - ends[first] > pieces.PIECE)
        yield texts.slice(own[0], own[-1] - own[0]), own - own[0], huge


def _huge_keys(texts: Texts, length: int, bands: int, rows: int, split: bool) -> kernels.Hashes:
    """Return the keys of one huge document; `uint64[1, bands]`."""
    bins = np.full(bands * rows, EMPTY)
    for hashes in _stretches(texts, length, split):
        sketch(hashes, bins)
    return keys_of(bins, bands, rows)[None]


def _huge_set(texts: Texts, length: int, split: bool) -> Sets:
    """Return the set of one huge document, sorted where it is collected."""
    _, ends = kernels.buffers(texts)
    out, size = np.empty((ends[-1] - ends[0]) // 2 + 2, dtype=np.uint64), 0  # what is not used takes no memory
    for hashes in _stretches(texts, length, split):
        out[size : size + len(hashes)] = np.minimum(hashes, EMPTY - np.uint64(1))
        size += len(hashes)
    out[:size].sort()
    size = compact(out[:size])
    return Sets(out[:size], np.array([0, size]))


def _stretches(texts: Texts, length: int, split: bool) -> Iterator[kernels.Hashes]:
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
        yield shingle_hashes(*_words(texts, whole, split), length)[0]


def _shingles_of(words: kernels.Hashes, length: int) -> kernels.Hashes:
    return shingle_hashes(words, np.array([0, len(words)]), np.zeros(1, dtype=np.uint64), length)[0]


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
    table, empty = np.empty(3 * largest(offsets), dtype=np.uint64), EMPTY
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
def compact(hashes: kernels.Hashes) -> int:
    """Move each of sorted hashes, once, to the front; return how many there are."""
    to = 0
    for hash_ in hashes:
        if to == 0 or hashes[to - 1] != hash_:
            hashes[to], to = hash_, to + 1
    return to


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
        bins[:] = EMPTY
        _sketch(hashes, count, bins)
        _write_keys(bins, rows, keys[document])
    return keys


@kernel
def keys_of(bins: kernels.Hashes, bands: int, rows: int) -> kernels.Hashes:
    """Hash a sketch band by band; `uint64[bands]`."""
    keys = np.empty(bands, dtype=np.uint64)
    _write_keys(bins, rows, keys)
    return keys


@part
def _write_keys(bins: kernels.Hashes, rows: Scalar, keys: kernels.Hashes) -> None:
    for band in range(len(keys)):
        running = np.uint64(band)
        for row in range(rows):
            running = running * kernels.GOLDEN + bins[band * rows + row]
        keys[band] = kernels.avalanche(running)


@kernel
def sketch(hashes: kernels.Hashes, bins: kernels.Hashes) -> None:
    """Add a set to what is sketched in the bins, which are `EMPTY` at first."""
    _sketch(hashes, len(hashes), bins)


@part
def _sketch(hashes: kernels.Hashes, count: Scalar, bins: kernels.Hashes) -> None:
    """Sketch the first `count` hashes of a set into minima, one a bin; what is in the bins already counts, too.

    Round i < t throws every element into a random bin with the value i + u; round t + i throws all into bin i; a bin keeps its
    least value, and the rounds end when later ones have none that is less. The round stands in the value's upper bits. The
    hashes are random already, so a product with the round's own odd number throws them anew: its upper bits are the bin, its
    lower ones u.
    """
    lower, size = np.uint64(0xFFFFFFFFFFFF), np.uint64(len(bins))
    turn, greatest = np.uint64(0), EMPTY
    while turn <= greatest >> np.uint64(48):
        factor = kernels.avalanche(turn) | np.uint64(1)
        floor = turn << np.uint64(48)
        for at in range(count):
            thrown = hashes[at] * factor
            bin_ = ((thrown >> np.uint64(32)) * size) >> np.uint64(32) if turn < size else turn - size
            bins[bin_] = min(bins[bin_], floor | (thrown & lower))
        turn, greatest = turn + np.uint64(1), np.uint64(0)
        for bin_ in range(len(bins)):
            greatest = max(greatest, bins[bin_])
