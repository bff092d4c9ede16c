"""A conversation and a chat template -> one text, and where each assistant turn stands in it.

Reading order: `chat_templates` (a template's text), `rendering` (messages -> text, by `shapes` where a template allows it),
`turns` (whose text it is). What a conversation says is proved to be shown: each message, each call with its names, keys and
values, each function. One whose turns cannot be told, or whose text the template does not show, is `Unfit`, with the reason.
"""

import contextlib
import json
import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.tokens.chat_templates import shipped_templates as shipped_templates  # for whoever renders
from pipeline.tokens.chat_templates import template_text as template_text
from pipeline.tokens.rendering import Rendering
from pipeline.tokens.tokenizer import Tokenizer
from pipeline.tokens.tool_calls import BROKEN, Conversation, conversations, in_json, shown, with_text_arguments
from pipeline.tokens.tool_calls import Message as Message
from pipeline.tokens.turns import Turn as Turn
from pipeline.tokens.turns import Turns
from pipeline.tokens.unfit import Unfit as Unfit

MARK = re.compile(r"<\|\w+\|>|\[/?[A-Z_]+\]")


class Rendered(NamedTuple):
    """A conversation as the model reads it: its text, the turns that are trained, and those that are not, of weight 0."""

    text: str
    turns: list[Turn]
    untrained: Sequence[Turn] = ()


def rendered_sample(tokenizer: Tokenizer, documents: pa.Table) -> list[str]:
    """Return the texts of those chats in some documents that the tokenizer's template can render.

    They are what encoders are compared on, before a chat is tokenized.
    """
    chat = Chat(tokenizer)
    texts = []
    for messages in conversations(documents):
        with contextlib.suppress(Unfit):  # the run itself will say why
            texts.append(chat.render(messages).text)
    return texts


class Chat:
    """Renders conversations with a tokenizer's chat template and finds what each assistant turn says."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.template = tokenizer.chat_template or ""
        self._rendering = Rendering(self.template, tokenizer.special_tokens)
        self._turns = Turns(self._rendering, self._control, tokenizer.control_tokens)

    def render(self, messages: Sequence[Message]) -> Rendered:
        """Render a conversation and find its assistant turns, but for those of weight 0; raises `Unfit`."""
        tools = messages.tools if isinstance(messages, Conversation) else None
        weights = _weights(messages)
        self._refuse_control_tokens(messages, tools)
        try:
            text, turns = self._rendered(messages, tools)
        except Unfit as problem:
            if not any("tool_calls" in message for message in messages):
                raise
            try:
                text, turns = self._rendered(with_text_arguments(messages, tools), tools)
            except Unfit as other:
                raise (other if problem.measure == "rendering" != other.measure else problem) from None
        trained = [turn for turn in turns if weights[turn.message]]
        return Rendered(
            text, trained, [turn for turn in turns if not weights[turn.message]] if len(trained) < len(turns) else ()
        )

    def _rendered(self, messages: Sequence[Message], tools: Any) -> tuple[str, list[Turn]]:  # noqa: ANN401  JSON
        text, spans = self._rendering.jinja(messages, tools)
        turns = self._turns.marked(messages, text, tools) if spans is None else self._turns.tagged(messages, text, spans)
        _prove_shown(messages, text)
        for turn, call in ((found, call) for found in turns for call in messages[found.message].get("tool_calls", ())):
            if not shown(call, text[turn.start : turn.end]):
                called = call["function"]["name"]
                raise Unfit("tool_calls", f"the template does not show the call of {called!r}", turn.message)
        for name in _names(tools):
            if name not in text:
                raise Unfit("tools", f"the template does not show the function {name!r} of `tools`")
        return text, turns

    def unknown_marks(self) -> list[str]:
        """Return the template's marks, such as `<|im_start|>`, for which the tokenizer has no token of their own."""
        marks = sorted(set(MARK.findall(self.template)))
        return [mark for mark in marks if self.tokenizer.backend.token_to_id(mark) is None]

    @cached_property
    def _control(self) -> "re.Pattern[str] | None":
        tokens = self.tokenizer.control_tokens
        return re.compile("|".join(map(re.escape, tokens))) if tokens else None

    def _refuse_control_tokens(self, messages: Sequence[Message], tools: Any) -> None:  # noqa: ANN401  JSON
        if tools == BROKEN:
            raise Unfit("tools", "the functions in `tools` are no JSON list of objects")
        if tools and (found := self._control_token(json.dumps(tools, ensure_ascii=False))):
            raise Unfit("control_tokens", f"`tools` holds the control token {found!r}")
        for place, message in enumerate(messages):
            more = json.dumps(message["tool_calls"], ensure_ascii=False) if "tool_calls" in message else ""
            if found := self._control_token(message["content"]) or self._control_token(more):
                raise Unfit("control_tokens", f"the message holds the control token {found!r}", place)

    def _control_token(self, text: str) -> str | None:
        found = self._control.search(text) if self._control else None
        return found[0] if found else None


def _prove_shown(messages: Sequence[Message], text: str) -> None:
    """Raise `Unfit` where a text does not show what others than the assistant say.

    Each is looked for from the one before on: of n messages a search from the start would take time by their square.
    """
    at = 0
    for place, message in enumerate(messages):
        if message["role"] == "assistant":
            continue
        said = message["content"].strip()
        found = text.find(said, at)
        if found >= 0:
            at = found
        elif said not in text and in_json(said) not in text:
            raise Unfit("rendering", f"the template does not show the {message['role']} message", place)


def _names(tools: Any) -> list[str]:  # noqa: ANN401  JSON
    functions = [tool.get("function", tool) for tool in tools or ()]
    return [function["name"] for function in functions if isinstance(function, dict) and isinstance(function.get("name"), str)]


def _weights(messages: Sequence[Message]) -> list[bool]:
    """Return which messages are trained; a label is there or not, so an answer's weight is 0 or 1. Raises `Unfit`."""
    weights = [message.get("weight", 1) for message in messages]
    for place, (message, weight) in enumerate(zip(messages, weights, strict=True)):
        if weight not in (0, 1) and message["role"] == "assistant":
            raise Unfit("weight", f"the answer's weight is {weight:g}, and labels can only say 0 or 1", place)
    return [weight != 0 for weight in weights]
