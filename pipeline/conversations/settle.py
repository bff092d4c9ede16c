"""A batch's conversations, of whatever format -> messages, and why some are none; mended on wish."""

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.conversations.mending import crooked, mended
from pipeline.conversations.rules import faults, without_empty_system
from pipeline.conversations.turns import turns_of


class Repaired(NamedTuple):
    """How many conversations were mended, and of their turns how many were joined to another one or left out."""

    conversations: int = 0
    joined: int = 0
    left_out: int = 0

    def __str__(self) -> str:
        """Say it as a remark does."""
        return f"repaired: {self.conversations} conversations: {self.joined} turns joined, {self.left_out} left out"


class Settled(NamedTuple):
    """Conversations as `MESSAGES` or `FULL_MESSAGES`; `string[conversations]` why each is none, or null; what was mended."""

    messages: pa.Array
    why: pa.Array
    repaired: Repaired


def settle(messages: pa.ChunkedArray | pa.Array, *, repair: bool = False) -> Settled:
    """Check conversations, `list<struct<role, content, ...>>` with the source's names of speakers.

    With `repair`, what can be mended is; the rest has the reason that it had before.

    >>> said = [{"role": "human", "content": "Hi"}, {"role": "user", "content": "there"}, {"role": "gpt", "content": "Yo"}]
    >>> settle(pa.array([said, said[:1]])).why.to_pylist()
    ['turn 2 (user) follows a user turn', 'no assistant turn']
    >>> print(settle(pa.array([said, said[:1]]), repair=True).repaired)
    repaired: 1 conversations: 1 turns joined, 0 left out
    """
    turns = without_empty_system(turns_of(messages))
    why = faults(turns)
    wanted = crooked(turns, why) if repair else None
    if wanted is None or not wanted.any():
        return Settled(turns.nested(), why, Repaired())
    messages, rows, straight = mended(turns, wanted)
    repaired = Repaired(len(straight), sum(one.joined for one in straight), sum(one.left_out for one in straight))
    return Settled(messages, pc.if_else(pa.array(rows), pa.scalar(None, why.type), why), repaired)
