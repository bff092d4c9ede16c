"""Candidates for near duplicates -> which of them are connected: those that are alike, and those that others lead to.

A group of candidates that fits a task is connected there. Of one that is too large the candidates of each block are connected
among themselves, and then those that share a bucket (see `pipeline.exchange.runs`).
"""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from filters import clusters
from pipeline.artifacts import save
from pipeline.exchange import Exchange, Flags, Hashes, Int32s, Ints, mapped, order, parts, runs
from pipeline.exchange.buckets import Map
from pipeline.exchange.crowds import divided

Numbers = npt.NDArray[np.integer[Any]]


def connected(exchange: Exchange, threshold: float, workers: int, map_: Map) -> Iterator[Ints]:
    """Yield numbers of candidates, each beside the least one that near duplicates lead to, if that is another.

    `int64[., 2]`; two candidates are near duplicates where they share a bucket and their sets have a Jaccard similarity of
    `threshold` or more.
    """
    cuts = parts.cut(exchange, order.write(exchange), workers)
    yield from map_(partial(_alike, exchange, threshold), cuts.whole)
    if cuts.blocks:
        yield _in_large_groups(exchange, threshold, list(chain(*cuts.blocks)), map_)


def _alike(exchange: Exchange, threshold: float, cut: tuple[int, int]) -> Ints:
    """Connect the candidates of some whole groups, or of a block, among themselves."""
    own = parts.part(exchange, parts.standing(exchange, *cut))
    many = int(own.buckets.max(initial=-1)) + 1
    members, bounds = clusters.by_document(own.buckets, own.bounds, many)  # turned round: the candidates of each bucket
    parent = np.arange(len(own.candidates))
    _connect(members, bounds, np.zeros(len(members), dtype=bool), own.hashes, own.offsets, threshold, parent)
    found: Ints = own.candidates[_edges(clusters.roots(parent))]
    return found


def _in_large_groups(exchange: Exchange, threshold: float, blocks: Sequence[tuple[int, int]], map_: Map) -> Ints:
    """Connect the candidates of groups that are cut into blocks."""
    parent = np.arange(len(exchange.candidates()), dtype=np.int32)
    for edges in map_(partial(_alike, exchange, threshold), blocks):
        _join(edges, parent)
    number = order.numbers_of(exchange)
    for firsts in (True, False):
        root = _write_roots(exchange, firsts, parent, blocks)
        cut = list(runs.cut(exchange, number, root, firsts=firsts))
        for edges in map_(partial(_meet, exchange, threshold, firsts), cut) if cut else ():
            _join(edges, parent)
    return _edges(clusters.roots(parent))


def _write_roots(exchange: Exchange, firsts: bool, parent: Int32s, blocks: Sequence[tuple[int, int]]) -> Int32s:
    """Write the least candidate that each one is connected with so far, -1 for those that are in no block; return them."""
    root, others = clusters.roots(parent).astype(np.int32), np.ones(len(parent), dtype=bool)
    for block in blocks:
        others[parts.standing(exchange, *block)] = False
    root[others] = -1
    save(root, _roots(exchange, firsts), durable=False)
    return root


def _meet(exchange: Exchange, threshold: float, firsts: bool, run: runs.Run) -> Ints:
    """Connect the candidates that meet in a run; returns those that stand for them, in pairs."""
    roots, before = mapped(_roots(exchange, firsts)), None if firsts else mapped(_roots(exchange, True))
    met = runs.meeting(exchange, run, roots, before)
    root = roots[met.candidates].astype(np.int64)
    _, first, which = np.unique(root, return_index=True, return_inverse=True)
    parent = first[which]
    _connect(met.members, met.bounds, met.met, met.hashes, met.offsets, threshold, parent)
    pairs: Ints = root[_edges(clusters.roots(parent))]
    apart: Ints = pairs[pairs[:, 0] != pairs[:, 1]]
    return apart


def _roots(exchange: Exchange, firsts: bool) -> Path:
    return exchange.file(f"roots-{'firsts' if firsts else 'all'}.npy")


def _connect(members: Ints, bounds: Ints, met: Flags, hashes: Hashes, offsets: Ints, threshold: float, parent: Ints) -> None:
    """Connect in `parent` those members of each bucket that near duplicates lead to one another, but for pairs that `met`."""
    smaller = divided(members, bounds, met, hashes, offsets, threshold)
    clusters.connect_alike(smaller.members, smaller.bounds, hashes, offsets, threshold, parent, smaller.told)


def _join(edges: Ints, parent: Int32s) -> None:
    clusters.connect(edges.reshape(-1), np.arange(0, edges.size + 1, 2), parent)


def _edges(root: Numbers) -> Ints:
    """Return what is connected with an earlier one, and with which: `int64[., 2]`."""
    led = np.flatnonzero(root != np.arange(len(root)))
    return np.stack([led, root[led]], axis=1).astype(np.int64)
