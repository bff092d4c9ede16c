"""A database's URL -> the time and memory of reading a large table, and whether killed runs go on to the same bytes.

    python tests/benchmarks/live_databases.py URL ROWS [--words 6] [--filled] [--at spooling|parts|publishing]

URL is an empty database of a running PostgreSQL or MariaDB; the table `posts` is made in it, of ROWS rows with WORDS words of
32 letters each, unless `--filled` says that it is there. `prep ingest` reads it undisturbed into one store. Then, for each
point, into another one: it is killed there with all its processes, and the same command is run again. Prints a line of JSON for
each run; raises `AssertionError` where the two stores differ in a file's name or bytes (but for `run` in a manifest, which has
the times), so also for what is left over.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.readers.live_database.address import Address, live_source

TRIES = 5
POINTS = ("spooling", "parts", "publishing")
PREP = [sys.executable, "-c", "from pipeline.cli import main; main()"]


def fill(address: Address, rows: int, words: int) -> None:
    """Make the table `posts`: a primary key, a title, a text of `words` hashes, a number and a time."""
    body = ", ".join(f"md5(concat(n, '.', {word}))" for word in range(words))
    postgres = address.dialect == "postgresql"
    numbers = f"generate_series(1, {rows}) AS g(n)" if postgres else f"(SELECT seq AS n FROM seq_1_to_{rows}) AS g"
    for statement in (
        "DROP TABLE IF EXISTS posts",
        "CREATE TABLE posts (id int PRIMARY KEY, title text, body text, score double precision, at timestamp NULL)",
        f"INSERT INTO posts SELECT n, concat('Post ', n), concat_ws(' ', {body}), n / 8.0, '2024-02-29 12:00' FROM {numbers}",
    ):
        _execute(address, statement)


def _execute(address: Address, statement: str) -> None:
    options = dict(address.options)
    if address.dialect == "postgresql":
        import psycopg

        host = options.pop("host", address.host)
        with psycopg.connect(
            host=host, port=address.port, user=address.user, password=address.password, dbname=address.database
        ) as server:
            server.execute(statement)
        return
    import pymysql

    with pymysql.connect(
        host=address.host, port=address.port or 0, user=address.user, password=address.password, database=address.database,
        autocommit=True, **options,
    ) as server, server.cursor() as cursor:  # fmt: skip
        cursor.execute(statement)


def watched(command: list[str], until: Callable[[], bool]) -> dict[str, Any]:
    """Run a command; once `until` holds, kill it and all its processes. Returns seconds, memory and whether it was killed.

    Memory is the largest sum, over its processes, of their own share (PSS), looked up ten times a second, in MB.
    """
    start, peak, looked, ended = time.perf_counter(), 0, 0.0, False
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, start_new_session=True)
        while process.poll() is None:
            if not ended and until():
                os.killpg(process.pid, signal.SIGKILL)
                ended = True
            if time.perf_counter() - looked > 0.1:
                peak, looked = max(peak, _memory(process.pid)), time.perf_counter()
            time.sleep(0.001)
        said.seek(0)
        assert ended or process.returncode == 0, said.read().decode()
    return {"seconds": round(time.perf_counter() - start, 1), "peak_mb": peak // 1000, "killed": ended}


def _memory(group: int) -> int:
    """Return the kilobytes of all processes of a session."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(folder.name)) == group:
                total += int((folder / "smaps_rollup").read_text().partition("\nPss:")[2].split()[0])
        except (OSError, IndexError):  # it has just ended
            continue
    return total


def reached(point: str, store: Path, whole: dict[str, int]) -> bool:
    """Tell whether a run has come to a point, half of its way through the spool or the parts, or all of it but publishing."""
    if point == "spooling":
        return _spooled(store) >= whole["spool"] / 2
    if point == "parts":
        return len([*store.glob("ingest/*/work/*-*.parquet")]) >= whole["parts"] / 2
    return bool([*store.glob("ingest/*/sources/00000.parquet")])


def _spooled(store: Path) -> int:
    return sum(map(_size, store.glob(".live-*/*")))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # the run it belongs to has just removed it
        return 0


def killed(point: str, command: list[str], store: Path, whole: dict[str, int]) -> dict[str, Any]:
    """Run a command until it is killed at a point; one that passes it between two looks is run again, `TRIES` times at most."""
    for _ in range(TRIES):
        shutil.rmtree(store, ignore_errors=True)
        told = watched(command, partial(reached, point, store, whole))
        if told["killed"] and not [*store.glob("ingest/*/manifest.json")]:
            return told
    raise AssertionError(f"{point}: the run was over too soon")


def contents(store: Path) -> dict[str, str]:
    """Return the hash of everything in a store by its path, folders too."""
    return {path.relative_to(store).as_posix(): _hash(path) for path in sorted(store.rglob("*"))}


def _hash(path: Path) -> str:
    if path.is_dir():
        return "folder"
    content = path.read_bytes()
    if path.name == "manifest.json":
        content = json.dumps({**json.loads(content), "run": None}).encode()
    return hashlib.sha256(content).hexdigest()


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("url")
    arguments.add_argument("rows", type=int)
    arguments.add_argument("--words", type=int, default=6)
    arguments.add_argument("--at", action="append", choices=POINTS)
    arguments.add_argument("--workers", default="2")
    arguments.add_argument("--filled", action="store_true")
    asked = arguments.parse_args()
    source = live_source(asked.url)
    assert source is not None, "no database's URL"
    assert source.address is not None
    if not asked.filled:
        fill(source.address, asked.rows, asked.words)
    command = [*PREP, "ingest", asked.url, "--table", "posts", "--text-column", "body", "--keep-columns", "title,score"]
    command += ["--name", "posts", "--workers", asked.workers, "-q", "--store"]
    with tempfile.TemporaryDirectory(prefix="prep-") as folder:
        undisturbed = Path(folder) / "undisturbed"
        whole = {"spool": 0, "parts": 0}

        def look() -> bool:
            whole["spool"] = max(whole["spool"], _spooled(undisturbed))
            return False

        told = watched([*command, str(undisturbed)], look)
        whole["parts"] = len([*undisturbed.glob("ingest/*/documents/*")])
        expected = contents(undisturbed)
        print(json.dumps({"run": "undisturbed", "rows": asked.rows, **told, **whole}), flush=True)
        for point in asked.at or POINTS:
            store = Path(folder) / point
            first = killed(point, [*command, str(store)], store, whole)
            left = sorted(path.name for path in store.glob(".live-*/*"))
            parts = len([*store.glob("ingest/*/work/*-*.parquet")])
            again = watched([*command, str(store)], lambda: False)
            found = contents(store)
            assert found == expected, f"{point}: {sorted(found.items() ^ expected.items())}"
            told = {"killed_after": first["seconds"], "left": [*left, f"{parts} parts"], "resumed_in": again["seconds"]}
            print(json.dumps({"run": point, **told, "peak_mb": again["peak_mb"], "same": True}), flush=True)


if __name__ == "__main__":
    main()
