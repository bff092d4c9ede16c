"""For any conversation and any template that ships the proofs hold, whatever is said; through the stage too."""

from functools import cache
from pathlib import Path

import datasets
import mistral_common
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, processors

from pipeline.artifacts import Artifact, Identity, Store, atomic
from pipeline.documents import schema
from pipeline.engine.local import Local
from pipeline.run import Run
from pipeline.stages.tokenize import tokenize
from pipeline.tokens.chat import Chat, shipped_templates, template_text
from pipeline.tokens.encoding.encoder import PROVED, Encoder
from pipeline.tokens.masks import UNASKED, encode
from pipeline.tokens.rows import encode_texts
from pipeline.tokens.tokenizer import Tokenizer, load, train
from pipeline.tokens.tool_calls import told

V3 = Path(mistral_common.__file__).parent / "data" / "mistral_instruct_tokenizer_240323.model.v3"
CONTROL = [
    "<s>",
    "</s>",
    "[INST]",
    "[/INST]",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|im_start|>",
    "<|im_end|>",
]
BEFORE = {"mistral": " ", "vicuna": " "}  # what a template trains before an answer, and behind it
BEHIND = {"chatml": "<|im_end|>", "llama-3": "<|eot_id|>"}
WORDS = [
    "The mill",
    " ",
    "  ",
    "\n",
    "\n\n",
    "\t",
    "\r\n",
    "é",
    "e\u0301",
    "\u0301",
    "世界",
    "👩\u200d👧",
    "\x00",
    "\u2028",
    "\ufeff",
]
SPELLED = ["user", "assistant\n", "system", "### Response:\n", "ASSISTANT:", "USER: ", "{{ x }}", "{% raw %}", "<0x0A>", "▁"]
MARKS = ["<|im_", "end|>", "[INST", "\ue0000\ue000", "\ue0001\ue001", "\u2003", "</s", *CONTROL]
said = st.lists(st.sampled_from([*WORDS, *SPELLED, *MARKS]) | st.text(st.characters(codec="utf-8"), max_size=5), max_size=6)
turn = said.map("".join)
systems = st.none() | turn
asked = st.lists(st.tuples(turn, turn), min_size=1, max_size=3)


@cache
def byte_level() -> Tokenizer:
    """Return a byte-level tokenizer with the control tokens of all templates, that puts `<s>` before a text."""
    trained = train([["The mill stands by the river. USER: ASSISTANT: ### Response:\n\n \xe9 世界"] * 3], 320)
    trained.backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in CONTROL])
    begin = trained.backend.token_to_id("<s>")
    trained.backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", begin)])
    return Tokenizer(trained.backend, {"bos_token": "<s>", "eos_token": "</s>"})


@cache
def sentencepiece() -> Tokenizer:
    opened = load(str(V3))
    opened.backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in CONTROL])
    return opened


