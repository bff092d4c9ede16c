"""A bucket of thousands of documents, few of which are alike -> smaller buckets that hold the same pairs of alike ones.

Where a line is common, all documents that have it share a bucket, and to compare any two of them takes their square. But two
sets that are alike share one of their rarest elements: sets with a Jaccard similarity of t have at least t |a| elements in
common, so not all of these are among the t |a| - 1 most frequent ones of a (prefix filtering: Chaudhuri, Ganti, Kaushik, "A
Primitive Operator for Similarity Joins in Data Cleaning", 2006; Bayardo, Ma, Srikant, "Scaling Up All Pairs Similarity Search",
2007). So the bucket is divided by the rarest elements of its members.
"""

from typing import NamedTuple

import numpy as np

from filters import clusters
from filters.kernels import Flags, Hashes, Ints, kernel

CROWD = 2000  # members: where to divide a bucket takes as long as to compare any two


class Divided(NamedTuple):
    """Buckets side by side: bucket k is `members[bounds[k]:bounds[k + 1]]`; what was told of each member stands beside it."""

    members: Ints
    bounds: Ints
    told: Flags


def divided(members: Ints, bounds: Ints, told: Flags, hashes: Hashes, offsets: Ints, threshold: float) -> Divided:
    """Divide the buckets of `CROWD` members or more; those of fewer stay as they are.

    Document i has the set `hashes[offsets[i]:offsets[i + 1]]`. Any two members of a bucket whose sets have a Jaccard similarity
    of `threshold` or more share a bucket afterwards, in the same order.
    """
    sizes = np.diff(bounds)
    if not (sizes >= CROWD).any():
        return Divided(members, bounds, told)
    kept = np.repeat(sizes < CROWD, sizes)
    found, lengths = [np.flatnonzero(kept)], [sizes[sizes < CROWD]]
    for bucket in np.flatnonzero(sizes >= CROWD):
        begin, end = int(bounds[bucket]), int(bounds[bucket + 1])
        places, own = _by_rarest(members[begin:end], hashes, offsets, threshold)
        found.append(begin + places)
        lengths.append(own)
    places = np.concatenate(found)
    return Divided(members[places], np.concatenate([[0], np.cumsum(np.concatenate(lengths))]).astype(np.int64), told[places])


def _by_rarest(members: Ints, hashes: Hashes, offsets: Ints, threshold: float) -> tuple[Ints, Ints]:
    """Return the members that share one of their rarest elements, as places in the bucket, and how many share each."""
    sizes = offsets[members + 1] - offsets[members]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    elements = np.empty(starts[-1], dtype=np.uint64)
    clusters.gather(hashes, offsets[members], sizes, elements, starts[:-1])
    keys = _by_frequency(elements)
    wanted = np.minimum(sizes, sizes - np.ceil(threshold * sizes - 1e-6).astype(np.int64) + 1)
    rarest = _rarest(keys, starts, wanted)
    element = keys[rarest] & np.uint64(0xFFFFFFFF)
    order = np.argsort(element, kind="stable")
    edges = np.flatnonzero(np.concatenate([[True], element[order][1:] != element[order][:-1], [True]])) if len(order) else order
    return np.searchsorted(starts, rarest[order], side="right") - 1, np.diff(edges)


def _by_frequency(elements: Hashes) -> Hashes:
    """Return for each element how often it is there, and below 32 bits of that a number of its own."""
    order = np.argsort(elements)
    ordered = elements[order]
    number = np.empty(len(elements), dtype=np.uint64)
    number[order] = np.cumsum(np.concatenate([[False], ordered[1:] != ordered[:-1]])[: len(order)])
    times = np.bincount(number.view(np.int64)).astype(np.uint64)
    keys: Hashes = times[number] << np.uint64(32) | number
    return keys


@kernel
def _rarest(keys: Hashes, starts: Ints, wanted: Ints) -> Ints:
    """Sort the keys of each member, and return the places of the `wanted` first ones that others have as well."""
    found, many = np.empty(len(keys), dtype=np.int64), 0
    for member in range(len(wanted)):
        keys[starts[member] : starts[member + 1]].sort()
        for at in range(starts[member], starts[member] + wanted[member]):
            found[many] = at
            many += keys[at] >> np.uint64(32) > 1
    return found[:many].copy()
