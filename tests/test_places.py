"""Places: a label and numbers or texts, in Arrow, that read as a list of strings."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents import STRING
from pipeline.places import Places, numbered, unlabelled

ENDS = st.lists(st.integers(0, 2**63 - 1), max_size=5) | st.lists(st.text(st.characters(codec="utf-8")), max_size=5)


@given(label=st.text(st.characters(codec="utf-8")), ends=ENDS)
def test_places_are_the_strings_of_label_and_end(label, ends):
    places = Places(label, pa.array(ends, pa.int64() if ends and isinstance(ends[0], int) else STRING))
    expected = [f"{label}{end}" for end in ends]
    assert (list(places), [places[row] for row in range(len(places))]) == (expected, expected)
    assert pa.array(places, STRING).to_pylist() == expected


def test_some_places_are_taken_by_a_slice():
    assert numbered("posts:", 17, 3)[1:] == ["posts:18", "posts:19"]


def test_a_label_goes_to_its_first_colon_alone():
    assert list(unlabelled(numbered("a:b:", 1, 1))) == ["b:1"]


def test_a_place_without_a_label_loses_what_stands_before_its_colon():
    assert list(unlabelled(Places("", pa.array(["a:1"])))) == ["1"]
