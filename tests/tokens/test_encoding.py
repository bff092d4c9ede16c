"""Encoding at speed: the same ids and characters as the tokenizer's own encoder, or that encoder with the reason."""

import pickle
import sys
import unicodedata

import numpy as np
import orjson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Backend

from pipeline.tokens.encoding import encoder as module
from pipeline.tokens.encoding.encoder import PROVED, Choice, Encoder, EncodingDiffers, choose
from pipeline.tokens.encoding.fast import Fast, Unsupported, unknown_part
from pipeline.tokens.encoding.hard import bounds, checked, hard_strings, sample
from pipeline.tokens.encoding.ids import Frame, Ids, first_difference, flat, framed
from pipeline.tokens.encoding.reference import Reference
from pipeline.tokens.encoding.unassigned import unassigned
from pipeline.tokens.tokenizer import Tokenizer, train

pytest.importorskip("gigatoken", reason="the fast encoder is not installed")

TEXTS = ["The mill stands by the river.", "The river runs by the mill, 12 miles.", "Grüße, 世界 🌍 don't!", "a\n\n  b\tc"] * 3
LLAMA_3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN = LLAMA_3.replace("{1,3}", "")
BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
NEWER_LETTERS = "\ua7f1\U00011db1 \U000323b1"  # of Unicode 17


def byte_level(pre_tokenizer, *, normalizer=None, ignore_merges=False, begin=False) -> Tokenizer:
    backend = Backend(models.BPE(ignore_merges=ignore_merges))
    backend.pre_tokenizer = pre_tokenizer
    backend.decoder = decoders.ByteLevel()
    if normalizer:
        backend.normalizer = normalizer
    special = ["<|end|>", "<|begin|>"]
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=BYTES, show_progress=False)
    backend.train_from_iterator(TEXTS, trainer)
    if begin:
        backend.post_processor = processors.TemplateProcessing(single="<|begin|> $A", special_tokens=[("<|begin|>", 1)])
    return Tokenizer(backend, {"eos_token": "<|end|>"})


def split_by(pattern: str) -> pre_tokenizers.PreTokenizer:
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def sentencepiece_like(normalizer, pre_tokenizer) -> Tokenizer:
    trained = Backend(models.BPE(unk_token="<unk>"))
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trained.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=360, special_tokens=special, show_progress=False))
    vocabulary = trained.get_vocab()
    merges = [tuple(pair) for pair in orjson.loads(trained.to_str())["model"]["merges"]]
    backend = Backend(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    backend.add_special_tokens(["<unk>", "<s>", "</s>"])
    backend.normalizer = normalizer
    if pre_tokenizer:
        backend.pre_tokenizer = pre_tokenizer
    return Tokenizer(backend, {"bos_token": "<s>", "eos_token": "</s>"})


def unigram() -> Tokenizer:
    backend = Backend(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<unk>", "<s>", "</s>"]
    trainer = trainers.UnigramTrainer(vocab_size=80, special_tokens=special, unk_token="<unk>", show_progress=False)
    backend.train_from_iterator([*TEXTS, "an s and / and < and >"], trainer)
    return Tokenizer(backend, {"eos_token": "</s>"})


def without_a_name() -> Tokenizer:
    return byte_level(split_by(r"\p{L}+|\p{N}+|[^\p{L}\p{N}]+"))


KINDS = {
    "trained here": lambda: train([TEXTS], 400),
    "like GPT-2": lambda: byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "like RoBERTa": lambda: byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True)),
    "like Llama 3": lambda: byte_level(split_by(LLAMA_3), ignore_merges=True, begin=True),
    "like Qwen": lambda: byte_level(split_by(QWEN), normalizer=normalizers.NFC()),
    "like Llama 2": lambda: sentencepiece_like(
        normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]), None
    ),
    "like Mistral": lambda: sentencepiece_like(
        normalizers.Sequence([]), pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    ),
}


LIKE_LLAMA_3 = KINDS["like Llama 3"]()


@pytest.fixture(scope="module", params=KINDS)
def known(request) -> Tokenizer:
    return KINDS[request.param]()


def arrow(texts) -> pa.Array:
    return pa.array(texts, pa.large_string())


def same(one: Ids, other: Ids) -> bool:
    return first_difference(one, other) is None


