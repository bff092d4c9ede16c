"""The sets of all candidates -> parts of the candidates, and what a task knows of a part: buckets and sets."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from filters import clusters
from filters.kernels import kernel
from pipeline.artifacts import append, atomic, reserve
from pipeline.exchange import Exchange, Hashes, Int32s, Ints, mapped, numbers


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


def write_offsets(exchange: Exchange, sizes: Iterable[Ints]) -> None:
    """Write where each candidate's set begins among all; `sizes` are those of the sets, shard by shard."""
    with atomic(exchange.file("offsets.bin"), durable=False) as temporary, temporary.open("wb") as file:
        total = np.zeros(1, dtype=np.int64)
        append(total, file)
        for own in sizes:
            ends = total + np.cumsum(own, dtype=np.int64)
            append(ends, file)
            total = ends[-1:] if len(ends) else total


def cut(exchange: Exchange, starts: Ints, workers: int) -> list[tuple[int, int]]:
    """Cut the order into parts: whole groups, of as many hashes as a task may hold, or a group that has more."""
    order, offsets = mapped(exchange.file("order.npy")), numbers(exchange.file("offsets.bin"))
    sizes = _sizes(order, offsets, starts)
    most = min(exchange.most // 16, int(offsets[-1]) // (2 * workers))
    return [(int(starts[first]), int(starts[last])) for first, last in chunks(sizes, most)]


@kernel
def _sizes(order: Int32s, offsets: Ints, starts: Ints) -> Ints:
    """Return how many hashes the sets of each group have."""
    sizes = np.zeros(len(starts) - 1, dtype=np.int64)
    for group in range(len(sizes)):
        for candidate in order[starts[group] : starts[group + 1]]:
            sizes[group] += offsets[candidate + 1] - offsets[candidate]
    return sizes


def chunks(sizes: Ints, most: int) -> Iterator[tuple[int, int]]:
    """Cut a row of things into runs whose sizes add up to `most` at the most, or that hold one thing.

    >>> list(chunks(np.array([1, 1, 5, 1]), 2))
    [(0, 2), (2, 3), (3, 4)]
    """
    ends, first = np.cumsum(sizes), 0
    while first < len(sizes):
        fit = int(np.searchsorted(ends, ends[first] - sizes[first] + most, side="right"))
        last = max(first + 1, fit)
        yield first, last
        first = last


def part(exchange: Exchange, first: int, last: int) -> Part:
    """Return a part of the order."""
    order = mapped(exchange.file("order.npy"))[first:last].astype(np.int64)
    bounds = mapped(exchange.file("bounds.npy"))
    sizes = bounds[order + 1] - bounds[order]
    own = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    held = np.empty(own[-1], dtype=np.uint64)
    clusters.gather(numbers(exchange.file("buckets.bin")).view(np.uint64), bounds[order], sizes, held, own)
    buckets = np.unique(held, return_inverse=True)[1].astype(np.int64)
    return Part(order, buckets, own, *_sets(exchange, order))


def _sets(exchange: Exchange, order: Ints) -> tuple[Hashes, Ints]:
    """Read the sets of some candidates, in their order: into memory, or where that is too much into a file."""
    all_offsets = numbers(exchange.file("offsets.bin"))
    sizes = all_offsets[order + 1] - all_offsets[order]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    large = offsets[-1] > exchange.most // 16
    hashes: Hashes = np.empty(0 if large else offsets[-1], dtype=np.uint64)
    if large:
        path = exchange.file(f"sets-{order[0]}")
        reserve(path, int(offsets[-1]) * 8)
        hashes = np.asarray(np.memmap(path, mode="r+", dtype=np.uint64))
    starts, files = exchange.candidates_before(exchange.starts()), exchange.sets()
    sorted_ = np.argsort(order, kind="stable")
    for number, (first, last) in enumerate(pairwise(np.searchsorted(order[sorted_], starts).tolist())):
        if first < last:
            chosen = sorted_[first:last]
            begin = all_offsets[order[chosen]] - all_offsets[starts[number]]
            clusters.gather(mapped(files[number]), begin, sizes[chosen], hashes, offsets[chosen])
    return hashes, offsets
