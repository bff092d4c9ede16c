"""Two artifacts side by side: counts by filter, the documents that changed sides, altered texts."""

import json

import pytest
from click.testing import CliRunner

from pipeline.cli import main
from pipeline.difference import difference, lines
from pipeline.stages.clean import clean

TEXTS = ["a", "a b", "a b c", "As an AI language model, a", "a b"]


@pytest.fixture
def two(documents, run_with):
    """Clean the same documents twice and compare: `two([step, ...], [step, ...])`."""

    def make(one, other, contents=TEXTS, **own):
        parent = documents(contents, shards=2, **own)
        made = [clean(parent, name, run_with(1), steps=steps) for name, steps in (("one", one), ("other", other))]
        return difference(*made)

    return make


def low(count):
    return {"word_count": {"min": count}}


def test_the_same_artifact_has_no_difference(cleaned):
    artifact = cleaned(TEXTS, ["slop", low(2)])
    found = difference(artifact, artifact)
    assert (found["moves"], found["documents"], found["altered"]) == ([], [], 0)
    assert lines(found)[-1] == "no document changed sides"


def test_documents_that_changed_sides_are_named_with_both(two):
    found = two([low(2)], [low(3)])
    assert found["documents"] == [
        {"id": "d1", "from": "kept", "to": "removed by word_count"},
        {"id": "d4", "from": "kept", "to": "removed by word_count"},
    ]


def test_the_most_frequent_move_comes_first(two):
    found = two([low(1)], ["slop", low(3)])
    assert [(move["to"], move["documents"]) for move in found["moves"]] == [
        ("removed by word_count", 3),
        ("removed by slop", 1),
    ]


def test_moves_are_counted_in_both_directions(two):
    found = two(["slop", low(2)], ["exact_duplicates", low(1)])
    assert found["moves"] == [
        {"from": "removed by word_count", "to": "kept", "documents": 1},
        {"from": "removed by slop", "to": "kept", "documents": 1},
        {"from": "kept", "to": "removed by exact_duplicates", "documents": 1},
    ]


def test_each_filters_removals_are_counted_on_both_sides(two):
    found = two(["slop", low(2)], [low(3), "exact_duplicates"])
    assert found["counts"] == [
        {"filter": "slop", "a": 1, "b": 0},
        {"filter": "word_count", "a": 1, "b": 3},
        {"filter": "exact_duplicates", "a": 0, "b": 0},
    ]


def test_removals_of_a_filter_that_stands_twice_are_added_up(two):
    assert two([low(2), low(3)], [low(3)])["counts"] == [{"filter": "word_count", "a": 3, "b": 3}]


def test_a_document_that_goes_by_another_filter_changed_sides(two):
    found = two(["exact_duplicates"], ["near_duplicates"])
    assert found["moves"] == [{"from": "removed by exact_duplicates", "to": "removed by near_duplicates", "documents": 1}]


def test_texts_that_both_keep_with_another_content_are_counted(two):
    found = two([low(1)], [{"slop": {"action": "strip"}}, low(1)])
    assert (found["altered"], found["moves"]) == (1, [])


def test_conversations_that_both_keep_with_another_content_are_counted(two):
    chats = [[("user", "q"), ("assistant", "Ã©")], [("user", "q"), ("assistant", "a")]]
    found = two([low(1)], ["unicode"], chats)
    assert (found["altered"], found["moves"]) == (1, [])


def test_documents_of_other_sources_are_absent_on_one_side(documents):
    found = difference(documents(["a", "b"], ids=["x", "y"]), documents(["b", "c"], ids=["y", "z"]))
    assert found["documents"] == [
        {"id": "x", "from": "kept", "to": "absent"},
        {"id": "z", "from": "absent", "to": "kept"},
    ]


def test_an_ingest_artifact_is_compared_with_its_clean_one(documents, run_with):
    parent = documents(["a", "a b"])
    found = difference(parent, clean(parent, "sample", run_with(1), steps=[low(2)]))
    assert found["moves"] == [{"from": "kept", "to": "removed by word_count", "documents": 1}]


def test_documents_that_share_an_id_are_no_difference_to_themselves(documents, run_with):
    parent = documents(["a", "a b"], ids=["x", "x"])
    artifact = clean(parent, "sample", run_with(1), steps=[low(2)])
    found = difference(artifact, artifact)
    assert (found["moves"], found["documents"]) == ([], [])


def test_without_any_document_there_is_no_difference(two):
    found = two([low(9)], [low(8)], ["a"])
    assert (found["moves"], found["altered"]) == ([], 0)


def test_a_difference_is_said_in_lines(two):
    said = lines(two([low(2)], [low(3)]))
    assert said[0].endswith(": 5 in, 4 kept, 1 removed")
    assert said[2:] == [
        "  word_count: 1 removed, then 3 (+2)",
        "2 from 'kept' to 'removed by word_count'",
        "  d1",
        "  d4",
    ]


def test_prep_diff_answers_in_lines_and_in_json(documents, run_with, store):
    parent = documents(TEXTS)
    refs = [clean(parent, "sample", run_with(1), steps=[low(count)]).ref for count in (2, 3)]
    said, answered = (CliRunner().invoke(main, ["diff", *refs, "--store", str(store.root), *more]) for more in ([], ["--json"]))
    assert (said.exit_code, answered.exit_code) == (0, 0)
    found = json.loads(answered.stdout)
    assert said.stdout.splitlines() == lines(found)
    assert [move["documents"] for move in found["moves"]] == [2]
