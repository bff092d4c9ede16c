"""SentencePiece models are opened without the library, and give the ids that the library gives."""

import json
import shutil
from functools import cache
from itertools import pairwise
from pathlib import Path

import mistral_common
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mistral_common.protocol.instruct.messages import AssistantMessage, SystemMessage, UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from pipeline.errors import TokenizerError
from pipeline.tokens.chat import Chat, template_text
from pipeline.tokens.encoding.encoder import choose
from pipeline.tokens.encoding.hard import hard_strings
from pipeline.tokens.encoding.reference import Reference
from pipeline.tokens.masks import encode
from pipeline.tokens.protobuf import Malformed, fields, floating
from pipeline.tokens.sentencepiece_model import parsed
from pipeline.tokens.tokenizer import Tokenizer, load

sentencepiece = pytest.importorskip("sentencepiece", reason="the library that the ids are compared with is not installed")

DATA = Path(mistral_common.__file__).parent / "data"
V1, V3 = DATA / "tokenizer.model.v1", DATA / "mistral_instruct_tokenizer_240323.model.v3"
TEKKEN = DATA / "tekken_240911.json"
MISTRALS = [V1, DATA / "mistral_instruct_tokenizer_240216.model.v2", V3, DATA / "mistral_instruct_tokenizer_241114.model.v7"]
LINES = ["The mill stands by the river.", "The river runs by the mill, 12 miles.", "Grüße, 世界 🌍 don't!", "a  b\tc <b>"] * 9
OWN = {"byte_fallback": True, "normalization_rule_name": "identity", "remove_extra_whitespaces": False}
KINDS = {
    "bpe, NFKC": {"model_type": "bpe"},
    "bpe without a space in front": {
        "model_type": "bpe",
        "add_dummy_prefix": False,
        "user_defined_symbols": ["<b>", "▁▁"],
        **OWN,
    },
    "unigram, NFKC": {"model_type": "unigram"},
    "unigram with bytes": {"model_type": "unigram", **OWN, "required_chars": "<>0123456789xABCDEFunk"},
    "unigram without <s>": {"model_type": "unigram", "bos_id": -1, "pad_id": 0, "eos_id": 1, "unk_id": 2},
}
MESSAGES = [("user", "Who runs?"), ("assistant", " The river. "), ("user", "Say 世界 🌍\n\nagain"), ("assistant", "  世界\tx")]


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """Train small models of each kind with the library; returns their files."""
    folder = tmp_path_factory.mktemp("models")
    for number, settings in enumerate(KINDS.values()):
        size = {"vocab_size": 340 if "byte_fallback" in settings else 80, "hard_vocab_limit": False, "minloglevel": 2}
        where = str(folder / str(number))
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(LINES), model_prefix=where, **size, **settings)
    return {kind: folder / f"{number}.model" for number, kind in enumerate(KINDS)}


def library_ids(path: Path, text: str) -> list[int]:
    model = library(path)
    begin, end = [[number] if number >= 0 else [] for number in (model.bos_id(), model.eos_id())]
    return [*begin, *model.encode(text), *end]


@cache
def library(path: Path) -> "sentencepiece.SentencePieceProcessor":
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


@cache
def opened(path: Path) -> Tokenizer:
    return load(str(path))


def differing(path: Path, texts: list[str]) -> list[str]:
    ids, offsets = Reference(opened(path)).texts(texts)
    found = [ids[start:stop].tolist() for start, stop in pairwise(offsets)]
    return [text for text, one in zip(texts, found, strict=True) if one != library_ids(path, text)]


