"""Shingles -> a sketch of them, cut into bands whose hashes are the bucket keys.

Fast Similarity Sketching (Dahlgaard, Knudsen, Thorup 2017, https://arxiv.org/abs/1704.04370): as true to the Jaccard similarity
as independent permutations, at the cost of a few.

The sketch of a set is the least of the sketches of its parts, bin by bin: a round that one part does without has values
greater than all that are in its bins. So a huge document is sketched stretch by stretch.
"""

import numpy as np

from filters.kernels import GOLDEN, Hashes, Ints, Scalar, avalanche, kernel, part
from filters.kinds import Texts
from filters.minhash.shingling import largest, stretches, write_hashes

EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)  # a bin into which nothing was thrown


def huge_keys(texts: Texts, length: int, bands: int, rows: int, split: bool) -> Hashes:
    """Return the keys of one huge document; `uint64[1, bands]`."""
    bins = np.full(bands * rows, EMPTY)
    for hashes in stretches(texts, length, split):
        sketch(hashes, bins)
    return keys_of(bins, bands, rows)[None]


@kernel
def band_keys(words: Hashes, offsets: Ints, whole: Hashes, length: int, bands: int, rows: int) -> Hashes:
    """Sketch each document's shingles into `bands * rows` minima and hash them band by band; `uint64[documents, bands]`."""
    keys = np.empty((len(whole), bands), dtype=np.uint64)
    bins = np.empty(bands * rows, dtype=np.uint64)
    hashes = np.empty(largest(offsets) + 1, dtype=np.uint64)
    for document in range(len(whole)):
        count = write_hashes(words, offsets[document], offsets[document + 1], whole[document], length, hashes, 0)
        bins[:] = EMPTY
        _sketch(hashes, count, bins)
        _write_keys(bins, rows, keys[document])
    return keys


@kernel
def keys_of(bins: Hashes, bands: int, rows: int) -> Hashes:
    """Hash a sketch band by band; `uint64[bands]`."""
    keys = np.empty(bands, dtype=np.uint64)
    _write_keys(bins, rows, keys)
    return keys


@part
def _write_keys(bins: Hashes, rows: Scalar, keys: Hashes) -> None:
    for band in range(len(keys)):
        running = np.uint64(band)
        for row in range(rows):
            running = running * GOLDEN + bins[band * rows + row]
        keys[band] = avalanche(running)


@kernel
def sketch(hashes: Hashes, bins: Hashes) -> None:
    """Add a set to what is sketched in the bins, which are `EMPTY` at first."""
    _sketch(hashes, len(hashes), bins)


@part
def _sketch(hashes: Hashes, count: Scalar, bins: Hashes) -> None:
    """Sketch the first `count` hashes of a set into minima, one a bin; what is in the bins already counts, too.

    Round i < t throws every element into a random bin with the value i + u; round t + i throws all into bin i; a bin keeps its
    least value, and the rounds end when later ones have none that is less. The round stands in the value's upper bits. The
    hashes are random already, so a product with the round's own odd number throws them anew: its upper bits are the bin, its
    lower ones u.
    """
    lower, size = np.uint64(0xFFFFFFFFFFFF), np.uint64(len(bins))
    turn, greatest = np.uint64(0), EMPTY
    while turn <= greatest >> np.uint64(48):
        factor = avalanche(turn) | np.uint64(1)
        floor = turn << np.uint64(48)
        for at in range(count):
            thrown = hashes[at] * factor
            bin_ = ((thrown >> np.uint64(32)) * size) >> np.uint64(32) if turn < size else turn - size
            bins[bin_] = min(bins[bin_], floor | (thrown & lower))
        turn, greatest = turn + np.uint64(1), np.uint64(0)
        for bin_ in range(len(bins)):
            greatest = max(greatest, bins[bin_])
