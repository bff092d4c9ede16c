"""Trained tokenizers of both kinds: the same each time, with the ids that other tools give, and every text comes back."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from pipeline.errors import TokenizerError, UsageError
from pipeline.stages.tokenize import tokenize
from pipeline.tokens.encoding.encoder import PROVED, Choice, Encoder, choose
from pipeline.tokens.encoding.hard import hard_strings
from pipeline.tokens.tokenizer import reopened
from pipeline.tokens.training import check, smallest_vocabulary, trained

TEXTS = [["The mill stands by the river.", "The river runs by the mill.  Twice."] * 3, ["Grüße, 世界 🌍\n\tfin"]]
KINDS = ["bpe", "sentencepiece_bpe"]
MORE = ["<|think|>", "<|tool|>"]
MADE = {kind: trained(TEXTS, 340, kind, MORE) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_texts_give_the_same_tokenizer(kind):
    assert trained(TEXTS, 340, kind, MORE).content_hash == MADE[kind].content_hash
    assert trained(TEXTS[:1], 340, kind, MORE).content_hash != MADE[kind].content_hash


@pytest.mark.parametrize("kind", KINDS)
def test_a_trained_tokenizer_gives_the_ids_that_transformers_gives(kind, tmp_path):
    MADE[kind].save(tmp_path)
    opened = AutoTokenizer.from_pretrained(tmp_path)
    for text in (*hard_strings(MADE[kind])[:20], *TEXTS[0], "a <|think|> b"):
        assert opened(text)["input_ids"] == MADE[kind].backend.encode(text).ids


@pytest.mark.parametrize("kind", KINDS)
def test_the_fast_encoder_is_proved_for_a_trained_tokenizer(kind):
    pytest.importorskip("gigatoken", reason="the fast encoder is not installed")
    assert choose(MADE[kind], TEXTS[0], TEXTS[0]) == PROVED


@given(st.sampled_from(KINDS), st.text(st.characters(codec="utf-8", exclude_characters="▁"), max_size=40))
def test_any_text_comes_back_whether_its_characters_were_met_or_not(kind, text):
    backend = MADE[kind].backend
    assert backend.decode(backend.encode(text).ids, skip_special_tokens=False) == text


@pytest.mark.parametrize("kind", KINDS)
def test_special_tokens_are_tokens_of_their_own_and_steer_nothing_in_a_text(kind):
    assert [MADE[kind].backend.token_to_id(token) is not None for token in MORE] == [True, True]
    assert set(MORE) <= set(MADE[kind].control_tokens)
    ids = Encoder(MADE[kind], Choice("", "")).texts(pa.array(["a <|think|> b"], pa.large_string())).ids.tolist()
    assert MADE[kind].backend.token_to_id("<|think|>") not in ids


def test_a_character_that_was_not_met_is_spelled_in_bytes():
    assert MADE["sentencepiece_bpe"].backend.encode("é").tokens == ["▁", "<0xC3>", "<0xA9>"]
    assert "<0xC3>" not in MADE["sentencepiece_bpe"].backend.encode("<0xC3>").tokens


def test_more_characters_than_the_vocabulary_holds_are_told():
    with pytest.raises(TokenizerError, match=r"--vocab-size 262 is too small: the documents' characters, .* take 2\d\d\. Give"):
        trained(TEXTS, 262, "sentencepiece_bpe")


@pytest.mark.parametrize(
    ("size", "kind", "special", "error"),
    [
        (259, "sentencepiece_bpe", [], "--vocab-size 259 is too small: bytes and special tokens take 260"),
        (259, "bpe", MORE, "--vocab-size 259 is too small: bytes and special tokens take 261"),
        (300, "bpe", [" a"], "special_tokens: ' a' is no name for one"),
        (300, "bpe", [""], "special_tokens: '' is no name for one"),
        (300, "bpe", ["a", "a"], "special_tokens: one is there twice"),
    ],
)
def test_settings_that_make_no_tokenizer_say_so(size, kind, special, error):
    with pytest.raises(UsageError, match=error):
        check(size, kind, special)


def test_special_tokens_that_are_there_anyway_take_no_second_place():
    assert smallest_vocabulary("bpe", ["<|im_end|>"]) == smallest_vocabulary("bpe")


def test_the_stage_trains_the_kind_that_is_asked_for_with_its_special_tokens(documents, run_with):
    how = {"train_tokenizer": True, "vocab_size": 320, "validation": 0, "special_tokens": MORE}
    texts = documents(TEXTS[0])
    made = tokenize([texts], "t", run_with(1), tokenizer_kind="sentencepiece_bpe", **how)
    opened = reopened(made.path / "tokenizer")
    assert opened.backend.encode("the river").tokens[0].startswith("▁")
    assert set(MORE) <= set(opened.control_tokens)
    assert made.manifest.recipe["tokenizer"]["trained"] == "BPE of characters with byte fallback"
    assert tokenize([texts], "t", run_with(1), **how).ref != made.ref


def test_the_stage_refuses_settings_of_which_no_tokenizer_can_be_made(documents, run_with):
    how = {"train_tokenizer": True, "vocab_size": 259, "special_tokens": MORE}
    with pytest.raises(UsageError, match="bytes and special tokens take 261"):
        tokenize([documents(TEXTS[0])], "t", run_with(1), **how)
