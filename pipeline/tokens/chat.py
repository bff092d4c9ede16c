"""A conversation and a chat template -> one text, and where each assistant turn stands in it.

Turns come from the template's `{% generation %}` tags. A template without them is rendered once more with a marker in the place
of each answer: what stands around the markers is the template's, what replaces them is the answer, and the control token behind
it ends the turn. So the stock templates of models whose authors wrote no tags have right spans too, even those that render an
answer otherwise when it is the last.

A turn of tool calls without a text has its marker in the place of the first function's name. It begins behind what opens an
answer too (`<|im_start|>assistant`, `[/INST]`), which a small conversation shows, and ends with the control token that ends
answers. That its calls stand between, each name, key and value, is proved. A conversation whose turns cannot be told, or whose
calls or functions the template does not show, is `Unfit`, with the reason.
"""

import json
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.configs_folder import configs_folder
from pipeline.errors import TokenizerError, did_you_mean
from pipeline.tokens.tokenizer import Tokenizer
from pipeline.tokens.tool_calls import BROKEN, Conversation, in_json, shown, with_text_arguments
from pipeline.tokens.tool_calls import Message as Message  # for whoever renders

MARKER = "\ue000{}\ue001"  # private-use characters: no white space to trim, and no text holds them
MARK = re.compile(r"<\|\w+\|>|\[/?[A-Z_]+\]")
FUNCTION = {"name": "probe", "description": "", "parameters": {"type": "object", "properties": {}}}
CALL = {
    "id": "probe0001",
    "type": "function",
    "function": {"name": "probe", "arguments": {}},
}  # Mistral's have 9 characters
CALLED: list[Message] = [
    {"role": "user", "content": "A?"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "name": "probe", "content": "1", "tool_call_id": "probe0001"},
]
GENERATION_TAG = re.compile(r"\{%-?\s*generation\s*-?%\}")


class Turn(NamedTuple):
    """An assistant turn: the position of its message, and the characters of its answer and end-of-turn."""

    message: int
    start: int
    end: int


class Rendered(NamedTuple):
    """A conversation as the model reads it."""

    text: str
    turns: list[Turn]


class Unfit(Exception):  # noqa: N818  the name says the error
    """A conversation that cannot be tokenized with a proved mask: which proof failed, why, and at which message."""

    def __init__(self, measure: str, reason: str, message: int | None = None) -> None:
        self.measure, self.reason, self.message = measure, reason, message
        super().__init__(reason)


def shipped_templates() -> list[str]:
    """Return the names of the chat templates that ship.

    >>> shipped_templates()
    ['alpaca', 'chatml', 'llama-3', 'mistral', 'vicuna']
    """
    return sorted(path.stem for path in (configs_folder() / "chat_templates").glob("*.jinja"))


def template_text(named: str | None, own: str | None, fallback: str | None = None) -> str:
    """Return a template's text: a shipped one by name, a .jinja file, or the tokenizer's `own`, else the shipped `fallback`.

    Raises `TokenizerError` where there is none.
    """
    if named is None and own is not None:
        return own
    named = named or fallback
    names = shipped_templates()
    if named is None:
        raise TokenizerError(
            f"the tokenizer has no chat template. Choose one with --chat-template: {', '.join(names)}, or a .jinja file."
        )
    if named in names:
        return (configs_folder() / "chat_templates" / f"{named}.jinja").read_text("utf-8")
    try:
        return Path(named).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        hint = did_you_mean(named, names)
        raise TokenizerError(
            f"no chat template {named!r}.{hint} There are {', '.join(names)}, or name a .jinja file."
        ) from error


