"""Turns -> what is wrong with each conversation: its first fault, with the turn's number and role.

Rejected, because the stock templates refuse such a conversation or render another one (those of Mistral and Gemma raise unless
user and assistant alternate, Llama's and Mistral's lose or misplace a later system turn), and because it most often was cut or
put together wrongly:

    a speaker that is not known            nobody can say whether it is trained
    a system turn behind another turn      there is one place for it, the first
    an empty turn                          nothing to learn from; a turn of calls may be empty, and a tool's answer
    user after user, assistant after assistant, user after a tool or after calls without an answer
    a tool's answer to nobody              none but an assistant or another tool stands before it
    calls of anyone but the assistant, and calls that cannot be read
    no user turn, or no assistant turn     nothing is asked, or nothing is answered

Tolerated, because they are common, and harm no one: the tokenizer's template has the last word.

    it begins with the assistant           ShareGPT's pages were often cut there, and characters greet first
    it ends with the user or a tool        what follows is not trained, for there is nothing
    it ends with calls                     in sets of function calls the call is the answer
    a tool answers a turn without calls    Hermes, ToolACE, glaive and others write their calls into the text

An empty system turn is left out, here as everywhere.
"""

import numpy as np
import pyarrow as pa

from pipeline.conversations.turns import Flags, Ints, Turns
from pipeline.documents import STRING

NAMES = ("system", "user", "assistant", "tool")
SYSTEM, USER, ASSISTANT, TOOL = range(4)
BEFORE = {SYSTEM: "the system turn", USER: "a user turn", ASSISTANT: "an assistant turn", TOOL: "a tool turn"}
CALLS = 4  # what stands before a turn: an assistant's turn with calls
NOTHING = -1


def codes(turns: Turns) -> Ints:
    """Return a number for each turn's role, -1 for an unknown one."""
    found = pa.compute.index_in(turns.role, pa.array(NAMES, STRING)).fill_null(-1)
    return np.asarray(found.to_numpy(), dtype=np.int64)


def before(turns: Turns, role: Ints) -> Ints:
    """Return what stands before each turn in its conversation: a role's number, `CALLS`, or `NOTHING`."""
    previous = np.roll(np.where((role == ASSISTANT) & turns.calls, CALLS, role), 1)
    previous[turns.offsets[:-1][np.diff(turns.offsets) > 0]] = NOTHING
    return previous


def without_empty_system(turns: Turns) -> Turns:
    """Return turns without system turns that say nothing."""
    empty = (codes(turns) == SYSTEM) & ~turns.said
    return turns.where(~empty) if empty.any() else turns


def faults(turns: Turns) -> pa.Array:
    """Return `string[conversations]`: the first fault of each, or null."""
    role, calls, said = codes(turns), turns.calls, turns.said
    previous = before(turns, role)
    after_assistant = (previous == ASSISTANT) | (previous == CALLS)
    bad = {
        "unknown": role < 0,
        "wrong": turns.wrong.is_valid().to_numpy(zero_copy_only=False),
        "calls": calls & (role != ASSISTANT),
        "system": (role == SYSTEM) & (previous != NOTHING),
        "empty": ~said & ~calls & (role != TOOL),
        "user": (role == USER) & ((previous == USER) | (previous == TOOL) | (previous == CALLS)),
        "assistant": (role == ASSISTANT) & after_assistant,
        "tool": (role == TOOL) & ~after_assistant & (previous != TOOL),
    }
    why: list[str | None] = _of_all(turns, role)
    conversation = np.repeat(np.arange(len(why)), np.diff(turns.offsets))
    faulty = np.flatnonzero(np.logical_or.reduce(list(bad.values())))
    rows, first = np.unique(conversation[faulty], return_index=True)
    for row, turn in zip(rows.tolist(), faulty[first].tolist(), strict=True):
        kind = next(name for name, flags in bad.items() if flags[turn])
        why[row] = _sentence(turns, kind, turn, int(previous[turn]))
    return pa.array(why, STRING)


def _of_all(turns: Turns, role: Ints) -> list[str | None]:
    """Say of each conversation whether it lacks a user or an assistant."""
    why = np.full(len(turns.offsets) - 1, None, dtype=object)
    why[_none(role == ASSISTANT, turns.offsets)] = "no assistant turn"
    why[_none(role == USER, turns.offsets)] = "no user turn"
    why[_none(role != SYSTEM, turns.offsets)] = "the conversation is empty"
    return list(why)


def _none(flags: Flags, offsets: Ints) -> Flags:
    found: Flags = np.diff(np.concatenate([[0], np.cumsum(flags)])[offsets]) == 0
    return found


def _sentence(turns: Turns, kind: str, turn: int, previous: int) -> str:
    name = turns.named[turn].as_py()
    head = f"turn {turns.number[turn]}"
    if kind == "unknown":
        return f"{head} has no role" if name is None else f"{head} has an unknown role {name!r}"
    head = f"{head} ({turns.role[turn].as_py()})"
    match kind:
        case "wrong":
            return f"{head} {turns.wrong[turn].as_py()}"
        case "calls":
            return f"{head} makes calls, which only the assistant does"
        case "system":
            return f"{head} stands behind another turn"
        case "empty":
            return f"{head} is empty"
        case "tool":
            return f"{head} answers nobody" if previous == NOTHING else f"{head} follows {BEFORE[previous]}"
    return f"{head} follows " + ("calls that no tool has answered" if previous == CALLS else BEFORE[previous])
