"""Folding: case, white space and quotes evened out, and the way back."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters import kernels

ANY_TEXT = st.text(st.characters(codec="utf-8"))


def flat(*texts):
    return kernels.buffers(pa.array(texts, pa.large_string()))


def folded(*texts):
    data, bounds, _ = kernels.fold(*flat(*texts))
    return kernels.strings(data, bounds).to_pylist()


def test_folding_evens_out_case_white_space_and_quotes():
    assert folded("I’m  SORRY,\n\t“Ängström”\u2003\xa0!") == ['i\'m sorry, "ängström" !']


@given(ANY_TEXT)
def test_folding_twice_is_folding_once(text):
    assert folded(*folded(text)) == folded(text)


def test_no_code_point_outgrows_the_room_that_folding_makes():
    every = [chr(code) for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF]
    _, bounds, _ = kernels.fold(*flat(*every))
    assert all(2 * after <= 3 * len(char.encode()) for char, after in zip(every, np.diff(bounds).tolist(), strict=True))


@given(st.lists(ANY_TEXT, min_size=1, max_size=3))
@example(["\u023a\u023aİ  ’\u2003 x", "", "K\xa0 \ufeff"])
def test_each_folded_character_leads_back_to_the_one_it_came_from(texts):
    data, offsets = flat(*texts)
    out, bounds, origin = kernels.fold(data, offsets, origins=True)
    for number, text in enumerate(kernels.strings(out, bounds).to_pylist()):
        at = bounds[number]
        for char in text:
            first = origin[at + number]
            source = bytes(data[first : offsets[number + 1]]).decode()[0]
            assert folded(source) == [char]
            at += len(char.encode())
        assert origin[at + number] == offsets[number + 1]


@pytest.mark.parametrize("raw", [b"a\xff\xfeb", b"\x80\x80", b"cut \xe2\x82", b"\xf0\x9f", b"\xe2ab", b"\xed\xa0\x80"])
def test_broken_bytes_are_folded_to_themselves(raw):
    out, bounds, _ = kernels.fold(np.frombuffer(raw, np.uint8), np.array([0, len(raw)]))
    assert (out.tobytes(), bounds.tolist()) == (raw, [0, len(raw)])
