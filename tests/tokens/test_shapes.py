"""Templates that are rendered once for all conversations of the same roles: which ones, and that nothing changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.tokens.chat import shipped_templates, template_text
from pipeline.tokens.rendering import Rendering
from pipeline.tokens.shapes import shapes_of
from pipeline.tokens.unfit import Unfit

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
LOOP = "{% for m in messages %}BODY{% endfor %}"
WRITES = [
    LOOP.replace("BODY", "{{ m.role }}: {{ m['content'] }}\n"),
    LOOP.replace("BODY", "{{ '<' + m.role ~ '>' + m.content.strip() + '</s>' }}"),
    LOOP.replace("BODY", "{% if m.content and not m.tool_calls %}{{ m.content | trim }}{% else %}none{% endif %} "),
    "{{ messages[0].content }}|{% for m in messages[1:] %}{{ m.content }}{{ m.content | trim }} {% endfor %}",
    LOOP.replace("BODY", "{{ m.content }}{{ '.' if loop.last else messages[loop.index].role }}{{ messages | length }}"),
    LOOP.replace("BODY", "{{ m.role }}{% generation %} {{ m.content }}</s>{% endgeneration %}{{ m.content }}"),
    LOOP.replace(
        "BODY", "\n <{%- generation -%}\n {{ m.content }}\n{%- endgeneration %}\n {% generation %}\nx{%endgeneration-%}\n"
    ),
]
DOES_MORE = [
    "{{ m.content[:1] }}",
    "{{ m.content | upper }}",
    "{{ (m.content + ' ') | trim }}",
    "{{ m.content | trim('x') }}",
    "{{ m.content.strip('x') }}",
    "{{ m | tojson }}",
    "{{ m.items() | list }}",
    "{{ m.get('content') }}",
    "{{ m[x] }}",
    "{{ m | attr('content') }}",
    "{{ messages }}",
    "{{ messages | map(attribute='content') | join }}",
    "{{ messages.index(m) }}",
    "{% if 'x' in m.content %}x{% endif %}",
    "{% if m.content == 'x' %}x{% endif %}",
    "{% if m.content | trim %}x{% endif %}",
    "{% set x = m.content %}{{ x }}",
    "{% set x = m %}{{ x.content }}",
    "{% set x %}{{ m.content }}{% endset %}{{ x | upper }}",
    "{% filter upper %}{{ m.content }}{% endfilter %}",
    "{% macro f(x) %}{{ x.content }}{% endmacro %}{{ f(m) }}",
    "{{ loop.previtem }}",
    "{{ m.content if m.role == 'user' else m.content | upper }}",
    "{{ raise_exception(m.content) }}",
    "{% generation %}{% set x = 1 %}{{ m.content }}{% endgeneration %}",
    "{% generation %}{{ m.content }}{% break %}{% endgeneration %}",
    "{{ m.weight }}",
    "{{ strftime_now('%S') }}",
    "{% for part in m.content %}{{ part }}{% endfor %}",
    "{% for key in m %}{{ m[key] }}{% endfor %}",
    "\ue0001\ue001{{ m.content }}",
]
said = st.text(st.sampled_from(" \n\u2003\ue000\ue0010x<é🙂"), max_size=6)
talks = st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant", "system"]), "content": said}), max_size=4)


def answer(render, messages):
    try:
        return render(messages)
    except Unfit as problem:
        return problem.measure, problem.reason, problem.message


@pytest.mark.parametrize("template", [*WRITES, *map(template_text, shipped_templates(), [None] * len(shipped_templates()))])
@given(st.lists(talks, min_size=1, max_size=4))
def test_what_is_filled_in_is_what_the_template_renders(template, conversations):
    rendering = Rendering(template, SPECIAL)
    for messages in conversations:
        assert answer(rendering.jinja, messages) == answer(rendering.slowly, messages)


@pytest.mark.parametrize("template", WRITES)
def test_a_template_that_only_writes_has_shapes(template):
    assert shapes_of(template, ()) is not None


@pytest.mark.parametrize("name", ["chatml", "llama-3", "alpaca", "vicuna"])
def test_shipped_templates_have_shapes(name):
    assert shapes_of(template_text(name, None), ()) is not None


@pytest.mark.parametrize("body", DOES_MORE)
def test_a_template_that_does_more_with_a_message_has_none(body):
    assert shapes_of(LOOP.replace("BODY", body), ()) is None


@pytest.mark.parametrize("template", ["{% for", "{% unknown %}", "{% set messages = messages[1:] %}{{ messages[0].content }}"])
def test_a_template_that_cannot_be_read_or_that_changes_the_messages_has_none(template):
    assert shapes_of(template, ()) is None


def test_conversations_of_the_same_roles_are_rendered_once(monkeypatch):
    rendering, calls = Rendering(WRITES[0], {"bos_token": "once"}), []
    marked = rendering._with_marks
    monkeypatch.setattr(rendering, "_with_marks", lambda messages: calls.append(messages) or marked(messages))
    texts = [rendering.jinja([{"role": "user", "content": said}])[0] for said in ("a", "b", "c")]
    assert (texts, len(calls)) == (["user: a\n", "user: b\n", "user: c\n"], 1)


def test_a_message_with_more_than_a_text_is_rendered_by_itself():
    rendering = Rendering("{% for m in messages %}{{ m.content }}{{ m.name }}{% endfor %}", {})
    assert rendering.jinja([{"role": "user", "content": "Hi", "name": "Jo"}])[0] == "HiJo"
    assert rendering.jinja([{"role": "user", "content": "Hi"}])[0] == "Hi"
