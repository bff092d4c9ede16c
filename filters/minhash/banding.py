"""A threshold -> how many bands of how many rows, and how many of the pairs above it they find."""

import math

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


def recall_at_threshold(*, threshold: float, bands: int | None = None, rows: int | None = None, **_: object) -> float:
    """Return which share of the pairs at the threshold become candidates, for the settings of `near_duplicates`.

    >>> round(recall_at_threshold(threshold=0.7), 2)
    0.95
    """
    if bands is None or rows is None:
        bands, rows = bands_and_rows(threshold)
    return recall(threshold, bands, rows)
