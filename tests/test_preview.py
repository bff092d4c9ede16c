"""The preview of a cleaning: counts, distributions against the bounds, the documents nearest to a bound."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import kinds
from pipeline.cli import main
from pipeline.preview import histogram, lines, preview
from pipeline.stages.clean import clean

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False) | st.integers(0, 5).map(float)


def words(count):
    return " ".join(["w"] * count)


def letters(texts, offsets):
    """Count letters and name the first."""
    return {
        "letters": np.array([float(sum(map(str.isalpha, text))) for text in texts.to_pylist()]),
        "first": [text[:1] for text in texts.to_pylist()],
    }


@pytest.fixture
def toys(monkeypatch):
    kinds.filters()
    monkeypatch.setattr(kinds, "_REGISTRY", dict(kinds._REGISTRY))
    kinds.measure(version=1, names=("letters", "first"), labels=("first",))(letters)
    kinds.filters.cache_clear()
    yield
    kinds.filters.cache_clear()


@pytest.fixture
def shown(cleaned):
    """Preview a cleaning: `shown(texts, steps)`."""

    def make(contents, steps, samples=3, **own):
        return preview(cleaned(contents, steps, **own), samples)

    return make


def test_a_step_shows_its_counts(shown):
    (step,) = shown(["a", "a b"], [{"word_count": {"min": 2}}])
    assert (step["filter"], step["in"], step["removed"]) == ("word_count", 2, 1)


def test_a_bound_shows_how_many_went_by_it(toys, shown):
    (step,) = shown(["a", "ab", "abc", "b"], [{"letters": {"letters": {"min": 2}, "first": {"in": ["a"]}}}])
    assert [(bound["measure"], bound["bound"], bound["removed"]) for bound in step["bounds"]] == [
        ("letters", {"min": 2.0}, 2),
        ("first", {"in": ["a"]}, 0),
    ]


def test_the_same_filter_twice_shows_each_steps_own_removals(shown):
    first, second = shown(["a", "a b", "a b c"], [{"word_count": {"min": 2}}, {"word_count": {"max": 2}}])
    assert (first["bounds"][0]["removed"], second["bounds"][0]["removed"]) == (1, 1)
    assert [case["id"] for case in second["bounds"][0]["samples"]] == ["d2"]


def test_the_same_spans_filter_twice_shows_each_steps_own_removals(shown, tmp_path):
    for name in ("one", "two"):
        (tmp_path / f"{name}.txt").write_text(f"phrase {name}\n")
    steps = [{"slop": {"lists": [str(tmp_path / f"{name}.txt")]}} for name in ("one", "two")]
    first, second = shown(["phrase one", "phrase two", "phrase two!"], steps)
    assert (first["bounds"][0]["removed"], second["bounds"][0]["removed"]) == (1, 2)


def test_the_distribution_is_of_all_that_came_to_the_step(shown):
    (_, step) = shown(["a", *[words(2)] * 3, words(5)], [{"word_count": {"min": 2}}, {"word_count": {"max": 4}}])
    assert sum(step["bounds"][0]["histogram"]["counts"]) == 4


def test_a_bound_is_an_edge_of_its_histogram(shown):
    (step,) = shown([words(count) for count in range(1, 30)], [{"word_count": {"min": 7, "max": 21}}])
    assert {7.0, 21.0} <= set(step["bounds"][0]["histogram"]["edges"])


def test_labels_are_counted_the_most_frequent_first(toys, shown):
    (step,) = shown(["b", "ab", "ac", "c"], [{"letters": {"first": {"in": ["a"]}}}])
    assert step["bounds"][0]["labels"] == {"a": 2, "b": 1, "c": 1}


def test_the_documents_nearest_to_the_bound_are_the_samples(shown):
    contents = [words(count) for count in (1, 4, 2, 9, 3, 5)]
    (step,) = shown(contents, [{"word_count": {"min": 5}}], samples=2)
    assert [(case["id"], case["value"]) for case in step["bounds"][0]["samples"]] == [("d1", 4.0), ("d4", 3.0)]


def test_both_ends_of_a_bound_have_their_nearest(shown):
    contents = [words(count) for count in (1, 3, 12, 20, 5)]
    (step,) = shown(contents, [{"word_count": {"min": 4, "max": 10}}], samples=2)
    assert [case["id"] for case in step["bounds"][0]["samples"]] == ["d1", "d2"]


def test_a_duplicate_is_shown_with_its_twin_the_least_alike_first(shown):
    text = " ".join(f"w{number}" for number in range(40))
    (step,) = shown([text, text, text.replace("w39", "x")], [{"near_duplicates": {"threshold": 0.8}}])
    assert [(case["id"], case["twin"]) for case in step["bounds"][0]["samples"]] == [("d2", "d0"), ("d1", "d0")]


def test_what_was_found_is_the_text_of_a_sample(shown, tmp_path):
    own = tmp_path / "own.txt"
    own.write_text("as an ai\n")
    (step,) = shown(["Well, as an   AI I am"], [{"slop": {"lists": [str(own)]}}])
    assert step["bounds"][0]["samples"][0]["text"] == "as an AI"


def test_a_sample_of_a_conversation_shows_its_turns(shown):
    (step,) = shown([[("user", "Hi"), ("assistant", "Yo")]], [{"word_count": {"min": 9}}])
    assert step["bounds"][0]["samples"][0]["text"] == "Hi | Yo"


def test_without_samples_there_are_none(shown):
    (step,) = shown(["a"], [{"word_count": {"min": 2}}], samples=0)
    assert step["bounds"][0]["samples"] == []


def test_a_step_that_altered_says_how_many(shown):
    (step,) = shown(["Ã©", "a"], ["unicode"])
    assert (step["changed"], step["bounds"][0]["removed"]) == (1, 0)


def test_a_preview_of_no_documents_is_one(shown):
    steps = shown(["a"], [{"word_count": {"min": 2}}, {"word_count": {"max": 5}}, "slop", "near_duplicates"])
    assert [step["in"] for step in steps] == [1, 0, 0, 0]


def test_a_preview_is_json(toys, shown):
    steps = shown(["a", "Ã©"], ["unicode", {"letters": {"first": {"in": ["b"]}}}, "near_duplicates"])
    assert json.loads(json.dumps(steps, allow_nan=False)) == steps


@settings(max_examples=60)
@given(st.lists(NUMBERS, min_size=1, max_size=40), st.lists(NUMBERS, min_size=1, max_size=2, unique=True))
def test_a_histogram_counts_every_value_and_has_the_bounds_among_its_edges(values, bounds):
    edges, counts = histogram(np.array(values), bounds)
    assert set(bounds) <= set(edges)
    assert edges == sorted(set(edges))
    assert (sum(counts), len(counts)) == (len(values), len(edges) + 1)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=30), st.integers(0, 6), st.integers(6, 12))
def test_the_bins_outside_a_bound_hold_the_documents_that_went(cleaned, counts, low, high):
    artifact = cleaned([words(count) for count in counts], [{"word_count": {"min": low, "max": high}}])
    drawn = [line for line in lines(artifact, preview(artifact, 0)) if line.endswith(" outside")]
    assert sum(int(line.split("#")[0].split()[-1]) for line in drawn) == artifact.manifest.rows["removed"]


def test_a_preview_is_said_in_lines(cleaned):
    artifact = cleaned(["a", "a b", "a b c"], [{"word_count": {"min": 2}}])
    said = lines(artifact, preview(artifact, 1))
    assert said[0] == "3 documents: 2 kept, 1 removed"
    assert "  word_count (min 2): 1 removed" in said
    assert said[-1] == "    d0 (1): 'a'"
    assert [line.split()[-1] for line in said if "below" in line] == ["outside"]


@pytest.fixture
def recipe(tmp_path, documents, monkeypatch):
    """Stand in a folder with a recipe and the store of an ingest artifact."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREP_STORE", str(tmp_path / "artifacts"))
    documents(["a", "a b", "a b c"])
    (tmp_path / "own.yaml").write_text("name: sample\nclean: [{word_count: {min: 2, max_removed: 0.1}}]\n")
    return "own.yaml"


def planned(*arguments):
    result = CliRunner().invoke(main, ["plan", "--workers", "1", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_prep_plan_prints_what_clean_would_remove_and_makes_no_artifact(recipe, store):
    said = planned("--config", recipe)
    assert "3 documents: 2 kept, 1 removed" in said
    assert store.list("clean") == []


def test_prep_plan_answers_in_json(recipe, store):
    found = json.loads(planned("--config", recipe, "--json"))
    assert (found["of"], found["rows"]["removed"]) == (store.newest("ingest").ref, 1)
    assert found["steps"][0]["bounds"][0]["samples"][0]["id"] == "d0"


def test_the_preview_of_an_artifact_is_that_of_its_trial(documents, run_with):
    from pipeline.stages.clean import trial

    parent, steps = documents(["a", "a b", "a b"]), [{"word_count": {"min": 2}}, "exact_duplicates"]
    with trial(parent, run_with(1), steps=steps) as tried:
        before = preview(tried)
    assert preview(clean(parent, "sample", run_with(1), steps=steps)) == before
