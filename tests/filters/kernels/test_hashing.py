"""Hashing: documents alike and unlike, and short-lived keys of bytes."""

import numpy as np
import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from filters import kernels
from filters.kernels.hashing import stir_bytes

DOCUMENTS = st.lists(st.lists(st.text("ab\0 ", max_size=9), max_size=3), min_size=2, max_size=2)


def flat(*texts):
    return kernels.buffers(pa.array(texts, pa.large_string()))


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


@kernels.kernel
def stirred(data, at, end):
    return stir_bytes(data, at, end)


@given(st.binary(max_size=40), st.binary(max_size=20), st.binary(max_size=20))
def test_a_key_of_bytes_does_not_depend_on_what_stands_around_them(raw, before, behind):
    alone, among = (np.frombuffer(data, np.uint8) for data in (raw, before + raw + behind))
    assert stirred(alone, 0, len(raw)) == stirred(among, len(before), len(before) + len(raw))


@given(st.lists(st.text("ab\0", max_size=40), min_size=2, unique=True))
def test_unequal_bytes_have_unequal_keys(texts):
    raw = [np.frombuffer(text.encode(), np.uint8) for text in texts]
    assert len({stirred(data, 0, len(data)) for data in raw}) == len(raw)
