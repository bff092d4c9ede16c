"""Buckets of all bands -> the candidates in an order that keeps those together which buckets connect; the buckets of each."""

import numpy as np

from filters import clusters
from filters.kernels import Scalar, kernel
from pipeline.artifacts import append, atomic, save
from pipeline.exchange import Exchange, Int32s, Ints
from pipeline.exchange.buckets import of_band

HELD = 32  # bytes of what a round may hold, for each bucket of a candidate that it writes: four times what it takes


def write(exchange: Exchange, best: Ints | None = None) -> Ints:
    """Write each candidate's buckets, and the candidates, those connected together; return where these groups start.

    `best` are the candidates in the order in which those of a group are to stand; by default they stand in their own.
    """
    count = len(exchange.candidates())
    parent = np.arange(count, dtype=np.int32)
    _write_buckets(exchange, numbers_of(exchange), parent)
    ranked = np.arange(count, dtype=np.int32) if best is None else best.astype(np.int32)
    order, starts = clusters.in_order(clusters.roots(parent), ranked)
    save(order, exchange.file("order.npy"), durable=False)
    return starts


def numbers_of(exchange: Exchange) -> Int32s:
    """Return the number among the candidates of each document that is one: a search for each would take ten times as long."""
    candidates = exchange.candidates()
    number = np.zeros(exchange.starts()[-1], dtype=np.int32)
    number[candidates] = np.arange(len(candidates), dtype=np.int32)
    return number


def _write_buckets(exchange: Exchange, number: Int32s, parent: Int32s) -> None:
    """Connect candidates in `parent`, and write the buckets of each side by side, counted through all bands: some a round."""
    counts = np.zeros(len(parent), dtype=np.int32)
    for band in range(exchange.bands()):
        clusters.connect_numbered(*of_band(exchange, band), number, parent, counts)
    bounds = np.zeros(len(parent) + 1, dtype=np.int64)
    np.cumsum(counts, out=bounds[1:])
    del counts
    save(bounds, exchange.file("bounds.npy"), durable=False)
    with atomic(exchange.file("buckets.bin"), durable=False) as temporary, temporary.open("wb") as file:
        first = 0
        while first < len(bounds) - 1:
            enough = np.searchsorted(bounds, bounds[first] + exchange.most // HELD, side="right") - 1
            last = max(first + 1, int(enough))
            append(_buckets_of(exchange, number, bounds[first : last + 1], first), file)
            first = last


def _buckets_of(exchange: Exchange, number: Int32s, bounds: Ints, first: int) -> Ints:
    """Return the buckets of the candidates from `first` on that have these bounds."""
    free, found, before = bounds[:-1] - bounds[0], np.empty(bounds[-1] - bounds[0], dtype=np.int64), 0
    for band in range(exchange.bands()):
        members, sizes = of_band(exchange, band)
        _note(members, sizes, number, first, before, free, found)
        before += len(sizes)
    return found


@kernel
def _note(members: Int32s, sizes: Int32s, number: Int32s, first: Scalar, before: Scalar, free: Ints, found: Ints) -> None:
    """Write buckets, counted from `before`, to each of their members that a round is about, where it is still free."""
    at = 0
    for bucket in range(len(sizes)):
        for _ in range(sizes[bucket]):
            own = number[members[at]] - first
            if 0 <= own < len(free):
                found[free[own]] = before + bucket
                free[own] += 1
            at += 1
