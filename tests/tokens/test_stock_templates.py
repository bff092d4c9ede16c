"""The chat templates that models came with, which tag no answer: right masks, and none of zeros.

They are read from the package data of `trl` (Apache-2.0), which keeps them byte for byte as the models' authors published them;
its README names the model of each. Nothing else of it is used, and without it these tests are skipped.
"""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken

from pipeline.tokens.chat import Chat
from pipeline.tokens.masks import encode, probe
from pipeline.tokens.tokenizer import Tokenizer, train
from pipeline.tokens.tool_calls import told

if (found := find_spec("trl")) is None or found.origin is None:
    pytest.skip("the models' templates come with trl, which is not installed", allow_module_level=True)

FOLDER = Path(found.origin).parent / "chat_templates"
CONTROL = re.compile(r"<[^ <>\n'%]*[|｜][^ <>\n']*>|<(?:start|end)_of_turn>")
ENDS = {  # what ends an answer, and the last one; beginning and end of a text
    "llama3": ("<|eot_id|>", "<|eot_id|>", "<|begin_of_text|>", "<|eot_id|>"),
    "llama3_1": ("<|eot_id|>", "<|eot_id|>", "<|begin_of_text|>", "<|eot_id|>"),
    "llama3_2": ("<|eot_id|>", "<|eot_id|>", "<|begin_of_text|>", "<|eot_id|>"),
    "qwen2_5": ("<|im_end|>", "<|im_end|>", None, "<|im_end|>"),
    "qwen3": ("<|im_end|>", "<|im_end|>", None, "<|im_end|>"),
    "qwen3_instruct_2507": ("<|im_end|>", "<|im_end|>", None, "<|im_end|>"),
    "qwen3_6": ("<|im_end|>", "<|im_end|>", None, "<|im_end|>"),
    "gemma3": ("<end_of_turn>", "<end_of_turn>", "<bos>", "<eos>"),
    "gemma4": ("<turn|>", "<turn|>", "<bos>", "<eos>"),
    "gptoss": ("<|end|>", "<|return|>", "<|startoftext|>", "<|return|>"),
    "phi3": ("<|end|>", "<|end|>", "<s>", "<|endoftext|>"),
    "deepseekv3": ("<｜end▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
    "nemotron_3_nano": ("<|im_end|>", "<|im_end|>", "<s>", "<|im_end|>"),
    "lfm2_2_5_v2": ("<|im_end|>", "<|im_end|>", "<|startoftext|>", "<|im_end|>"),
}
CALL = '[{"id": "abcdefgh1", "type": "function", "function": {"name": "find", "arguments": "{\\"where\\": \\"the river\\"}"}}]'
PARAMETERS = '{"type": "object", "properties": {"where": {"type": "string", "description": "Where"}}, "required": ["where"]}'
TOOLS = f'[{{"type": "function", "function": {{"name": "find", "description": "Finds.", "parameters": {PARAMETERS}}}}}]'
CALLED = [
    {"role": "user", "content": "Who runs?"},
    {"role": "assistant", "content": "", "tool_calls": CALL},
    {"role": "tool", "content": "It is the one that runs.", "tool_call_id": "abcdefgh1", "name": "find"},
    {"role": "assistant", "content": "The river."},
]
SHOWN = '{"name": "find", "arguments": {"where": "the river"}}'


def stock(name: str) -> Chat:
    """Return the template of a model with a byte-level tokenizer that has the control tokens which it writes."""
    text = (FOLDER / f"{name}.jinja").read_text("utf-8")
    begin, end = ENDS[name][2:]
    trained = train([["The mill stands by the river. Who runs by the mill?\n\n find where"] * 3], 320)
    tokens = sorted({*CONTROL.findall(text), end, *([begin] if begin else [])})
    trained.backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in tokens])
    special = {"eos_token": end, "pad_token": end} | ({"bos_token": begin} if begin else {})
    return Chat(Tokenizer(trained.backend, special).with_chat_template(text))


CHATS = {name: stock(name) for name in ENDS}


def supervised_text(chat: Chat, messages, train_on="assistant") -> str:
    tokens, fit, unfit = encode(chat, [messages], train_on)
    assert fit == [0], unfit[0].reason
    return chat.tokenizer.backend.decode(tokens.ids[tokens.supervised].tolist(), skip_special_tokens=False)