class Chat:
    """Renders conversations with a tokenizer's chat template and finds what each assistant turn says."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        self.template = tokenizer.chat_template or ""

    def render(self, messages: Sequence[Message]) -> Rendered:
        """Render a conversation and find its assistant turns, but for those of weight 0; raises `Unfit`."""
        tools = messages.tools if isinstance(messages, Conversation) else None
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
        return Rendered(text, [turn for turn in turns if messages[turn.message].get("weight") != 0])

    def _rendered(self, messages: Sequence[Message], tools: Any) -> Rendered:  # noqa: ANN401  JSON
        tagged = GENERATION_TAG.search(self.template) is not None
        text, spans = self._jinja(messages, tagged, tools)
        turns = self._tagged(messages, text, spans) if tagged else self._marked(messages, text, tools)
        for place, message in enumerate(messages):
            said = message["content"].strip()
            if message["role"] != "assistant" and said not in text and in_json(said) not in text:
                raise Unfit("rendering", f"the template does not show the {message['role']} message", place)
        for turn, call in ((found, call) for found in turns for call in messages[found.message].get("tool_calls", ())):
            if not shown(call, text[turn.start : turn.end]):
                called = call["function"]["name"]
                raise Unfit("tool_calls", f"the template does not show the call of {called!r}", turn.message)
        for name in _names(tools):
            if name not in text:
                raise Unfit("tools", f"the template does not show the function {name!r} of `tools`")
        return Rendered(text, turns)

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

    def _jinja(self, messages: Sequence[Message], tagged: bool, tools: Any = None) -> tuple[str, list[tuple[int, int]]]:  # noqa: ANN401
        from jinja2 import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            texts, spans = render_jinja_template(
                conversations=[list(messages)],
                tools=tools,
                chat_template=self.template,
                return_assistant_tokens_mask=tagged,
                **self.tokenizer.special_tokens,
            )
        except (TemplateError, TypeError) as error:
            raise Unfit("rendering", f"the template refuses it: {error}") from error
        return texts[0], spans[0] if tagged else []

    def _tagged(self, messages: Sequence[Message], text: str, spans: list[tuple[int, int]]) -> list[Turn]:
        assistants = _assistants(messages)
        if len(spans) != len(assistants):
            raise Unfit("turns", f"the template marks {len(spans)} turns, the conversation has {len(assistants)}")
        return [self._closed(messages, text, Turn(place, *span)) for place, span in zip(assistants, spans, strict=True)]

    def _closed(self, messages: Sequence[Message], text: str, turn: Turn) -> Turn:
        said = text[turn.start : turn.end]
        _, found, after = said.partition(content) if (content := messages[turn.message]["content"].strip()) else ("", "", said)
        if content and not found:
            raise Unfit("turns", "the template does not show the assistant's text as it is", turn.message)
        if not after.strip():
            raise Unfit("end_of_turn", "the template does not train the end of the assistant's turn", turn.message)
        if "tool_calls" in messages[turn.message] and not said.rstrip().endswith(tuple(self.tokenizer.control_tokens)):
            raise Unfit("end_of_turn", "the template does not train the end of a turn of calls", turn.message)
        return Turn(turn.message, turn.start, turn.start + len(said.rstrip()))

    def _marked(self, messages: Sequence[Message], text: str, tools: Any) -> list[Turn]:  # noqa: ANN401  JSON
        assistants = _assistants(messages)
        marked = [dict(message) for message in messages]
        for place in assistants:
            marked[place] = _with_marker(messages[place], MARKER.format(place))
        skeleton, _ = self._jinja(marked, False, tools)
        around = re.split("|".join(MARKER.format(place) for place in assistants), skeleton) if assistants else [skeleton]
        if len(around) != len(assistants) + 1:
            raise Unfit("turns", f"the template shows {len(around) - 1} answers, the conversation has {len(assistants)}")
        turns, at, done = [], len(around[0]), 0
        for place, after in zip(assistants, around[1:], strict=True):
            message = messages[place]
            end = _end_of_answer(_marks(message), after, text, at, place)
            if "tool_calls" in message:
                start = at if message["content"].strip() else self._start_of_calls(text[:at], done, messages, place)
                done = self._end_of_calls(text, end, place)
            else:
                start, done = at, self._end_of_turn(text, end, place)
            turns.append(Turn(place, start, done))
            at = end + len(after)
        if not text.startswith(around[0]) or at != len(text):
            raise Unfit("turns", "the template renders the conversation otherwise when an answer changes")
        return turns

    def _start_of_calls(self, text: str, done: int, messages: Sequence[Message], place: int) -> int:
        """Find where a turn of calls begins: behind what opens an answer there. The text ends before the first name."""
        for opening in self._openings[place > 0 and messages[place - 1]["role"] == "tool"]:
            bare = opening.rstrip()
            found = text.rfind(bare, done)
            if found >= 0:
                return found + len(opening if text.startswith(opening, found) else bare)
        raise Unfit("turns", "the template opens a turn of calls otherwise than an answer", place)

    @cached_property
    def _openings(self) -> dict[bool, list[str]]:
        """What the template writes before an answer, from the last control token on: after a tool (True), after a user."""
        return {after_tool: self._opening(CALLED if after_tool else CALLED[:1]) for after_tool in (False, True)}

    def _opening(self, asked: Sequence[Message]) -> list[str]:
        answers: list[Message] = [{"role": "assistant", "content": MARKER.format(number)} for number in (0, 1)]
        probe, tools = [*asked, answers[0], *asked, answers[1]], [{"type": "function", "function": FUNCTION}]
        try:
            text, _ = self._jinja(probe, False, tools)
        except Unfit:
            text, _ = self._jinja(with_text_arguments(probe, tools), False, tools)
        heads = [text.partition(answer["content"])[0] for answer in answers]
        last = [[found.start() for found in self._control.finditer(head)] if self._control else [] for head in heads]
        if not all(last):
            raise Unfit("turns", "the template opens an answer with no control token")
        return sorted({head[places[-1] :] for head, places in zip(heads, last, strict=True)}, key=len, reverse=True)

    def _end_of_turn(self, text: str, end: int, place: int) -> int:
        blank = len(text) - len(text[end:].lstrip())
        found = self._control.match(text, blank) if self._control else None
        if found is None:
            raise Unfit("end_of_turn", "the template ends the assistant's turn with no control token", place)
        return found.end()

    def _end_of_calls(self, text: str, name: int, place: int) -> int:
        """Find where a turn of calls ends: with the first control token, behind their names, that ends an answer too."""
        found = text.find(self._closing, name)
        if found < 0:
            raise Unfit("end_of_turn", "the template ends a turn of calls otherwise than an answer", place)
        return found + len(self._closing)

    @cached_property
    def _closing(self) -> str:
        answer = MARKER.format(0)
        text, _ = self._jinja([CALLED[0], {"role": "assistant", "content": answer}, CALLED[0]], False)
        end = text.find(answer) + len(answer)
        return text[end : self._end_of_turn(text, end, 1)].strip()


def _assistants(messages: Sequence[Message]) -> list[int]:
    return [place for place, message in enumerate(messages) if message["role"] == "assistant"]


def _with_marker(message: Message, marker: str) -> Message:
    """Return an assistant's message with a marker for its text or, where it has none, for the first function that it calls."""
    if message["content"].strip() or "tool_calls" not in message:
        return {**message, "content": marker}
    first, *others = message["tool_calls"]
    return {**message, "tool_calls": [{**first, "function": {**first["function"], "name": marker}}, *others]}


def _marks(message: Message) -> str:
    """Return what a marker takes the place of."""
    bare = message["content"].strip() or "tool_calls" not in message
    said: str = message["content"] if bare else message["tool_calls"][0]["function"]["name"]
    return said


def _names(tools: Any) -> list[str]:  # noqa: ANN401  JSON
    functions = [tool.get("function", tool) for tool in tools or ()]
    return [function["name"] for function in functions if isinstance(function, dict) and isinstance(function.get("name"), str)]


def _end_of_answer(content: str, after: str, text: str, at: int, place: int) -> int:
    for said in (content, content.strip(), content.lstrip(), content.rstrip()):
        if text.startswith(said + after, at):
            return at + len(said)
    raise Unfit("turns", "the template does not show the assistant's text as it is", place)
