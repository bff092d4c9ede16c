"""A trial: what clean would do, without an artifact; what it measured is kept for clean."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.cleaning import passing
from pipeline.errors import RecipeError
from pipeline.stages.clean import clean, trial

TEXTS = ["a", "a b", "As an AI language model", "x y z", "x y z", "menu\none two", "menu\nthree four"]
STEPS = [
    "unicode",
    {"slop": {"action": "strip"}},
    {"word_count": {"min": 2}},
    {"recurring_lines": {"documents": 2}},
    "exact_duplicates",
    "near_duplicates",
]


def contents(artifact):
    return {entry["path"]: entry["sha256"] for entry in artifact.manifest.files}


def stored(store):
    """Return the files of a store but the answers and the parent."""
    return [path for path in store.root.rglob("*") if path.is_file() and path.relative_to(store.root).parts[0] == "clean"]


def test_a_trial_leaves_nothing_in_the_store_but_answers(documents, run_with, store):
    with trial(documents(TEXTS, shards=2), run_with(1), steps=STEPS):
        pass
    assert store.list("clean") == []
    assert {path.name for path in store.root.iterdir()} == {"ingest", "answers"}


def test_what_a_trial_wrote_is_gone_afterwards(documents, run_with):
    with trial(documents(TEXTS), run_with(1), steps=STEPS) as tried:
        assert tried.path.is_dir()
    assert not Path(tried.path).exists()


def test_what_a_trial_wrote_is_gone_after_an_error(documents, run_with):
    with pytest.raises(KeyboardInterrupt), trial(documents(TEXTS), run_with(1), steps=STEPS) as tried:
        raise KeyboardInterrupt
    assert not Path(tried.path).exists()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_trial_comes_to_the_rows_counts_and_bytes_of_clean(documents, run_with, workers):
    parent = documents(TEXTS, shards=2)
    with trial(parent, run_with(workers), steps=STEPS) as tried:
        expected = tried.manifest.rows, tried.manifest.counts, contents(tried)
    artifact = clean(parent, "sample", run_with(1), steps=STEPS)
    assert (artifact.manifest.rows, artifact.manifest.counts, contents(artifact)) == expected


def test_clean_asks_no_filter_again_what_a_trial_asked(documents, run_with, monkeypatch):
    from pipeline.cleaning import passage

    parent = documents(TEXTS, shards=2)
    with trial(parent, run_with(1), steps=STEPS):
        pass
    asked = []
    look = passage.look
    monkeypatch.setattr(passage, "look", lambda step, table: asked.append(step.filter.name) or look(step, table))
    clean(parent, "sample", run_with(1), steps=STEPS)
    assert asked == []


def test_max_removed_stops_no_trial(documents, run_with):
    with trial(documents(TEXTS), run_with(1), steps=[{"word_count": {"min": 9, "max_removed": 0.1}}]) as tried:
        assert tried.manifest.rows["removed"] == len(TEXTS)


def test_max_cluster_stops_no_trial(documents, run_with):
    with trial(documents(["a", "a", "b"]), run_with(1), steps=[{"exact_duplicates": {"max_cluster": 0.1}}]) as tried:
        assert tried.manifest.counts[0]["largest_cluster"] == 2


def test_the_documents_of_a_trial_can_be_read(documents, run_with):
    with trial(documents(["a", "a b"]), run_with(1), steps=[{"word_count": {"min": 2}}]) as tried:
        (file,) = tried.files("documents")
        assert pq.read_table(file)["text"].to_pylist() == ["a b"]
        assert tried.verify() == []


def test_wrong_steps_of_a_trial_are_all_told(documents, run_with):
    with pytest.raises(RecipeError, match="2 problems"), trial(documents(["a"]), run_with(1), steps=["unicod", "word_count"]):
        pass


def test_a_trial_goes_on_without_an_artifact_of_the_same_steps(documents, run_with):
    parent = documents(TEXTS)
    artifact = clean(parent, "sample", run_with(1), steps=STEPS)
    with trial(parent, run_with(1), steps=STEPS) as tried:
        assert contents(tried) == contents(artifact)


def test_a_killed_clean_is_not_disturbed_by_a_trial(documents, run_with, monkeypatch):
    parent = documents(TEXTS, shards=2)
    undisturbed = clean(parent, "undisturbed", run_with(1), steps=STEPS)
    finish = passing.finish

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(passing, "finish", killed)
    with pytest.raises(KeyboardInterrupt):
        clean(parent, "sample", run_with(1), steps=STEPS)
    monkeypatch.setattr(passing, "finish", finish)
    with trial(parent, run_with(1), steps=STEPS):
        pass
    assert clean(parent, "sample", run_with(1), steps=STEPS).manifest.files == undisturbed.manifest.files
