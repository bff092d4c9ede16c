"""Kernels: Arrow's bytes -> words, folds and hashes, each held against plain Python."""

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters import kernels

ANY_TEXT = st.text(st.characters(codec="utf-8"))
DOCUMENTS = st.lists(st.lists(st.text("ab\0 ", max_size=9), max_size=3), min_size=2, max_size=2)


def flat(*texts):
    return kernels.buffers(pa.array(texts, pa.large_string()))


def folded(*texts):
    data, bounds, _ = kernels.fold(*flat(*texts))
    return kernels.strings(data, bounds).to_pylist()


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


@given(st.lists(ANY_TEXT, max_size=4))
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


def test_the_views_of_a_slice_are_of_the_slice():
    data, offsets = kernels.buffers(pa.array(["skip", "one", "two"], pa.large_string())[1:])
    assert kernels.strings(data, offsets).to_pylist() == ["one", "two"]


@pytest.mark.parametrize("texts", [[], [""], ["", ""]])
def test_arrays_without_bytes_have_views(texts):
    data, offsets = flat(*texts)
    assert (len(data), offsets.tolist()) == (0, [0] * (len(texts) + 1))


@given(st.lists(ANY_TEXT, max_size=4))
def test_bytes_and_offsets_make_the_same_strings(texts):
    assert kernels.strings(*flat(*texts)).to_pylist() == texts


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


@pytest.mark.parametrize("raw", [b"a\xff\xfeb", b"\x80\x80", b"cut \xe2\x82", b"\xf0\x9f"])
def test_broken_bytes_are_folded_to_themselves(raw):
    out, bounds, _ = kernels.fold(np.frombuffer(raw, np.uint8), np.array([0, len(raw)]))
    assert (out.tobytes(), bounds.tolist()) == (raw, [0, len(raw)])


@given(DOCUMENTS)
@example([["ab"], ["a", "b"]])
@example([["a"], ["a\0"]])
@example([["a"], ["a", ""]])
@example([[], [""]])
@example([["aaaaaaaa"], ["aaaaaaaa\0"]])
@example([[""], ["\0", "\0"]])
def test_documents_hash_alike_where_their_texts_are_the_same(documents):
    offsets = np.cumsum([0, *(len(texts) for texts in documents)])
    one, other = kernels.hash_documents(*flat(*documents[0], *documents[1]), offsets, np.uint64(1))
    assert (one == other) == (documents[0] == documents[1])


def test_another_seed_is_another_hash():
    one, other = (kernels.hash_documents(*flat("a"), np.array([0, 1]), np.uint64(seed)) for seed in (1, 2))
    assert one != other


def test_numbers_of_texts_add_up_by_document():
    assert kernels.sum_by_document(np.array([1, 2, 4]), np.array([0, 2, 2, 3])).tolist() == [3, 0, 4]
