"""Words: counted and hashed as by plain Python."""

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters import kernels

ANY_TEXT = st.text(st.characters(codec="utf-8"))
WORDY = st.text("aZ09 .-_\n'éÉßıİKʼ’数据日\u0301\u200d🎉ﬁΣσς")
LONG_TEXT = st.lists(WORDY | st.sampled_from(["word ", "x" * 63, "y" * 130, "A1" * 32, " " * 64]), max_size=8).map("".join)


def flat(*texts):
    return kernels.buffers(pa.array(texts, pa.large_string()))


def is_word(char):
    kind = unicodedata.category(char)
    return ord(char) < kernels.TABLE and kind[0] in "LNM" and kind != "Me" and char not in "\ufe0e\ufe0f"


def words_in(text):
    count, inside = 0, False
    for char in text:
        ideograph = is_word(char) and any(first <= ord(char) <= last for first, last in kernels.IDEOGRAPHS)
        count += ideograph or (is_word(char) and not inside)
        inside = is_word(char) and not ideograph
    return count


def words_of(text, split):
    """Yield each folded word, letter by letter."""
    word = ""
    for char in text + " ":
        ideograph = split and any(first <= ord(char) <= last for first, last in kernels.IDEOGRAPHS)
        if word and (ideograph or not is_word(char)):
            yield word
            word = ""
        if is_word(char):
            word += chr(kernels.folds()[ord(char)])
            if ideograph:
                yield word
                word = ""


def hashed(word):
    """Hash a word by its UTF-8 bytes, 8 at a time, by splitmix64."""
    running, raw, low = 0, word.encode(), 2**64 - 1
    for at in range(0, len(raw), 8):
        mixed = ((running ^ int.from_bytes(raw[at : at + 8], "little")) + 0x9E3779B97F4A7C15) & low
        mixed = ((mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9) & low
        mixed = ((mixed ^ mixed >> 27) * 0x94D049BB133111EB) & low
        running = mixed ^ mixed >> 31
    return running


@given(st.lists(ANY_TEXT | LONG_TEXT, max_size=4), st.booleans())
@example(["K k İ i " + "x" * 64 + " " * 70, "K" + "a" * 62, "a" * 64 + "é" + "b" * 64 + ".", "12345678 123456789"], False)
def test_words_are_hashed_as_by_plain_python(texts, split):
    hashes, bounds = kernels.hash_words(*flat(*texts), kernels.classes(), kernels.folds(), split)
    assert [own.tolist() for own in np.split(hashes, bounds[1:-1])][: len(texts)] == [
        [hashed(word) for word in words_of(text, split)] for text in texts
    ]


def test_a_letter_that_folds_to_ascii_hashes_as_it():
    hashes, _ = kernels.hash_words(*flat("Kelvin kelvin" + " " * 64), kernels.classes(), kernels.folds(), False)
    assert hashes[0] == hashes[1]


@given(st.binary(max_size=150), st.booleans())
@example(b"a\xe0\x80\xa0b", False)
def test_bytes_that_are_no_text_are_survived(raw, split):
    data, offsets = np.frombuffer(raw, np.uint8), np.array([0, len(raw)])
    _, bounds = kernels.hash_words(data, offsets, kernels.classes(), kernels.folds(), split)
    assert 0 <= bounds[1] <= len(raw)
    assert 0 <= kernels.count_words(data, offsets, kernels.classes())[0] <= len(raw)


def test_the_ascii_that_blocks_take_for_words_is_that_of_the_table():
    data = np.arange(128, dtype=np.uint8)
    word = [int(bits) >> bit & 1 for bits in (kernels.block(data, at, 128)[0] for at in (0, 64)) for bit in range(64)]
    assert word == (kernels.classes()[:128] == kernels.WORD).tolist()


@given(st.lists(ANY_TEXT | LONG_TEXT, max_size=4))
@example(["naïve cafe\u0301 don't 3rd", "数据 ok", "ひらがな", "👍🏽 مرحبا \0 \ufeff", "\U000e0100 a"])
def test_words_are_counted_as_by_unicodedata(texts):
    assert kernels.count_words(*flat(*texts), kernels.classes()).tolist() == [words_in(text) for text in texts]


@given(st.lists(ANY_TEXT, max_size=4))
def test_as_many_words_are_hashed_as_are_counted(texts):
    _, bounds = kernels.hash_words(*flat(*texts), kernels.classes(), kernels.folds(), True)
    assert np.diff(bounds).tolist() == [words_in(text) for text in texts]


@pytest.mark.parametrize("words", ["Mill MILL mill", "Ὀδύσσεια ὀδύσσεια ὈΔΎΣΣΕΙΑ", "МИР, мир; Мир!"])
def test_a_word_hashes_alike_in_any_case(words):
    hashes, _ = kernels.hash_words(*flat(words), kernels.classes(), kernels.folds(), False)
    assert len(hashes) == 3
    assert len(set(hashes.tolist())) == 1
