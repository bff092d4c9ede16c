"""FineWeb's measures of quality."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.fineweb import fineweb_quality
from filters.kernels.traits import TERMINALS

PIECES = ["foo", "bar.", "a", "…", "...", "• ", "- ", "数据。", "ok?", "e\u0301", "🎉", "\0", "x" * 29, "é" * 30, "🎉" * 31]
BLANKS = [" ", "\n", "\n\n", "\r\n", "\xa0", "\x0b", "\x85", "\u2028", ""]


def nasty_texts():
    pairs = st.tuples(st.sampled_from(PIECES), st.sampled_from(BLANKS))
    return st.lists(pairs, max_size=25).map(lambda found: "".join(map("".join, found)))


def measured(texts, offsets=None, **settings_):
    offsets = np.arange(len(texts) + 1) if offsets is None else np.array(offsets)
    values = fineweb_quality(pa.array(texts, pa.large_string()), offsets, **settings_)
    return list(zip(*(value.tolist() for value in values.values()), strict=True))


def ends():
    pairs = [[int(end, 16) for end in entry.split("-")] for entry in TERMINALS.split()]
    return tuple(chr(code) for pair in pairs for code in range(pair[0], pair[-1] + 1))


def expected(text):
    """Compute the measures as their definition has it, slowly."""
    lines, words = [line for line in text.split("\n") if line.strip()], text.split()
    if not words:
        return (0, 0, 0, 0)
    repeated = sum(len(line) for at, line in enumerate(lines) if line in lines[:at])
    return (
        sum(line.endswith(ends()) for line in lines) / len(lines),
        sum(len(line) <= 30 for line in lines) / len(lines),
        repeated / len(text.replace("\n", "")),
        text.count("\n") / len(words),
    )


@settings(max_examples=100, deadline=None)
@given(nasty_texts())
@example("12345678\nx\n12345678")
def test_every_measure_is_what_its_definition_says(text):
    assert measured([text]) == [expected(text)]


@settings(max_examples=50, deadline=None)
@given(st.lists(nasty_texts(), min_size=1, max_size=5), st.data())
def test_a_slice_of_an_array_is_measured_like_its_texts_alone(texts, data):
    first = data.draw(st.integers(0, len(texts)))
    part = pa.array(texts, pa.large_string())[first:]
    values = fineweb_quality(part, np.arange(len(part) + 1))
    assert list(zip(*(value.tolist() for value in values.values()), strict=True)) == [expected(text) for text in texts[first:]]


def test_a_sentence_may_end_in_159_ways():
    assert len(ends()) == 159
    assert measured(["数据。\nfoo,\nनमस्ते।\nwhite space behind. "]) == [(0.5, 1, 0, 3 / 6)]


def test_a_line_is_short_up_to_a_length_in_characters():
    assert measured(["é" * 3 + "\n" + "é" * 4], short_line_length=3)[0][1] == 0.5


def test_a_list_is_many_newlines_and_few_words():
    assert measured(["one\ntwo\nthree"])[0][3] == pytest.approx(2 / 3)
    assert measured(["数据清洗\n"], split="unicode")[0][3] == 1 / 4


def test_nothing_is_0_in_every_measure():
    assert measured(["", " \n\xa0\n"]) == [(0, 0, 0, 0)] * 2
    assert measured([]) == []


def test_the_messages_of_a_chat_are_measured_as_one_text():
    assert measured(["skipped", "Hi you.", "Hi you."], [1, 1, 3]) == [(0, 0, 0, 0), expected("Hi you.\n\nHi you.")]


def test_a_long_line_and_bytes_that_are_no_text_are_measured():
    buffers = [None, pa.py_buffer(np.array([0, 5, 9])), pa.py_buffer(b"\xff\xf0\x9f \xc3a\n\xe2\x80")]
    broken = pa.Array.from_buffers(pa.large_string(), 2, buffers)
    assert all(np.isfinite(value).all() for value in fineweb_quality(broken, np.arange(3)).values())
    assert measured(["x" * 10_000_000]) == [(0, 0, 0, 0)]
