"""The clean section of a recipe -> checked steps; every problem in one line."""

import pytest

from pipeline.cleaning.plan import plan


def step(entry):
    planned, problems = plan([entry])
    assert problems == []
    return planned[0]


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
        (
            [{"near_duplicates": {"keep": "best"}}],
            "keep: input should be 'first', 'longest' or 'best(MEASURE)', not 'best'",
        ),
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
