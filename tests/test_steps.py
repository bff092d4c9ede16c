"""Steps: the clean section of a recipe -> checked steps; what a step keeps, removes and writes down."""

import numpy as np
import pyarrow as pa
import pytest

from filters.kinds import Filter
from pipeline.documents import schema
from pipeline.errors import FilterError
from pipeline.steps import MOST_EVIDENCE, Step, apply, keys, plan, sets


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


def kept(outcome):
    return outcome.documents["id"].to_pylist()


def gone(outcome):
    return [row for table in outcome.removed for row in table.to_pylist()]


@pytest.fixture
def slop_list(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("as an ai\nI'm sorry\nre: i dec\\w+\n")
    return str(path)


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ([], "clean: a list of steps is needed, like `- unicode`"),
        ("unicode", "clean: a list of steps is needed, like `- unicode`"),
        ({"unicode": {}}, "clean: a list of steps is needed, like `- unicode`"),
        (["unicod"], "clean, step 1: no filter 'unicod'. Did you mean 'unicode'?"),
        ([{"a": 1, "b": 2}], "clean, step 1: a step is a filter's name, or one name with settings"),
        ([{"near_duplicates": {"treshold": 0.8}}], "no setting 'treshold'. Did you mean 'threshold'?"),
        ([{"near_duplicates": {"threshold": "high"}}], "threshold: input should be a valid number, not 'high'"),
        ([{"near_duplicates": {"threshold": 0}}], "threshold: input should be greater than or equal to 0.01, not 0"),
        ([{"near_duplicates": {"words": 0}}], "words: input should be greater than or equal to 1, not 0"),
        ([{"near_duplicates": {"keep": "best"}}], "keep: input should be 'first' or 'longest', not 'best'"),
        (["word_count"], "clean, step 1, word_count: set a bound: min, max or both"),
        ([{"word_count": {"min": 3, "max": 2}}], "clean, step 1, word_count: min 3 is above max 2"),
        ([{"word_count": {"min": float("nan")}}], "min: input should be a finite number"),
        ([{"word_count": {"min": 1, "on": ["asistant"]}}], "on: input should be 'system', 'user', 'assistant' or 'tool'"),
        ([{"word_count": {"min": 1, "on": []}}], "on: list should have at least 1 item"),
        ([{"slop": {"max": -1}}], "max: input should be greater than or equal to 0, not -1"),
        ([{"slop": {"lists": ["refusal"]}}], "no phrase list or file 'refusal'. Did you mean 'refusals'?"),
        ([{"slop": {"lists": []}}], "lists: value should have at least 1 item"),
        ([{"unicode": "NFC"}], "unicode: its settings are a mapping"),
    ],
)
def test_a_wrong_step_is_refused_with_one_line(section, problem):
    steps, problems = plan(section)
    assert steps == []
    assert [problem in line for line in problems] == [True]


def test_all_problems_are_told_at_once():
    problems = plan(["unicod", {"word_count": {"mim": 1}}, "unicode"])[1]
    assert len(problems) == 2


def test_defaults_are_part_of_a_steps_identity():
    assert step("near_duplicates").identity() == step({"near_duplicates": {"threshold": 0.7, "keep": "first"}}).identity()


def test_a_phrase_list_is_identified_by_name_and_content(tmp_path):
    path = tmp_path / "own.txt"
    identities = []
    for content in ("as an ai", "# remark\nAs  an AI", "other"):
        path.write_text(content)
        identities.append(step({"slop": {"lists": [str(path)]}}).identity())
    assert identities[0] == identities[1] != identities[2]
    assert str(tmp_path) not in str(identities)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"min": 2}, ["two", "three"]),
        ({"max": 2}, ["one", "two"]),
        ({"min": 2, "max": 2}, ["two"]),
        ({"min": 2.5}, ["three"]),
    ],
)
def test_a_measure_keeps_what_lies_within_its_bounds(bounds, expected):
    table = texts("a", "a b", "a b c").set_column(
        0, schema("text").field("id"), pa.array(["one", "two", "three"], "large_string")
    )
    assert kept(apply(step({"word_count": bounds}), table)) == expected


def test_what_a_measure_removes_is_written_down_with_value_and_bound():
    outcome = apply(step({"word_count": {"min": 2, "max": 3}}), texts("a", "a b", "a b c d"))
    assert [(row["id"], row["filter"], row["measure"], row["value"], row["bound"]) for row in gone(outcome)] == [
        ("d0", "word_count", "word_count", 1.0, "min 2"),
        ("d2", "word_count", "word_count", 4.0, "max 3"),
    ]
    assert {row[name] for row in gone(outcome) for name in ("evidence", "twin", "similarity")} == {None}


