"""Turns in disorder -> turns in order: what can be mended is, and what is left out is counted.

system turns behind the first          joined to it, in front
empty turns                            left out
tools' answers to nobody               left out
calls that no tool has answered        left out with their turn, unless they end the conversation
answers of tools that led to nothing   left out with their calls
turns of one speaker in a row          joined by an empty line
assistants before the first user       left out
users and tools at the end             left out
"""

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.conversations.rules import ASSISTANT, TOOL, USER, before, codes, faults
from pipeline.conversations.turns import Flags, Ints, Turns, turns_of

Turn = dict[str, Any]


class Straight(NamedTuple):
    """A conversation in order, how many turns were joined to another one, and how many left out."""

    turns: list[Turn]
    joined: int
    left_out: int


def crooked(turns: Turns, why: pa.Array) -> Flags:
    """Say of each conversation whether there is something to mend: `why`, its fault, or what else a template may refuse."""
    role, filled = codes(turns), np.flatnonzero(np.diff(turns.offsets))
    found: Flags = why.is_valid().to_numpy(zero_copy_only=False).copy()
    opens = (before(turns, role) < USER) & ((role == ASSISTANT) | (role == TOOL))
    last = role[turns.offsets[1:][filled] - 1]
    found[_of(turns, opens)] = True
    found[filled[(last == USER) | (last == TOOL)]] = True
    lost = (role < 0) | turns.wrong.is_valid().to_numpy(zero_copy_only=False)
    found[_of(turns, lost)] = False
    return found


def _of(turns: Turns, chosen: Flags) -> Ints:
    conversations: Ints = np.searchsorted(turns.offsets, np.flatnonzero(chosen), side="right") - 1
    return conversations


class Mended(NamedTuple):
    """Conversations, `bool[conversations]` which of them were mended, and what was done to these."""

    messages: pa.Array
    rows: Flags
    straight: list[Straight]


def mended(turns: Turns, crooked: Flags) -> Mended:
    """Put crooked conversations in order; one that even so breaks a rule stays as it was."""
    lists, rows = turns.nested(), np.flatnonzero(crooked)
    straight = [straightened(conversation) for conversation in lists.take(pa.array(rows)).to_pylist()]
    new = pa.array([one.turns for one in straight], lists.type)
    good = faults(turns_of(new)).is_null().to_numpy(zero_copy_only=False)
    place = np.arange(len(lists))
    place[rows[good]] = len(lists) + np.flatnonzero(good)
    messages = pa.concat_arrays([lists, new]).take(pa.array(place))
    return Mended(messages, place >= len(lists), [one for one, is_good in zip(straight, good, strict=True) if is_good])


def straightened(turns: list[Turn]) -> Straight:
    """Put one conversation's turns in order.

    >>> said = [("user", "Hi"), ("user", "there"), ("assistant", "Yo"), ("user", "Bye")]
    >>> straight = straightened([{"role": role, "content": text} for role, text in said])
    >>> [turn["content"] for turn in straight.turns], straight.joined, straight.left_out
    (['Hi\\n\\nthere', 'Yo'], 1, 1)
    """
    system = [turn for turn in turns if turn["role"] == "system"]
    others = _answered([turn for turn in turns if turn["role"] != "system" and not _is_empty(turn)])
    while others and others[0]["role"] != "user":
        del others[0]
    while others and others[-1]["role"] in ("user", "tool"):
        del others[-1]
    kept = [*system, *others]
    joined: list[Turn] = []
    for turn in kept:
        if joined and turn["role"] == joined[-1]["role"] != "tool":
            joined[-1] = _joined(joined[-1], turn)
        else:
            joined.append(turn)
    return Straight(joined, len(kept) - len(joined), len(turns) - len(kept))


def _answered(turns: list[Turn]) -> list[Turn]:
    """Leave out calls without an answer and answers of tools without a call, or without the assistant's word on them."""
    kept: list[Turn] = []
    for turn in turns:
        if turn["role"] == "tool" and not (kept and kept[-1]["role"] in ("assistant", "tool")):
            continue
        if turn["role"] == "user":
            _close(kept)
        elif turn["role"] == "assistant" and not turn.get("tool_calls") and kept and kept[-1].get("tool_calls"):
            kept.pop()
        kept.append(turn)
    return kept


def _close(kept: list[Turn]) -> None:
    """Take off what stands open before the user speaks again: calls, and tools' answers that the assistant left at that."""
    while kept and (kept[-1]["role"] == "tool" or kept[-1].get("tool_calls")):
        of_tool = kept.pop()["role"] == "tool"
        if of_tool and kept and kept[-1]["role"] == "assistant":
            kept.pop()


def _is_empty(turn: Turn) -> bool:
    return not turn["content"].strip() and not turn.get("tool_calls") and turn["role"] != "tool"


def _joined(first: Turn, second: Turn) -> Turn:
    """Join two turns of one speaker: texts by an empty line, calls one behind the other; the rest is the first's."""
    content = "\n\n".join(text for text in (first["content"], second["content"]) if text.strip())
    calls = [turn["tool_calls"] for turn in (first, second) if turn.get("tool_calls")]
    more = {key: first[key] if first[key] is not None else second[key] for key in first if key not in ("role", "content")}
    if calls:
        more["tool_calls"] = calls[0] if len(calls) == 1 else f"{calls[0][:-1]},{calls[1][1:]}"
    return {**more, "role": first["role"], "content": content}
