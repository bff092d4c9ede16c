"""Near duplicates: text -> a MinHash signature, cut into bands whose hashes are the bucket keys.

Words (folded, see `kernels`) -> 5-word shingles by a rolling hash -> a signature by Fast Similarity Sketching. A document
shorter than a shingle is one shingle, so different short answers stay different; one without words is the shingle of its bytes.

Reading order: `banding` (a threshold -> bands and rows), `shingling`, `sketching` (which are candidates) and `sets` (what
decides on them). A huge document goes through in stretches of words.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from filters.kernels import Hashes
from filters.kinds import Offsets, Sets, Texts, duplicates
from filters.minhash.banding import bands_and_rows, recall_at_threshold
from filters.minhash.sets import huge_set, unique
from filters.minhash.shingling import hashed, in_runs, shingle_hashes
from filters.minhash.sketching import band_keys, huge_keys

__all__ = ["near_duplicates", "shingles"]


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
        huge_set(own, words, split_ideographs)
        if huge
        else Sets(*unique(*shingle_hashes(*hashed(own, bounds, split_ideographs), words)))
        for own, bounds, huge in in_runs(texts, offsets)
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
) -> Hashes:
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
        huge_keys(own, words, bands, rows, split_ideographs)
        if huge
        else band_keys(*hashed(own, bounds, split_ideographs), words, bands, rows)
        for own, bounds, huge in in_runs(texts, offsets)
    ]
    return np.concatenate(found)
