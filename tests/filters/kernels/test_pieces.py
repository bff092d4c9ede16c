"""Pieces: what huge texts are cut into."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import kernels
from filters.kernels import pieces


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(pieces, "PIECE", 4)


def cut(*texts, last="\n "):
    array = pa.array(texts, pa.large_binary()).cast(pa.large_string(), safe=False)
    data, offsets = kernels.buffers(array)
    found = pieces.pieces(data, offsets, pieces.behind(last))
    parts = [bytes(data[first:end]) for first, end in zip(found.offsets[:-1], found.offsets[1:], strict=True)]
    return [parts[first:end] for first, end in zip(found.bounds[:-1], found.bounds[1:], strict=True)]


def test_a_long_text_is_cut_behind_the_first_place_from_the_size_on():
    assert cut(b"one two three four") == [[b"one two ", b"three ", b"four"]]


def test_a_short_text_is_one_piece_and_an_empty_one_too():
    assert cut(b"", b"a b", b"one two ") == [[b""], [b"a b"], [b"one two "]]


def test_a_text_without_a_place_is_one_piece():
    assert cut("ééééé".encode(), b"aaaaaaaaa") == [["ééééé".encode()], [b"aaaaaaaaa"]]


def test_the_bytes_of_a_code_point_stay_together():
    assert cut("aaaé bbbb。ccccc。".encode(), last=" 。") == [["aaaé ".encode(), "bbbb。".encode(), "ccccc。".encode()]]


@given(st.lists(st.binary(max_size=30), max_size=4))
def test_pieces_behind_one_another_are_the_texts(texts):
    assert [b"".join(parts) for parts in cut(*texts)] == texts


@given(st.lists(st.integers(0, 20), max_size=20), st.integers(1, 30))
def test_groups_hold_so_many_bytes_or_one_piece_and_leave_none_out(sizes, most):
    offsets = np.cumsum([0, *sizes])
    found = list(pieces.groups(offsets, most))
    assert [number for first, end in found for number in range(first, end)] == list(range(len(sizes)))
    assert all(offsets[end] - offsets[first] <= most or end == first + 1 for first, end in found)
