"""Bounds of measures that answer several values, or words; and what a recipe may say of them."""

import numpy as np
import pyarrow as pa
import pytest

from filters import kinds
from pipeline.cleaning.bounds import bounded
from pipeline.cleaning.looking import look
from pipeline.cleaning.plan import measures, plan
from pipeline.documents import schema


def shape(texts, offsets, *, scale: int = 1):
    """Count words and signs, and name the first word."""
    words = [text.split() for text in texts.to_pylist()]
    counts = np.array([float(len(own)) for own in words])
    return {"words": counts * scale, "signs": counts, "first": [own[0] if own else "" for own in words]}


def first_word(texts, offsets):
    """Name the first word."""
    return {"first": [text.split()[0] if text.split() else None for text in texts.to_pylist()]}


@pytest.fixture(autouse=True)
def toys(monkeypatch):
    kinds.filters()
    monkeypatch.setattr(kinds, "_REGISTRY", dict(kinds._REGISTRY))
    kinds.measure(version=1, names=("words", "signs", "first"), labels=("first",))(shape)
    kinds.measure(version=1, names=("first",), labels=("first",))(first_word)
    kinds.filters.cache_clear()
    yield
    kinds.filters.cache_clear()


def step(entry):
    planned, problems = plan([entry])
    assert problems == []
    return planned[0]


def problem(entry):
    (line,) = plan([entry])[1]
    return line


def removed(entry, *contents):
    """Return of each document that goes: its number, the measure, the value or the label, the bound."""
    ids = [f"d{number}" for number in range(len(contents))]
    documents = pa.table([ids, contents, ids], schema=schema("text"))
    own = step(entry)
    rows = bounded(own, documents, look(own, documents)).removed.to_pylist()
    return [
        (row["id"], row["measure"], row["value"] if row["evidence"] is None else row["evidence"][0]["label"], row["bound"])
        for row in rows
    ]


def test_each_value_of_a_measure_has_a_bound_of_its_own():
    assert removed({"shape": {"words": {"min": 2}, "signs": {"max": 2}}}, "a", "a b", "a b c") == [
        ("d0", "words", 1.0, "min 2"),
        ("d2", "signs", 3.0, "max 2"),
    ]


def test_what_breaks_several_bounds_goes_once_by_the_first():
    assert removed({"shape": {"words": {"min": 2}, "signs": {"min": 2}}}, "a") == [("d0", "words", 1.0, "min 2")]


def test_a_value_on_the_bound_stays():
    assert removed({"shape": {"words": {"min": 2, "max": 2}}}, "a b") == []


@pytest.mark.parametrize(
    ("choice", "expected"),
    [({"in": ["a"]}, [("d1", "first", "b", "in a")]), ({"not_in": ["b", "c"]}, [("d1", "first", "b", "not in b, c")])],
)
def test_labels_are_bounded_by_those_that_are_wanted_or_not(choice, expected):
    assert removed({"shape": {"first": choice}}, "a x", "b x") == expected


def test_in_alone_is_meant_for_the_first_value_where_that_is_a_label():
    assert step({"first_word": {"in": ["a"]}}).bounds == {"first": {"in": ["a"]}}


def test_a_document_without_a_label_is_in_no_list():
    assert removed({"first_word": {"in": ["a"]}}, " ", "a") == [("d0", "first", None, "in a")]


def test_the_setting_of_a_measure_reaches_its_filter():
    assert removed({"shape": {"scale": 10, "words": {"max": 10}}}, "a", "a b") == [("d1", "words", 20.0, "max 10")]


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("shape", "clean, step 1, shape: set a bound for one of words, signs, first: min, max or in"),
        ({"shape": {"words": {}}}, "set a bound for one of words, signs, first"),
        ({"shape": {"words": {"min": 3, "max": 2}}}, "clean, step 1, shape: words: min 3 is above max 2"),
        ({"shape": {"wrods": {"min": 3}}}, "no setting 'wrods'. Did you mean 'words'?"),
        ({"shape": {"min": 3}}, "no setting 'min'."),
        ({"shape": {"words": 3}}, "words: input should be a valid dictionary"),
        ({"shape": {"words": {"min": "3"}}}, "words.min: input should be a valid number, not '3'"),
        ({"shape": {"first": {"min": 3}}}, "first"),
        ({"shape": {"words": {"mim": 3, "max": 5}}}, "words: no setting 'mim'"),
        ({"word_count": {"in": ["a"]}}, "no setting 'in'."),
        ({"first_word": {"in": "a"}}, "in: input should be a valid list, not 'a'"),
        ({"word_count": {"min": 1, "max_removed": 1.5}}, "max_removed: input should be less than or equal to 1, not 1.5"),
        ({"exact_duplicates": {"keep": "best(shape.wrods)"}}, "no measure 'shape.wrods'. Did you mean 'shape.words'?"),
        ({"exact_duplicates": {"keep": "best(shape.first)"}}, "keep: no measure 'shape.first'."),
        ({"exact_duplicates": {"keep": "best()"}}, "keep: input should be 'first', 'longest' or 'best(MEASURE)'"),
        ({"exact_duplicates": {"max_cluster": 0}}, "max_cluster: input should be greater than 0, not 0"),
        ({"exact_duplicates": {"key": "question"}}, "key: input should be 'conversation', 'prompt' or 'response'"),
        ({"slop": {"min": 3, "max": 2}}, "clean, step 1, slop: min 3 is above max 2"),
        ({"slop": {"min_per_1000_words": 3, "max_per_1000_words": 2}}, "min 3 is above max 2"),
        ({"slop": {"action": "delete"}}, "action: input should be 'drop', 'strip', 'strip_sentence'"),
        ({"recurring_lines": {"documents": 1}}, "documents: input should be greater than or equal to 2, not 1"),
    ],
)
def test_a_wrong_bound_is_told_in_one_line(entry, words):
    assert words in problem(entry)


def test_measures_are_known_by_their_filter_and_name_and_labels_are_none():
    assert {"word_count", "shape.words", "shape.signs"} <= set(measures())
    assert not {"shape", "shape.first", "first_word"} & set(measures())


def test_guards_are_no_part_of_the_identity():
    one, other = (step({"exact_duplicates": {"max_removed": share, "max_cluster": share}}) for share in (0.1, 0.2))
    assert one.identity() == other.identity()


def test_roles_are_part_of_the_identity():
    one, other = (step({"exact_duplicates": {"on": [role]}}) for role in ("user", "assistant"))
    assert one.identity() != other.identity()
