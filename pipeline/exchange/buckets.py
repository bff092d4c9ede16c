"""Keys of all shards -> buckets: the documents that share a key in a band; and the candidates, those in any bucket."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np

from filters import clusters
from pipeline.artifacts import append, atomic, save
from pipeline.exchange import Exchange, Hashes, Ints, mapped, numbers

HELD = 48  # bytes a key, while it is sorted among others
Map = Callable[[Callable[[Any], None], Sequence[list[int]]], object]
"""Has a task done for each item."""


def find(exchange: Exchange, workers: int, map_: Map) -> Ints:
    """Group all documents by their keys; return those that share a bucket with another one."""
    tasks = min(exchange.bands, workers, len(exchange.keys))
    groups = [group.tolist() for group in np.array_split(np.arange(exchange.bands), tasks)]
    map_(partial(group, exchange), groups)
    flags = mapped(exchange.file(f"shared-{groups[0][0]}.npy")).copy()
    for others in groups[1:]:
        flags |= mapped(exchange.file(f"shared-{others[0]}.npy"))
    candidates = np.flatnonzero(flags)
    save(candidates, exchange.file("candidates.npy"), durable=False)
    return candidates


def group(exchange: Exchange, bands: Sequence[int]) -> None:
    """Write the buckets of some bands, and which documents are in any of them."""
    flags = np.zeros(exchange.starts()[-1], dtype=bool)
    for band in bands:
        with (
            atomic(exchange.file(f"members-{band}.bin"), durable=False) as members,
            atomic(exchange.file(f"sizes-{band}.bin"), durable=False) as sizes,
            members.open("wb") as members_file,
            sizes.open("wb") as sizes_file,
        ):
            for found in _ranges(exchange, band):
                flags[found.members] = True
                append(found.members, members_file)
                append(np.diff(found.offsets), sizes_file)
    save(flags, exchange.file(f"shared-{bands[0]}.npy"), durable=False)


def of_band(exchange: Exchange, band: int) -> clusters.Buckets:
    """Return a band's buckets; of their members each is a number among the candidates."""
    members = np.searchsorted(exchange.candidates(), numbers(exchange.file(f"members-{band}.bin")))
    sizes = numbers(exchange.file(f"sizes-{band}.bin"))
    return clusters.Buckets(members, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64))


def _ranges(exchange: Exchange, band: int) -> Iterator[clusters.Buckets]:
    """Yield a band's buckets in order of their keys: as many keys at a time as memory is for."""
    count = -(-int(exchange.starts()[-1]) * HELD // exchange.most)
    edges = [(number << 64) // max(1, count) for number in range(1, count)]
    for low, high in zip([0, *edges], [*edges, 1 << 64], strict=True):
        keys, documents = _between(exchange, band, np.uint64(low), np.uint64(high - 1))
        yield clusters.buckets_of(keys, documents, exchange.first)


def _between(exchange: Exchange, band: int, low: np.uint64, last: np.uint64) -> tuple[Hashes, Ints]:
    """Return the keys of a range, and whose they are, in order of the documents."""
    keys, documents = [np.zeros(0, np.uint64)], [np.zeros(0, np.int64)]
    starts, eligible = exchange.starts(), exchange.eligible()
    for number, file in enumerate(exchange.keys):
        own = mapped(file)[band]
        chosen = np.flatnonzero((own >= low) & (own <= last) & eligible[starts[number] : starts[number + 1]])
        keys.append(own[chosen])
        documents.append(chosen + starts[number])
    return np.concatenate(keys), np.concatenate(documents)
