"""Documents -> which of them are held out for validation, so that nothing of what is validated was trained.

Documents that are near duplicates, directly or through others, and on wish those of one source, form a group, and a group is
trained or held out whole. Which of the two follows from the ids of its documents: new data moves a group only where a document
joins it whose id hashes lower than all others', or where so much comes that the group is no longer too large to be held out.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters import clusters, kernels

ID_SEED, DRAW_SEED = 0xC0AC29B7C97C50DD, 0x3F84D5B5B5470917  # digits of pi
LARGEST = 0.1  # a group of more than so much of the validation's share is trained
AT_A_TIME = 1 << 16  # documents
ALWAYS_SMALL = 10  # documents: a group that is not too large for any set

Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.integer[Any]]
Flags = npt.NDArray[np.bool_]


def joined(groups: Numbers | None, labels: Hashes) -> Int32s:
    """Connect the groups of documents that have the same label, such as the hash of their source.

    Without `groups` each document is one.

    >>> joined(np.array([0, 0, 2, 3]), np.array([5, 7, 7, 9], np.uint64)).tolist()
    [0, 0, 0, 3]
    """
    parent = np.arange(len(labels), dtype=np.int32) if groups is None else groups.astype(np.int32)
    order = np.argsort(labels)
    sorted_ = labels[order]
    starts = np.flatnonzero(sorted_[1:] != sorted_[:-1]) + 1
    clusters.connect(order, np.concatenate([[0], starts, [len(order)]]).astype(np.int64), parent)
    return np.asarray(clusters.roots(parent), dtype=np.int32)


def hashed(names: pa.LargeStringArray) -> Hashes:
    """Return a hash of each name, an id's or a source's; `uint64[names]`."""
    return kernels.hash_texts(names, ID_SEED)


def held_out(ids: Hashes, groups: Numbers, share: float) -> Flags:
    """Say which documents are held out for validation: whole groups, chosen by the least hash of a document's id in them.

    A group of more than ten documents and a tenth of what is to be held out is trained.

    >>> held_out(hashed(pa.array(["a", "b"], pa.large_string())), np.array([0, 0]), 1.0).tolist()
    [True, True]
    """
    return held_out_of([ids], groups, share)


def held_out_of(shards: Iterable[Hashes], groups: Numbers | None, share: float) -> Flags:
    """Say the same of documents whose ids' hashes come shard by shard; without `groups` each document is one."""
    if groups is None:
        return np.concatenate([np.zeros(0, dtype=bool), *(drawn(own) < share for own in shards)])
    count, first = len(groups), 0
    least, sizes = np.full(count, np.uint64(0xFFFFFFFFFFFFFFFF)), np.zeros(count, dtype=np.int32)
    for own in shards:
        _add(groups[first : first + len(own)], own, least, sizes)
        first += len(own)
    most = count if share >= 1 else max(ALWAYS_SMALL, LARGEST * share * count)
    chosen = np.zeros(count, dtype=bool)
    for first in range(0, count, AT_A_TIME):
        group = groups[first : first + AT_A_TIME]
        chosen[first : first + len(group)] = (drawn(least[group]) < share) & (sizes[group] <= most)
    return chosen


@kernels.kernel
def _add(groups: Numbers, ids: Hashes, least: Hashes, sizes: Int32s) -> None:
    """Count some documents with their groups, and let the least hash of each group stand."""
    for document in range(len(groups)):
        group = groups[document]
        sizes[group] += 1
        least[group] = min(least[group], ids[document])


def drawn(hashes: Hashes) -> npt.NDArray[np.float64]:
    """Return a fraction of 1 for each hash, by another hash: the least of many is no fair draw."""
    with np.errstate(over="ignore"):
        mixed = (hashes ^ np.uint64(DRAW_SEED)) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53
