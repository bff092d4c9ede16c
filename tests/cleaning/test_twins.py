"""Duplicates over all shards: who stays, against whom, by which part of a conversation, and what stops the search."""

from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from filters import kinds
from pipeline.engine.local import Local
from pipeline.errors import ArtifactNotFound, FilterError
from pipeline.run import Run
from pipeline.stages.clean import clean

LONG = "the mill by the river runs day and night and nobody in the village has ever seen who feeds it with grain"
NEAR = LONG.replace("grain", "corn")


def marks(texts, offsets):
    """Count exclamation marks."""
    return {"loud": np.array([float(text.count("!")) for text in texts.to_pylist()])}


def hedges(texts, offsets):
    """Count question marks."""
    return np.array([float(text.count("?")) for text in texts.to_pylist()])


@pytest.fixture
def toys(monkeypatch):
    kinds.filters()
    monkeypatch.setattr(kinds, "_REGISTRY", dict(kinds._REGISTRY))
    kinds.measure(version=1, names=("loud",))(marks)
    kinds.measure(version=1)(hedges)
    kinds.filters.cache_clear()
    yield
    kinds.filters.cache_clear()


class Listener:
    """A progress that keeps what was said."""

    def __init__(self):
        self.said = []

    def track(self, label, answers, total):
        return answers

    def say(self, line):
        self.said.append(line)


def ids(artifact):
    return [id_ for path in artifact.files("documents") for id_ in pq.read_table(path)["id"].to_pylist()]


def twins(artifact):
    rows = pa.concat_tables(pq.read_table(path) for path in artifact.files("removed")).to_pylist()
    return {row["id"]: row["twin"] for row in rows}


@pytest.fixture
def against(documents, run_with):
    """Clean texts against others: `against(texts, [others, ...], step, setting=...)`; returns the artifact and the refs."""

    def make(contents, others, step, *, workers=1, shards=2, progress=None, **own):
        refs = [
            documents(other, shards=min(2, len(other)), ids=[f"o{group}{at}" for at in range(len(other))]).ref
            for group, other in enumerate(others)
        ]
        run = run_with(workers)
        run = Run(run.store, run.engine, progress) if progress else run
        steps = [{step: {"against": refs, **own}}]
        return clean(documents(contents, shards=shards), "sample", run, steps=steps), refs

    return make


@pytest.mark.parametrize("step", ["exact_duplicates", "near_duplicates"])
def test_what_another_artifact_holds_goes_and_its_twin_is_named_with_the_ref(against, step):
    artifact, (ref,) = against(["mine", LONG], [["yours", LONG]], step)
    assert ids(artifact) == ["d0"]
    assert twins(artifact) == {"d1": f"{ref}:o01"}


def test_what_resembles_a_document_of_another_artifact_goes_with_the_similarity(against):
    artifact, (ref,) = against(["mine", NEAR], [[LONG]], "near_duplicates", threshold=0.8)
    (row,) = pq.read_table(artifact.path / "removed").to_pylist()
    words = len(LONG.split())
    assert (row["twin"], row["similarity"]) == (f"{ref}:o00", (words - 5) / (words - 3))


def test_what_only_resembles_another_artifact_too_little_stays(against):
    artifact, _ = against([LONG], [[" ".join(LONG.split()[:11])]], "near_duplicates", threshold=0.7)
    assert ids(artifact) == ["d0"]


@pytest.mark.parametrize("step", ["exact_duplicates", "near_duplicates"])
def test_duplicates_within_another_artifact_are_not_this_runs_matter(against, step):
    artifact, _ = against(["mine"], [["yours", "yours", "yours"]], step)
    assert artifact.manifest.rows == {"in": 1, "kept": 1, "removed": 0, "rejected": 0}
    assert artifact.manifest.counts[0]["candidates"] == 0


@pytest.mark.parametrize("keep", ["first", "longest", "best(word_count)", "best(-word_count)"])
def test_a_document_of_another_artifact_stays_whatever_the_rank(against, keep):
    artifact, (ref,) = against(["A  b", "a b"], [["a b"]], "exact_duplicates", normalize=True, keep=keep)
    assert twins(artifact) == {"d0": f"{ref}:o00", "d1": f"{ref}:o00"}


def test_duplicates_of_its_own_are_still_found(against):
    artifact, (ref,) = against(["a", "b", "b", "a"], [["a"]], "exact_duplicates")
    assert ids(artifact) == ["d1"]
    assert twins(artifact) == {"d0": f"{ref}:o00", "d2": "d1", "d3": f"{ref}:o00"}


def test_several_artifacts_stand_against_one(against):
    artifact, refs = against(["a", "b", "c"], [["a"], ["b"]], "exact_duplicates")
    assert twins(artifact) == {"d0": f"{refs[0]}:o00", "d1": f"{refs[1]}:o10"}


