"""Characters: decoded as by Python's own decoder, and what each is."""

import unicodedata

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters import kernels


@kernels.kernel
def decoded(data):
    """Return the code points of bytes, and where each begins."""
    codes, places, at, count = np.empty(len(data), np.int64), np.empty(len(data), np.int64), 0, 0
    while at < len(data):
        places[count] = at
        codes[count], at = kernels.decode(data, at, len(data))
        count += 1
    return codes[:count], places[:count]


def code_points(raw):
    return decoded(np.frombuffer(raw, np.uint8))[0].tolist()


@given(st.text(st.characters(codec="utf-8")))
@example("\u007f\u0080\u07ff\u0800\ud7ff\ue000\ufffd\uffff\U00010000\U0010ffff")
def test_text_is_decoded_to_its_code_points(text):
    assert code_points(text.encode()) == [ord(letter) for letter in text]


@given(st.lists(st.binary(max_size=6) | st.text(max_size=2).map(lambda text: text.encode("utf-8", "ignore"))).map(b"".join))
def test_bytes_that_begin_no_character_are_broken_one_by_one(raw):
    expected = [ord(letter) for letter in raw.decode("utf-8", "surrogateescape")]
    assert code_points(raw) == [kernels.BROKEN if 0xDC80 <= code <= 0xDCFF else code for code in expected]


@pytest.mark.parametrize("first", range(0xC0, 0x100))
def test_two_bytes_are_decoded_as_by_python_whatever_they_are(first):
    for second in range(0x100):
        raw = bytes([first, second, 0x80, 0x80])
        expected = [ord(letter) for letter in raw.decode("utf-8", "surrogateescape")]
        assert code_points(raw) == [kernels.BROKEN if 0xDC80 <= code <= 0xDCFF else code for code in expected]


@pytest.mark.parametrize("cut_off", [b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98"])
def test_a_cut_off_character_does_not_swallow_the_letters_behind_it(cut_off):
    assert code_points(cut_off + b"abc") == [kernels.BROKEN] * len(cut_off) + [*b"abc"]


def test_the_place_before_is_where_the_last_character_begins():
    text = "aé数🎉".encode()
    data, ends = np.frombuffer(text, np.uint8), [1, 3, 6, 10]
    assert [before(data, 0, end) for end in ends] == [0, 1, 3, 6]


@kernels.kernel
def before(data, begin, end):
    return kernels.before(data, begin, end)


def test_characters_have_the_categories_of_unicodedata():
    assert all(kernels.categories()[code].decode() == unicodedata.category(chr(code)) for code in range(0, kernels.TABLE, 7))
