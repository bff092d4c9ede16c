"""A conversation and its rendered text -> where each assistant turn stands in it.

Turns come from the template's `{% generation %}` tags. A template without them is rendered once more with a marker in the place
of each answer: what stands around the markers is the template's, what replaces them is the answer, and the control token behind
it ends the turn. So the stock templates of models whose authors wrote no tags have right spans too, even those that render an
answer otherwise when it is the last.

A turn of tool calls without a text has its marker in the place of the first function's name. It begins behind what opens an
answer too (`<|im_start|>assistant`, `[/INST]`), which a small conversation shows, or where that is not so behind what asks for
an answer (gpt-oss: `<|start|>assistant`), and ends with the control token that ends such a turn.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

from pipeline.tokens.rendering import Rendering
from pipeline.tokens.tool_calls import Message, in_json, with_text_arguments
from pipeline.tokens.unfit import Unfit

PRIVATE = range(0xE000, 0xF900)  # characters for private use: no white space to trim, and hardly a text holds them
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


class Turn(NamedTuple):
    """An assistant turn: the position of its message, and the characters of its answer and end-of-turn."""

    message: int
    start: int
    end: int


class Turns:
    """Finds the assistant turns of conversations that a template rendered."""

    def __init__(self, rendering: Rendering, control: "re.Pattern[str] | None", control_tokens: Sequence[str]) -> None:
        self._rendering, self._control, self._control_tokens = rendering, control, tuple(control_tokens)

    def tagged(self, messages: Sequence[Message], text: str, spans: list[tuple[int, int]]) -> list[Turn]:
        """Return the turns that the template tags, each with its end proved; raises `Unfit`."""
        assistants = _assistants(messages)
        spans = spans if len(spans) == len(assistants) else _joined(spans)
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
        if "tool_calls" in messages[turn.message] and not said.rstrip().endswith(self._control_tokens):
            raise Unfit("end_of_turn", "the template does not train the end of a turn of calls", turn.message)
        return Turn(turn.message, turn.start, turn.start + len(said.rstrip()))

    def marked(self, messages: Sequence[Message], text: str, tools: Any) -> list[Turn]:  # noqa: ANN401  JSON
        """Return the turns that stand where markers would; raises `Unfit`."""
        assistants = _assistants(messages)
        edge, marked = _edge(text), [dict(message) for message in messages]
        for place in assistants:
            marked[place] = _with_marker(messages[place], _marker(edge, place))
        skeleton, _ = self._rendering.jinja(marked, tools)
        for place in assistants:
            if _is_named(messages[place]):
                skeleton = _marked_once(skeleton, _marker(edge, place), messages[place])
        around = re.split(f"{edge}[0-9]+{edge}", skeleton)
        if len(around) != len(assistants) + 1:
            raise Unfit("turns", f"the template shows {len(around) - 1} answers, the conversation has {len(assistants)}")
        turns, at, done = [], len(around[0]), 0
        for place, after in zip(assistants, around[1:], strict=True):
            message = messages[place]
            end = _end_of_answer(_marks(message), after, text, at, place)
            if "tool_calls" in message:
                start = at if message["content"].strip() else self._start_of_calls(text[:at], done, messages[:place], tools)
                done = self._end_of_calls(text, end, place)
            else:
                start, done = at, self._end_of_turn(text, end, place)
            turns.append(Turn(place, start, done))
            at = end + len(after)
        if not text.startswith(around[0]) or at != len(text):
            raise Unfit("turns", "the template renders the conversation otherwise when an answer changes")
        return turns

    def _start_of_calls(self, before: str, done: int, asked: Sequence[Message], tools: Any) -> int:  # noqa: ANN401  JSON
        """Find where a turn of calls begins: behind what opens an answer there. `before` ends before the first name."""
        for opening in self._openings[bool(asked) and asked[-1]["role"] == "tool"]:
            found = before.rfind(opening.rstrip(), done)
            if found >= 0 and not self._holds_another(before[found:], asked):
                return _behind(before, found, opening)
        prompt = self._rendering.asking(asked, tools)
        if prompt == self._rendering.jinja(asked, tools)[0] or not before.startswith(prompt.rstrip()):
            raise Unfit("turns", "the template opens a turn of calls otherwise than an answer", len(asked))
        return _behind(before, 0, prompt)

    def _holds_another(self, text: str, asked: Sequence[Message]) -> bool:
        """Say whether a text that should be the assistant's alone ends a turn, or shows the message before."""
        said = asked[-1]["content"].strip() if asked else ""
        return self._closing in text or (said != "" and (said in text or in_json(said) in text))

    @cached_property
    def _openings(self) -> dict[bool, list[str]]:
        """What the template writes before an answer, from the last control token on: after a tool (True), after a user."""
        return {after_tool: self._opening(CALLED if after_tool else CALLED[:1]) for after_tool in (False, True)}

    def _opening(self, asked: Sequence[Message]) -> list[str]:
        answers: list[Message] = [{"role": "assistant", "content": _marker(_edge(""), number)} for number in (0, 1)]
        text = self._calling([*asked, answers[0], *asked, answers[1]])
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
        """Find where a turn of calls ends: behind their names, with the first control token that ends such a turn."""
        found = text.find(self._closing_of_calls, name)
        if found < 0:
            raise Unfit("end_of_turn", "the template ends a turn of calls otherwise than it does alone", place)
        return found + len(self._closing_of_calls)

    @cached_property
    def _closing_of_calls(self) -> str:
        text = self._calling(CALLED[:2]).rstrip()
        ends = [token for token in self._control_tokens if text.endswith(token)]
        if not ends:
            raise Unfit("end_of_turn", "the template ends a turn of calls with no control token")
        return ends[0]

    def _calling(self, messages: Sequence[Message]) -> str:
        """Render a conversation in which a function is there to be called, with the arguments as the template takes them."""
        tools = [{"type": "function", "function": FUNCTION}]
        try:
            return self._rendering.jinja(messages, tools)[0]
        except Unfit:
            return self._rendering.jinja(with_text_arguments(messages, tools), tools)[0]

    @cached_property
    def _closing(self) -> str:
        answer = _marker(_edge(""), 0)
        text, _ = self._rendering.jinja([CALLED[0], {"role": "assistant", "content": answer}, CALLED[0]])
        end = text.find(answer) + len(answer)
        return text[end : self._end_of_turn(text, end, 1)].strip()


