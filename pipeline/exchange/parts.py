"""The sets of all candidates -> parts of the candidates, and what a task knows of a part: buckets and sets."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from filters import clusters
from pipeline.artifacts import reserve, save
from pipeline.exchange import Exchange, Hashes, Ints, mapped, numbers


class Part(NamedTuple):
    """Candidates that stand together: their numbers, and for each the buckets that it is in and the set that it has.

    Buckets are numbered from 0; those of candidate i are `buckets[bounds[i]:bounds[i + 1]]`, its set is
    `hashes[offsets[i]:offsets[i + 1]]`.
    """

    candidates: Ints
    buckets: Ints
    bounds: Ints
    hashes: Hashes
    offsets: Ints


def write_offsets(exchange: Exchange, sizes: Sequence[Ints]) -> Ints:
    """Write where each candidate's set begins among all; `sizes` are those of the sets, shard by shard."""
    offsets = np.concatenate([[0], np.cumsum(np.concatenate([np.zeros(0, np.int64), *sizes]))]).astype(np.int64)
    save(offsets, exchange.file("offsets.npy"), durable=False)
    return offsets


def cut(exchange: Exchange, offsets: Ints, starts: Ints, workers: int) -> list[tuple[int, int]]:
    """Cut the order into parts: whole groups, of as many hashes as a task may hold, or a group that has more."""
    order = mapped(exchange.file("order.npy"))
    sizes = np.add.reduceat(np.diff(offsets)[order], starts[:-1]) if len(order) else order
    most = min(exchange.most // 16, int(offsets[-1]) // (2 * workers))
    return [(int(starts[first]), int(starts[last])) for first, last in chunks(sizes, most)]


def chunks(sizes: Ints, most: int) -> Iterator[tuple[int, int]]:
    """Cut a row of things into runs whose sizes add up to `most` at the most, or that hold one thing.

    >>> list(chunks(np.array([1, 1, 5, 1]), 2))
    [(0, 2), (2, 3), (3, 4)]
    """
    first, total = 0, 0
    for at, size in enumerate(sizes.tolist()):
        if total and total + size > most:
            yield first, at
            first, total = at, 0
        total += size
    if first < len(sizes):
        yield first, len(sizes)


def part(exchange: Exchange, first: int, last: int) -> Part:
    """Return a part of the order."""
    order = np.array(mapped(exchange.file("order.npy"))[first:last])
    bounds = mapped(exchange.file("bounds.npy"))
    sizes = bounds[order + 1] - bounds[order]
    own = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    held = np.empty(own[-1], dtype=np.uint64)
    clusters.gather(numbers(exchange.file("buckets.bin")).view(np.uint64), bounds[order], sizes, held, own)
    buckets = np.unique(held, return_inverse=True)[1].astype(np.int64)
    return Part(order, buckets, own, *_sets(exchange, order))


def _sets(exchange: Exchange, order: Ints) -> tuple[Hashes, Ints]:
    """Read the sets of some candidates, in their order: into memory, or where that is too much into a file."""
    all_offsets = mapped(exchange.file("offsets.npy"))
    sizes = all_offsets[order + 1] - all_offsets[order]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    large = offsets[-1] > exchange.most // 16
    hashes: Hashes = np.empty(0 if large else offsets[-1], dtype=np.uint64)
    if large:
        path = exchange.file(f"sets-{order[0]}")
        reserve(path, int(offsets[-1]) * 8)
        hashes = np.asarray(np.memmap(path, mode="r+", dtype=np.uint64))
    starts = np.searchsorted(exchange.candidates(), exchange.starts())
    sorted_ = np.argsort(order, kind="stable")
    for number, (first, last) in enumerate(pairwise(np.searchsorted(order[sorted_], starts).tolist())):
        if first < last:
            chosen = sorted_[first:last]
            begin = all_offsets[order[chosen]] - all_offsets[starts[number]]
            clusters.gather(mapped(exchange.sets[number]), begin, sizes[chosen], hashes, offsets[chosen])
    return hashes, offsets
