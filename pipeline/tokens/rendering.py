"""Messages -> text by a tokenizer's chat template, and the spans that its `{% generation %}` tags enclose.

A template that writes today's date (Llama 3.2, gpt-oss) would give other tokens each day, so for all of them it is one day.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.tokens.tool_calls import Message
from pipeline.tokens.unfit import Unfit

if TYPE_CHECKING:
    from pipeline.tokens.shapes import Spans

GENERATION_TAG = re.compile(r"\{%-?\s*generation\s*-?%\}")
TODAY = datetime(2024, 7, 26)  # the day that Llama 3.1's template writes where it is told none
CLOCK = "{% macro strftime_now(form) %}{{ form@ }}{% endmacro %}\n".replace(
    "@", "".join(f" | replace('%{letter}', '{TODAY:%{letter}}')" for letter in "aAbBdHIjmMpSyY")
)  # the environment trims the line's end


class Rendering:
    """Renders with one template, and the special tokens it may write (`bos_token`, ...)."""

    def __init__(self, template: str, special_tokens: Mapping[str, str]) -> None:
        from pipeline.tokens.shapes import shapes_of  # jinja2, which texts do without

        self._template = CLOCK + template if "strftime_now" in template else template
        self._special_tokens = dict(special_tokens)
        self._tagged = GENERATION_TAG.search(template) is not None
        self._shapes = shapes_of(template, tuple(sorted(special_tokens.items())))

    def jinja(self, messages: Sequence[Message], tools: Any = None) -> "tuple[str, Spans | None]":  # noqa: ANN401  JSON
        """Return a conversation's text, and its tagged spans, None where the template has no tags; raises `Unfit`.

        Conversations of the same roles are rendered once, with places to fill, where the template allows it.
        """
        if self._shapes is None or tools is not None:
            return self.slowly(messages, tools)
        return self._shapes.fill(messages, self.slowly)

    def asking(self, messages: Sequence[Message], tools: Any = None) -> str:  # noqa: ANN401  JSON
        """Return a conversation's text with what asks the model for an answer behind it; raises `Unfit`."""
        return self._run(messages, tools, add_generation_prompt=True)[0]

    def slowly(self, messages: Sequence[Message], tools: Any = None) -> "tuple[str, Spans | None]":  # noqa: ANN401  JSON
        """Run the template; raises `Unfit`."""
        return self._run(messages, tools)

    def _run(
        self,
        messages: Sequence[Message],
        tools: Any,  # noqa: ANN401  JSON
        **settings: bool,
    ) -> "tuple[str, Spans | None]":
        from jinja2 import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            texts, spans = render_jinja_template(
                conversations=[list(messages)],
                tools=tools,
                chat_template=self._template,
                return_assistant_tokens_mask=self._tagged,
                **settings,
                **self._special_tokens,
            )
        except (TemplateError, TypeError) as error:
            raise Unfit("rendering", f"the template refuses it: {error}") from error
        return texts[0], spans[0] if self._tagged else None
