"""Widening: what spans are widened to."""

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from filters import kernels
from filters.kernels.sentences import sentence_ends
from filters.kinds import Spans
from filters.widening import to_lines, to_sentences

PIECES = [
    "Hi", "Mr", "No", "e.g", "J", "5", ".", "!", "?", "…", "。", "！", '"', "”", "“", "(", ")", "」", " ", "\u00a0", "\u3000",
    "\n", "\r\n", "\r", "\u2028", "\x85", "\0", "é", "Å", "数据", "🎉", "مرحبا؟", "नमस्ते।", "x" * 70,
]  # fmt: skip
TEXT = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def strings(*texts):
    return pa.array(texts, pa.large_string())


def span(start, end, text=0):
    return Spans(*(np.array([value]) for value in (text, start, end, 0)), ["found"])


def cut_out(widen, text, start, end):
    widened = widen(strings(text), span(start, end))
    return text.encode()[widened.start[0] : widened.end[0]].decode()


@st.composite
def texts_with_a_span(draw):
    text = draw(TEXT)
    ends = st.integers(0, len(text.encode()))
    return text, *sorted((draw(ends), draw(ends)))


@given(texts_with_a_span(), st.sampled_from([to_lines, to_sentences]))
def test_a_widened_span_holds_the_span(given_, widen):
    text, start, end = given_
    widened = widen(strings(text), span(start, end))
    assert widened.start[0] <= start
    assert end <= widened.end[0] <= len(text.encode())


@given(texts_with_a_span())
def test_a_span_is_widened_to_the_lines_of_splitlines(given_):
    text, start, end = given_
    lines = [0, *np.cumsum([len(line.encode()) for line in text.splitlines(keepends=True)]).tolist()]
    widened = to_lines(strings(text), span(start, end))
    assert widened.start[0] == max([at for at in lines[:-1] if at <= start], default=0)
    assert widened.end[0] == min([at for at in lines[1:] if at >= end and at > start], default=lines[-1])


@given(texts_with_a_span())
def test_a_span_is_widened_to_the_ends_of_sentences(given_):
    text, start, end = given_
    limits = [0, *sentence_ends(*kernels.buffers(strings(text)))[1].tolist()]
    widened = to_sentences(strings(text), span(start, end))
    assert {widened.start[0], widened.end[0]} <= set(limits)


def test_a_span_over_two_sentences_takes_both():
    assert cut_out(to_sentences, "One is. Two is. Three is.", 5, 9) == "One is. Two is. "


def test_a_span_takes_its_line_with_the_line_break():
    assert cut_out(to_lines, "one\r\ntwo\r\nthree", 6, 7) == "two\r\n"


def test_a_span_over_a_line_break_alone_takes_the_line_it_ends():
    assert cut_out(to_lines, "one\n\ntwo", 4, 5) == "\n"


def test_label_and_failures_are_kept():
    spans = Spans(np.array([1, 1]), np.array([0, 2]), np.array([1, 3]), np.array([1, 0]), ["a", "b"], ((0, "too slow"),))
    widened = to_sentences(strings("x", "abc"), spans)
    assert (widened.label.tolist(), widened.labels, widened.failed) == ([1, 0], ["a", "b"], ((0, "too slow"),))


def test_no_spans_stay_none():
    none = Spans(*(np.zeros(0, dtype=np.int64) for _ in range(4)), [])
    assert len(to_lines(strings("a"), none).text) == 0


def test_spans_of_a_slice_are_widened_in_the_texts_of_the_slice():
    sliced = strings("x. y.", "One. Two.", "z").slice(1, 1)
    assert to_sentences(sliced, span(6, 7))[1:3] == (np.array([5]), np.array([9]))


@given(st.binary(max_size=80))
def test_broken_bytes_belong_to_lines(data):
    texts = pa.LargeStringArray.from_buffers(1, pa.py_buffer(np.array([0, len(data)])), pa.py_buffer(data))
    assert to_lines(texts, span(0, len(data)))[1:3] == (np.array([0]), np.array([len(data)]))
