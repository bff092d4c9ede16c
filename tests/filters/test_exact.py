"""Exact duplicates."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.exact import exact_duplicates, whole

DOCUMENT = st.lists(st.text("ab \0é", max_size=4), max_size=2)


def answers(function, documents, **settings):
    texts = pa.array([text for document in documents for text in document], pa.large_string())
    return function(texts, np.cumsum([0, *(len(document) for document in documents)]), **settings)


def same(one, other, **settings):
    keys = answers(exact_duplicates, [[one], [other]], **settings)
    return bool(keys[0, 0] == keys[1, 0])


@given(DOCUMENT, DOCUMENT)
def test_documents_share_a_key_where_they_are_the_same_byte_for_byte(one, other):
    keys = answers(exact_duplicates, [one, other])
    assert (keys[0, 0] == keys[1, 0]) == (one == other)


@given(DOCUMENT, DOCUMENT)
def test_the_check_is_a_second_hash_of_the_same_bytes(one, other):
    hashes, offsets = answers(whole, [one, other])
    assert offsets.tolist() == [0, 1, 2]
    assert (hashes[0] == hashes[1]) == (one == other)
    assert hashes[0] != answers(exact_duplicates, [one])[0, 0]


@pytest.mark.parametrize(("one", "other"), [("A b", "a b"), ("a  b", "a\nb"), ("“it’s”", '"it\'s"'), ("a\u2003b", "a b")])
def test_case_white_space_and_quotes_make_no_difference_only_where_normalized(one, other):
    assert same(one, other, normalize=True)
    assert not same(one, other)


@pytest.mark.parametrize(("one", "other"), [("a b", "ab"), ("a", "a."), ("é", "e"), ("", "\0")])
def test_other_differences_are_kept_where_normalized(one, other):
    assert not same(one, other, normalize=True)


@pytest.mark.parametrize("other", ["siVgMYquH9SYN4j4gTe41QvD", "siVgMYqUH9SYK4j4gTe41QvD"])
def test_a_flipped_bit_is_not_undone_by_one_in_the_next_eight_bytes(other):
    one = "siVgMYq5H9SYL4jtgTe41QvD"
    assert not same(one, other)
    assert len(set(answers(whole, [[one], [other]]).hashes.tolist())) == 2


def test_random_texts_with_a_few_flipped_bits_never_share_a_key():
    random = np.random.default_rng(0)
    texts = random.integers(0x20, 0x40, (4000, 24), dtype=np.uint8)
    other = texts.copy()
    other[:, [7, 12, 15]] ^= np.array([0x40, 0x02, 0x40], dtype=np.uint8)
    keys = answers(exact_duplicates, [[bytes(text).decode()] for pair in zip(texts, other, strict=True) for text in pair])
    assert (keys[::2] != keys[1::2]).all()
