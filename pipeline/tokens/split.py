"""Documents -> which of them are held out for validation, so that nothing of what is validated was trained.

Documents that are near duplicates, directly or through others, and on wish those of one source, form a group, and a group is
trained or held out whole. Which of the two follows from the ids of its documents: new data moves a group only where a document
joins it whose id hashes lower than all others', or where so much comes that the group is no longer too large to be held out.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters import clusters, kernels
from filters.minhash import near_duplicates, shingles
from pipeline.artifacts import save
from pipeline.documents import Offsets

BANDS, ROWS = 40, 4  # find 92.5 % of the pairs of Jaccard similarity 0.5, 99.6 % at 0.6, all but one of 60,000 at 0.7
ID_SEED, DRAW_SEED = 0xC0AC29B7C97C50DD, 0x3F84D5B5B5470917  # digits of pi
LARGEST = 0.1  # a group of more than so much of the validation's share is trained
ALWAYS_SMALL = 10  # documents: a group that is not too large for any set

Hashes = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]


def write_keys(texts: pa.LargeStringArray, offsets: Offsets, place: Path) -> None:
    """Write what the search for near duplicates needs of a shard's documents: bucket keys, and the sets of their shingles."""
    found = shingles(texts, offsets)
    for name, array in (
        ("keys", near_duplicates(texts, offsets, bands=BANDS, rows=ROWS)),
        ("sizes", np.diff(found.offsets)),
        ("hashes", found.hashes),
    ):
        save(array, place.with_name(f"{place.name}.{name}.npy"))


def near(places: Sequence[Path], threshold: float) -> Ints:
    """Return for each document the least one that near duplicates lead to; `int64[documents]`, over all shards in order.

    Held in memory are the keys of all documents, 320 bytes each, and the sets of those that share a key with another one.
    """
    keys = np.concatenate([_saved(place, "keys") for place in places])
    found = clusters.buckets(keys, np.ones(len(keys), dtype=bool))
    candidates = np.unique(found.members)
    hashes, offsets = _sets(places, candidates)
    parent = np.arange(len(candidates))
    members = np.searchsorted(candidates, found.members)
    clusters.connect_alike(members, found.offsets, hashes, offsets, threshold, parent)
    groups = np.arange(len(keys))
    groups[candidates] = candidates[clusters.roots(parent)]
    return groups


def _sets(places: Sequence[Path], documents: Ints) -> tuple[Hashes, Ints]:
    """Return the sets of some documents side by side, and where each begins; the others are not read."""
    shards = [np.concatenate([[0], np.cumsum(_saved(place, "sizes"))]).astype(np.int64) for place in places]
    cuts = np.searchsorted(documents, np.cumsum([0, *(len(offsets) - 1 for offsets in shards)]))
    first = np.cumsum([0, *(len(offsets) - 1 for offsets in shards)])
    own = [documents[cuts[shard] : cuts[shard + 1]] - first[shard] for shard in range(len(shards))]
    sizes = [np.diff(offsets)[wanted] for offsets, wanted in zip(shards, own, strict=True)]
    bounds = np.concatenate([[0], np.cumsum(np.concatenate([np.zeros(0, np.int64), *sizes]))]).astype(np.int64)
    sets = np.empty(bounds[-1], dtype=np.uint64)
    for shard, (place, offsets) in enumerate(zip(places, shards, strict=True)):
        to = bounds[cuts[shard] : cuts[shard + 1]]
        clusters.gather(kernels.read_only(_saved(place, "hashes")), offsets[own[shard]], sizes[shard], sets, to)
    return sets, bounds


def _saved(place: Path, name: str) -> npt.NDArray[Any]:
    return np.asarray(np.load(place.with_name(f"{place.name}.{name}.npy"), mmap_mode="r"))


def joined(groups: Ints, labels: Hashes) -> Ints:
    """Connect the groups of documents that have the same label, such as the hash of their source.

    >>> joined(np.array([0, 0, 2, 3]), np.array([5, 7, 7, 9], np.uint64)).tolist()
    [0, 0, 0, 3]
    """
    codes = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    order = np.argsort(codes, kind="stable")
    bounds = np.concatenate([[0], np.cumsum(np.bincount(codes))]).astype(np.int64)
    parent = groups.copy()
    clusters.connect(order, bounds, parent)
    roots: Ints = clusters.roots(parent)
    return roots


def hashed(names: pa.LargeStringArray) -> Hashes:
    """Return a hash of each name, an id's or a source's; `uint64[names]`."""
    data, bounds = kernels.buffers(names)
    hashes: Hashes = kernels.hash_documents(data, bounds, kernels.read_only(np.arange(len(bounds))), np.uint64(ID_SEED))
    return hashes


def held_out(ids: Hashes, groups: Ints, share: float) -> npt.NDArray[np.bool_]:
    """Say which documents are held out for validation: whole groups, chosen by the least hash of a document's id in them.

    A group of more than ten documents and a tenth of what is to be held out is trained.

    >>> held_out(hashed(pa.array(["a", "b"], pa.large_string())), np.array([0, 0]), 1.0).tolist()
    [True, True]
    """
    least = np.full(len(ids), np.uint64(0xFFFFFFFFFFFFFFFF))
    np.minimum.at(least, groups, ids)
    fraction = drawn(least)
    small = np.bincount(groups, minlength=len(ids)) <= max(ALWAYS_SMALL, LARGEST * share * len(ids))
    chosen: npt.NDArray[np.bool_] = ((fraction < share) & (small | (share >= 1)))[groups]
    return chosen


def drawn(hashes: Hashes) -> npt.NDArray[np.float64]:
    """Return a fraction of 1 for each hash, by another hash: the least of many is no fair draw."""
    with np.errstate(over="ignore"):
        mixed = (hashes ^ np.uint64(DRAW_SEED)) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53
