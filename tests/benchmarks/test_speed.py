"""How fast `prep` is, as ratios within one run: against a plain read and rewrite of the same shards, and against sqlparse.

`CORPUS` names a folder of Parquet files with `id` and `text`; without it, the sources of the installed Python packages are the
text. Prints figures, asserts none.
"""

import json
import os
import shutil
import sqlite3
import subprocess
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
from pipeline.phrase_lists import load, shipped
from pipeline.readers.sql_dump import sql_dump
from pipeline.run import Run
from pipeline.sources import Source
from pipeline.stages.clean import clean

MOST_BYTES = 64 << 20
SHARDS = 8
ROUNDS = 3
SLOP = {"slop": {"lists": ["thousand"]}}  # the list is made below: all that ship, and made-up phrases up to 1,000
NEAR = {"near_duplicates": {"threshold": 0.7, "keep": "longest"}}
RECIPES: dict[str, list[Any]] = {
    "full": ["unicode", SLOP, "gopher_quality", "gopher_repetition", "fineweb_quality", "exact_duplicates", NEAR],
    "clean.yaml": ["unicode", "slop", {"word_count": {"min": 1}}, "exact_duplicates", NEAR],
    "near_duplicates": ["near_duplicates"],
    "exact_duplicates": ["exact_duplicates"],
    "unicode": ["unicode"],
    "slop, 1,000 phrases": [SLOP],
    "slop, refusals": ["slop"],
    "word_count": [{"word_count": {"min": 1}}],
    "gopher_quality": ["gopher_quality"],
    "gopher_repetition": ["gopher_repetition"],
    "fineweb_quality": ["fineweb_quality"],
    "c4": ["c4"],
    "pii": ["pii"],
    "recurring_lines": ["recurring_lines"],
    "language": [{"language": {"score": {"min": 0}}}],
}


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
def thousand(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write a list of 1,000 phrases; return its path."""
    shipped_phrases = [phrase for name in shipped() for phrase in load(name).phrases]
    made_up = [f"the {number} words that nobody wrote" for number in range(1000)]
    path = tmp_path_factory.mktemp("phrases") / "thousand.txt"
    path.write_text("\n".join([*shipped_phrases, *made_up][:1000]))
    return str(path)


def with_list(steps: list[Any], path: str) -> list[Any]:
    return [{"slop": {"lists": [path]}} if step is SLOP else step for step in steps]


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


def test_clean_against_a_plain_read_and_rewrite(corpus: tuple[Store, Artifact], thousand: str, tmp_path: Path) -> None:
    store, parent = corpus

    def rewrite() -> None:
        for file in parent.files("documents"):
            pq.write_table(pq.read_table(file), tmp_path / file.name, compression="zstd")

    megabytes = sum(pq.read_table(file, columns=["text"]).nbytes for file in parent.files("documents")) / 1e6
    plain = min(seconds(rewrite) for _ in range(5))
    print(f"\n{megabytes:.0f} MB of text; plain read and rewrite {plain:.2f} s; the best of {ROUNDS} each")
    engine = Local(2)
    run = Run(store, engine)
    for name, entry in RECIPES.items():
        steps = with_list(entry, thousand)
        clean(parent, "warm", run, steps=[*steps, "exact_duplicates"])
        took = min(seconds_of_clean(store, parent, run, steps) for _ in range(ROUNDS))
        print(f"{name:<22}{took:7.2f} s   {took / plain:6.2f} x plain   {megabytes / took:6.0f} MB/s")
    engine.close()


def seconds_of_clean(store: Store, parent: Artifact, run: Run, steps: list[Any]) -> float:
    """Clean without anything that is known from before."""
    for leftover in (store.root / "answers", *(store.root / "clean").glob("timed@*")):
        shutil.rmtree(leftover, ignore_errors=True)
    return seconds(lambda: clean(parent, "timed", run, steps=steps))


def test_a_changed_bound_against_the_first_run(corpus: tuple[Store, Artifact], thousand: str) -> None:
    store, parent = corpus
    engine = Local(2)
    steps = with_list(RECIPES["full"], thousand)
    clean(parent, "warm", Run(store, engine), steps=[*steps, {"word_count": {"min": 0}}])
    first = min(seconds_of_clean(store, parent, Run(store, engine), steps) for _ in range(ROUNDS))
    changed = [{"gopher_quality": {"words": {"min": 60}}} if step == "gopher_quality" else step for step in steps]
    again = seconds(lambda: clean(parent, "changed", Run(store, engine), steps=changed))
    engine.close()
    print(f"\nfull recipe {first:.2f} s; with another bound {again:.2f} s ({again / first:.2f})")


@pytest.mark.skipif("DATATROVE" not in os.environ, reason="DATATROVE names the Python that datatrove is installed for")
def test_near_duplicates_against_datatrove(corpus: tuple[Store, Artifact], tmp_path: Path) -> None:
    store, parent = corpus
    (tmp_path / "pages").mkdir()
    for file in parent.files("documents"):
        rows = pq.read_table(file, columns=["id", "text"]).to_pylist()
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "pages" / f"{file.stem}.jsonl").write_text(lines, encoding="utf-8")
    engine = Local(2)
    clean(parent, "warm", Run(store, engine), steps=["near_duplicates", "exact_duplicates"])
    ours = min(seconds_of_clean(store, parent, Run(store, engine), ["near_duplicates"]) for _ in range(ROUNDS))
    engine.close()
    script = Path(__file__).parent / "datatrove_minhash.py"
    for words in ("", "whitespace"):
        command = [os.environ["DATATROVE"], script, tmp_path / "pages", tmp_path / f"out-{words}", "2", words]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        theirs = json.loads(done.stdout.splitlines()[-1])["seconds"]
        times = f"{theirs:.1f} s, {theirs / ours:.0f} times"
        print(f"\nnear duplicates {ours:.2f} s; datatrove, {words or 'defaults'}: {times}")


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
