"""Slop: phrases and patterns in texts, held against plain Python over folded text."""

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import filters.slop
from filters import kernels
from filters.kinds import PhraseList
from filters.slop import slop

PHRASES = ("as an ai", "i'm sorry", "ai", "sorry, but", "über uns", "数据")
PIECES = [
    "As an AI",
    "as an\u2003 ai",
    "I’m  SORRY",
    ", but ",
    "AI",
    "sorry",
    "ÜBER UNS",
    "数据",
    " ",
    "x",
    "é",
    "🎉",
    "\n",
    ",",
    "\0",
    "İ",
]
TEXT = st.lists(st.sampled_from(PIECES), max_size=10).map("".join)


def found_in(*texts, phrases=PHRASES, patterns=(), **settings):
    """Return `(text's number, the bytes matched as text, the label)` of each span, and the spans."""
    found = slop(pa.array(texts, pa.large_string()), lists=(PhraseList("own", phrases, patterns),), **settings)
    spans = zip(found.text.tolist(), found.start.tolist(), found.end.tolist(), found.label.tolist(), strict=True)
    return [(row, texts[row].encode()[start:end].decode(), found.labels[label]) for row, start, end, label in spans]


def folded(text):
    data, bounds, _ = kernels.fold(*kernels.buffers(pa.array([text], pa.large_string())))
    return kernels.strings(data, bounds)[0].as_py()


@given(st.lists(TEXT, max_size=4))
@example(["İİİ I’m  sorry", "🎉数据🎉", ""])
def test_the_text_of_a_span_is_its_phrase_once_folded(texts):
    for _, matched, label in found_in(*texts, whole_words=False):
        assert folded(matched) == label


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_a_text_is_hit_where_python_finds_a_phrase_in_it(texts):
    rows = {row for row, _, _ in found_in(*texts, whole_words=False)}
    assert rows == {row for row, text in enumerate(texts) if any(phrase in folded(text) for phrase in PHRASES)}


@given(TEXT)
def test_spans_follow_one_another_and_do_not_overlap(text):
    found = slop(pa.array([text], pa.large_string()), lists=(PhraseList("own", PHRASES),))
    assert (found.start[1:] >= found.end[:-1]).all()


@pytest.mark.parametrize("text", ["as an ai", "As  An\nAI,", "“as an AI”", "(as an ai)", "as an ai…", "🎉as an ai🎉"])
def test_case_white_space_and_punctuation_around_do_not_matter(text):
    assert [label for _, _, label in found_in(text, phrases=("as an ai",))] == ["as an ai"]


@pytest.mark.parametrize("text", ["has an ai", "as an aide", "as an ai2", "as an aï", "as an ai\u0301", "was an airy"])
def test_a_phrase_inside_a_longer_word_is_no_match(text):
    assert found_in(text, phrases=("as an ai",)) == []


def test_a_phrase_inside_a_longer_word_matches_where_whole_words_are_not_asked_for():
    assert found_in("has an aide", phrases=("as an ai",), whole_words=False) == [(0, "as an ai", "as an ai")]


def test_typographic_quotes_match_straight_ones():
    assert found_in("Well, I’m sorry.", phrases=("i'm sorry",)) == [(0, "I’m sorry", "i'm sorry")]


def test_of_overlapping_matches_the_first_and_longest_stays():
    phrases = ("as an ai", "as an ai model", "an ai model of", "model")
    assert found_in("as an ai model of", phrases=phrases) == [(0, "as an ai model", "as an ai model")]


def test_a_match_that_is_no_whole_word_does_not_hide_one_that_is():
    assert found_in("as an aide", phrases=("as an", "as an ai")) == [(0, "as an", "as an")]


def test_a_phrase_of_two_lists_is_found_once():
    lists = (PhraseList("one", ("as an ai",)), PhraseList("two", ("as an ai",)))
    assert len(slop(pa.array(["as an ai"], pa.large_string()), lists=lists).text) == 1


def test_every_occurrence_is_found():
    assert [matched for _, matched, _ in found_in("AI, ai and Ai", phrases=("ai",))] == ["AI", "ai", "Ai"]


def test_a_pattern_is_matched_in_folded_text():
    found = found_in("é: I’m  REALLY Sorry", "sorry", phrases=(), patterns=(r"i'm \w+ sorry",))
    assert found == [(0, "I’m  REALLY Sorry", r"i'm \w+ sorry")]


def test_a_pattern_that_matches_nothing_at_all_is_no_match():
    assert found_in("abc", phrases=(), patterns=("x*",)) == []


def test_phrases_and_patterns_are_found_side_by_side():
    found = found_in("as an ai, i decline", phrases=("as an ai",), patterns=("i declin.",))
    assert [label for _, _, label in found] == ["as an ai", "i declin."]


def test_a_catastrophic_pattern_times_out(monkeypatch):
    monkeypatch.setattr(filters.slop, "PATTERN_SECONDS", 0.05)
    with pytest.raises(TimeoutError):
        found_in("a" * 40 + "!", phrases=(), patterns=(r"^(a|aa|a?a)+$",))


@pytest.mark.parametrize("texts", [(), ("",), ("", "\0")])
def test_texts_without_words_hold_no_phrase(texts):
    assert found_in(*texts, patterns=("sorry",)) == []


def test_a_list_without_phrases_finds_nothing():
    assert found_in("as an ai", phrases=()) == []


def test_spans_of_a_slice_are_of_the_slice():
    texts = pa.array(["as an ai", "é as an ai"], pa.large_string())[1:]
    found = slop(texts, lists=(PhraseList("own", ("as an ai",)),))
    assert (found.text.tolist(), found.start.tolist(), found.end.tolist()) == ([0], [3], [11])


def test_a_list_that_was_not_read_is_refused_instead_of_finding_nothing():
    with pytest.raises(TypeError, match="phrase lists are read before slop is called"):
        slop(pa.array(["As an AI language model"], pa.large_string()))
