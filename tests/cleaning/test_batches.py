"""Small shards that stand side by side are one task's, and no byte of what is written of each tells."""

import shutil
from itertools import cycle, islice

import pyarrow as pa
import pytest

from filters import kinds
from filters.kinds import Spans, spans
from pipeline.artifacts import Identity, read_shard
from pipeline.cleaning import batches as module
from pipeline.cleaning.batches import SHARD, batches
from pipeline.documents import schema
from pipeline.errors import RecipeError
from pipeline.stages.clean import clean
from pipeline.writing import write_parquet

PAGES = ["menu\nÃ© one two {}", "menu {}\nAs an AI language model, I cannot.", "{} me@example.org", "", "menu\nsame {}", "odd"]
STEPS = [
    "unicode",
    {"slop": {"action": "drop"}},
    "oddities",
    {"pii": {"action": "redact"}},
    {"recurring_lines": {"documents": 6, "normalize": False}},
    {"word_count": {"min": 1}},
    "exact_duplicates",
    {"near_duplicates": {"threshold": 0.6}},
    {"word_count": {"max": 40}},
]


@pytest.fixture
def oddities(monkeypatch):
    """Register a filter that cannot look at the text "odd"."""

    def oddities(texts):
        """Fail."""
        failed = tuple((row, "it is odd") for row, text in enumerate(texts.to_pylist()) if text == "odd")
        none = pa.array([], pa.int64()).to_numpy()
        return Spans(none, none, none, none, ["odd"], failed)

    kinds.filters()
    monkeypatch.setattr(kinds, "_REGISTRY", dict(kinds._REGISTRY))
    spans(version=1)(oddities)
    kinds.filters.cache_clear()
    yield
    kinds.filters.cache_clear()


@pytest.fixture
def both(documents, run_with, store, monkeypatch):
    """Clean texts or chats in eight shards, each alone and then by threes: `both(contents, steps)` returns what was written."""

    def make(contents, steps):
        parent = documents(contents, shards=8)
        found = []
        for most in (1, 3):
            monkeypatch.setattr(module, "MANY", most)
            artifact = clean(parent, f"of-{most}", run_with(1), steps=steps)
            found.append((artifact.manifest.rows, artifact.manifest.counts, artifact.manifest.files))
            shutil.rmtree(store.root / "answers")
        return found

    return make


def test_what_is_written_of_small_shards_is_the_same_as_of_each_alone(both, planted, oddities):
    pages = [page.format(number) for number, page in enumerate(islice(cycle(PAGES), 40))]
    alone, together = both([*planted(15), *pages, "w " * 60], STEPS)
    assert together == alone
    rows, counts, files = alone
    assert rows["removed"] > 10
    assert rows["rejected"] > 2
    idle = [count["filter"] for count in counts if not count["removed"] and not count.get("changed")]
    assert idle == ["oddities"]
    assert {entry["path"].partition("/")[0] for entry in files} == {"documents", "removed", "rejected", "edits", "measures"}


def test_what_is_written_of_small_shards_of_conversations_is_the_same_as_of_each_alone(both, planted):
    chats = [[("user", f"Question {number % 7}?"), ("assistant", text)] for number, text in enumerate(planted(20))]
    steps = ["unicode", {"word_count": {"min": 20, "on": ["assistant"]}}, {"near_duplicates": {"key": "response"}}]
    alone, together = both([*chats, [("user", "Ã©"), ("assistant", "yes")]], steps)
    assert together == alone
    assert alone[0]["removed"] > 10


def test_small_shards_of_another_artifact_are_the_same_as_each_alone(both, documents, planted):
    other = documents([*planted(10), "menu"], shards=5, ids=[f"o{number}" for number in range(21)])
    alone, together = both(planted(20), [{"near_duplicates": {"against": [other.ref], "threshold": 0.6}}])
    assert together == alone
    assert alone[0]["removed"] > 15


def test_small_shards_stand_together_up_to_a_number_and_a_size(documents, monkeypatch):
    parent = documents([f"{number}" for number in range(10)], shards=5)
    assert [len(batch.files) for batch in batches(parent)] == [1] * 5
    monkeypatch.setattr(module, "MANY", 2)
    assert [(batch.number, batch.first, batch.name) for batch in batches(parent)] == [
        (0, 0, "00000-00001"),
        (1, 2, "00002-00003"),
        (2, 4, "00004"),
    ]
    monkeypatch.setattr(module, "MANY", 64)
    assert [len(batch.files) for batch in batches(parent)] == [5]
    monkeypatch.setattr(module, "MOST", 1)
    assert [len(batch.files) for batch in batches(parent)] == [1] * 5


@pytest.mark.parametrize("shards", [1, 2])
def test_a_column_named_as_the_mark_of_a_batchs_shards_is_refused_in_one_line(store, run_with, shards):
    columns = schema("text", [pa.field(SHARD, pa.int32())])
    with store.draft(Identity("ingest", {"shards": shards}), "marked") as draft:
        for shard in range(shards):
            write_parquet(
                pa.table([["d"], ["a text"], ["s"], [7]], schema=columns), draft.path / f"documents/{shard:05}.parquet"
            )
        parent = draft.publish({"in": shards, "kept": shards}, versions={}, run={})
    with pytest.raises(RecipeError) as error:
        clean(parent, "c", run_with(1), steps=["unicode"])
    assert error.value.problems == [
        f"{parent.ref}: clean keeps the column name 'shard of the batch' for itself. "
        "Rename it in the source, or leave it out of keep_columns."
    ]


def test_a_large_file_stands_alone_and_is_not_looked_into(documents, monkeypatch):
    parent = documents(["a", "b"], shards=2)
    monkeypatch.setattr(module, "MANY", 64)
    monkeypatch.setattr(module, "SMALL", 1)
    monkeypatch.setattr(module, "shard_size", None)
    assert [len(batch.files) for batch in batches(parent)] == [1, 1]


def test_a_batchs_documents_know_their_shard_and_part_again(documents, monkeypatch):
    parent = documents(["a", "b", "c"], shards=3)
    monkeypatch.setattr(module, "MANY", 3)
    (batch,) = batches(parent)
    table = batch.documents()
    assert table[SHARD].to_pylist() == [0, 1, 2]
    mixed = table.take([2, 0, 2])
    assert [(shard, own["id"].to_pylist()) for shard, own in batch.apart(mixed)] == [(0, ["d0"]), (1, []), (2, ["d2", "d2"])]
    assert [own for _, own in batch.apart(table)] == [read_shard(file) for file in batch.files]
