"""Rendered conversations and the characters of their tokens -> which tokens are trained, for a whole batch at once.

Characters of all conversations are counted through, so that one search finds the tokens of all turns.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.tokens.chat import Rendered
from pipeline.tokens.encoding.ids import Ids, Ints, offsets_of

TrainOn = Literal["assistant", "last", "all"]
Flags = npt.NDArray[np.bool_]


def labelled(rendered: Sequence[Rendered], ids: Ids, characters: Ints, train_on: TrainOn) -> tuple[Flags, Flags]:
    """Return `bool[tokens]` which are supervised, and `bool[conversations]` whose turns all have tokens, and their ends.

    `characters` are `int64[tokens, 2]`. A turn that begins or ends inside a character is none of which that is said.
    """
    owner, start, end, trained = _turns(rendered, train_on)
    begins, ends = _counted_through(rendered, ids, characters)
    first = np.searchsorted(ends, start, side="right")
    behind = np.searchsorted(begins, end, side="left")
    fine = _whole(first, behind, begins, ends) & (ends[np.maximum(behind, 1) - 1] >= end) if len(ends) else first < behind
    proved = np.ones(len(rendered), np.bool_)
    proved[owner[~fine]] = False
    inside = _covered(first[fine & trained], behind[fine & trained], len(ids.ids))
    return (~inside if train_on == "all" else inside), proved


def _turns(rendered: Sequence[Rendered], train_on: TrainOn) -> tuple[Ints, Ints, Ints, Flags]:
    """Return each turn's conversation, its characters counted through, and whether it decides what is supervised.

    With `all`, those decide that are not trained.
    """
    sizes = np.fromiter((len(one.text) for one in rendered), np.int64, len(rendered))
    turns = [(number, *turn[1:], turn is one.turns[-1]) for number, one in enumerate(rendered) for turn in one.turns]
    others = [(number, *turn[1:], True) for number, one in enumerate(rendered) for turn in one.untrained]
    table = np.array(turns + others if train_on == "all" else turns, np.int64).reshape(-1, 4)
    base = offsets_of(sizes)[table[:, 0]]
    deciding = {
        "all": np.arange(len(table)) >= len(turns),
        "last": table[:, 3] > 0,
        "assistant": np.ones(len(table), np.bool_),
    }
    return table[:, 0], table[:, 1] + base, table[:, 2] + base, deciding[train_on]


def _counted_through(rendered: Sequence[Rendered], ids: Ids, characters: Ints) -> tuple[Ints, Ints]:
    """Return where tokens begin and end; those of a conversation that do not follow one another are made to."""
    base = offsets_of(np.fromiter((len(one.text) for one in rendered), np.int64, len(rendered)))[:-1]
    through = characters + np.repeat(base, np.diff(ids.offsets))[:, None]
    return np.maximum.accumulate(through[:, 0]), np.maximum.accumulate(through[:, 1])


def _whole(first: Ints, behind: Ints, begins: Ints, ends: Ints) -> Flags:
    """Say which ranges of tokens hold some, and share no character with the tokens beside them."""
    last = len(begins) - 1
    cut_before = (first > 0) & (ends[np.maximum(first, 1) - 1] > begins[np.minimum(first, last)])
    cut_behind = (behind <= last) & (behind > 0) & (ends[np.maximum(behind, 1) - 1] > begins[np.minimum(behind, last)])
    whole: Flags = (first < behind) & ~cut_before & ~cut_behind
    return whole


def _covered(first: Ints, behind: Ints, size: int) -> Flags:
    """Return which places lie in one of some ranges.

    >>> _covered(np.array([1]), np.array([3]), 4).tolist()
    [False, True, True, False]
    """
    edges = np.zeros(size + 1, np.int64)
    np.add.at(edges, first, 1)
    np.add.at(edges, behind, -1)
    inside: Flags = np.cumsum(edges)[:-1] > 0
    return inside