def test_short_texts_are_compared_whole_against_another_artifact(against):
    artifact, _ = against(["ok thanks", "yes", "Sure!"], [["no problem", "Sure"]], "near_duplicates")
    assert ids(artifact) == ["d0", "d1"]


def test_chats_are_compared_with_chats_of_another_artifact(against):
    chat = [("user", "Hi"), ("assistant", "Yo")]
    artifact, (ref,) = against([chat, [("user", "Hi")]], [[chat]], "exact_duplicates", shards=1)
    assert twins(artifact) == {"d0": f"{ref}:o00"}


def test_only_the_documents_that_an_artifact_kept_stand_against(documents, run_with):
    other = clean(documents(["a", "a b"], ids=["x", "y"]), "other", run_with(1), steps=[{"word_count": {"min": 2}}])
    artifact = clean(documents(["a", "a b"]), "sample", run_with(1), steps=[{"exact_duplicates": {"against": other.ref}}])
    assert twins(artifact) == {"d1": f"{other.ref}:y"}


def test_another_artifact_is_named_as_on_the_command_line(documents, run_with):
    other = clean(documents(["a"]), "other", run_with(1), steps=["unicode"])
    for ref in ("clean/other", f"@{other.manifest.fingerprint[:6]}", "other"):
        artifact = clean(documents(["b", "a"]), "sample", run_with(1), steps=[{"exact_duplicates": {"against": ref}}])
        assert artifact.manifest.recipe["steps"][0]["bounds"]["against"] == [other.ref]


def test_an_artifact_that_is_not_there_is_told_before_anything_is_written(documents, run_with, store):
    with pytest.raises(ArtifactNotFound, match="no artifact 'clean/nothing'"):
        clean(documents(["a"]), "sample", run_with(1), steps=[{"exact_duplicates": {"against": "clean/nothing"}}])
    assert not (store.root / "clean").exists()


def test_an_artifact_without_documents_removes_nothing(documents, run_with):
    empty = clean(documents(["a"]), "empty", run_with(1), steps=[{"word_count": {"min": 9}}])
    steps = [{"exact_duplicates": {"against": empty.ref}}, {"near_duplicates": {"against": empty.ref}}]
    assert len(ids(clean(documents(["a", "b"], shards=2), "sample", run_with(1), steps=steps))) == 2


QUESTIONS = [
    [("system", "Help."), ("user", "Two and two?"), ("assistant", "Four.")],
    [("system", "Help."), ("user", "Two and two?"), ("assistant", "It is four."), ("user", "Sure?")],
    [("user", "Two and three less one?"), ("assistant", "Four.")],
]


@pytest.mark.parametrize(("key", "expected"), [("conversation", {}), ("prompt", {"d1": "d0"}), ("response", {"d2": "d0"})])
@pytest.mark.parametrize("step", ["exact_duplicates", "near_duplicates"])
def test_conversations_are_compared_by_the_part_the_recipe_names(cleaned, step, key, expected):
    assert twins(cleaned(QUESTIONS, [{step: {"key": key}}], shards=2)) == expected


def test_a_conversation_without_the_part_is_no_duplicate(cleaned):
    chats = [[("user", "Hi")], [("user", "Hi")], [("assistant", "Yo")], [("assistant", "Yo")]]
    assert ids(cleaned(chats, [{"exact_duplicates": {"key": "response"}}])) == ["d0", "d1", "d2"]


@pytest.mark.parametrize(
    ("keep", "stays"),
    [("best(marks.loud)", "d1"), ("best(-marks.loud)", "d0"), ("best(hedges)", "d2"), ("best(-hedges)", "d0")],
)
def test_the_best_of_duplicates_by_a_measure_stays(toys, cleaned, keep, stays):
    texts = ["the mill by the river", "the mill! by the river!", "the mill? by the river!"]
    assert ids(cleaned(texts, [{"near_duplicates": {"keep": keep}}], shards=3)) == [stays]


def test_of_equally_good_duplicates_the_first_stays(toys, cleaned):
    assert ids(cleaned(["a!", "a!", "a!"], [{"exact_duplicates": {"keep": "best(marks.loud)"}}], shards=3)) == ["d0"]


def test_the_best_is_measured_on_the_part_that_is_compared(toys, cleaned):
    chats = [[("user", "Hi there!!!"), ("assistant", "Yo")], [("user", "Hi there"), ("assistant", "Yo!")]]
    step = {"near_duplicates": {"key": "response", "keep": "best(marks.loud)"}}
    assert ids(cleaned(chats, [step])) == ["d1"]


def test_a_cluster_larger_than_its_share_stops_with_one_line(documents, run_with, store):
    steps = [{"exact_duplicates": {"max_cluster": 0.5}}]
    with pytest.raises(FilterError) as stopped:
        clean(documents(["a", "a", "a", "b"], shards=2), "sample", run_with(1), steps=steps)
    assert str(stopped.value).startswith("exact_duplicates: one cluster holds 3 of 4 documents, more than max_cluster 0.5.")
    assert "\n" not in str(stopped.value)
    assert store.list("clean") == []