def test_tokenizers_of_every_known_kind_are_proved_for_texts_and_for_chats(known):
    assert choose(known, TEXTS, TEXTS) == PROVED


def test_ids_are_the_tokenizers_own_on_hard_strings_and_on_unknown_letters(known):
    texts = [*hard_strings(known), *TEXTS, NEWER_LETTERS, "a" * (1 << 20), "no space " * 3 + "xyz" * (1 << 18)]
    assert same(Encoder(known, PROVED).texts(arrow(texts)), Reference(known).texts(texts))


def test_characters_are_hugging_faces_on_hard_strings(known):
    texts = [*hard_strings(known), NEWER_LETTERS, "e\u0301 is not normalised"]
    ids, characters, _ = Encoder(known, PROVED).rendered(texts)
    expected, places = Reference(known).rendered(texts)
    assert same(ids, expected)
    assert characters.tolist() == places.tolist()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=4))
def test_any_text_has_the_tokenizers_own_ids_and_characters(texts):
    tokenizer = LIKE_LLAMA_3
    assert same(Encoder(tokenizer, PROVED).texts(arrow(texts)), Reference(tokenizer).texts(texts))
    ids, characters, _ = Encoder(tokenizer, PROVED).rendered(texts)
    expected, places = Reference(tokenizer).rendered(texts)
    assert (same(ids, expected), characters.tolist()) == (True, places.tolist())


def test_a_control_token_spelled_in_a_text_is_text_and_in_a_rendered_chat_is_one(known):
    (control, *_) = known.control_tokens
    number = known.backend.token_to_id(control)
    encoder = Encoder(known, PROVED)
    assert number not in encoder.texts(arrow([f"so {control} it goes"])).ids[1:-1]
    assert number in encoder.rendered([f"so {control} it goes"])[0].ids


def test_a_slice_of_an_array_is_encoded_alone():
    encoder = Encoder(LIKE_LLAMA_3, PROVED)
    assert same(encoder.texts(arrow(TEXTS)[1:3]), encoder.texts(arrow(TEXTS[1:3])))


@pytest.mark.parametrize(
    ("tokenizer", "reason"),
    [
        (unigram, "Unigram models"),
        (without_a_name, "no fast pretokenizer"),
        (lambda: byte_level(pre_tokenizers.ByteLevel(), normalizer=normalizers.Lowercase()), "Lowercase"),
        (lambda: byte_level(pre_tokenizers.Sequence([pre_tokenizers.Digits(), pre_tokenizers.ByteLevel()])), "Digits"),
    ],
)
def test_an_unknown_tokenizer_is_left_to_its_own_encoder_with_the_reason(tokenizer, reason):
    made = tokenizer()
    choice = choose(made, TEXTS, TEXTS)
    assert reason in choice.text
    assert reason in choice.chat
    assert same(Encoder(made, choice).texts(arrow(TEXTS)), Reference(made).texts(TEXTS))


def test_without_the_fast_encoder_the_reason_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "gigatoken", None)
    assert "gigatoken is not installed" in choose(train([TEXTS], 300), TEXTS).text


class Wrong(Fast):
    """Gives one id too few for texts that hold a question mark."""

    def encode(self, texts):
        ids = super().encode(texts)
        lengths = np.diff(ids.offsets)
        asked = np.array(["?" in text for text in texts.to_pylist()], bool) & (lengths > 0)
        last = ids.offsets[1:][asked] - 1
        return Ids(np.delete(ids.ids, last), np.concatenate([[0], np.cumsum(lengths - asked)]))


def test_an_encoder_that_errs_on_the_data_is_not_chosen(monkeypatch):
    monkeypatch.setattr(module, "Fast", Wrong)
    monkeypatch.setattr(module, "hard_strings", lambda tokenizer: ["a"])
    assert choose(train([TEXTS], 300), ["a mill", "why? oh why"]).text == "it gives other ids for 'why? oh why'"
    assert choose(train([TEXTS], 300), ["a mill"]).text is None


