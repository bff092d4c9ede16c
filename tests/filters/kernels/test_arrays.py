"""Arrays: bytes and offsets of strings, and numbers by document."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import kernels

ANY_TEXT = st.text(st.characters(codec="utf-8"))


def flat(*texts):
    return kernels.buffers(pa.array(texts, pa.large_string()))


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


def test_numbers_of_texts_add_up_by_document():
    assert kernels.sum_by_document(np.array([1, 2, 4]), np.array([0, 2, 2, 3])).tolist() == [3, 0, 4]


def test_the_texts_of_a_document_are_joined_by_an_empty_line():
    data, bounds = kernels.documents(pa.array(["skipped", "a", "b", "", "c"], pa.large_string()), np.array([1, 3, 3, 5]))
    assert kernels.strings(data, bounds).to_pylist() == ["a\n\nb", "", "\n\nc"]


def test_documents_of_one_text_are_not_copied():
    texts = pa.array(["a", "b"], pa.large_string())
    assert kernels.documents(texts, np.arange(3))[0].ctypes.data == texts.buffers()[2].address


def test_a_view_that_cannot_be_written_to_leaves_the_array_as_it_is():
    array = np.arange(2)
    assert not kernels.read_only(array).flags.writeable
    assert array.flags.writeable
