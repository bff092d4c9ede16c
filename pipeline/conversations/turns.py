"""A batch's conversations as flat columns, a row a turn, with the offsets of the conversations in them; and back.

The names that speakers have in the usual formats become the roles `system`, `user`, `assistant` and `tool`.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.conversations.calls import calls_text
from pipeline.documents import FULL_MESSAGES, MESSAGES, MORE, STRING

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

CALLERS = ("function_call", "function-call", "tool_call", "tool_calls")
"""The speakers whose text is a call as JSON: the assistant's turn in LLaMA-Factory's ShareGPT and its kin."""

ROLES = {
    **dict.fromkeys(("user", "human", "prompter", "customer"), "user"),
    **dict.fromkeys(("assistant", "gpt", "gpt4", "chatgpt", "bing", "bard", "claude", "model"), "assistant"),
    **dict.fromkeys(("bot", "chatbot", "ai"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "observation", "function", "ipython", "environment"), "tool"),
    **dict.fromkeys(("function_response", "function-response", "tool_response", "tool_result"), "tool"),
    **dict.fromkeys(CALLERS, "assistant"),
}
"""The names of speakers, and the roles they stand for.

OpenAI: user, assistant, system, developer, tool, function. ShareGPT, FastChat, axolotl, OpenHermes: human, gpt, chatgpt, bing,
bard, model. oasst: prompter. LLaMA-Factory: function_call, observation. Llama 3: ipython. Cohere: chatbot. LangChain: ai."""


@dataclass(frozen=True)
class Turns:
    """Turns of conversations side by side: `string[turns]` columns, `int64[conversations + 1]` offsets.

    `number` is a turn's number in its conversation as the source has it, from 1; `named` what it calls the speaker. `wrong`
    says of a turn why its calls cannot be read. The `type` is that of the messages: `MESSAGES` or `FULL_MESSAGES`.
    """

    role: pa.Array
    content: pa.Array
    more: tuple[pa.Array, ...]
    number: Ints
    named: pa.Array
    wrong: pa.Array
    offsets: Ints
    type: pa.DataType

    @property
    def calls(self) -> Flags:
        """Say of each turn whether it makes calls."""
        return _flags(self.more[1].is_valid())

    @cached_property
    def said(self) -> Flags:
        """Say of each turn whether its text says something."""
        return ~_flags(pc.or_(pc.equal(self.content, ""), pc.utf8_is_space(self.content)))

    def where(self, kept: Flags) -> "Turns":
        """Return some of the turns, each in its conversation."""
        chosen = pa.array(kept)
        offsets = np.concatenate([[0], np.cumsum(kept)]).astype(np.int64)[self.offsets]
        more = tuple(column.filter(chosen) for column in self.more)
        role, content, named = (column.filter(chosen) for column in (self.role, self.content, self.named))
        return Turns(role, content, more, self.number[kept], named, self.wrong.filter(chosen), offsets, self.type)

    def nested(self) -> pa.Array:
        """Return the conversations as messages."""
        columns = [self.role.fill_null(""), self.content, *(self.more if self.type == FULL_MESSAGES else ())]
        struct = pa.StructArray.from_arrays(columns, fields=list(self.type.value_type))
        return pa.ListArray.from_arrays(pa.array(self.offsets.astype(np.int32)), struct, type=self.type)


def turns_of(messages: pa.ChunkedArray | pa.Array) -> Turns:
    """Lay conversations out: `list<struct<role, content, ...>>`, of which none, or no field but `role` and `content`, need be.

    >>> turns = turns_of(pa.array([None, [{"role": "Human", "content": "Hi"}]]))
    >>> turns.role.to_pylist(), turns.offsets.tolist(), turns.type == MESSAGES
    (['user'], [0, 0, 1], True)
    """
    lists = messages if isinstance(messages, pa.Array) else pa.concat_arrays(messages.chunks or [pa.array([], messages.type)])
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = pc.list_flatten(lists)
    columns = dict(zip((field.name for field in values.type), values.flatten(), strict=True))
    named = columns["role"].cast(STRING)
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(named))
    role = pa.array(ROLES.values(), STRING).take(pc.index_in(lower, pa.array(ROLES, STRING)))
    more = tuple(
        columns[field.name].cast(field.type) if field.name in columns else pa.nulls(len(values), field.type) for field in MORE
    )
    number = np.arange(len(values)) - np.repeat(offsets[:-1], lengths) + 1
    type_ = FULL_MESSAGES if columns.keys() & {field.name for field in MORE} else MESSAGES
    content, wrong = columns["content"].cast(STRING).fill_null(""), pa.nulls(len(values), STRING)
    turns = Turns(role, content, more, number, named, wrong, offsets, type_)
    callers = _flags(pc.is_in(lower, pa.array(CALLERS, STRING)))
    return _with_calls(turns, np.flatnonzero(callers)) if callers.any() else turns


def _with_calls(turns: Turns, callers: Ints) -> Turns:
    """Read the texts of turns that are calls."""
    told: dict[str, list[Any]] = {"content": [], "calls": [], "wrong": []}
    for text, calls in zip(turns.content.take(pa.array(callers)), turns.more[1].take(pa.array(callers)), strict=True):
        said, found, wrong = text.as_py(), calls.as_py(), None
        if found is None:
            try:
                found = calls_text(said)
            except ValueError as error:
                wrong = str(error)
            said = "" if found else said
        for column, cell in zip(told.values(), (said, found, wrong), strict=True):
            column.append(cell)
    at = np.zeros(len(turns.role), dtype=bool)
    at[callers] = True
    content, calls, wrong = (
        pc.replace_with_mask(column, pa.array(at), pa.array(cells, STRING))
        for column, cells in zip((turns.content, turns.more[1], turns.wrong), told.values(), strict=True)
    )
    return replace(turns, content=content, more=(turns.more[0], calls, *turns.more[2:]), wrong=wrong, type=FULL_MESSAGES)


def _flags(answers: pa.BooleanArray) -> Flags:
    flags: Flags = answers.fill_null(False).to_numpy(zero_copy_only=False)
    return flags