def test_an_error_in_the_middle_of_a_run_stops_it_and_names_the_document(monkeypatch):
    monkeypatch.setattr(module, "Fast", Wrong)
    encoder = Encoder(train([TEXTS], 300), PROVED, one_in=1)
    with pytest.raises(EncodingDiffers, match="begins 'why\\? oh why'") as caught:
        encoder.texts(arrow(["a mill", "why? oh why"]))
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_chat_whose_tokens_do_not_spell_its_text_is_encoded_by_the_tokenizer_itself(monkeypatch):
    monkeypatch.setattr(module, "Fast", Wrong)
    tokenizer, texts = train([TEXTS], 300), ["a mill", "why? oh why", "the end"]
    ids, characters, _ = Encoder(tokenizer, PROVED, one_in=0).rendered(texts)
    expected, places = Reference(tokenizer).rendered(texts)
    assert (same(ids, expected), characters.tolist()) == (True, places.tolist())


def test_other_characters_leave_chats_to_the_tokenizers_own_encoder(monkeypatch):
    right = module.places
    monkeypatch.setattr(module, "places", lambda *data: right(*data)._replace(characters=right(*data).characters + 1))
    choice = choose(train([TEXTS], 300), TEXTS, TEXTS)
    assert choice == Choice(None, "its tokens stand for other characters")


def test_which_documents_are_encoded_twice_follows_from_their_bytes_alone():
    texts = [f"document {number} says {number * 7}" for number in range(20_000)]
    flags = checked(arrow(texts), 1000)
    assert 5 < flags.sum() < 60
    assert checked(arrow(texts)[10_000:], 1000).tolist() == flags[10_000:].tolist()
    assert checked(arrow(texts[::-1]), 1000).tolist() == flags[::-1].tolist()


def test_a_sample_holds_first_and_other_documents_and_is_bounded():
    texts = [f"{number} " + "x" * (number % 5000) for number in range(3000)]
    found = sample(arrow(texts))
    assert found[0] == texts[0]
    assert set(found) - set(texts[:128])
    assert len(found) <= 256
    assert sum(map(len, found)) <= 1 << 20


def test_a_sample_of_nothing_is_nothing():
    assert sample(arrow([])) == []


def test_texts_with_letters_that_unicode_has_not_assigned_are_told():
    texts = ["", "a", "é漢🌍", "\U000323b1", "x\u0378y", "\U0010ffff"]
    assert unassigned(arrow(texts)).tolist() == [False, False, False, True, True, False]
    assert unassigned(arrow(texts)[3:5]).tolist() == [True, True]


@given(
    st.lists(
        st.text(st.characters(max_codepoint=0x3FFFF, exclude_categories=["Cs"])) | st.text("a\u0378é漢\U000323b0"), max_size=5
    )
)
def test_a_character_that_is_not_assigned_is_found_wherever_it_stands(texts):
    expected = [any(unicodedata.category(letter) == "Cn" for letter in text) for text in texts]
    assert unassigned(arrow(texts)).tolist() == expected


def test_a_unigram_control_token_is_not_made_of_a_texts_characters():
    tokenizer = unigram()
    ids = Reference(tokenizer).texts(["the </s> mill"]).ids.tolist()
    assert ids.count(tokenizer.token_id("eos_token")) == 1
    assert ids[-1] == tokenizer.token_id("eos_token")
    assert Reference(tokenizer).texts(["the mill"]).ids.tolist()[:-1] == tokenizer.backend.encode("the mill").ids


def test_the_frame_stands_around_empty_documents_too():
    documents = framed(flat([[], [5], []]), Frame([1], [8, 9], 2))
    assert documents.ids.tolist() == [1, 8, 9, 2, 1, 5, 8, 9, 2, 1, 8, 9, 2]
    assert documents.offsets.tolist() == [0, 4, 9, 13]


def test_an_array_says_where_its_texts_begin_even_cut():
    assert bounds(arrow(["ab", "c", "d"])[1:]).tolist() == [2, 3, 4]


def test_an_option_that_the_fast_encoder_would_pass_over_is_refused():
    content = {"model": {"type": "BPE", "dropout": 0.1, "byte_fallback": False}, "pre_tokenizer": None, "added_tokens": []}
    assert unknown_part(content | {"normalizer": None}) == "the model's dropout"
    with pytest.raises(Unsupported, match="Unigram"):
        Fast(unigram().backend.to_str(), spelled_out=True)
