"""Slop: phrases and patterns in texts, held against a plain Python search in folded text."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from filters import kernels
from filters.kinds import PhraseList
from filters.slop import folded as in_folded
from filters.slop import marked, parsed, slop

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
NASTY = st.sampled_from(
    [
        *"aBéÉ1ʼ’'\"“— \n\u3000数据\u212akİ🎉\0_\u0301Ⱥ\U00032400",
        "  ",
        "ab" * 40,
        "—" * 30,
        "数" * 25,
        "as an",
        "😊\u200d",
        "x " * 33,
    ]
)
NASTY_TEXT = st.one_of(TEXT, st.lists(NASTY, max_size=30).map("".join))


def found_in(*texts, phrases=PHRASES, patterns=(), **settings):
    """Return `(text's number, the bytes matched as text, the label)` of each span, and the spans."""
    found = slop(pa.array(texts, pa.large_string()), lists=(PhraseList("own", phrases, patterns),), **settings)
    spans = zip(found.text.tolist(), found.start.tolist(), found.end.tolist(), found.label.tolist(), strict=True)
    return [(row, texts[row].encode()[start:end].decode(), found.labels[label]) for row, start, end, label in spans]


def letters(text):
    """Return the folded text, and for each of its characters the byte where it begins in the original; one more for the end."""
    out, origin, at = [], [], 0
    for letter in text:
        code = ord(letter)
        folded_letter = chr(kernels.folds()[code]) if code < kernels.TABLE else letter
        if folded_letter != " " or not out or out[-1] != " ":
            out.append(folded_letter)
            origin.append(at)
        at += len(letter.encode())
    return "".join(out), [*origin, at]


def kind(letter):
    return kernels.classes()[ord(letter)] if ord(letter) < kernels.TABLE else kernels.OTHER


def wordless(text):
    return not any(kind(letter) in (kernels.WORD, kernels.IDEOGRAPH) for letter in text)


def cuts_a_word(text, edge):
    return 0 < edge < len(text) and kind(text[edge - 1]) == kind(text[edge]) == kernels.WORD


def slowly(texts, entries, *, whole_words=True):
    """Search without an index, without kernels: `(text, start, end, entry)` of each span."""
    spans = []
    for row, original in enumerate(texts):
        text, origin = letters(original)
        hits = []
        for number, entry in enumerate(entries):
            phrase, anchors = parsed(entry)
            for start in range(len(text) - len(phrase) + 1):
                end = start + len(phrase)
                stands = text.startswith(phrase, start) and not (
                    whole_words and (cuts_a_word(text, start) or cuts_a_word(text, end))
                )
                if stands and (not anchors & 1 or wordless(text[:start])) and (not anchors & 2 or wordless(text[end:])):
                    hits.append((origin[start], -origin[end], number))
        free = 0
        for start, end, number in sorted(hits):
            if start >= free:
                spans.append((row, start, -end, entries[number]))
                free = -end
    return spans


def quickly(texts, entries, **settings):
    found = slop(pa.array(texts, pa.large_string()), lists=(PhraseList("own", tuple(entries)),), **settings)
    labels = [found.labels[label] for label in found.label]
    return list(zip(found.text.tolist(), found.start.tolist(), found.end.tolist(), labels, strict=True))


@st.composite
def entries(draw):
    """Draw folded phrases, some of them anchored."""
    texts = draw(st.lists(st.one_of(st.lists(NASTY, min_size=1, max_size=6).map("".join), TEXT), min_size=1, max_size=6))
    phrases = [letters(text)[0].strip() for text in texts]
    return list(dict.fromkeys(marked(phrase, draw(st.integers(0, 3))) for phrase in phrases if phrase))


@given(st.lists(NASTY_TEXT, max_size=4), entries(), st.booleans())
@example(["as an ai model"], ["as an ai", "^as an ai", "as an ai model$"], True)
@example(["x" * 64 + " ai", "“ ai", "a\u0301i ai", "\u212a"], ["ai", '" ai', "k"], True)
@example(["数据数据 x数据ai ai"], ["数据 x", "据数", "ai"], True)
@example(["a  —\n ai", "— ai", "b — — ai"], ["— ai", "— — ai", "—"], True)
def test_spans_are_those_of_a_slow_search_in_folded_text(texts, phrases, whole_words):
    assume(phrases)
    assert quickly(texts, phrases, whole_words=whole_words) == slowly(texts, phrases, whole_words=whole_words)


@given(st.lists(NASTY, max_size=60).map("".join), st.data())
def test_a_phrase_cut_out_of_a_text_is_found_there(text, data):
    first, last = sorted(data.draw(st.tuples(st.integers(0, len(text)), st.integers(0, len(text)))))
    phrase = letters(text[first:last])[0].strip()
    assume(phrase)
    entry = marked(phrase, 0)
    assert quickly([text], [entry], whole_words=False)
    assert quickly([text] * 3, [entry]) == slowly([text] * 3, [entry])


@given(st.lists(st.binary(max_size=200), max_size=3), st.booleans())
def test_broken_utf8_breaks_nothing(broken, whole_words):
    data = [part + b" As an AI \xff" for part in broken]
    texts = pa.array(data, pa.large_binary()).view(pa.large_string())
    found = slop(texts, lists=(PhraseList("own", ("as an ai", "🎉", "^x"), (r"an a\w",)),), whole_words=whole_words)
    assert set(found.text.tolist()) == set(range(len(data)))
    assert all(0 <= start < end <= len(data[text]) for text, start, end in zip(found.text, found.start, found.end, strict=True))


@pytest.mark.parametrize("text", ["a" * 10_000_000, "— " * 3_000_000 + "as an ai", "as an ai " * 1_000_000])
def test_a_line_of_ten_megabytes_is_searched(text):
    assert len(quickly([text], ["as an ai", "— as an ai", "a$"])) == text.count("as an ai")


def test_fifty_thousand_phrases_are_told_apart():
    numbers = np.random.default_rng(0).integers(0, 2000, (50_000, 3))
    phrases = list(dict.fromkeys(f"word{a} word{b} word{c}" for a, b, c in numbers.tolist()))
    assert [label for *_, label in quickly(phrases, phrases)] == phrases


@pytest.mark.parametrize(
    "text", ["Certainly! Here", "  “Certainly”", "# Certainly", "> *Certainly*", "- 🎉 certainly", "certainly"]
)
def test_a_phrase_marked_for_the_start_is_found_behind_white_space_quotes_and_marks(text):
    assert [label for *_, label in quickly([text], ["^certainly"])] == ["^certainly"]


@pytest.mark.parametrize("text", ["Yes, certainly!", "1. Certainly!", "数 certainly", "uncertainly"])
def test_a_phrase_marked_for_the_start_is_not_found_behind_a_word(text):
    assert quickly([text], ["^certainly"]) == []


@pytest.mark.parametrize(
    "text", ["I hope this helps", "… I hope this helps! 😊\n", "“I hope this helps.”", "**I hope this helps**"]
)
def test_a_phrase_marked_for_the_end_is_found_before_white_space_quotes_and_marks(text):
    assert [label for *_, label in quickly([text], ["i hope this helps$"])] == ["i hope this helps$"]


def test_a_phrase_marked_for_the_end_is_not_found_before_a_word():
    assert quickly(["I hope this helps you"], ["i hope this helps$"]) == []


def test_a_phrase_with_both_marks_is_the_whole_message():
    assert [row for row, *_ in quickly(["No.", "no no", "well no"], ["^no$"])] == [0]


def test_a_mark_with_a_backslash_is_the_sign_itself():
    assert [label for *_, label in quickly(["so ^_^ it costs 5 $ now"], [r"\^_^", r"5 \$"])] == [r"\^_^", r"5 \$"]


@given(st.text(alphabet="^$\\ab", min_size=1), st.integers(0, 3))
def test_an_entry_is_parsed_to_what_it_was_marked_from(phrase, anchors):
    assume(not phrase.startswith("\\^") and not phrase.endswith("\\$") and not phrase.endswith("\\"))
    assert parsed(marked(phrase, anchors)) == (phrase, anchors)


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


@pytest.mark.parametrize("pattern", [r"I'M \w+", r"i'm \w+", r"(?:x|I'm) \S+"])
def test_a_pattern_may_be_written_in_capitals(pattern):
    assert [matched for _, matched, _ in found_in("so I’m SORRY", phrases=(), patterns=(pattern,))] == ["I’m SORRY"]


def test_a_pattern_that_matches_nothing_at_all_is_no_match():
    assert found_in("abc", phrases=(), patterns=("x*",)) == []


def test_phrases_and_patterns_are_found_side_by_side():
    found = found_in("as an ai, i decline", phrases=("as an ai",), patterns=("i declin.",))
    assert [label for _, _, label in found] == ["as an ai", "i declin."]


def test_a_text_on_which_a_pattern_takes_too_long_is_named_and_has_no_spans(monkeypatch):
    monkeypatch.setattr(in_folded, "PATTERN_SECONDS", 0.05)
    lists = (PhraseList("own", ("as an ai",), (r"^(a|aa|a?a)+$",)),)
    found = slop(pa.array(["as an ai", "a" * 40 + "! as an ai"], pa.large_string()), lists=lists)
    assert found.text.tolist() == [0]
    assert [text for text, why in found.failed if "took longer than 0.05 s" in why] == [1]


def test_a_pattern_competes_with_all_phrases_of_its_text():
    found = found_in("an ai model of", phrases=("ai model", "model of"), patterns=("an ai",))
    assert [label for *_, label in found] == ["an ai", "model of"]


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
