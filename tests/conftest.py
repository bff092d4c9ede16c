"""What the tests of stages share: a store, runs with some workers, and an ingest artifact made of texts or chats."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, settings

from pipeline.artifacts import Artifact, Identity, Store, atomic
from pipeline.documents import schema
from pipeline.engine.local import Local
from pipeline.run import Run
from pipeline.stages.clean import clean

Chat = Sequence[tuple[str, str]]

# no deadline: the first call of a kernel loads it; a store may serve all examples of a property, for artifacts never change
settings.register_profile("prep", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.load_profile("prep")


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "artifacts")


@pytest.fixture(scope="session")
def engines() -> Iterator[dict[int, Local]]:
    """Engines by their number of workers; the worker processes are started once a session."""
    started = {workers: Local(workers) for workers in (1, 2)}
    yield started
    for engine in started.values():
        engine.close()


@pytest.fixture
def run_with(store, engines) -> Callable[[int], Run]:
    return lambda workers: Run(store, engines[workers])


@pytest.fixture
def documents(store, monkeypatch) -> Callable[..., Artifact]:
    """Make an ingest artifact: `documents(["a text", ...])` or `documents([[("user", "Hi")], ...])`; the ids are d0, d1, ...

    Its shards are so small that one task would take them all: here each is a task's own.
    """
    monkeypatch.setattr("pipeline.cleaning.batches.MANY", 1)

    def make(contents: Sequence[str] | Sequence[Chat], *, shards: int = 1, ids: Sequence[str] | None = None) -> Artifact:
        names = list(ids or (f"d{number}" for number in range(len(contents))))
        table = _table(names, contents)
        recipe = {"contents": [content if isinstance(content, str) else [*map(list, content)] for content in contents]}
        identity = Identity("ingest", {**recipe, "shards": shards, "ids": names})
        if known := store.answer(identity, "sample"):
            return known
        with store.draft(identity, "sample") as draft:
            for shard in range(shards):
                first, last = (len(names) * edge // shards for edge in (shard, shard + 1))
                with atomic(draft.path / "documents" / f"{shard:05}.parquet") as temporary:
                    pq.write_table(table.slice(first, last - first), temporary)
            return draft.publish({"in": len(names), "kept": len(names)}, versions={}, run={})

    return make


def _table(ids: list[str], contents: Sequence[str] | Sequence[Chat]) -> pa.Table:
    kind = "text" if all(isinstance(content, str) for content in contents) else "chat"
    body = contents
    if kind == "chat":
        body = [[{"role": role, "content": text} for role, text in turns] for turns in contents]
    columns = schema(kind)
    return pa.table([pa.array(column, field.type) for column, field in zip((ids, body, ids), columns, strict=True)], columns)


@pytest.fixture
def cleaned(documents, run_with) -> Callable[..., Artifact]:
    """Clean texts or chats in one go: `cleaned(["a", "b"], ["exact_duplicates"])`."""

    def make(contents: Sequence[Any], steps: Sequence[Any], *, shards: int = 1, workers: int = 1) -> Artifact:
        return clean(documents(contents, shards=shards), "sample", run_with(workers), steps=steps)

    return make


@pytest.fixture
def planted() -> Callable[[int], list[str]]:
    """Make texts of 60 random words, each followed by a copy with none to four of its words changed."""

    def make(count: int) -> list[str]:
        shuffle = random.Random(0)
        vocabulary = [f"w{number}" for number in range(5000)]
        texts = []
        for number in range(count):
            words = shuffle.choices(vocabulary, k=60)
            copy = list(words)
            for at in shuffle.sample(range(60), number % 5):
                copy[at] = shuffle.choice(vocabulary)
            texts += [" ".join(words), " ".join(copy)]
        return texts

    return make
