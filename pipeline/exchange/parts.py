"""The sets of all candidates -> parts of the candidates, and what a task knows of a part: buckets and sets.

A part is a group of candidates that buckets connect, or several. A group that is too large for a task is cut into blocks, in
its order; a task is then about two of them.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from filters import clusters
from filters.kernels import kernel
from pipeline.artifacts import append, atomic, reserve
from pipeline.exchange import Exchange, Hashes, Int32s, Ints, mapped, numbers

BESIDE = 64  # of each candidate, in hashes: its outline, 32 of them, its buckets, and numbers of its own


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


class Cuts(NamedTuple):
    """Where the order is cut, as `(first, last)`: into whole groups, and groups that are too large into blocks."""

    whole: list[tuple[int, int]]
    blocks: list[list[tuple[int, int]]]


def cut(exchange: Exchange, starts: Ints, workers: int) -> Cuts:
    """Cut the order into parts of as much as a task may hold, whole groups where that can be."""
    order, offsets = mapped(exchange.file("order.npy")), numbers(exchange.file("offsets.bin"))
    sizes = _sizes(order, offsets, starts)
    large = exchange.most // 16
    most = min(large, int(sizes.sum()) // (2 * workers))
    cuts = Cuts([], [])
    for first, last in chunks(sizes, most):
        begin, end = int(starts[first]), int(starts[last])
        if sizes[first:last].sum() <= large or end - begin == 1:
            cuts.whole.append((begin, end))
        else:
            own = order[begin:end].astype(np.int64)
            blocks = chunks(offsets[own + 1] - offsets[own] + BESIDE, large)
            cuts.blocks.append([(begin + one, begin + other) for one, other in blocks])
    return cuts


@kernel
def _sizes(order: Int32s, offsets: Ints, starts: Ints) -> Ints:
    """Return what each group takes, in hashes."""
    sizes = np.zeros(len(starts) - 1, dtype=np.int64)
    for group in range(len(sizes)):
        for candidate in order[starts[group] : starts[group + 1]]:
            sizes[group] += offsets[candidate + 1] - offsets[candidate] + BESIDE
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


def standing(exchange: Exchange, first: int, last: int) -> Ints:
    """Return the candidates of a part of the order."""
    candidates: Ints = mapped(exchange.file("order.npy"))[first:last].astype(np.int64)
    return candidates


def part(exchange: Exchange, candidates: Ints) -> Part:
    """Return what is known of some candidates."""
    held, bounds = held_by(exchange, candidates)
    buckets = np.unique(held, return_inverse=True)[1].astype(np.int64)
    name = "-".join(str(number) for number in (*candidates[:1], *candidates[-1:], len(candidates)))
    return Part(candidates, buckets, bounds, *sets_of(exchange, candidates, name))


def held_by(exchange: Exchange, candidates: Ints) -> tuple[Hashes, Ints]:
    """Return the buckets of some candidates, counted through all bands, and where those of each begin."""
    bounds = mapped(exchange.file("bounds.npy"))
    sizes = bounds[candidates + 1] - bounds[candidates]
    own = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    held = np.empty(own[-1], dtype=np.uint64)
    clusters.gather(numbers(exchange.file("buckets.bin")).view(np.uint64), bounds[candidates], sizes, held, own)
    return held, own


def meeting(exchange: Exchange, earlier: Ints, later: Ints) -> tuple[Ints, Ints]:
    """Return those of two blocks' candidates that share a bucket with one of the other block; each as places in its block."""
    one, other = (held_by(exchange, block) for block in (earlier, later))
    common = np.intersect1d(one[0], other[0])
    return _in_any(*one, common), _in_any(*other, common)


def _in_any(held: Hashes, bounds: Ints, common: Hashes) -> Ints:
    found = np.concatenate([[0], np.cumsum(np.isin(held, common))])
    return np.flatnonzero(np.diff(found[bounds]))


def sets_of(exchange: Exchange, candidates: Ints, name: str) -> tuple[Hashes, Ints]:
    """Read the sets of some candidates, in their order: into memory, or where that is too much into a file."""
    all_offsets = numbers(exchange.file("offsets.bin"))
    sizes = all_offsets[candidates + 1] - all_offsets[candidates]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    large = offsets[-1] > exchange.most // 16
    hashes: Hashes = np.empty(0 if large else offsets[-1], dtype=np.uint64)
    if large:
        path = exchange.file(f"sets-{name}")
        reserve(path, int(offsets[-1]) * 8)
        hashes = np.asarray(np.memmap(path, mode="r+", dtype=np.uint64))
    starts, files = exchange.candidates_before(exchange.starts()), exchange.sets()
    sorted_ = np.argsort(candidates, kind="stable")
    for number, (first, last) in enumerate(pairwise(np.searchsorted(candidates[sorted_], starts).tolist())):
        if first < last:
            chosen = sorted_[first:last]
            begin = all_offsets[candidates[chosen]] - all_offsets[starts[number]]
            clusters.gather(mapped(files[number]), begin, sizes[chosen], hashes, offsets[chosen])
    return hashes, offsets
