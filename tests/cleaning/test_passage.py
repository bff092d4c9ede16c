"""A shard's way through steps: what a step keeps, removes and writes down."""

import numpy as np
import pyarrow as pa
import pytest

from filters.kinds import Filter
from pipeline.cleaning.actions import MOST_EVIDENCE
from pipeline.cleaning.answers import Answers
from pipeline.cleaning.looking import look
from pipeline.cleaning.passage import Passage, through
from pipeline.cleaning.plan import Step, plan
from pipeline.documents import schema
from pipeline.errors import FilterError


def texts(*contents):
    ids = [f"d{number}" for number in range(len(contents))]
    return pa.table([ids, contents, ids], schema=schema("text"))


def chats(*contents):
    ids = [f"d{number}" for number in range(len(contents))]
    bodies = [[{"role": role, "content": text} for role, text in turns] for turns in contents]
    return pa.table([ids, bodies, ids], schema=schema("chat"))


def step(entry):
    planned, problems = plan([entry])
    assert problems == []
    return planned[0]


@pytest.fixture
def apply(tmp_path_factory):
    def applied(planned, table):
        passage = Passage(table, np.arange(table.num_rows))
        through(passage, [planned], [planned], Answers(tmp_path_factory.mktemp("answers"), "00000"))
        return passage

    return applied


def kept(passage):
    return passage.documents["id"].to_pylist()


def gone(passage):
    return passage.table("removed").to_pylist()


@pytest.fixture
def slop_list(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("as an ai\nI'm sorry\nre: i dec\\w+\n")
    return str(path)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"min": 2}, ["two", "three"]),
        ({"max": 2}, ["one", "two"]),
        ({"min": 2, "max": 2}, ["two"]),
        ({"min": 2.5}, ["three"]),
    ],
)
def test_a_measure_keeps_what_lies_within_its_bounds(apply, bounds, expected):
    table = texts("a", "a b", "a b c").set_column(
        0, schema("text").field("id"), pa.array(["one", "two", "three"], "large_string")
    )
    assert kept(apply(step({"word_count": bounds}), table)) == expected


def test_what_a_measure_removes_is_written_down_with_value_and_bound(apply):
    outcome = apply(step({"word_count": {"min": 2, "max": 3}}), texts("a", "a b", "a b c d"))
    assert [(row["id"], row["filter"], row["measure"], row["value"], row["bound"]) for row in gone(outcome)] == [
        ("d0", "word_count", "word_count", 1.0, "min 2"),
        ("d2", "word_count", "word_count", 4.0, "max 3"),
    ]
    assert {row[name] for row in gone(outcome) for name in ("evidence", "twin", "similarity")} == {None}


def test_a_bound_is_written_down_with_all_its_digits(apply):
    assert gone(apply(step({"word_count": {"min": 1234567.25}}), texts("a")))[0]["bound"] == "min 1234567.25"


def test_a_measure_that_answers_no_number_is_refused(apply):
    broken = Filter("broken", "measure", 1, lambda texts, offsets: np.array([np.nan, 1.0]))
    with pytest.raises(FilterError, match="broken: broken answered 1 documents with no number"):
        apply(Step(0, broken, {}, {"broken": {"min": 1}}), texts("a", "b"))


def test_spans_remove_a_document_with_more_than_the_bound(apply, slop_list):
    outcome = apply(step({"slop": {"lists": [slop_list], "max": 1}}), texts("as an ai", "As an AI, I’m sorry", "fine"))
    assert kept(outcome) == ["d0", "d2"]


def test_what_spans_remove_is_written_down_with_every_match(apply, slop_list):
    row = gone(apply(step({"slop": {"lists": [slop_list]}}), texts("é: I’m  Sorry, I declined.")))[0]
    assert (row["filter"], row["measure"], row["value"], row["bound"]) == ("slop", "hits", 2.0, "max 0")
    assert row["evidence"] == [
        {"label": "i'm sorry", "text": "I’m  Sorry", "message": 0, "start": 4, "end": 16},
        {"label": "i dec\\w+", "text": "I declined", "message": 0, "start": 18, "end": 28},
    ]


def test_evidence_names_the_message_of_the_whole_conversation(apply, slop_list):
    chat = [("system", "Help."), ("user", "as an ai?"), ("assistant", "As an AI!")]
    outcome = apply(step({"slop": {"lists": [slop_list], "on": ["assistant"]}}), chats([("user", "as an ai")], chat))
    assert [(row["id"], row["value"], [span["message"] for span in row["evidence"]]) for row in gone(outcome)] == [
        ("d1", 1.0, [2])
    ]


def test_evidence_is_bounded_and_the_value_counts_all(apply, slop_list):
    row = gone(apply(step({"slop": {"lists": [slop_list]}}), texts("as an ai " * (MOST_EVIDENCE + 20))))[0]
    assert (row["value"], len(row["evidence"])) == (MOST_EVIDENCE + 20, MOST_EVIDENCE)


def test_a_rewrite_replaces_the_text_and_counts_the_documents_it_changed(apply):
    outcome = apply(step("unicode"), texts("Ã©", "fine"))
    assert outcome.documents["text"].to_pylist() == ["é", "fine"]
    assert (outcome.counts[0]["changed"], gone(outcome)) == (1, [])


def test_a_rewrite_of_chats_counts_conversations_not_messages(apply):
    outcome = apply(step("unicode"), chats([("user", "fine")], [("user", "Ã©"), ("assistant", "Ã©")]))
    assert [turn["content"] for turn in outcome.documents["messages"][1].as_py()] == ["é", "é"]
    assert outcome.counts[0]["changed"] == 1


def test_a_rewrite_leaves_other_roles_alone(apply):
    outcome = apply(step({"unicode": {"on": ["assistant"]}}), chats([("user", "Ã©"), ("assistant", "Ã©")]))
    assert [turn["content"] for turn in outcome.documents["messages"][0].as_py()] == ["Ã©", "é"]


@pytest.mark.parametrize("entry", ["unicode", {"word_count": {"min": 1}}, "slop"])
@pytest.mark.parametrize("table", [texts(), chats()])
def test_a_shard_without_documents_goes_through_any_step(apply, entry, table):
    outcome = apply(step(entry), table)
    assert (outcome.documents.num_rows, gone(outcome)) == (0, [])


def test_a_conversation_without_the_roles_has_nothing_to_compare():
    planned = step({"exact_duplicates": {"on": ["assistant"]}})
    answer = look(planned, chats([("user", "Hi")], [("user", "Hi"), ("assistant", "Yo")]))
    assert (answer["eligible"].to_pylist(), answer["bytes"].to_pylist()) == ([False, True], [0, 2])