def conversation(system: str | None, pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
    talk = [{"role": role, "content": text} for pair in pairs for role, text in zip(("user", "assistant"), pair, strict=True)]
    return talk if system is None else [{"role": "system", "content": system}, *talk]


def trained_text(name: str, answers: list[str]) -> str:
    return "".join(BEFORE.get(name, "") + answer.strip() + BEHIND.get(name, "</s>") for answer in answers)


@settings(max_examples=100)
@given(st.sampled_from(shipped_templates()), systems, asked, st.sampled_from(["assistant", "last", "all"]), st.booleans())
def test_the_answers_and_their_ends_are_trained_and_nothing_else_is(name, system, pairs, train_on, fast):
    tokenizer, talk = byte_level(), conversation(system, pairs)
    chat = Chat(tokenizer.with_chat_template(template_text(name, None)))
    tokens, fit, unfit = encode(chat, [talk], train_on, Encoder(tokenizer, PROVED if fast else UNASKED))
    if any(token in message["content"] for message in talk for token in tokenizer.control_tokens):
        assert unfit[0].measure == "control_tokens"
        return
    assert fit == [0], unfit[0].reason
    text = chat.render(talk).text
    decode = lambda ids: tokenizer.backend.decode(ids.tolist(), skip_special_tokens=False)
    assert decode(tokens.ids) == text
    assert (tokens.ids[0], tokens.ids.tolist().count(tokens.ids[0])) == (tokenizer.token_id("bos_token"), 1)
    answers = [answer for _, answer in pairs]
    expected = text if train_on == "all" else trained_text(name, answers if train_on == "assistant" else answers[-1:])
    assert decode(tokens.ids[tokens.supervised]) == expected
    assert text.index(pairs[0][0].strip()) < len(text)


@settings(max_examples=100)
@given(st.sampled_from(shipped_templates()), systems, asked)
def test_a_sentencepiece_tokenizer_trains_the_same_answers(name, system, pairs):
    tokenizer, talk = sentencepiece(), conversation(system, pairs)
    chat = Chat(tokenizer.with_chat_template(template_text(name, None)))
    tokens, fit, unfit = encode(chat, [talk], "assistant")
    if not fit:  # a text that holds the letter of a space is another one when it is decoded
        lossy = any("▁" in message["content"] for message in talk)
        assert unfit[0].measure in ("control_tokens", *["decoded_text"] * lossy), unfit[0].reason
        return
    text = tokenizer.backend.decode(tokens.ids[tokens.supervised].tolist(), skip_special_tokens=False)
    bare = lambda words: "".join(words.replace("▁", " ").split())
    assert bare(text) == bare(trained_text(name, [answer for _, answer in pairs]))
    assert tokens.ids.tolist().count(1) == 1


roles = st.sampled_from(["system", "user", "assistant", "tool", "ipython", "", "user\n"])
CALL = '[{"id": "c1", "type": "function", "function": {"name": "find", "arguments": "{\\"a\\": \\"%s\\"}"}}]'
calls = st.sampled_from([None, CALL % "the mill", CALL % "</s>", '[{"function": {"name": "", "arguments": ""}}]'])
messages = st.fixed_dictionaries(
    {"role": roles, "content": turn, "tool_calls": calls, "weight": st.sampled_from([None, 0.0, 1.0])}
)


@settings(max_examples=100)
@given(st.sampled_from(shipped_templates()), st.lists(messages, max_size=5), st.sampled_from(["assistant", "last", "all"]))
def test_turns_in_any_order_and_calls_are_proved_or_refused_with_a_reason(name, talk, train_on):
    tokenizer = byte_level()
    chat = Chat(tokenizer.with_chat_template(template_text(name, None)))
    tokens, fit, unfit = encode(chat, [told(talk, None)], train_on)
    assert (fit == [0]) != bool(unfit)
    if unfit:
        assert unfit[0].reason
        return
    answers = [message["content"] for message in talk if message["role"] == "assistant" and message["weight"] != 0]
    if train_on != "all":
        expected = trained_text(name, answers if train_on == "assistant" else answers[-1:])
        assert tokenizer.backend.decode(tokens.ids[tokens.supervised].tolist(), skip_special_tokens=False) == expected


@given(st.lists(turn, min_size=1, max_size=4))
def test_any_text_comes_back_between_one_bos_and_one_eos(texts):
    tokenizer = byte_level()
    tokens = encode_texts(Encoder(tokenizer, PROVED), pa.array(texts, pa.large_string()))
    for text, start, stop in zip(texts, tokens.offsets[:-1], tokens.offsets[1:], strict=True):
        ids = tokens.ids[start:stop].tolist()
        assert tokenizer.backend.decode(ids, skip_special_tokens=False) == f"<s>{text}</s>"
        assert [ids.count(tokenizer.token_id(role)) for role in ("bos_token", "eos_token")] == [1, 1]


# through the stage


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a run with a store of its own, and the folder of a tokenizer."""
    folder = tmp_path_factory.mktemp("proofs")
    byte_level().save(folder / "tokenizer")
    return Run(Store(folder / "store"), Local(1)), str(folder / "tokenizer")


def published(store: Store, talks: list[list[dict[str, str]]]) -> Artifact:
    identity = Identity("clean", {"talks": talks})
    if known := store.answer(identity, "talks"):
        return known
    with store.draft(identity, "talks") as draft:
        names = [f"talks:{number}" for number in range(len(talks))]
        columns = {"id": names, "messages": talks, "source": ["talks"] * len(talks)}
        with atomic(draft.path / "documents" / "00000.parquet") as temporary:
            pq.write_table(pa.table(columns, schema=schema("chat")), temporary)
        return draft.publish({"in": len(talks), "kept": len(talks)}, versions={}, run={})


@settings(max_examples=4)
@given(
    made_of=st.lists(st.tuples(systems, asked), min_size=1, max_size=6),
    name=st.sampled_from(shipped_templates()),
    train_on=st.sampled_from(["assistant", "last", "all"]),
    length=st.integers(3, 200),
    overlong=st.sampled_from(["auto", "split", "truncate"]),
    packing=st.sampled_from(["best_fit", "concatenate", "none"]),
)
def test_the_rows_of_any_conversations_hold_every_token_once_and_are_no_longer_than_the_limit(
    made, made_of, name, train_on, length, overlong, packing
):
    run, folder = made
    talks = [conversation(*parts) for parts in made_of]
    how = {"sequence_length": length, "overlong": overlong, "packing": packing, "train_on": train_on, "validation": 0.3}
    artifact = tokenize([published(run.store, talks)], "t", run, tokenizer=folder, chat_template=name, **how)
    opened = datasets.load_from_disk(str(artifact.path / "tokens"))
    rows = [row for split in ("train", "validation") for row in opened[split].to_list()]
    assert all(0 < len(row["input_ids"]) <= length for row in rows)
    lines = [line for file in artifact.files("index") for line in pq.read_table(file).to_pylist()]
    removed = {line["id"] for file in artifact.files("removed") for line in pq.read_table(file).to_pylist()}
    chat = Chat(byte_level().with_chat_template(template_text(name, None)))
    tokens, fit, unfit = encode(chat, talks, train_on)
    sizes = {f"talks:{place}": size for place, size in zip(fit, tokens.lengths.tolist(), strict=True)}
    assert {f"talks:{place}" for place in unfit} <= removed
    assert {line["document"] for line in lines} | removed == {f"talks:{place}" for place in range(len(talks))}
    held = {name: sum(line["length"] for line in lines if line["document"] == name) for name in sizes.keys() - removed}
    assert held == {name: min(sizes[name], length) if overlong == "truncate" else sizes[name] for name in held}
    assert sum(held.values()) == sum(len(row["input_ids"]) for row in rows)
    trained = sum(label != -100 for row in rows for label in row["labels"])
    assert trained == sum(line["supervised_tokens"] for line in lines)
