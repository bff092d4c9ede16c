"""Buckets of groups that are too large for a task -> runs of buckets, each as much as a task may hold.

Of such a group no two blocks need to meet: what shares a bucket meets there, so a candidate's set is read once for each of its
buckets, and not once for each block of its group. What is connected already need not meet at all. Where `firsts` are asked for,
only the first of those that are connected stands for them, in buckets of a crowd: copies of one document are in many buckets,
all of them in each, and are connected once and for all by a few of them.
"""

from collections.abc import Iterator
from itertools import combinations
from typing import NamedTuple

import numpy as np

from pipeline.exchange import Exchange, Flags, Hashes, Int32s, Ints, numbers
from pipeline.exchange.buckets import of_band
from pipeline.exchange.parts import BESIDE, chunks, sets_of

CROWD = 64  # members of a bucket
HELD = 64  # bytes a member, while buckets are cut into runs


class Run(NamedTuple):
    """Buckets `buckets[0]` to `buckets[1]` of a band, whose members stand there from `members[0]` to `members[1]`.

    Of one bucket that is too large only two `pieces` of its members meet, counted from the first.
    """

    band: int
    buckets: tuple[int, int]
    members: tuple[int, int]
    pieces: tuple[tuple[int, int], ...] = ()


class Meeting(NamedTuple):
    """What is compared in a run: candidates and their sets, and buckets of places among them.

    Bucket k is `members[bounds[k]:bounds[k + 1]]`, of whom those that have `met` were compared before; candidate i has the set
    `hashes[offsets[i]:offsets[i + 1]]`.
    """

    candidates: Ints
    members: Ints
    met: Flags
    bounds: Ints
    hashes: Hashes
    offsets: Ints


def cut(exchange: Exchange, number: Int32s, root: Int32s, *, firsts: bool) -> Iterator[Run]:
    """Cut all buckets whose members are not connected yet into runs.

    `number` is each document's number among the candidates; of those `root` is the first one that each is connected with, and
    -1 for a candidate whose group is compared elsewhere.
    """
    offsets, large = numbers(exchange.file("offsets.bin")), exchange.most // 16
    for band in range(exchange.bands()):
        members, sizes = of_band(exchange, band)
        ends = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        for first, last in chunks(np.diff(ends), exchange.most // HELD):
            own = number[members[ends[first] : ends[last]]]
            taken = to_meet(root[own], sizes[first:last], firsts=firsts)
            weights = (offsets[own + 1] - offsets[own] + BESIDE) * taken
            yield from _runs(band, first, ends[first : last + 1], weights, large)


def _runs(band: int, first: int, ends: Ints, weights: Ints, large: int) -> Iterator[Run]:
    """Cut buckets from `first` on, whose members end there and weigh so much each, into runs."""
    total = np.concatenate([[0], np.cumsum(weights)])[ends - ends[0]]
    for begin, end in chunks(np.diff(total), large):
        held, edges = int(total[end] - total[begin]), (int(ends[begin]), int(ends[end]))
        run = Run(band, (first + begin, first + end), edges)
        if held > large:  # one bucket
            pieces = list(chunks(weights[edges[0] - ends[0] : edges[1] - ends[0]], large // 2))
            yield from (run._replace(pieces=pair) for pair in combinations(pieces, 2))
        elif held:
            yield run


def to_meet(root: Int32s, sizes: Int32s, *, firsts: bool) -> Flags:
    """Say which members of some buckets, side by side, are to be compared: where not all have one root.

    With `firsts` these are in crowds alone, and of each root the first member.

    >>> to_meet(np.array([0, 0, 3, 5, 7, 7]), np.array([2, 2, 2]), firsts=False).tolist()
    [False, False, True, True, False, False]
    """
    starts = np.cumsum(sizes) - sizes
    apart = np.minimum.reduceat(root, starts) != np.maximum.reduceat(root, starts)
    taken: Flags = np.repeat(apart & (sizes >= CROWD) if firsts else apart, sizes)
    if firsts:
        members = np.flatnonzero(taken)
        bucket = np.repeat(np.arange(len(sizes)), sizes)[members]
        order = np.lexsort((root[members], bucket))
        bucket, of_root = bucket[order], root[members[order]]
        again = (bucket[1:] == bucket[:-1]) & (of_root[1:] == of_root[:-1])
        taken[members[order[1:][again]]] = False
    return taken


def meeting(exchange: Exchange, run: Run, root: Int32s, before: Int32s | None = None) -> Meeting:
    """Return what is compared in a run: the first ones, or behind them all; `before` are the roots that the first ones had."""
    all_members, all_sizes = of_band(exchange, run.band)
    own = np.searchsorted(exchange.candidates(), all_members[slice(*run.members)])
    sizes = all_sizes[slice(*run.buckets)]
    met = np.zeros(len(own), dtype=bool) if before is None else to_meet(before[own], sizes, firsts=True)
    taken = to_meet(root[own], sizes, firsts=before is None) & _in_pieces(run)
    bounds = np.concatenate([[0], np.cumsum(taken)])[np.concatenate([[0], np.cumsum(sizes)])]
    candidates = np.unique(own[taken])
    name = f"{run.band}-{run.members[0]}-" + "-".join(str(first) for first, _ in run.pieces)
    hashes, offsets = sets_of(exchange, candidates, name)
    return Meeting(candidates, np.searchsorted(candidates, own[taken]), met[taken], bounds, hashes, offsets)


def _in_pieces(run: Run) -> Flags:
    """Say which members of a run's buckets are in it."""
    found = np.full(run.members[1] - run.members[0], not run.pieces)
    for piece in run.pieces:
        found[slice(*piece)] = True
    return found