def test_a_bound_is_written_down_with_all_its_digits():
    assert gone(apply(step({"word_count": {"min": 1234567.25}}), texts("a")))[0]["bound"] == "min 1234567.25"


def test_a_measure_that_answers_no_number_is_refused():
    broken = Filter("broken", "measure", 1, lambda texts, offsets: np.array([np.nan, 1.0]))
    with pytest.raises(FilterError, match="broken answered 1 documents with no number"):
        apply(Step(0, broken, {}, {"min": 1, "max": None}), texts("a", "b"))


def test_spans_remove_a_document_with_more_than_the_bound(slop_list):
    outcome = apply(step({"slop": {"lists": [slop_list], "max": 1}}), texts("as an ai", "As an AI, I’m sorry", "fine"))
    assert kept(outcome) == ["d0", "d2"]


def test_what_spans_remove_is_written_down_with_every_match(slop_list):
    row = gone(apply(step({"slop": {"lists": [slop_list]}}), texts("é: I’m  Sorry, I declined.")))[0]
    assert (row["filter"], row["measure"], row["value"], row["bound"]) == ("slop", "hits", 2.0, "max 0")
    assert row["evidence"] == [
        {"label": "i'm sorry", "text": "I’m  Sorry", "message": 0, "start": 4, "end": 16},
        {"label": "i dec\\w+", "text": "I declined", "message": 0, "start": 18, "end": 28},
    ]


def test_evidence_names_the_message_of_the_whole_conversation(slop_list):
    chat = [("system", "Help."), ("user", "as an ai?"), ("assistant", "As an AI!")]
    outcome = apply(step({"slop": {"lists": [slop_list], "on": ["assistant"]}}), chats([("user", "as an ai")], chat))
    assert [(row["id"], row["value"], [span["message"] for span in row["evidence"]]) for row in gone(outcome)] == [
        ("d1", 1.0, [2])
    ]


def test_evidence_is_bounded_and_the_value_counts_all(slop_list):
    row = gone(apply(step({"slop": {"lists": [slop_list]}}), texts("as an ai " * (MOST_EVIDENCE + 20))))[0]
    assert (row["value"], len(row["evidence"])) == (MOST_EVIDENCE + 20, MOST_EVIDENCE)


def test_a_pattern_that_takes_too_long_stops_the_run_with_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr("filters.slop.PATTERN_SECONDS", 0.05)
    path = tmp_path / "own.txt"
    path.write_text("re:^(a|aa|a?a)+$")
    with pytest.raises(FilterError, match="slop: a pattern took too long"):
        apply(step({"slop": {"lists": [str(path)]}}), texts("a" * 40 + "!"))


def test_a_rewrite_replaces_the_text_and_counts_the_documents_it_changed():
    outcome = apply(step("unicode"), texts("Ã©", "fine"))
    assert outcome.documents["text"].to_pylist() == ["é", "fine"]
    assert (outcome.changed, outcome.removed) == (1, [])


def test_a_rewrite_of_chats_counts_conversations_not_messages():
    outcome = apply(step("unicode"), chats([("user", "fine")], [("user", "Ã©"), ("assistant", "Ã©")]))
    assert [turn["content"] for turn in outcome.documents["messages"][1].as_py()] == ["é", "é"]
    assert outcome.changed == 1


def test_a_rewrite_leaves_other_roles_alone():
    outcome = apply(step({"unicode": {"on": ["assistant"]}}), chats([("user", "Ã©"), ("assistant", "Ã©")]))
    assert [turn["content"] for turn in outcome.documents["messages"][0].as_py()] == ["Ã©", "é"]


@pytest.mark.parametrize("entry", ["unicode", {"word_count": {"min": 1}}, "slop"])
@pytest.mark.parametrize("table", [texts(), chats()])
def test_a_shard_without_documents_goes_through_any_step(entry, table):
    outcome = apply(step(entry), table)
    assert (outcome.documents.num_rows, outcome.removed) == (0, [])


def test_a_conversation_without_the_roles_has_nothing_to_compare():
    planned = step({"exact_duplicates": {"on": ["assistant"]}})
    _, eligible, length = keys(planned, chats([("user", "Hi")], [("user", "Hi"), ("assistant", "Yo")]))
    assert (eligible.tolist(), length.tolist()) == ([False, True], [0, 2])


def test_only_duplicates_have_sets():
    with pytest.raises(TypeError, match="unicode finds no duplicates"):
        sets(step("unicode"), texts("a"))