def _assistants(messages: Sequence[Message]) -> list[int]:
    return [place for place, message in enumerate(messages) if message["role"] == "assistant"]


def _joined(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join spans that touch: a template may tag an answer and its end apart.

    >>> _joined([(0, 3), (3, 5), (7, 8)])
    [(0, 5), (7, 8)]
    """
    found: list[tuple[int, int]] = []
    for start, end in spans:
        start = found.pop()[0] if found and found[-1][1] == start else start
        found.append((start, end))
    return found


def _behind(text: str, at: int, opening: str) -> int:
    """Return the end of what opens a turn at a place, without the white space behind it where the text has none."""
    return at + len(opening if text.startswith(opening, at) else opening.rstrip())


def _marked_once(skeleton: str, marker: str, message: Message) -> str:
    """Put a function's name back where a template shows it once more, as above its result.

    >>> _marked_once("[M] M's result", "M", {"content": "", "tool_calls": [{"function": {"name": "add"}}]})
    "[M] add's result"
    """
    first, mark, rest = skeleton.partition(marker)
    return first + mark + rest.replace(marker, _marks(message))


def _edge(text: str) -> str:
    """Return the edge of markers that a text cannot hold."""
    return next(chr(code) for code in PRIVATE if chr(code) not in text)


def _marker(edge: str, place: int) -> str:
    return f"{edge}{place}{edge}"


def _is_named(message: Message) -> bool:
    """Say whether a marker takes the place of a function's name."""
    return "tool_calls" in message and not message["content"].strip()


def _with_marker(message: Message, marker: str) -> Message:
    """Return an assistant's message with a marker for its text or, where it has none, for the first function that it calls."""
    if not _is_named(message):
        return {**message, "content": marker}
    first, *others = message["tool_calls"]
    return {**message, "tool_calls": [{**first, "function": {**first["function"], "name": marker}}, *others]}


def _marks(message: Message) -> str:
    """Return what a marker takes the place of."""
    said: str = message["tool_calls"][0]["function"]["name"] if _is_named(message) else message["content"]
    return said


def _end_of_answer(content: str, after: str, text: str, at: int, place: int) -> int:
    for said in (content, content.strip(), content.lstrip(), content.rstrip()):
        if text.startswith(said + after, at):
            return at + len(said)
    raise Unfit("turns", "the template does not show the assistant's text as it is", place)
