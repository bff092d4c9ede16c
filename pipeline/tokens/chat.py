"""A conversation and a chat template -> one text, and where each assistant turn stands in it.

Turns come from the template's `{% generation %}` tags. A template without them is rendered once more with a marker in the place
of each answer: what stands around the markers is the template's, what replaces them is the answer, and the control token behind
it ends the turn. So the stock templates of models whose authors wrote no tags have right spans too, even those that render an
answer otherwise when it is the last. A conversation whose turns cannot be told is `Unfit`, with the reason.
"""

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pipeline.configs_folder import configs_folder
from pipeline.errors import TokenizerError, did_you_mean
from pipeline.tokens.tokenizer import Tokenizer

Message = dict[str, str]

MARKER = "\ue000{}\ue001"  # private-use characters: no white space to trim, and no text holds them
MARK = re.compile(r"<\|\w+\|>|\[/?[A-Z_]+\]")
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
        """Render a conversation and find its assistant turns; raises `Unfit`."""
        self._refuse_control_tokens(messages)
        tagged = GENERATION_TAG.search(self.template) is not None
        text, spans = self._jinja(messages, tagged)
        turns = self._tagged(messages, text, spans) if tagged else self._marked(messages, text)
        for place, message in enumerate(messages):
            if message["role"] != "assistant" and message["content"].strip() not in text:
                raise Unfit("rendering", f"the template does not show the {message['role']} message", place)
        return Rendered(text, turns)

    def unknown_marks(self) -> list[str]:
        """Return the template's marks, such as `<|im_start|>`, for which the tokenizer has no token of their own."""
        marks = sorted(set(MARK.findall(self.template)))
        return [mark for mark in marks if self.tokenizer.backend.token_to_id(mark) is None]

    @cached_property
    def _control(self) -> "re.Pattern[str] | None":
        tokens = self.tokenizer.control_tokens
        return re.compile("|".join(map(re.escape, tokens))) if tokens else None

    def _refuse_control_tokens(self, messages: Sequence[Message]) -> None:
        for place, message in enumerate(messages):
            found = self._control.search(message["content"]) if self._control else None
            if found:
                raise Unfit("control_tokens", f"the message holds the control token {found[0]!r}", place)

    def _jinja(self, messages: Sequence[Message], tagged: bool) -> tuple[str, list[tuple[int, int]]]:
        from jinja2 import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            texts, spans = render_jinja_template(
                conversations=[list(messages)],
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
        return Turn(turn.message, turn.start, turn.start + len(said.rstrip()))

    def _marked(self, messages: Sequence[Message], text: str) -> list[Turn]:
        assistants = _assistants(messages)
        marked = [dict(message) for message in messages]
        for place in assistants:
            marked[place]["content"] = MARKER.format(place)
        skeleton, _ = self._jinja(marked, False)
        around = re.split("|".join(MARKER.format(place) for place in assistants), skeleton) if assistants else [skeleton]
        if len(around) != len(assistants) + 1:
            raise Unfit("turns", f"the template shows {len(around) - 1} answers, the conversation has {len(assistants)}")
        turns, at = [], len(around[0])
        for place, after in zip(assistants, around[1:], strict=True):
            end = _end_of_answer(messages[place]["content"], after, text, at, place)
            turns.append(Turn(place, at, self._end_of_turn(text, end, place)))
            at = end + len(after)
        if not text.startswith(around[0]) or at != len(text):
            raise Unfit("turns", "the template renders the conversation otherwise when an answer changes")
        return turns

    def _end_of_turn(self, text: str, end: int, place: int) -> int:
        blank = len(text) - len(text[end:].lstrip())
        found = self._control.match(text, blank) if self._control else None
        if found is None:
            raise Unfit("end_of_turn", "the template ends the assistant's turn with no control token", place)
        return found.end()


def _assistants(messages: Sequence[Message]) -> list[int]:
    return [place for place, message in enumerate(messages) if message["role"] == "assistant"]


def _end_of_answer(content: str, after: str, text: str, at: int, place: int) -> int:
    for said in (content, content.strip(), content.lstrip(), content.rstrip()):
        if text.startswith(said + after, at):
            return at + len(said)
    raise Unfit("turns", "the template does not show the assistant's text as it is", place)
