"""Shingles -> the set of them that a document has: sorted, each once."""

import numpy as np

from filters import kernels
from filters.kernels import Hashes, Ints, kernel
from filters.kinds import Sets, Texts
from filters.minhash.shingling import largest, stretches

EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)  # no shingle: a hash of that value is taken for the one before


def huge_set(texts: Texts, length: int, split: bool) -> Sets:
    """Return the set of one huge document, sorted where it is collected."""
    _, ends = kernels.buffers(texts)
    out, size = np.empty((ends[-1] - ends[0]) // 2 + 2, dtype=np.uint64), 0  # what is not used takes no memory
    for hashes in stretches(texts, length, split):
        out[size : size + len(hashes)] = np.minimum(hashes, EMPTY - np.uint64(1))
        size += len(hashes)
    out[:size].sort()
    size = compact(out[:size])
    return Sets(out[:size], np.array([0, size]))


@kernel
def unique(hashes: Hashes, offsets: Ints) -> tuple[Hashes, Ints]:
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
def compact(hashes: Hashes) -> int:
    """Move each of sorted hashes, once, to the front; return how many there are."""
    to = 0
    for hash_ in hashes:
        if to == 0 or hashes[to - 1] != hash_:
            hashes[to], to = hash_, to + 1
    return to
