"""Bucket keys -> candidates -> survivors, and for each document that goes the verified twin that stays.

Two documents are candidates where they share a key in the same place. In order of rank a document is compared, by the exact
Jaccard similarity of their sets, with the survivors that share a bucket with it; it goes for the first one at or above the
threshold, else it is a survivor itself. So a cluster is a survivor and those that resemble it: neither a false candidate nor a
chain of small steps makes documents go that are far apart, and of two candidates that resemble each other at most one stays.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from filters.kernels import Flags, Hashes, Ints, Scalar, Values, bits_in, kernel, part

Numbers = npt.NDArray[np.integer[Any]]
OUTLINE = 8  # bits an element: sets that are unlike differ in many of them
LEAST_WORDS, MOST_WORDS = 4, 32  # of 64 bits, of an outline: sets of up to some thousand elements still leave many bits unset


class Buckets(NamedTuple):
    """Documents that share a key: bucket k is `members[offsets[k]:offsets[k + 1]]`, in order of the documents."""

    members: Ints
    offsets: Ints


def buckets(keys: Hashes, eligible: Flags, first: int = 0) -> Buckets:
    """Group documents by key, place by place; `keys` is `uint64[documents, places]`.

    Buckets of one are left out, and those that hold no document from `first` on.

    >>> buckets(np.array([[7], [5], [7], [7]], dtype=np.uint64), np.array([True, True, True, False]))
    Buckets(members=array([0, 2]), offsets=array([0, 2]))
    """
    rows = np.flatnonzero(eligible)
    found = [buckets_of(keys[rows, place], rows, first) for place in range(keys.shape[1])]
    sizes = [np.zeros(0, dtype=np.int64), *(np.diff(one.offsets) for one in found)]
    members = [np.zeros(0, dtype=np.int64), *(one.members for one in found)]
    return Buckets(np.concatenate(members), np.concatenate([[0], np.cumsum(np.concatenate(sizes))]).astype(np.int64))


def buckets_of(keys: Hashes, documents: Ints, first: int = 0) -> Buckets:
    """Group documents, which stand in order, by one key each, in order of the keys; left out are the same as in `buckets`.

    >>> buckets_of(np.array([7, 5, 7], dtype=np.uint64), np.array([10, 11, 19]))
    Buckets(members=array([10, 19]), offsets=array([0, 2]))
    """
    order = np.argsort(keys, kind="stable")
    sorted_ = keys[order]
    starts = np.flatnonzero(np.concatenate([[True], sorted_[1:] != sorted_[:-1]])) if len(keys) else order
    ends = np.append(starts[1:], len(keys))[: len(starts)]
    counts = ends - starts
    wanted = counts > 1
    if first:
        wanted &= documents[order[ends - 1]] >= first  # the last member: they stand in order
    members = documents[order[np.repeat(wanted, counts)]]
    return Buckets(members, np.concatenate([[0], np.cumsum(counts[wanted])]).astype(np.int64))


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


@part
def _root(parent: Numbers, document: Scalar) -> Scalar:
    while parent[document] != document:
        parent[document] = parent[parent[document]]
        document = parent[document]
    return document


@kernel
def connect(members: Ints, offsets: Ints, parent: Numbers) -> None:
    """Connect the members of each bucket in `parent`: integers, a forest."""
    for bucket in range(len(offsets) - 1):
        for at in range(offsets[bucket] + 1, offsets[bucket + 1]):
            a, b = _root(parent, members[offsets[bucket]]), _root(parent, members[at])
            parent[max(a, b)] = min(a, b)


@kernel
def connect_numbered(members: Numbers, sizes: Numbers, number: Numbers, parent: Numbers, counts: Numbers) -> None:
    """Connect the members of buckets that lie side by side, known in `parent` by a `number`; count the buckets of each."""
    begin = 0
    for size in sizes:
        for at in range(begin, begin + size):
            counts[number[members[at]]] += 1
            a, b = _root(parent, number[members[begin]]), _root(parent, number[members[at]])
            parent[max(a, b)] = min(a, b)
        begin += size


@kernel
def connect_alike(
    members: Ints, bounds: Ints, hashes: Hashes, offsets: Ints, threshold: float, parent: Ints, met: Flags
) -> None:
    """Connect in `parent` those members of each bucket that are alike, or that others which are alike lead to.

    Bucket k is `members[bounds[k]:bounds[k + 1]]`, document i has the set `hashes[offsets[i]:offsets[i + 1]]`. Members
    that are connected already stand in one list, and none of them is looked at again by those that are connected with them.
    Nor are those of a bucket compared that have `met`; one flag for each of `members`.
    """
    bits, most = outlines(hashes, offsets), np.int64(0)
    for bucket in range(len(bounds) - 1):
        most = max(most, bounds[bucket + 1] - bounds[bucket])
    heads, tails, following = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    for bucket in range(len(bounds) - 1):
        own, lists = members[bounds[bucket] : bounds[bucket + 1]], 0
        known = met[bounds[bucket] : bounds[bucket + 1]]
        for at in range(len(own)):
            head, tail, number = at, at, 0
            following[at] = -1
            while number < lists:
                if not _reaches(own, known, at, heads[number], following, bits, hashes, offsets, threshold, parent):
                    number += 1
                    continue
                following[tail], tail, lists = heads[number], tails[number], lists - 1
                heads[number], tails[number] = heads[lists], tails[lists]
            heads[lists], tails[lists], lists = head, tail, lists + 1


@part
def _reaches(
    own: Ints,
    known: Flags,
    at: int,
    before: int,
    following: Ints,
    bits: Hashes,
    hashes: Hashes,
    offsets: Ints,
    threshold: float,
    parent: Ints,
) -> bool:
    """Say whether a member is connected with those of a list, or has now been, as one of them is like it."""
    one, a, b = int(own[at]), _root(parent, own[at]), _root(parent, own[before])
    if a == b:
        return True
    while before >= 0:
        other = int(own[before])
        near = not (known[at] and known[before]) and not _far(bits, offsets, one, other, threshold)
        if near and jaccard(hashes, offsets, one, other, threshold) >= threshold:
            parent[max(a, b)] = min(a, b)
            return True
        before = int(following[before])
    return False


@kernel
def roots(parent: Numbers) -> Numbers:
    """Return the least document that each one is connected with."""
    found = np.empty_like(parent)
    for document in range(len(parent)):
        found[document] = _root(parent, document)
    return found


@kernel
def by_document(members: Ints, offsets: Ints, documents: int) -> tuple[Ints, Ints]:
    """Turn buckets round: the buckets of each document, in their order; `int64[members]` and `int64[documents + 1]`."""
    bounds = np.zeros(documents + 1, dtype=np.int64)
    for member in members:
        bounds[member + 1] += 1
    for document in range(documents):
        bounds[document + 1] += bounds[document]
    place, out = bounds[:-1].copy(), np.empty(len(members), dtype=np.int64)
    for bucket in range(len(offsets) - 1):
        for at in range(offsets[bucket], offsets[bucket + 1]):
            out[place[members[at]]] = bucket
            place[members[at]] += 1
    return out, bounds


@kernel
def gather(hashes: Hashes, starts: Ints, sizes: Ints, out: Hashes, to: Ints) -> None:
    """Copy sets from where they start to where they are wanted."""
    for at in range(len(starts)):
        out[to[at] : to[at] + sizes[at]] = hashes[starts[at] : starts[at] + sizes[at]]


@kernel
def in_order(root: Numbers, best: Numbers) -> tuple[Numbers, Ints]:
    """Return the documents cluster by cluster, without those that are alone, and where clusters start.

    In a cluster they stand as in `best`, which holds them all, the best first.

    >>> in_order(np.array([0, 1, 0, 0]), np.array([1, 2, 0, 3]))
    (array([2, 0, 3]), array([0, 3]))
    """
    place, many = np.zeros(len(root), dtype=np.int32), 0
    for own in root:
        place[own] += 1
        many += place[own] == 2
    starts, cluster, at = np.empty(many + 1, dtype=np.int64), 0, 0
    for document in range(len(root)):
        size = place[document]
        place[document] = at if size > 1 else -1
        if size > 1:
            starts[cluster], cluster, at = at, cluster + 1, at + size
    starts[many] = at
    order = np.empty(at, dtype=root.dtype)
    for document in best:
        if place[root[document]] >= 0:
            order[place[root[document]]] = document
            place[root[document]] += 1
    return order, starts


@kernel
def outlines(hashes: Hashes, offsets: Ints) -> Hashes:
    """Return for each set the bits that its elements fall on; `uint64[sets, words]`, more words where sets are larger."""
    sets, words = len(offsets) - 1, LEAST_WORDS
    while words < MOST_WORDS and 64 * words * sets < OUTLINE * (offsets[-1] - offsets[0]):
        words *= 2
    bits = np.zeros((sets, words), dtype=np.uint64)
    for own in range(sets):
        for at in range(offsets[own], offsets[own + 1]):
            bit = hashes[at] % np.uint64(64 * words)
            bits[own, bit >> np.uint64(6)] |= np.uint64(1) << (bit & np.uint64(63))
    return bits


@part
def _far(bits: Hashes, offsets: Ints, a: Scalar, b: Scalar, threshold: Scalar) -> bool:
    """Say whether two sets are surely unlike: a bit that one has and the other has not stands for an element that one lacks."""
    size_a, size_b = offsets[a + 1] - offsets[a], offsets[b + 1] - offsets[b]
    if min(size_a, size_b) < threshold * max(size_a, size_b) - 1e-6:
        return True
    total = size_a + size_b
    may_miss = total - 2.0 * threshold * total / (1.0 + threshold) + 1e-6
    unlike = np.int64(0)
    for word in range(bits.shape[1]):
        unlike += bits_in(bits[a, word] ^ bits[b, word])
    return bool(unlike > may_miss)


@kernel
def survivors(
    buckets_: Ints, bounds: Ints, hashes: Hashes, offsets: Ints, threshold: float, looks: Ints, enters: Flags
) -> tuple[Ints, Values, Ints]:
    """Choose the survivors among documents that stand in order of rank.

    Document i is in the buckets `buckets_[bounds[i]:bounds[i + 1]]`, numbered from 0, and has the set
    `hashes[offsets[i]:offsets[i + 1]]`. It is compared with the survivors that share one of its first `looks[i]` buckets, in
    the order of its buckets and of rank, and goes for the first that is near enough; else, if it `enters`, it survives.

    Returns the survivor that each document goes for (-1: it stays), their similarity, and in which of the document's buckets,
    counted from 0, the survivor was found.
    """
    documents = len(bounds) - 1
    twin, similarity = np.full(documents, -1, dtype=np.int64), np.zeros(documents, dtype=np.float64)
    place = np.full(documents, -1, dtype=np.int64)
    bits = outlines(hashes, offsets)
    first = np.full(max(0, buckets_.max()) + 1 if len(buckets_) else 0, -1, dtype=np.int64)
    last = first.copy()
    entry, following, entries = np.empty(len(buckets_), dtype=np.int64), np.full(len(buckets_), -1, dtype=np.int64), 0
    compared = np.full(documents, -1, dtype=np.int64)
    for document in range(documents):
        for at in range(bounds[document], min(bounds[document] + looks[document], bounds[document + 1])):
            other = first[buckets_[at]] if twin[document] < 0 else -1
            while other >= 0:
                survivor = entry[other]
                if compared[survivor] != document:
                    compared[survivor] = document
                    if not _far(bits, offsets, survivor, document, threshold):
                        near = jaccard(hashes, offsets, survivor, document, threshold)
                        if near >= threshold:
                            twin[document], similarity[document], place[document] = survivor, near, at - bounds[document]
                            break
                other = following[other]
        if twin[document] < 0 and enters[document]:
            for bucket in buckets_[bounds[document] : bounds[document + 1]]:
                entry[entries] = document
                if first[bucket] < 0:
                    first[bucket] = entries
                else:
                    following[last[bucket]] = entries
                last[bucket], entries = entries, entries + 1
    return twin, similarity, place