def test_a_cluster_of_just_its_share_does_not_stop(documents, run_with):
    artifact = clean(documents(["a", "a", "b", "c"]), "s", run_with(1), steps=[{"exact_duplicates": {"max_cluster": 0.5}}])
    assert ids(artifact) == ["d0", "d2", "d3"]


def test_with_a_larger_share_the_stopped_run_goes_on_to_the_bytes_of_an_undisturbed_one(documents, run_with):
    parent = documents(["a", "a", "a", "b"], shards=2)
    with pytest.raises(FilterError):
        clean(parent, "sample", run_with(1), steps=[{"exact_duplicates": {"max_cluster": 0.5}}])
    again = clean(parent, "sample", run_with(1), steps=[{"exact_duplicates": {"max_cluster": 0.8}}])
    undisturbed = clean(parent, "other", run_with(1), steps=["exact_duplicates"])
    assert again.manifest.files == undisturbed.manifest.files
    assert again.manifest.counts == undisturbed.manifest.counts


def test_only_its_own_documents_make_a_cluster_large(against):
    artifact, _ = against(["a", "b", "c", "d"], [["a"] * 9], "exact_duplicates", max_cluster=0.5)
    assert ids(artifact) == ["d1", "d2", "d3"]


def test_a_cluster_that_swallows_much_is_told(documents, store, engines):
    listener = Listener()
    clean(documents(["a"] * 101 + ["b"]), "sample", Run(store, engines[1], listener), steps=["exact_duplicates"])
    (line,) = [line for line in listener.said if "cluster" in line]
    assert line.startswith("exact_duplicates: one cluster holds 101 of 102 documents; set max_cluster")


@pytest.mark.parametrize("contents", [["a"] * 100 + ["b"], ["a"] * 101 + [f"b{number}" for number in range(1000)]])
def test_a_small_cluster_is_not_told(documents, store, engines, contents):
    listener = Listener()
    clean(documents(contents), "sample", Run(store, engines[1], listener), steps=["exact_duplicates"])
    assert [line for line in listener.said if "cluster" in line] == []


def test_the_counts_say_the_recall_at_the_threshold_where_the_filter_knows_it(cleaned, monkeypatch):
    kinds.filters()
    monkeypatch.setattr(kinds, "_REGISTRY", dict(kinds._REGISTRY))

    def half(texts, offsets, *, threshold: float = 0.5):
        """Key a text by its length."""
        return np.array([[len(text)] for text in texts.to_pylist()], dtype=np.uint64).reshape(-1, 1)

    def letters(texts, offsets, *, threshold: float = 0.5):
        sets = [sorted(set(text.encode())) for text in texts.to_pylist()]
        bounds = np.cumsum([0, *map(len, sets)]).astype(np.int64)
        return kinds.Sets(np.array([one for own in sets for one in own], dtype=np.uint64), bounds)

    kinds.duplicates(version=1, sets=letters, recall=lambda threshold: threshold / 2)(half)
    kinds.filters.cache_clear()
    artifact = cleaned(["ab", "ba", "cd", "abc"], [{"half": {"threshold": 0.5}}])
    kinds.filters.cache_clear()
    assert artifact.manifest.counts == [
        {"step": 0, "filter": "half", "in": 4, "removed": 1, "candidates": 3, "largest_cluster": 2, "recall": 0.25}
    ]
    assert twins(artifact) == {"d1": "d0"}


def test_neighbouring_duplicates_steps_count_what_each_removes(cleaned):
    artifact = cleaned([LONG, LONG, NEAR, "x"], ["exact_duplicates", "near_duplicates"], shards=2)
    assert [(count["in"], count["removed"]) for count in artifact.manifest.counts] == [(4, 1), (3, 1)]


def test_workers_change_no_byte_of_what_stands_against_others(documents, planted, store, engines):
    old = documents(planted(12)[::2], shards=3, ids=[f"o{number}" for number in range(12)])
    parent = documents([*planted(25), *["\n".join(["Home | About", f"page {number}"]) for number in range(12)]], shards=5)
    steps = [
        {"near_duplicates": {"against": old.ref, "keep": "best(word_count)"}},
        {"recurring_lines": {"documents": 5}},
        {"exact_duplicates": {"keep": "longest"}},
    ]
    four = Local(4)
    made = [
        clean(parent, f"with-{engine.workers}", Run(store, engine), steps=steps) for engine in (engines[1], engines[2], four)
    ]
    four.close()
    contents = [{**asdict(artifact.manifest), "run": None, "ref": None, "name": None} for artifact in made]
    assert contents[0] == contents[1] == contents[2]
    assert all(count["removed"] or count.get("changed") for count in made[0].manifest.counts[:2])
