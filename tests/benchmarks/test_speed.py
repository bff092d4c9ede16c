"""How fast `prep` is, as ratios within one run: against a plain read and rewrite of the same shards, and against sqlparse.

`CORPUS` names a folder of Parquet files with `id` and `text`; without it, the sources of the installed Python packages are the
text. Prints figures, asserts none.
"""

import os
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlparse

from pipeline.artifacts import Artifact, Identity, Store
from pipeline.documents import Rows, schema
from pipeline.engine.local import Local
from pipeline.readers.sql_dump import sql_dump
from pipeline.run import Run
from pipeline.sources import Source
from pipeline.stages.clean import clean

MOST_BYTES = 64 << 20
SHARDS = 8
RECIPES: dict[str, list[Any]] = {
    "clean.yaml": [
        "unicode", "slop", {"word_count": {"min": 1}}, "exact_duplicates", {"near_duplicates": {"keep": "longest"}},
    ],
    "near_duplicates": ["near_duplicates"],
    "exact_duplicates": ["exact_duplicates"],
    "slop": ["slop"],
    "word_count": [{"word_count": {"min": 1}}],
    "unicode": ["unicode"],
}  # fmt: skip


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def texts() -> pa.Table:
    if "CORPUS" in os.environ:
        return pa.concat_tables(
            pq.read_table(file, columns=["id", "text"]) for file in sorted(Path(os.environ["CORPUS"]).glob("*.parquet"))
        )
    found: dict[str, str] = {}
    size = 0
    for file in sorted(Path(sys.prefix).rglob("*.py")):
        if size < MOST_BYTES and (text := file.read_text(encoding="utf-8", errors="ignore")).strip():
            found[str(file.relative_to(sys.prefix))] = text
            size += len(text)
    return pa.table({"id": list(found), "text": list(found.values())})


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, Artifact]:
    store = Store(tmp_path_factory.mktemp("store"))
    table = texts()
    table = table.append_column("source", table["id"]).cast(schema("text"))
    step = -(-table.num_rows // SHARDS)
    with store.draft(Identity("ingest", {}), "corpus") as draft:
        (draft.path / "documents").mkdir()
        for shard in range(SHARDS):
            pq.write_table(
                table.slice(shard * step, step), draft.path / "documents" / f"{shard:05}.parquet", compression="zstd"
            )
        rows = {"in": table.num_rows, "kept": table.num_rows}
        return store, draft.publish(rows, versions={}, run={})


def test_clean_against_a_plain_read_and_rewrite(corpus: tuple[Store, Artifact], tmp_path: Path) -> None:
    store, parent = corpus

    def rewrite() -> None:
        for file in parent.files("documents"):
            pq.write_table(pq.read_table(file), tmp_path / file.name, compression="zstd")

    plain = min(seconds(rewrite) for _ in range(3))
    megabytes = sum(pq.read_table(file, columns=["text"]).nbytes for file in parent.files("documents")) / 1e6
    print(f"\n{megabytes:.0f} MB of text; plain read and rewrite {plain:.2f} s")
    for name, steps in RECIPES.items():
        engine = Local(2)
        run = Run(store, engine)
        clean(parent, "warm", run, steps=[*steps, "exact_duplicates"])
        took = seconds(lambda run=run, steps=steps, name=name: clean(parent, name, run, steps=steps))  # type: ignore[misc]
        engine.close()
        print(f"{name:<18}{took:7.2f} s   {took / plain:6.2f} x plain   {megabytes / took:6.0f} MB/s")


def test_sql_dump_against_sqlparse(tmp_path: Path) -> None:
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE posts (id INTEGER, body TEXT)")
    body = "It's a \"body\" with; semicolons,\nnewlines and 'quotes'. " * 8
    database.executemany("INSERT INTO posts VALUES (?, ?)", ((number, f"{number} {body}") for number in range(100_000)))
    dump = tmp_path / "dump.sql"
    dump.write_text("\n".join(database.iterdump()))
    size = dump.stat().st_size / 1e6

    def read() -> int:
        return sum(found.table.num_rows for found in sql_dump(Source("dump.sql", str(dump))) if isinstance(found, Rows))

    assert read() == 100_000
    ours = min(seconds(read) for _ in range(3))
    part = dump.read_text()[:200_000]
    theirs = seconds(lambda: sqlparse.split(part)) * size * 1e6 / len(part)
    print(
        f"\n{size:.0f} MB dump: {ours:.2f} s ({size / ours:.0f} MB/s), {theirs / ours:.0f} times sqlparse.split (from 200 kB)"
    )
