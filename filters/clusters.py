"""Bucket keys -> candidates -> clusters of verified duplicates -> for each document that goes, the twin that stays.

Two documents are candidates where they share a key in the same place. A candidate pair counts only once the exact Jaccard
similarity of their sets is at or above the threshold, and clusters are the components of pairs verified so. Within a cluster
survivors are chosen in order of rank: a document goes only for a survivor that it itself resembles at the threshold, so a chain
of small steps never swallows documents that are far apart.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.compiled import kernel

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


class Buckets(NamedTuple):
    """Documents that share a key: bucket k is `members[offsets[k]:offsets[k + 1]]`, in order of the documents."""

    members: Ints
    offsets: Ints


class Twins(NamedTuple):
    """Of each document that goes, the survivor that it resembles (-1: the document stays) and their similarity."""

    twin: Ints
    similarity: npt.NDArray[np.float64]


def buckets(keys: Hashes, eligible: npt.NDArray[np.bool_]) -> Buckets:
    """Group documents by key, place by place; `keys` is `uint64[documents, places]`. Buckets of one are left out.

    >>> buckets(np.array([[7], [5], [7], [7]], dtype=np.uint64), np.array([True, True, True, False]))
    Buckets(members=array([0, 2]), offsets=array([0, 2]))
    """
    rows = np.flatnonzero(eligible)
    members, sizes = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for place in range(keys.shape[1]):
        column = keys[rows, place]
        order = np.argsort(column, kind="stable")
        starts = np.flatnonzero(np.concatenate([[True], column[order][1:] != column[order][:-1]])) if len(rows) else order
        counts = np.diff(np.append(starts, len(rows)))
        shared = np.repeat(counts > 1, counts)
        members.append(rows[order[shared]])
        sizes.append(counts[counts > 1])
    return Buckets(np.concatenate(members), np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64))


@kernel
def jaccard(hashes: Hashes, offsets: Ints, a: int, b: int, threshold: float) -> float:
    """Return the exact Jaccard similarity of two sets, or 0 as soon as it cannot reach the threshold."""
    i, i_end, j, j_end = offsets[a], offsets[a + 1], offsets[b], offsets[b + 1]
    size_a, size_b = i_end - i, j_end - j
    if min(size_a, size_b) < threshold * max(size_a, size_b) - 1e-6:  # 0.55 * 100 is a little more than 55
        return 0.0
    # |A n B| / (|A| + |B| - |A n B|) >= t  <=>  |A n B| >= t (|A| + |B|) / (1 + t): so many may be unlike, and no more
    may_miss = size_a + size_b - 2.0 * threshold * (size_a + size_b) / (1.0 + threshold) + 1e-6
    common, missed = 0, 0
    while i < i_end and j < j_end:
        if hashes[i] == hashes[j]:
            common, i, j = common + 1, i + 1, j + 1
        else:
            missed += 1
            if missed > may_miss:
                return 0.0
            if hashes[i] < hashes[j]:
                i += 1
            else:
                j += 1
    return float(common / (size_a + size_b - common))


@kernel
def _root(parent: Ints, document: int) -> int:
    while parent[document] != document:
        parent[document] = parent[parent[document]]
        document = parent[document]
    return document


@kernel
def components(members: Ints, offsets: Ints, slots: Ints, hashes: Hashes, set_offsets: Ints, threshold: float) -> Ints:
    """Link candidates whose similarity is verified; `int64[documents]`: the least document of each one's component.

    Within a bucket a document is compared with one member after the other of each component that it is not in, until one is
    near enough. What is already connected is not compared again, so the components are those of all verified pairs.
    """
    parent = np.arange(len(slots))
    for bucket in range(len(offsets) - 1):
        first, last = offsets[bucket], offsets[bucket + 1]
        following = np.full(last - first, -1, dtype=np.int64)
        heads = np.empty(last - first, dtype=np.int64)
        tails = np.empty(last - first, dtype=np.int64)
        groups = 0
        for at in range(first, last):
            own = -1
            for group in range(groups):
                head = members[first + heads[group]]
                same = _root(parent, head) == _root(parent, members[at])
                other = heads[group]
                while not same and other >= 0:
                    near = jaccard(hashes, set_offsets, slots[members[first + other]], slots[members[at]], threshold)
                    if near >= threshold:
                        a, b = _root(parent, members[first + other]), _root(parent, members[at])
                        parent[max(a, b)] = min(a, b)
                        same = True
                    other = following[other]
                if same and own < 0:
                    own = group
                    following[tails[group]], tails[group] = at - first, at - first
            if own < 0:
                heads[groups], tails[groups], groups = at - first, at - first, groups + 1
    for document in range(len(parent)):
        parent[document] = _root(parent, document)
    return parent


@kernel
def _twins(
    order: Ints, starts: Ints, slots: Ints, hashes: Hashes, offsets: Ints, threshold: float
) -> tuple[Ints, npt.NDArray[np.float64]]:
    twin = np.full(len(slots), -1, dtype=np.int64)
    similarity = np.zeros(len(slots), dtype=np.float64)
    for cluster in range(len(starts) - 1):
        survivors = np.empty(starts[cluster + 1] - starts[cluster], dtype=np.int64)
        count = 0
        for at in range(starts[cluster], starts[cluster + 1]):
            for survivor in survivors[:count]:
                near = jaccard(hashes, offsets, slots[survivor], slots[order[at]], threshold)
                if near >= threshold:
                    twin[order[at]], similarity[order[at]] = survivor, near
                    break
            if twin[order[at]] < 0:
                survivors[count], count = order[at], count + 1
    return twin, similarity


def twins(found: Buckets, slots: Ints, hashes: Hashes, offsets: Ints, *, threshold: float, rank: Ints) -> Twins:
    """Say which documents go, and for which survivor.

    `slots[d]` is where document d's set stands in `hashes`/`offsets` (-1: it is in no bucket), `rank` orders the documents of a
    cluster: the least survives.

    >>> same = Buckets(np.array([0, 1, 2]), np.array([0, 3]))
    >>> sets = np.array([1, 2, 3, 1, 2, 3, 8, 9], dtype=np.uint64), np.array([0, 3, 6, 8])
    >>> twins(same, np.arange(3), *sets, threshold=0.7, rank=np.array([1, 0, 2]))
    Twins(twin=array([ 1, -1, -1]), similarity=array([1., 0., 0.]))
    """
    root = components(found.members, found.offsets, slots, hashes, offsets, threshold)
    touched = np.unique(found.members)
    order = touched[np.lexsort((rank[touched], root[touched]))]
    starts = np.flatnonzero(np.concatenate([[True], root[order][1:] != root[order][:-1]])) if len(order) else order
    return Twins(*_twins(order, np.append(starts, len(order)), slots, hashes, offsets, threshold))
