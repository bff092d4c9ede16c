"""Keys of all shards -> buckets: the documents that share a key in a band; and the candidates, those in any bucket."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from filters import clusters
from pipeline.artifacts import append, atomic, save
from pipeline.exchange import Exchange, Flags, Hashes, Int32s, Ints, mapped, numbers

HELD = 48  # bytes a key, while it is sorted among others
Map = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]
"""Has a task done for each item; the answers come one by one."""


class Shards(NamedTuple):
    """What an exchange says of its shards, opened once for all bands: files of keys, where documents begin, who takes part."""

    keys: list[Path]
    starts: Ints
    eligible: Flags


def find(exchange: Exchange, workers: int, map_: Map) -> Int32s:
    """Group all documents by their keys; return those that share a bucket with another one, mapped."""
    bands, starts = exchange.bands(), exchange.starts()
    groups = np.array_split(np.arange(bands), min(bands, workers, len(starts) - 1))
    for _ in map_(partial(group, exchange), [own.tolist() for own in groups]):
        pass
    flags = [mapped(exchange.file(f"shared-{own[0]}.npy")) for own in groups]
    found = [np.zeros(0, np.int32)]
    for first, last in pairwise(starts.tolist()):
        shared = np.logical_or.reduce([own[first:last] for own in flags])
        found.append((first + np.flatnonzero(shared)).astype(np.int32))
    save(np.concatenate(found), exchange.file("candidates.npy"), durable=False)
    return exchange.candidates()


def group(exchange: Exchange, bands: Sequence[int]) -> None:
    """Write the buckets of some bands, and which documents are in any of them."""
    shards = Shards(exchange.keys(), exchange.starts(), exchange.eligible())
    flags = np.zeros(len(shards.eligible), dtype=bool)
    for band in bands:
        with (
            atomic(exchange.file(f"members-{band}.bin"), durable=False) as members,
            atomic(exchange.file(f"sizes-{band}.bin"), durable=False) as sizes,
            members.open("wb") as members_file,
            sizes.open("wb") as sizes_file,
        ):
            for found in _ranges(exchange, shards, band):
                flags[found.members] = True
                append(found.members.astype(np.int32), members_file)
                append(np.diff(found.offsets).astype(np.int32), sizes_file)
    save(flags, exchange.file(f"shared-{bands[0]}.npy"), durable=False)


def of_band(exchange: Exchange, band: int) -> tuple[Int32s, Int32s]:
    """Return a band's buckets, mapped: the documents of one behind those of the other, and how many each has."""
    members, sizes = (exchange.file(f"{name}-{band}.bin") for name in ("members", "sizes"))
    return numbers(members, np.int32), numbers(sizes, np.int32)


def _ranges(exchange: Exchange, shards: Shards, band: int) -> Iterator[clusters.Buckets]:
    """Yield a band's buckets in order of their keys: as many keys at a time as memory is for."""
    count = -(-len(shards.eligible) * HELD // exchange.most)
    edges = [(number << 64) // max(1, count) for number in range(1, count)]
    for low, high in zip([0, *edges], [*edges, 1 << 64], strict=True):
        keys, documents = _between(shards, band, np.uint64(low), np.uint64(high - 1))
        yield clusters.buckets_of(keys, documents, exchange.first)


def _between(shards: Shards, band: int, low: np.uint64, last: np.uint64) -> tuple[Hashes, Ints]:
    """Return the keys of a range, and whose they are, in order of the documents."""
    keys, documents = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    for file, (first, end) in zip(shards.keys, pairwise(shards.starts), strict=True):
        own = mapped(file)[band]
        chosen = np.flatnonzero((own >= low) & (own <= last) & shards.eligible[first:end])
        keys.append(own[chosen])
        documents.append(chosen + first)
    return np.concatenate(keys), np.concatenate(documents)