@pytest.mark.parametrize("name", ENDS)
def test_a_models_own_template_without_tags_trains_the_answers_and_their_ends(name):
    talk = [*CALLED[:1], CALLED[3], {"role": "user", "content": "And then?"}, {"role": "assistant", "content": "The mill."}]
    end, last = ENDS[name][:2]
    assert "generation %}" not in CHATS[name].template
    probe(CHATS[name])
    assert supervised_text(CHATS[name], talk) == f"The river.{end}The mill.{last}"
    assert supervised_text(CHATS[name], talk, "last") == f"The mill.{last}"
    assert supervised_text(CHATS[name], talk, "all") == CHATS[name].render(talk).text


@pytest.mark.parametrize("name", sorted(ENDS.keys() - {"phi3"}))
def test_a_models_own_template_does_not_train_the_system_turn(name):
    talk = [{"role": "system", "content": "Be brief."}, CALLED[0], CALLED[3]]
    assert "Be brief." in CHATS[name].render(talk).text
    assert supervised_text(CHATS[name], talk) == f"The river.{ENDS[name][1]}"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("llama3_1", '{"name": "find", "parameters": {"where": "the river"}}<|eot_id|>'),
        ("llama3_2", '{"name": "find", "parameters": {"where": "the river"}}<|eot_id|>'),
        ("qwen2_5", f"<tool_call>\n{SHOWN}\n</tool_call><|im_end|>"),
        ("qwen3", f"<tool_call>\n{SHOWN}\n</tool_call><|im_end|>"),
        (
            "qwen3_6",
            "<tool_call>\n<function=find>\n<parameter=where>\nthe river\n</parameter>\n</function>\n</tool_call><|im_end|>",
        ),
        ("gptoss", ' to=functions.find<|channel|>commentary json<|message|>{"where": "the river"}<|call|>'),
        ("gemma4", '<|tool_call>call:find{where:<|"|>the river<|"|>}<tool_call|><|tool_response>'),
        ("lfm2_2_5_v2", "<|tool_call_start|>[find(where='the river')]<|tool_call_end|><|im_end|>"),
    ],
)
@pytest.mark.parametrize("tools", [TOOLS, None], ids=["tools", "no tools"])
def test_a_models_own_template_trains_the_turn_that_calls(name, expected, tools):
    assert supervised_text(CHATS[name], told(CALLED, tools)) == f"{expected}The river.{ENDS[name][1]}"


@pytest.mark.parametrize("name", ["llama3", "phi3", "gemma3"])
def test_a_models_own_template_that_knows_no_calls_has_them_refused(name):
    assert encode(CHATS[name], [told(CALLED, TOOLS)], "assistant").unfit


HOSTILE = ["The mill", " ", "\n", "\n\n", "  ", "\t", "é", "\u0301", "世界", "👩\u200d👧", "\u200b", "\ufeff", "\x00", "\u2028"]
SPELLED = ["user\n", "assistant", "<|im_", "end|>", "{{ 1 }}", "{% if %}", "</s>", "<s>", "[INST]", "\ue0001\ue000"]
said = st.lists(st.sampled_from([*HOSTILE, *SPELLED]) | st.text(st.characters(codec="utf-8"), max_size=4), max_size=5).map(
    "".join
)
pairs = st.lists(st.tuples(said, said), min_size=1, max_size=3)


@settings(max_examples=150)
@given(st.sampled_from(sorted(ENDS)), pairs)
def test_any_conversation_in_a_models_own_template_trains_its_answers_alone_or_says_why_not(name, turns):
    talk = [{"role": role, "content": text} for pair in turns for role, text in zip(("user", "assistant"), pair, strict=True)]
    tokens, fit, unfit = encode(CHATS[name], [talk], "assistant")
    if not fit:
        assert unfit[0].measure == "control_tokens", unfit[0].reason
        return
    text = CHATS[name].tokenizer.backend.decode(tokens.ids[tokens.supervised].tolist(), skip_special_tokens=False)
    for place, (_, answer) in enumerate(turns):
        end = ENDS[name][place == len(turns) - 1]
        forms = [answer, answer.strip(), answer.lstrip(), answer.rstrip()]
        forms += ["\n" + form for form in forms if form.startswith("\n")]  # one token for the header's line break and its own
        shown = next(form + end for form in forms if text.startswith(form + end))
        text = text[len(shown) :]
    assert text == ""
