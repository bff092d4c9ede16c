"""Sentences: where texts are parted."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters import kernels
from filters.kernels.sentences import sentence_ends

PIECES = [
    "Hi", "Mr", "No", "e.g", "J", "5", ".", "!", "?", "…", "。", "！", '"', "”", "“", "(", ")", "」", " ", "\u00a0", "\u3000",
    "\n", "\r\n", "\r", "\u2028", "\x85", "\0", "é", "Å", "数据", "🎉", "مرحبا؟", "नमस्ते।", "x" * 70,
]  # fmt: skip
TEXT = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def strings(*texts):
    return pa.array(texts, pa.large_string())


def sentence_bounds(texts):
    """Return the offsets of the texts in their sentences, and where each ends in its text."""
    data, offsets = kernels.buffers(texts)
    bounds, ends = sentence_ends(data, offsets)
    return bounds, ends - np.repeat(offsets[:-1], np.diff(bounds))


def sentences(text):
    data, (offsets, ends) = text.encode(), sentence_bounds(strings("before", text, "behind"))
    return [data[begin:end].decode() for begin, end in pairwise([0, *ends[offsets[1] : offsets[2]].tolist()])]


@given(TEXT)
@example(" \n ")
def test_sentences_part_a_text_without_a_gap(text):
    parts = sentences(text)
    assert "".join(parts) == text
    assert all(parts)


@given(TEXT)
def test_every_sentence_but_the_first_begins_with_a_letter_that_is_no_white_space(text):
    assert not any(sentence[0].isspace() for sentence in sentences(text)[1:])


@given(TEXT)
def test_a_line_break_ends_a_sentence(text):
    assert all(len(sentence.strip().splitlines()) <= 1 for sentence in sentences(text))


@pytest.mark.parametrize(
    "parts",
    [
        ["It is. ", "Is it? ", "It is! ", "Well… ", "Well... ", "What?! ", "Yes"],
        ['"It is." ', "(Is it?) ", "“It is!” ", "'No.'"],
        ["At 3.5 it is 1.000,00. ", "In 1999. ", "Then a.b is c.d"],
        ["Mr. X met Dr. J. R. Smith, e.g. or i.e. etc. vs. the U.S. one. ", "Yes."],
        ["See No. 5. ", "No. ", "I won't."],
        ["1. Wash the pan. ", "2. Dry it."],
        ["Å. Svensson is here. ", "И. Иванов."],
        ["他说。", "“你好！”", "然后？", "好"],
        ["مرحبا؟ ", "नमस्ते। ", "x"],
        ["One line\n\n  ", "another\r\n", "last\u2028", "of all"],
        ["Hello.World is one word. ", "Oh"],
        ["\n\n Hello. ", "You."],
    ],
)
def test_a_text_is_parted_where_a_reader_would_part_it(parts):
    assert sentences("".join(parts)) == parts


def test_a_slice_of_an_array_is_parted_like_the_texts_in_it():
    assert sentence_bounds(strings("x. y.", "One. Two.", "z").slice(1, 1))[1].tolist() == [5, 9]


@given(st.binary(max_size=80))
def test_broken_bytes_belong_to_sentences(data):
    texts = pa.LargeStringArray.from_buffers(1, pa.py_buffer(np.array([0, len(data)])), pa.py_buffer(data))
    assert sentence_bounds(texts)[1].tolist()[-1:] == [len(data)][: len(data)]


def test_a_line_of_10_mb_is_one_sentence():
    assert sentence_bounds(strings("x" * 10_000_000))[1].tolist() == [10_000_000]
