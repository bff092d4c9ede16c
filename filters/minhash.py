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
from filters.compiled import kernel
from filters.kinds import Offsets, Sets, Texts, duplicates

RECALL_AT_THRESHOLD = 0.95
MOST_HASHES = 160


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
    return Sets(*unique(*_shingles(texts, offsets, words, split_ideographs)))


@duplicates(version=2, sets=shingles)
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
    hashes, bounds = _shingles(texts, offsets, words, split_ideographs)
    return band_keys(hashes, bounds, bands, rows)


def _shingles(texts: Texts, offsets: Offsets, words: int, split: bool) -> tuple[kernels.Hashes, kernels.Ints]:
    data, text_offsets = kernels.buffers(texts)
    word_hashes, bounds = kernels.hash_words(data, text_offsets, kernels.classes(), kernels.folds(), split)
    whole = kernels.hash_documents(data, text_offsets, offsets, np.uint64(0x13198A2E03707344))
    return shingle_hashes(word_hashes, bounds[offsets], whole, words)


@kernel
def shingle_hashes(
    words: kernels.Hashes, offsets: kernels.Ints, whole: kernels.Hashes, length: int
) -> tuple[kernels.Hashes, kernels.Ints]:
    """Hash each run of `length` words of each document, by a polynomial rolled along; a short document is one run."""
    bounds = np.zeros(len(offsets), dtype=np.int64)
    for document in range(len(whole)):
        bounds[document + 1] = bounds[document] + max(1, offsets[document + 1] - offsets[document] - length + 1)
    out = np.empty(bounds[-1], dtype=np.uint64)
    base = np.uint64(0x9E3779B97F4A7C15)
    oldest = np.uint64(1)
    for _ in range(length):
        oldest *= base
    for document in range(len(whole)):
        first, last, to = offsets[document], offsets[document + 1], bounds[document]
        if first == last:
            out[to] = whole[document]
            continue
        rolling = np.uint64(0)
        for word in range(first, last):
            rolling = rolling * base + words[word]
            if word - first >= length:
                rolling -= oldest * words[word - length]
            if word - first >= length - 1:
                out[to], to = kernels.avalanche(rolling), to + 1
        if last - first < length:
            out[to] = kernels.avalanche(rolling ^ np.uint64(last - first))
    return out, bounds


@kernel
def unique(hashes: kernels.Hashes, offsets: kernels.Ints) -> tuple[kernels.Hashes, kernels.Ints]:
    """Sort each document's hashes and keep each once."""
    out, bounds, to = np.empty_like(hashes), np.zeros_like(offsets), 0
    for document in range(len(offsets) - 1):
        own = np.sort(hashes[offsets[document] : offsets[document + 1]])
        for at in range(len(own)):
            if at == 0 or own[at] != own[at - 1]:
                out[to], to = own[at], to + 1
        bounds[document + 1] = to
    return out[:to].copy(), bounds


@kernel
def band_keys(hashes: kernels.Hashes, offsets: kernels.Ints, bands: int, rows: int) -> kernels.Hashes:
    """Sketch each document's set into `bands * rows` minima and hash them band by band; `uint64[documents, bands]`.

    Round i < t throws every element into a random bin with the value i + u; round t + i throws all into bin i; a bin keeps its
    least value, and the rounds end when none is empty. The round stands in the value's upper bits.
    """
    size = bands * rows
    keys = np.empty((len(offsets) - 1, bands), dtype=np.uint64)
    bins = np.empty(size, dtype=np.uint64)
    empty = np.uint64(0xFFFFFFFFFFFFFFFF)
    for document in range(len(offsets) - 1):
        bins[:] = empty
        filled = 0
        for turn in range(2 * size):
            salt = np.uint64(turn + 1) * np.uint64(0xD1342543DE82EF95)
            for at in range(offsets[document], offsets[document + 1]):
                thrown = kernels.avalanche(hashes[at] + salt)
                bin_ = (
                    np.int64(((thrown >> np.uint64(32)) * np.uint64(size)) >> np.uint64(32))
                    if turn < size
                    else np.int64(turn - size)
                )
                value = (np.uint64(turn) << np.uint64(48)) | (kernels.avalanche(thrown) >> np.uint64(16))
                if bins[bin_] == empty:
                    filled += 1
                if value < bins[bin_]:
                    bins[bin_] = value
            if filled == size:
                break
        for band in range(bands):
            running = np.uint64(band)
            for row in range(rows):
                running = kernels.mix(running, bins[band * rows + row])
            keys[document, band] = kernels.avalanche(running)
    return keys
