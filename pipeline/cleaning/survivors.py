"""Candidates that buckets connect -> which of them stay, and for each other one the twin that it goes for.

    whole    a group, or several, that a task can hold: its candidates in order of rank, each against the survivors before it
    blocks   a group that it cannot hold, cut in that order: as many rounds as there are blocks

In a round the survivors of one block meet all blocks behind it, each of them in a task, and in the next one it is then settled
who stays. Who is gone has found a twin, but looks on for one that its buckets name earlier: that is what it would have been
compared with first, had all been held at once.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters import clusters
from pipeline.artifacts import save
from pipeline.exchange import Exchange, Ints, mapped, parts
from pipeline.exchange.buckets import Map

Values = npt.NDArray[np.float64]
EVERYWHERE = np.int32(2**31 - 1)  # in so many of its buckets a candidate looks that has no twin: in all


class Found(NamedTuple):
    """Some candidates' places in the order, the twin of each, their similarity, and which of its buckets named the twin."""

    places: Ints
    twin: Ints
    similarity: Values
    bucket: Ints


class Meeting(NamedTuple):
    """The survivors of a block meet the candidates of one behind it, or `settles`: and who of these has no twin yet stays."""

    earlier: tuple[int, int]
    later: tuple[int, int]
    settles: bool


def of_whole(exchange: Exchange, threshold: float, cut: tuple[int, int]) -> Found:
    """Choose among some whole groups, which stand from one place in the order to another; return those that have twins."""
    own = parts.standing(exchange, *cut)
    found = _against(exchange, threshold, own[:0], own, np.full(len(own), EVERYWHERE), settles=True)
    return found._replace(places=found.places + cut[0])


def of_blocks(exchange: Exchange, threshold: float, blocks: Sequence[tuple[int, int]], map_: Map) -> Iterator[Found]:
    """Choose in a group that is cut into blocks; yield those that have twins, and again those that have found another one."""
    begin, end = blocks[0][0], blocks[-1][1]
    looks = np.full(end - begin, EVERYWHERE)
    for number, earlier in enumerate([(begin, begin), *blocks[:-1]]):
        save(looks, _looks(exchange, begin), durable=False)
        later = blocks[number:] if number else blocks[:1]
        meetings = [Meeting(earlier, block, settles=place == 0) for place, block in enumerate(later)]
        for found in map_(partial(_met, exchange, threshold, begin), meetings):
            looks[found.places - begin] = found.bucket
            yield found


def _met(exchange: Exchange, threshold: float, begin: int, meeting: Meeting) -> Found:
    """Return what a block has found in a meeting; the group's looks lie in a file."""
    looks = mapped(_looks(exchange, begin))
    survivors, candidates = (parts.standing(exchange, *block) for block in meeting[:2])
    survivors = survivors[looks[slice(*(np.array(meeting.earlier) - begin))] == EVERYWHERE]
    own = looks[slice(*(np.array(meeting.later) - begin))]
    rows = np.flatnonzero(own)
    if not meeting.settles:
        chosen, others = parts.meeting(exchange, survivors, candidates[rows])
        survivors, rows = survivors[chosen], rows[others]
    found = _against(exchange, threshold, survivors, candidates[rows], own[rows], settles=meeting.settles)
    return found._replace(places=rows[found.places] + meeting.later[0])


def _against(exchange: Exchange, threshold: float, survivors: Ints, candidates: Ints, looks: Ints, *, settles: bool) -> Found:
    """Return what candidates find that stand behind survivors, by their places among the candidates."""
    own, before = parts.part(exchange, np.concatenate([survivors, candidates])), len(survivors)
    enters = looks == EVERYWHERE if settles else np.zeros(len(looks), np.bool_)
    looks = np.where(candidates < exchange.candidates_before(exchange.first), 0, looks)  # of other artifacts: they stay
    twin, similarity, bucket = clusters.survivors(
        own.buckets,
        own.bounds,
        own.hashes,
        own.offsets,
        threshold,
        np.concatenate([np.zeros(before, np.int64), looks]),
        np.concatenate([np.ones(before, np.bool_), enters]),
    )
    gone = np.flatnonzero(twin >= 0)
    return Found(gone - before, own.candidates[twin[gone]], similarity[gone], bucket[gone])


def _looks(exchange: Exchange, begin: int) -> Path:
    return exchange.file(f"looks-{begin}.npy")