@pytest.mark.parametrize("path", MISTRALS, ids=lambda path: path.suffix)
def test_mistrals_models_give_the_librarys_ids_on_strings_that_break_tokenizers(path):
    assert differing(path, [*hard_strings(opened(path)), *LINES]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_any_kind_gives_the_librarys_ids_on_strings_that_break_tokenizers(small, kind):
    texts = [text for text in hard_strings(load(str(small[kind]))) if "▁▁" not in text or "without a space" not in kind]
    assert differing(small[kind], [*texts, *LINES]) == []


V3_TOKENIZER = load(str(V3))
V3_REFERENCE = Reference(V3_TOKENIZER)


@given(st.text(st.characters(codec="utf-8"), max_size=40) | st.text(st.sampled_from(" \n▁aé[]INST/<s>世"), max_size=30))
def test_any_text_has_the_librarys_ids(text):
    assert V3_REFERENCE.texts([text]).ids.tolist() == library_ids(V3, text)


@given(st.text(st.characters(codec="utf-8", exclude_characters="▁"), max_size=40))
def test_any_text_without_the_letter_for_a_space_comes_back(text):
    assert V3_TOKENIZER.backend.decode(V3_TOKENIZER.backend.encode(text, add_special_tokens=False).ids) == text


def test_a_users_own_piece_is_spelled_out_where_texts_get_a_space_in_front():
    tokens = V3_TOKENIZER.backend.encode("a [REFERENCE_DOC_1]b", add_special_tokens=False)
    assert "[REFERENCE_DOC_1]" not in tokens.tokens
    assert V3_TOKENIZER.backend.decode(tokens.ids) == "a [REFERENCE_DOC_1]b"


def test_the_special_tokens_are_those_that_the_model_names():
    assert V3_TOKENIZER.special_tokens == {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    assert {"[INST]", "[/INST]", "[TOOL_CALLS]"} <= set(V3_TOKENIZER.control_tokens)


def test_a_model_is_opened_without_the_library_and_without_transformers(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sentencepiece", None)
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    assert load(str(V1)).token_id("eos_token") == 2


def test_the_fast_encoder_is_proved_for_mistrals_models():
    pytest.importorskip("gigatoken", reason="the fast encoder is not installed")
    assert choose(V3_TOKENIZER, LINES, LINES) == (None, None)


@pytest.mark.parametrize(
    ("path", "template", "system"),
    [
        (V1, "mistral", False),
        (V3, "mistral-v3", False),
        (TEKKEN, "mistral-v3", False),
        (V3, "mistral-v3", True),
    ],
    ids=["v1", "v3", "tekken", "v3 with a system turn"],
)
def test_a_conversation_has_the_ids_that_mistrals_own_code_gives(path, template, system):
    turns = {"user": UserMessage, "assistant": AssistantMessage, "system": SystemMessage}
    said = [("system", "Be brief."), *MESSAGES[:1]] if system else MESSAGES[:3]
    said = [(role, text.strip()) for role, text in said]
    request = ChatCompletionRequest(messages=[turns[role](content=text) for role, text in said])
    expected = MistralTokenizer.from_file(str(path)).encode_chat_completion(request).tokens
    chat = Chat(opened(path).with_chat_template(template_text(template, None)))
    assert encode(chat, [[{"role": role, "content": text} for role, text in said]], "all").tokens.ids.tolist() == expected


def test_an_answer_in_a_models_own_format_is_trained_with_its_end():
    chat = Chat(V3_TOKENIZER.with_chat_template(template_text("mistral-v3", None)))
    tokens = encode(chat, [[{"role": role, "content": text} for role, text in MESSAGES]], "assistant").tokens
    trained = V3_TOKENIZER.backend.decode(tokens.ids[tokens.supervised].tolist(), skip_special_tokens=False)
    assert trained == "The river.</s> 世界\tx</s>"


def test_a_folder_with_a_model_and_no_tokenizer_json_has_its_added_tokens_and_template(tmp_path):
    shutil.copy(V1, tmp_path / "tokenizer.model")
    added = {"32000": {"content": "<|im_end|>", "special": True}, "2": {"content": "</s>", "special": True}}
    config = {"added_tokens_decoder": added, "eos_token": "<|im_end|>", "chat_template": "{{ 1 }}", "tokenizer_class": "X"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    found = load(str(tmp_path))
    assert (found.token_id("eos_token"), found.token_id("bos_token"), found.chat_template) == (32000, 1, "{{ 1 }}")
    assert load(str(tmp_path / "tokenizer.model")).content_hash == found.content_hash


def test_an_added_token_that_would_get_another_number_is_refused(tmp_path):
    shutil.copy(V1, tmp_path / "tokenizer.model")
    (tmp_path / "added_tokens.json").write_text('{"<|im_end|>": 32001}')
    with pytest.raises(TokenizerError, match="should be number 32001 and would be 32000"):
        load(str(tmp_path))


@pytest.mark.parametrize("kept", [0, 1, 1000, 200_000, 493_400])
def test_a_model_that_is_cut_is_one_clear_line(tmp_path, kept):
    (tmp_path / "cut.model").write_bytes(V1.read_bytes()[:kept])
    with pytest.raises(TokenizerError, match=r"cut\.model: not a SentencePiece model, or cut short \(.*\)\. Name") as caught:
        load(str(tmp_path / "cut.model"))
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_malformed(data):
    try:
        parsed(data)
    except (Malformed, ValueError):
        return
    assert list(fields(data))


def test_a_saved_model_opens_in_transformers_with_the_same_ids(tmp_path):
    from transformers import AutoTokenizer

    V3_TOKENIZER.save(tmp_path)
    assert AutoTokenizer.from_pretrained(tmp_path)(LINES[2])["input_ids"] == library_ids(V3, LINES[2])[:-1]
    assert load(str(tmp_path)).content_hash == V3_TOKENIZER.content_hash


def test_a_tekken_file_is_opened_by_any_name_of_its_own():
    assert opened(TEKKEN).special_tokens == {"bos_token": "<s>", "eos_token": "</s>"}


def test_a_broken_tekken_file_is_named(tmp_path):
    (tmp_path / "tekken_mine.json").write_text("{")
    with pytest.raises(TokenizerError, match=r"tekken_mine\.json: cannot open a tokenizer there") as caught:
        load(str(tmp_path / "tekken_mine.json"))
    assert "\n" not in str(caught.value)


def test_a_number_of_other_than_four_bytes_is_malformed():
    with pytest.raises(Malformed, match="not in four bytes"):
        floating(b"\x00")


def test_the_tokenizer_is_the_same_whenever_it_is_opened():
    assert isinstance(V3_TOKENIZER, Tokenizer)
    assert load(str(V3)).content_hash == V3_TOKENIZER.content_hash
