"""Lines and paragraphs: what is a piece, which pieces have the same key, which are repeated in their text."""

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.lines import recurring_lines, repeated_lines

PIECES = [
    "Page 3",
    "page  12",
    "of 10",
    "Menu",
    "MENU",
    " ",
    "\t",
    "\n",
    "\n",
    "\n\n",
    "\r\n",
    "\u2028",
    "\u00a0",
    "É",
    "é",
    "数据",
    "🎉",
    "\0",
    "٣",
]
TEXT = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


def strings(*texts):
    return pa.array(texts, pa.large_string())


def pieces(text, **settings):
    keyed, data = recurring_lines(strings("before", text), **settings), text.encode()
    mine = keyed.text == 1
    return [data[start:end].decode() for start, end in zip(keyed.start[mine].tolist(), keyed.end[mine].tolist(), strict=True)]


def keys(*texts, **settings):
    return recurring_lines(strings(*texts), **settings).key.tolist()


def folded(piece):
    return " ".join(re.sub(r"\d+", "0", piece.lower()).split())


def repeated(text, **settings):
    spans, data = repeated_lines(strings("before", text), **settings), text.encode()
    return [data[start:end].decode() for start, end in zip(spans.start.tolist(), spans.end.tolist(), strict=True)]


@given(TEXT)
def test_every_line_that_is_not_blank_is_a_piece(text):
    assert pieces(text) == [line for line in text.splitlines() if line.strip()]


@given(TEXT)
@example("a\nb\n \n\nc\n")
def test_paragraphs_are_the_lines_between_blank_ones(text):
    lines = [line.strip() for line in text.splitlines()]
    expected = [block.split("\n") for block in re.split(r"\n\n+", "\n".join(lines).strip("\n")) if block]
    assert [[line.strip() for line in piece.splitlines()] for piece in pieces(text, unit="paragraph")] == expected


@given(TEXT, st.sampled_from(["line", "paragraph"]))
def test_keys_are_equal_where_the_folded_contents_are(text, unit):
    contents = pieces(text, unit=unit)
    mine = keys(text, unit=unit)
    assert [[one == other for other in mine] for one in mine] == [
        [folded(one) == folded(other) for other in contents] for one in contents
    ]


@given(TEXT)
def test_without_normalize_keys_are_equal_where_the_bytes_are(text):
    contents, mine = pieces(text), keys(text, normalize=False)
    assert [[one == other for other in mine] for one in mine] == [[one == other for other in contents] for one in contents]


@pytest.mark.parametrize("other", ["page 3 of 10", "PAGE  11 of 12", "\tPage 3\u00a0of 10 "])
def test_case_white_space_and_numbers_do_not_matter(other):
    assert len(set(keys("Page 3 of 10", other))) == 1


@pytest.mark.parametrize("other", ["Page 3 of10", "Page of 10", "Page 3 of 10.", "Page 3 5 of 10", "Pagé 3 of 10"])
def test_other_contents_have_other_keys(other):
    assert len(set(keys("Page 3 of 10", other))) == 2


def test_short_lines_get_no_key_where_more_words_are_asked_for():
    assert pieces("Menu\nA line of words", min_words=2) == ["A line of words"]


def test_a_paragraph_has_the_words_of_all_its_lines():
    assert pieces("One\ntwo\n\nthree", unit="paragraph", min_words=2) == ["One\ntwo"]


@given(TEXT, st.sampled_from(["line", "paragraph"]), st.booleans())
def test_every_copy_but_the_first_is_repeated(text, unit, normalize):
    seen, expected = set(), []
    for piece in pieces(text, unit=unit):
        content = folded(piece) if normalize else piece
        expected += [piece] if content in seen else []
        seen.add(content)
    assert repeated(text, unit=unit, normalize=normalize) == expected


def test_a_line_of_another_text_is_no_repetition():
    assert len(repeated_lines(strings("Menu", "Menu\n", "Menu")).text) == 0


def test_the_label_names_the_unit():
    assert repeated_lines(strings("a\n\na"), unit="paragraph").labels == ["repeated paragraph"]


def test_pieces_of_a_slice_are_counted_from_their_own_text():
    keyed = recurring_lines(strings("x\ny", "Menu", "a\nMenu").slice(1))
    assert [column.tolist() for column in keyed[:3]] == [[0, 1, 1], [0, 0, 2], [4, 1, 6]]
    assert keyed.key[0] == keyed.key[2]


def test_no_texts_have_no_pieces():
    assert [len(column) for column in recurring_lines(strings())] == [0, 0, 0, 0]
    assert len(repeated_lines(strings("", " \n")).text) == 0


@given(st.binary(max_size=60), st.booleans())
def test_broken_bytes_break_nothing(data, normalize):
    texts = pa.LargeStringArray.from_buffers(1, pa.py_buffer(np.array([0, len(data)])), pa.py_buffer(data))
    _, start, end, _ = recurring_lines(texts, normalize=normalize)
    assert ((start >= 0) & (start < end) & (end <= len(data))).all()


def test_a_line_of_10_mb_is_a_piece():
    assert recurring_lines(strings("x" * 10_000_000)).end.tolist() == [10_000_000]
