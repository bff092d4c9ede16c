"""Presets: a name stands for steps with bounds, and what the recipe sets goes over them."""

import numpy as np
import pytest

from filters import kinds
from pipeline.cleaning.plan import plan
from pipeline.cleaning.presets import presets, steps_of

ONE = "- shape: {words: {min: 2, max: 9}, first: {in: [the, a]}, scale: 3}"
SEVERAL = "- unicode\n- exact_duplicates: {normalize: true}\n- word_count: {min: 5, max: 50}"
NESTED = "- shape: {words: {min: 1}}\n- exact_duplicates"


def shape(texts, offsets, *, scale: int = 1):
    """Count words and signs, and name the first word."""
    words = [text.split() for text in texts.to_pylist()]
    counts = np.array([float(len(own)) for own in words])
    return {"words": counts * scale, "signs": counts, "first": [own[0] if own else "" for own in words]}


@pytest.fixture(autouse=True)
def toys(monkeypatch, tmp_path):
    """Register a measure of several names, and presets: `shape`, of one step, `several`, and `nested`, which holds `shape`."""
    kinds.filters()
    monkeypatch.setattr(kinds, "_REGISTRY", dict(kinds._REGISTRY))
    kinds.measure(version=1, names=("words", "signs", "first"), labels=("first",))(shape)
    kinds.filters.cache_clear()
    for name, content in (("shape", ONE), ("several", SEVERAL), ("nested", NESTED)):
        monkeypatch.setitem(presets(), name, tmp_path / f"{name}.yaml")
        presets()[name].write_text(content)
    yield
    kinds.filters.cache_clear()


def steps(*section):
    planned, problems = plan(section)
    assert problems == []
    return planned


def bounds(*section):
    return {step.filter.name: step.bounds for step in steps(*section)}


def problems(*section):
    return plan(section)[1]


def test_a_bare_name_stands_for_the_preset_as_it_is():
    (step,) = steps("shape")
    assert step.bounds == {"words": {"min": 2, "max": 9}, "first": {"in": ["the", "a"]}}
    assert step.settings == {"scale": 3}


def test_a_preset_of_several_steps_stands_for_all_of_them_in_order():
    assert [(step.number, step.filter.name) for step in steps("several", "near_duplicates")] == [
        (0, "unicode"),
        (1, "exact_duplicates"),
        (2, "word_count"),
        (3, "near_duplicates"),
    ]


def test_a_preset_in_a_preset_is_opened_up():
    assert [(step.filter.name, step.bounds.get("words")) for step in steps("nested")] == [
        ("shape", {"min": 1, "max": 9}),
        ("exact_duplicates", None),
    ]


def test_one_bound_goes_over_the_presets_and_the_others_stand():
    own = bounds({"shape": {"words": {"min": 1}}})["shape"]
    assert own == {"words": {"min": 1, "max": 9}, "first": {"in": ["the", "a"]}}


def test_a_bound_that_the_preset_lacks_is_added():
    assert bounds({"shape": {"signs": {"max": 7}}})["shape"]["signs"] == {"max": 7}


def test_a_setting_goes_over_the_presets():
    (step,) = steps({"shape": {"scale": 2}})
    assert (step.settings, step.bounds["words"]) == ({"scale": 2}, {"min": 2, "max": 9})


def test_null_takes_the_bound_of_a_measure_away():
    assert bounds({"shape": {"first": None}})["shape"] == {"words": {"min": 2, "max": 9}}


def test_null_takes_one_end_of_a_bound_away():
    assert bounds({"shape": {"words": {"max": None}}})["shape"]["words"] == {"min": 2}


def test_null_takes_a_step_away():
    assert list(bounds({"several": {"exact_duplicates": None}})) == ["unicode", "word_count"]


def test_a_setting_of_one_step_goes_over_that_step_only():
    _, exact, words = steps({"several": {"word_count": {"min": 3}}})
    assert words.bounds == {"word_count": {"min": 3, "max": 50}}
    assert exact.settings == {"normalize": True}


def test_preset_false_is_the_filter_without_the_presets_bounds():
    (step,) = steps({"shape": {"preset": False, "signs": {"min": 1}}})
    assert (step.bounds, step.settings) == ({"signs": {"min": 1}}, {"scale": 1})


def test_preset_false_without_a_bound_is_told_in_one_line():
    (line,) = problems({"shape": {"preset": False}})
    assert line == "clean, step 1, shape: set a bound for one of words, signs, first: min, max or in"


def test_an_unknown_step_of_a_preset_is_told_in_one_line():
    (line,) = problems({"several": {"word_cuont": {"min": 3}}})
    assert line == "clean, step 1, several: no step 'word_cuont' in this preset. Did you mean 'word_count'?"


def test_an_unknown_step_that_resembles_none_is_told_with_those_there_are():
    (line,) = problems({"several": {"zzz": None}})
    assert line.endswith("There are: unicode, exact_duplicates, word_count")


def test_an_unknown_bound_of_a_preset_is_told_in_one_line():
    (line,) = problems({"shape": {"wrods": {"min": 3}}})
    assert "no setting 'wrods'. Did you mean 'words'?" in line


@pytest.mark.parametrize("given", [3, "strict", [1]])
def test_settings_of_a_presets_step_that_are_no_mapping_are_told_in_one_line(given):
    (line,) = problems({"several": {"word_count": given}})
    assert "word_count" in line
    assert "mapping" in line


@pytest.mark.parametrize("given", [3, "strict", ["word_count"]])
def test_settings_of_a_preset_that_are_no_mapping_are_told_in_one_line(given):
    (line,) = problems({"several": given})
    assert "mapping" in line
    assert "Did you mean 'several'" not in line


def test_preset_false_of_a_preset_that_is_no_filter_is_told_in_one_line():
    (line,) = problems({"several": {"preset": False, "word_count": {"min": 3}}})
    assert "Did you mean 'several'" not in line


def test_a_wrong_name_is_told_with_the_nearest_preset():
    (line,) = problems("severl")
    assert line.endswith("Did you mean 'several'?")


def test_a_presets_bounds_are_part_of_the_identity():
    assert steps("shape")[0].identity()["bounds"]["words"] == {"min": 2, "max": 9}


def test_a_changed_preset_is_another_identity():
    before = [step.identity() for step in steps("several")]
    presets()["several"].write_text(SEVERAL.replace("max: 50", "max: 60"))
    assert [step.identity() for step in steps("several")] != before


def test_a_preset_is_the_same_as_its_steps_written_out():
    written = [{"shape": {"words": {"min": 2, "max": 9}, "first": {"in": ["the", "a"]}, "scale": 3}}]
    assert [step.identity() for step in steps({"shape": {"preset": False, **written[0]["shape"]}})] == [
        step.identity() for step in steps("shape")
    ]


def test_a_preset_changes_the_fingerprint_when_its_file_does(documents, run_with):
    from pipeline.stages.clean import clean

    parent = documents(["the mill", "a mill by the river"])
    one = clean(parent, "sample", run_with(1), steps=["shape"])
    presets()["shape"].write_text(ONE.replace("min: 2", "min: 9"))
    other = clean(parent, "sample", run_with(1), steps=["shape"])
    assert one.manifest.fingerprint != other.manifest.fingerprint
    assert (one.manifest.rows["kept"], other.manifest.rows["kept"]) == (1, 0)


@pytest.mark.parametrize("name", [name for name in presets() if name not in ("shape", "several", "nested")])
def test_every_preset_that_ships_is_a_plan_without_problems(name):
    planned, wrong = plan([name])
    assert wrong == []
    assert len(planned) == len(steps_of(name))
