"""C4: the lines, citations and placeholders that are found, held against the rules in plain Python."""

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.c4 import c4_citations, c4_lines, c4_placeholders
from filters.sentences import sentence_count
from filters.widening import to_lines

POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
PIECES = [
    "A line of words is here", "Home", "JavaScript", "privacy POLICY", "lorem Ipsum", "{", "[1]", "[", "]", "[edit]", "[Edit]",
    "[]", "[citation needed]", "[۳]", ".", "..", "?", '"', "'", " ", " ", "\u3000", "\n", "\n", "\r\n", "\u2028", "\x1d",
    "w" * 999, "ww", "é", "🎉", "\0", "”",
]  # fmt: skip
TEXT = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
SENTENCES = (
    "Another sentence with proper punctuation.\nMore content to fill out the document.\nEven more content is needed to pass.\n"
)


def strings(*texts):
    return pa.array(texts, pa.large_string())


def found(spans, text):
    data = text.encode()
    return [
        (data[start:end].decode(), spans.labels[label])
        for start, end, label in zip(spans.start.tolist(), spans.end.tolist(), spans.label.tolist(), strict=True)
    ]


def reason(line, terminal_punctuation):
    """Say in plain Python why a line goes; None if it stays."""
    line = line.strip()
    words = line.split()
    without = re.sub(r"\[\d*]|\[edit]|\[citation needed]", "", line)
    if max(map(len, words), default=0) > 1000:
        return "too long a word"
    if terminal_punctuation and (not without.endswith((".", "?", "!", '"', "'")) or without.endswith("...")):
        return "no terminal punctuation"
    if len(words) < 3:
        return "too few words"
    if "lorem ipsum" in line.lower():
        return None
    if "javascript" in line.lower():
        return "javascript"
    return "policy" if "{" not in line and any(phrase in line.lower() for phrase in POLICIES) else None


def left(text, **settings):
    """Return a text without the lines of `c4_lines`."""
    spans = to_lines(strings(text), c4_lines(strings(text), **settings))
    data, at, kept = text.encode(), 0, b""
    for start, end in zip(spans.start.tolist(), spans.end.tolist(), strict=True):
        kept, at = kept + data[at:start], end
    return (kept + data[at:]).decode()


@given(TEXT, st.booleans())
@example("a b c..[1].", True)
@example("It is so. [1]", True)
@example("[[1]] it is.[1][2]", True)
@example("JavaScript { is on.\nUse cookies { here.\nlorem ipsum javascript is.", True)
@example("w" * 1000 + " a b.\n" + "w" * 1001 + " a b.", False)
def test_lines_go_for_the_first_rule_that_they_fail(text, terminal_punctuation):
    lines = [(line, why) for line in text.splitlines() if (why := reason(line, terminal_punctuation))]
    spans = c4_lines(strings(text), terminal_punctuation=terminal_punctuation)
    assert [(line.rstrip("\n\r\u2028\x1d"), why) for line, why in found(spans, text)] == lines


@given(TEXT)
def test_what_is_left_is_the_lines_that_stay(text):
    assert left(text) == "".join(line for line in text.splitlines(keepends=True) if not reason(line, True))


def test_text_of_good_lines_is_left_alone():
    text = "This is a well-written paragraph.\nThe content continues here.\nFinally, the conclusion wraps everything up."
    assert left(text) == text


def test_a_policy_line_goes():
    assert (
        left("This site uses cookies for tracking.\nAnother valid line here today.", min_words=0)
        == "Another valid line here today."
    )


def test_what_is_switched_off_takes_no_line():
    text = "JavaScript\nuse cookies\n" + "w" * 2000
    off = {"terminal_punctuation": False, "min_words": 0, "max_word_length": None, "javascript": False, "policy": False}
    assert left(text, **off) == text


def test_a_citation_counts_at_the_end_of_a_line_where_it_is_not_to_be_ignored():
    assert found(c4_lines(strings("So it is.[1]"), citations=False), "So it is.[1]")[0][1] == "no terminal punctuation"


def test_an_empty_line_is_seen_by_its_line_break():
    assert found(c4_lines(strings("So it is.\n\nSo it is.")), "So it is.\n\nSo it is.") == [("\n", "no terminal punctuation")]


@given(TEXT)
def test_citations_are_those_of_the_expression(text):
    matches = re.findall(r"\[\d*]|\[edit]|\[citation needed]", text)
    assert found(c4_citations(strings("[1", text)), text) == [(match, "citation") for match in matches]


@given(TEXT)
def test_placeholders_are_found_whatever_their_case(text):
    matches = re.findall(r"lorem ipsum|\{", text, re.IGNORECASE)
    assert found(c4_placeholders(strings("Lorem", text)), text) == [(match, match.lower()) for match in matches]


@pytest.mark.parametrize(
    ("line", "label"),
    [("This is a sentence with lorem ipsum dolor sit amet.", "lorem ipsum"), ("This is some code with a { bracket.", "{")],
)
def test_a_placeholder_survives_the_lines_so_that_it_drops_its_page(line, label):
    text = left(f"{line}\n{SENTENCES}")
    assert [name for _, name in found(c4_placeholders(strings(text)), text)] == [label]


def test_a_bracket_in_a_line_that_goes_anyway_is_gone_with_it():
    assert len(c4_placeholders(strings(left("function() {\n" + SENTENCES))).text) == 0


def test_one_sentence_is_fewer_than_five():
    assert sentence_count(strings(left("Just one sentence.")), np.array([0, 1])).tolist() == [1]


def test_spans_of_many_texts_and_of_a_slice_are_counted_from_their_own_text():
    texts = strings("x", "", "So it is.[1]\nHome {", "Menu").slice(1)
    assert [column.tolist() for column in c4_lines(texts)[:3]] == [[1, 2], [13, 0], [19, 4]]
    assert [column.tolist() for column in c4_citations(texts)[:3]] == [[1], [9], [12]]
    assert [column.tolist() for column in c4_placeholders(texts)[:3]] == [[1], [18], [19]]


@pytest.mark.parametrize("look", [c4_lines, c4_citations, c4_placeholders])
def test_no_texts_have_no_spans(look):
    assert len(look(strings()).text) == 0


@given(st.lists(st.sampled_from([b"\xff", b"\xe2\x80", b"[1]", b"{", b"\n", b"a b c.", b"\xc2"]), max_size=8).map(b"".join))
def test_broken_bytes_break_nothing(data):
    texts = pa.LargeStringArray.from_buffers(1, pa.py_buffer(np.array([0, len(data)])), pa.py_buffer(data))
    for look in (c4_lines, c4_citations, c4_placeholders):
        spans = look(texts)
        assert ((spans.start >= 0) & (spans.start < spans.end) & (spans.end <= len(data))).all()


def test_a_text_alone_that_ends_in_the_midst_of_a_character_breaks_nothing():
    data = b"a b c." * 3 + b"a b c\xff"  # polars holds 24 bytes in place, and takes the last for their number
    texts = pa.LargeStringArray.from_buffers(1, pa.py_buffer(np.array([0, len(data)])), pa.py_buffer(data))
    assert len(data) == 24
    assert [len(look(texts).text) for look in (c4_lines, c4_citations, c4_placeholders)] == [1, 0, 0]


def test_a_line_of_10_mb_goes_for_its_word():
    assert found(c4_lines(strings("x" * 10_000_000)), "")[0][1] == "too long a word"
