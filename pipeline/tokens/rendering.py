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

OPENED, CLOSED = "\ue002", "\ue003"
GENERATION_TAG = re.compile(r"\{%([-+]?)\s*(end)?generation\s*([-+]?)%\}")
MARKING = r"{%\1 call \2generation_mark() %}{% endcall \3%}"
MARKS = "".join(
    f"{{% macro {end}generation_mark() %}}{{% if caller %}}{{% endif %}}{mark}{{% endmacro %}}\n"
    for end, mark in (("", OPENED), ("end", CLOSED))
)
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
        self._marked = MARKS + GENERATION_TAG.sub(MARKING, self._template)
        self._shapes = shapes_of(template, tuple(sorted(special_tokens.items())))

    def jinja(self, messages: Sequence[Message], tools: Any = None) -> "tuple[str, Spans | None]":  # noqa: ANN401  JSON
        """Return a conversation's text, and its tagged spans, None where the template has no tags; raises `Unfit`.

        Conversations of the same roles are rendered once, with places to fill, where the template allows it.
        """
        if self._shapes is None or tools is not None:
            return self.slowly(messages, tools)
        return self._shapes.fill(messages, self.slowly, self._with_marks)

    def asking(self, messages: Sequence[Message], tools: Any = None) -> str:  # noqa: ANN401  JSON
        """Return a conversation's text with what asks the model for an answer behind it; raises `Unfit`."""
        return self._run(messages, tools, add_generation_prompt=True)[0]

    def slowly(self, messages: Sequence[Message], tools: Any = None) -> "tuple[str, Spans | None]":  # noqa: ANN401  JSON
        """Run the template; raises `Unfit`. To find the tags of n turns the library takes time by their square."""
        return self._run(messages, tools, return_assistant_tokens_mask=self._tagged)

    def _with_marks(self, messages: Sequence[Message]) -> str:
        """Return a conversation's text with marks where tags open and close; raises `Unfit`."""
        return self._run(messages, None, self._marked)[0]

    def _run(
        self,
        messages: Sequence[Message],
        tools: Any,  # noqa: ANN401  JSON
        template: str | None = None,
        **settings: bool,
    ) -> "tuple[str, Spans | None]":
        from jinja2 import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        try:
            texts, spans = render_jinja_template(
                conversations=[list(messages)],
                tools=tools,
                chat_template=template or self._template,
                **settings,
                **self._special_tokens,
            )
        except (TemplateError, TypeError) as error:
            raise Unfit("rendering", f"the template refuses it: {error}") from error
        return texts[0], spans[0] if settings.get("return_assistant_tokens_mask") else None
