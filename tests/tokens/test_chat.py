"""Chat templates, assistant turns and their supervised tokens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, models, pre_tokenizers
from tokenizers import Tokenizer as Backend

from pipeline.errors import TokenizerError
from pipeline.tokens.chat import Chat, Unfit, shipped_templates, template_text
from pipeline.tokens.masks import encode, probe
from pipeline.tokens.tokenizer import Tokenizer, train
from pipeline.tokens.tool_calls import told

CHATML_WITHOUT_TAGS = """{% for message in messages %}<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}"""
THINKS_LAST = """{% for m in messages %}<|im_start|>{{ m.role }}
{% if m.role == 'assistant' and loop.last %}<think>

</think>

{% endif %}{{ m.content | trim }}<|im_end|>
{% endfor %}"""
CHATML_WITHOUT_END = """{% for m in messages %}{{ m.role }}: {{ m.content }}
{% endfor %}"""
EOS_OUTSIDE = """{% for m in messages %}<|im_start|>{{ m.role }}
{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}{% else %}{{ m.content }}{% endif %}<|im_end|>
{% endfor %}"""

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Who stands by the river?"},
    {"role": "assistant", "content": "The mill."},
    {"role": "user", "content": "And who runs?"},
    {"role": "assistant", "content": "The river."},
]


def bytes_tokenizer() -> Tokenizer:
    """Return a byte-level BPE tokenizer with the control tokens of all templates, `<s>` as BOS and `</s>` as EOS."""
    trained = train([["The mill stands by the river. The river runs by the mill.\n\n  ### : "] * 3], 320)
    special = ["<s>", "</s>", "[INST]", "[/INST]", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    trained.backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    return Tokenizer(trained.backend, {"bos_token": "<s>", "eos_token": "</s>"})


BYTES = bytes_tokenizer()


def chat(template: str, tokenizer: Tokenizer = BYTES) -> Chat:
    return Chat(tokenizer.with_chat_template(template))


def shipped(name: str) -> Chat:
    return chat(template_text(name, None))


def supervised_text(chat: Chat, messages, train_on="assistant") -> str:
    tokens, fit, unfit = encode(chat, [messages], train_on)
    assert fit == [0], unfit[0].reason
    return chat.tokenizer.backend.decode(tokens.ids[tokens.supervised].tolist(), skip_special_tokens=False)


def why_unfit(chat: Chat, messages) -> Unfit:
    return encode(chat, [messages], "assistant").unfit[0]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("chatml", "The mill.<|im_end|>The river.<|im_end|>"),
        ("llama-3", "The mill.<|eot_id|>The river.<|eot_id|>"),
        ("mistral", " The mill.</s> The river.</s>"),
        ("mistral-v3", "The mill.</s>The river.</s>"),
        ("alpaca", "The mill.</s>The river.</s>"),
        ("vicuna", " The mill.</s> The river.</s>"),
    ],
)
def test_a_shipped_template_trains_the_answers_and_their_ends(name, expected):
    assert supervised_text(shipped(name), TALK) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("chatml", "<s><|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n"),
        (
            "llama-3",
            "<s><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
            "<|start_header_id|>assistant<|end_header_id|>\n\nYo<|eot_id|>",
        ),
        ("mistral", "<s>[INST] Hi [/INST] Yo</s>"),
        ("mistral-v3", "<s>[INST]Hi[/INST]Yo</s>"),
        (
            "alpaca",
            "<s>Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
            "### Instruction:\nHi\n\n### Response:\nYo</s>\n\n",
        ),
        (
            "vicuna",
            "<s>A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, "
            "detailed, and polite answers to the user's questions. USER: Hi ASSISTANT: Yo</s>",
        ),
    ],
)
def test_a_shipped_template_renders_as_its_models_know_it(name, expected):
    talk = [{"role": "user", "content": " Hi "}, {"role": "assistant", "content": "Yo\n"}]
    assert shipped(name).render(talk).text == expected


messages = st.lists(
    st.tuples(st.text(st.characters(codec="utf-8"), max_size=30), st.text(st.characters(codec="utf-8"), max_size=30)),
    min_size=1,
    max_size=3,
).map(
    lambda pairs: [
        {"role": role, "content": said} for pair in pairs for role, said in zip(("user", "assistant"), pair, strict=True)
    ]
)


@settings(max_examples=40, deadline=None)
@given(messages, st.sampled_from([*shipped_templates(), None]))
def test_the_supervised_tokens_of_any_conversation_decode_to_the_answers(talk, name):
    here = shipped(name) if name else chat(CHATML_WITHOUT_TAGS)
    tokens, _fit, unfit = encode(here, [talk], "assistant")
    if unfit:
        assert unfit[0].measure == "control_tokens"
        return
    turns = here.render(talk).turns
    answers = [message["content"].strip() for message in talk if message["role"] == "assistant"]
    text = here.tokenizer.backend.decode(tokens.ids[tokens.supervised].tolist(), skip_special_tokens=False)
    assert len(turns) == len(answers)
    for answer in answers:
        found = text.index(answer)
        text = text[found + len(answer) :]
    assert tokens.ids[0] == here.tokenizer.token_id("bos_token") or name is None


def test_a_template_without_tags_has_its_turns_found_by_markers():
    assert supervised_text(chat(CHATML_WITHOUT_TAGS), TALK) == "The mill.<|im_end|>The river.<|im_end|>"


@pytest.mark.parametrize("template", [template_text("chatml", None), CHATML_WITHOUT_TAGS], ids=["tagged", "untagged"])
def test_a_conversation_of_twenty_thousand_turns_has_all_its_turns(template):
    messages = [{"role": ("user", "assistant")[at % 2], "content": f"Turn {at}."} for at in range(20_000)]
    found = chat(template).render(messages)
    assert [turn.message for turn in found.turns] == list(range(1, 20_000, 2))
    assert found.text[found.turns[-1].start : found.turns[-1].end] == "Turn 19999.<|im_end|>"


def test_a_template_that_renders_the_last_answer_otherwise_has_right_turns_too():
    assert supervised_text(chat(THINKS_LAST), TALK) == "The mill.<|im_end|>The river.<|im_end|>"


def test_the_last_answer_alone_is_trained_on_wish():
    assert supervised_text(shipped("chatml"), TALK, "last") == "The river.<|im_end|>"


def test_everything_is_trained_on_wish():
    assert supervised_text(shipped("mistral"), TALK, "all") == shipped("mistral").render(TALK).text


def test_a_readable_tokenizer_shows_the_mask():
    words = ["[UNK]", "<s>", "</s>", "[INST]", "[/INST]", "who", "runs", "the", "river"]
    backend = Backend(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.add_special_tokens(["<s>", "</s>", "[INST]", "[/INST]"])
    toy = Tokenizer(backend, {"bos_token": "<s>", "eos_token": "</s>"})
    talk = [{"role": "user", "content": "who runs"}, {"role": "assistant", "content": "the river"}]
    tokens = encode(chat(template_text("mistral", None), toy), [talk], "assistant").tokens
    shown = [(words[number], bool(trained)) for number, trained in zip(tokens.ids, tokens.supervised, strict=True)]
    assert shown == [
        ("<s>", False), ("[INST]", False), ("who", False), ("runs", False), ("[/INST]", False),
        ("the", True), ("river", True), ("</s>", True),
    ]  # fmt: skip
    talk[1]["content"] = "a word unknown"
    assert why_unfit(chat(template_text("mistral", None), toy), talk).measure == "decoded_text"


def test_unfit_conversations_leave_the_others_in_their_places():
    bad = [{"role": "user", "content": "</s>"}]
    encoded = encode(shipped("chatml"), [TALK, bad, TALK[:3]], "assistant")
    assert (encoded.fit, sorted(encoded.unfit), len(encoded.tokens.lengths)) == ([0, 2], [1], 2)


def test_a_control_token_inside_a_message_is_no_text():
    problem = why_unfit(shipped("chatml"), [{"role": "user", "content": "Hi<|im_end|>"}])
    assert (problem.measure, problem.message) == ("control_tokens", 0)
    assert problem.reason == "the message holds the control token '<|im_end|>'"


def test_a_role_that_the_template_refuses_is_told_in_its_words():
    problem = why_unfit(shipped("vicuna"), [{"role": "tool", "content": "42"}])
    assert problem.reason == "the template refuses it: the vicuna template knows system, user and assistant, not tool"


def test_system_text_that_the_template_would_drop_is_refused():
    assert why_unfit(shipped("mistral"), [TALK[0], TALK[2]]).measure == "rendering"
    assert why_unfit(shipped("mistral"), [*TALK[1:3], TALK[0]]).measure == "rendering"


def test_a_second_bos_is_refused():
    problem = why_unfit(chat("{{ bos_token }}" + template_text("chatml", None)), TALK)
    assert problem.measure == "bos"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (CHATML_WITHOUT_END, "ends the assistant's turn with no control token"),
        (EOS_OUTSIDE, "does not train the end of the assistant's turn"),
        ("{{ messages[0].content }}", "shows 0 answers, the conversation has 2"),
        ("{{ raise_exception('no') }}", "the template refuses it: no"),
        ("{% for", "the template refuses it"),
    ],
)
def test_a_template_that_cannot_be_proved_is_refused_before_any_document(template, reason):
    with pytest.raises(TokenizerError, match=reason):
        probe(chat(template))


@pytest.mark.parametrize("name", shipped_templates())
def test_every_shipped_template_passes_the_probe(name):
    probe(shipped(name))


def test_the_tokenizers_own_template_is_taken_unless_another_is_named(tmp_path):
    (tmp_path / "mine.jinja").write_text("mine")
    assert template_text(None, "own") == "own"
    assert template_text(str(tmp_path / "mine.jinja"), "own") == "mine"
    assert template_text(None, None, fallback="chatml") == template_text("chatml", "own")


def test_no_template_at_all_names_the_option_and_those_that_ship():
    with pytest.raises(TokenizerError, match=r"--chat-template: alpaca, chatml, .*, vicuna, or a \.jinja file"):
        template_text(None, None)


def test_an_unknown_template_is_answered_with_the_nearest():
    with pytest.raises(TokenizerError, match=r"no chat template 'lama-3'. Did you mean 'llama-3'\? There are alpaca"):
        template_text("lama-3", None)


CALLING = """{% for t in tools or [] %}{{ t | tojson }}
{% endfor %}{% for m in messages %}<|im_start|>{{ m.role }}
{{ m.content }}{% for call in m.tool_calls or [] %}<tool_call>{{ call.function | tojson }}</tool_call>{% endfor %}<|im_end|>
{% endfor %}"""
MISTRAL_LIKE = """{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }}[/INST]{% elif m.role == 'tool' %}\
[INST]{{ m.content | tojson }}, {{ m.tool_call_id }}[/INST]{% elif m.tool_calls %}\
[CALLS] {{ m.tool_calls[0].function | tojson }}</s>{% else %} {{ m.content }}</s>{% endif %}{% endfor %}"""
TAGGED = CALLING.replace("{{ m.content }}", "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}", 1).replace(
    "<|im_end|>", "<|im_end|>{% endgeneration %}{% else %}{{ m.content }}<|im_end|>{% endif %}", 1
)
TEXT_ARGUMENTS = CALLING.replace("call.function | tojson", "call.function.name + call.function.arguments")
CALL = '[{"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{\\"where\\": \\"the river\\"}"}}]'
CALLED = [
    {"role": "user", "content": "Who runs?"},
    {"role": "assistant", "content": "", "tool_calls": CALL},
    {"role": "tool", "content": 'The "river".', "tool_call_id": "c1", "name": "find"},
    {"role": "assistant", "content": "The river."},
]
SHOWN = '{"name": "find", "arguments": {"where": "the river"}}'


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (CALLING, f"<tool_call>{SHOWN}</tool_call><|im_end|>The river.<|im_end|>"),
        (TAGGED, f"<tool_call>{SHOWN}</tool_call><|im_end|>The river.<|im_end|>"),
        (MISTRAL_LIKE, f"[CALLS] {SHOWN}</s> The river.</s>"),
        (TEXT_ARGUMENTS, '<tool_call>find{"where": "the river"}</tool_call><|im_end|>The river.<|im_end|>'),
    ],
)
def test_a_turn_of_calls_is_trained_like_any_other(template, expected):
    assert supervised_text(chat(template), told(CALLED, None)) == expected


def test_a_turn_with_a_text_and_calls_is_trained_from_the_text_on():
    talk = [CALLED[0], {**CALLED[1], "content": "Let me see."}]
    expected = f"Let me see.<tool_call>{SHOWN}</tool_call><|im_end|>"
    assert supervised_text(chat(CALLING), told(talk, None)) == expected


@pytest.mark.parametrize("name", ["chatml", "llama-3"])
def test_calls_that_the_template_does_not_show_are_refused(name):
    problem = why_unfit(shipped(name), told(CALLED, None))
    assert (problem.reason, problem.message) == ("the template does not show the call of 'find'", 1)


def test_the_second_of_two_calls_is_missed_too():
    both = CALL[:-1] + ", " + CALL[1:].replace("find", "seek")
    problem = why_unfit(chat(MISTRAL_LIKE), told([CALLED[0], {**CALLED[1], "tool_calls": both}], None))
    assert problem.reason == "the template does not show the call of 'seek'"


def test_the_functions_are_handed_to_the_template():
    tools = '[{"type": "function", "function": {"name": "find"}}]'
    assert chat(CALLING).render(told(CALLED, tools)).text.startswith(tools[1:-1])
    assert why_unfit(shipped("chatml"), told(TALK, tools)).reason == "the template does not show the function 'find' of `tools`"


def test_functions_that_are_no_list_are_told():
    assert why_unfit(chat(CALLING), told(TALK, "find()")).reason == "the functions in `tools` are no JSON list of objects"


def test_a_control_token_in_a_call_is_refused():
    talk = [CALLED[0], {**CALLED[1], "tool_calls": CALL.replace("the river", "<|im_end|>")}]
    assert why_unfit(chat(CALLING), told(talk, None)).measure == "control_tokens"


def test_a_template_that_ends_calls_with_no_control_token_is_refused():
    template = CALLING.replace("<|im_end|>", "{{ '' if m.tool_calls else '<|im_end|>' }}")
    assert why_unfit(chat(template), told(CALLED[:2], None)).reason == "the template ends a turn of calls with no control token"


def test_calls_that_end_otherwise_than_they_do_alone_are_refused():
    template = CALLING.replace("<|im_end|>", "{{ '</s>' if m.tool_calls and loop.index < 3 else '<|im_end|>' }}")
    talk = [*CALLED[:3], CALLED[3], CALLED[0], {**CALLED[1], "content": "Again."}]
    problem = why_unfit(chat(template.replace("<|im_end|>", "</s>", 0)), told(talk, None))
    assert problem.reason == "the template ends a turn of calls otherwise than it does alone"


def test_a_template_that_opens_calls_otherwise_is_refused():
    template = CALLING.replace("<|im_start|>{{ m.role }}", "<|im_start|>{{ 'caller' if m.tool_calls else m.role }}")
    problem = why_unfit(chat(template), told(CALLED[:2], None))
    assert problem.reason == "the template opens a turn of calls otherwise than an answer"


def test_calls_that_open_otherwise_begin_behind_what_asks_for_an_answer():
    template = CALLING.replace(
        "<|im_start|>{{ m.role }}\n", "<|im_start|>{{ m.role + (' calls' if m.tool_calls else ' says') }}\n"
    )
    asking = template + "{% if add_generation_prompt %}<|im_start|>assistant{% endif %}"
    expected = f" calls\n<tool_call>{SHOWN}</tool_call><|im_end|>The river.<|im_end|>"
    assert supervised_text(chat(asking), told(CALLED, None)) == expected


def test_a_functions_name_that_is_shown_again_above_its_result_is_no_second_answer():
    template = CALLING.replace("{{ m.role }}\n", "{{ m.role }}\n{% if m.role == 'tool' %}find: {% endif %}")
    naming = template.replace("find: ", "{{ messages[loop.index0 - 1].tool_calls[0].function.name }}: ")
    expected = f"<tool_call>{SHOWN}</tool_call><|im_end|>The river.<|im_end|>"
    assert supervised_text(chat(naming), told(CALLED, None)) == expected


def test_an_answer_and_its_end_that_are_tagged_apart_are_one_turn():
    template = "{% for m in messages %}{% if m.role == 'assistant' %}{% generation %}{{ m.content }}{% endgeneration %}\
{% generation %}<|im_end|>{% endgeneration %}{% else %}{{ m.content }}{% endif %}\n{% endfor %}"
    assert supervised_text(chat(template), TALK) == "The mill.<|im_end|>The river.<|im_end|>"


def test_a_template_that_writes_the_date_writes_the_same_one_every_day():
    dated = "{{ strftime_now('%d %b %Y') }}\n" + CHATML_WITHOUT_TAGS
    assert chat(dated).render(TALK).text.startswith("26 Jul 2024\n<|im_start|>system")


def test_an_answer_of_weight_0_is_not_trained():
    talk = [message | ({"weight": 0.0} if place == 2 else {}) for place, message in enumerate(TALK)]
    assert supervised_text(shipped("chatml"), told(talk, None)) == "The river.<|im_end|>"
