"""How fast a dump becomes rows and Parquet, against sqlparse on slices of the same dump, in one run.

`CORPUS` names a folder of Parquet files with `text`, else the texts of `data/samples` are repeated. `SQL_MB` is each dump's
size (64), `SLICES` the megabytes of it that `sqlparse.split` gets (1,4). Rows are whole texts, lines of texts, or a word with
numbers, dates and NULLs, as most tables have them: sqlparse's time goes by tokens, ours by bytes.

Parquet is written here as the parts of the ingest stage are: zstd, 32 MiB of rows at a time. "A core" divides by the processor
time of all threads. Prints figures, asserts that all rows are read; `pytest -s` shows them.
"""

import os
import resource
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlparse

from pipeline.documents import Rows
from pipeline.readers.csv import csv
from pipeline.readers.sql_dump import sql_dump
from pipeline.sources import Source

SIZE = int(float(os.environ.get("SQL_MB", "64")) * 1e6)
SLICES = [int(float(size) * 1e6) for size in os.environ.get("SLICES", "1,4").split(",")]
ROUNDS = 3
SAMPLES = Path(__file__).parents[2] / "data" / "samples" / "posts.csv"
MYSQL_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\0": "\\0", "\x1a": "\\Z"})
COPY_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\b": "\\b", "\f": "\\f"})


def texts() -> list[str]:
    """Return the texts that rows are made of."""
    if "CORPUS" in os.environ:
        files = sorted(Path(os.environ["CORPUS"]).glob("*.parquet"))
        return [text for file in files for text in pq.read_table(file, columns=["text"])["text"].to_pylist() if text]
    rows = (found for found in csv(Source("posts.csv", str(SAMPLES))) if isinstance(found, Rows))
    return [text for found in rows for text in found.table[found.table.column_names[-1]].to_pylist() if text]


def posts(kind: str) -> Iterator[tuple[Any, ...]]:
    """Return rows without end: number, date, text, score, and for `cells` an amount, a day or NULL, two numbers."""
    found = texts()
    if kind != "texts":
        found = [line for text in found for line in text.split("\n") if line.strip()]
    if kind == "cells":
        found = [line.split()[0][:12] for line in found]
    for number, text in enumerate(cycle(found), 1):
        row = number, f"2024-0{1 + number % 9}-1{number % 10} 10:20:{10 + number % 50}", text, number * 7919 % 1000
        day = f"20240{1 + number % 9}1{number % 10}" if number % 3 else None
        yield (*row, f"{number % 9973}.{10 + number % 90}", day, number % 2, number * 31) if kind == "cells" else row


def rest(row: tuple[Any, ...], comma: str, null: str = "NULL") -> str:
    """Write the cells behind the score, none of which is quoted."""
    return "".join(f"{comma}{null if cell is None else cell}" for cell in row[4:])


def mysql_cells(row: tuple[Any, ...]) -> str:
    return f"({row[0]},'{row[1]}','{row[2].translate(MYSQL_ESCAPES)}',{row[3]}{rest(row, ',')})"


def quoted(row: tuple[Any, ...]) -> str:
    text = row[2].replace("'", "''")
    return f"({row[0]}, '{row[1]}', '{text}', {row[3]}{rest(row, ', ')})"


def sqlite_cells(row: tuple[Any, ...]) -> str:
    text = row[2].replace("'", "''")
    if "\n" in text:
        text = text.replace("\n", "\\n")
        return f"({row[0]},'{row[1]}',replace('{text}','\\n',char(10)),{row[3]}{rest(row, ',')})"
    return f"({row[0]},'{row[1]}','{text}',{row[3]}{rest(row, ',')})"


def extended(rows: Iterator[tuple[Any, ...]]) -> Iterator[str]:
    """Write rows as mysqldump does: in statements of about 1 MB."""
    held = 0
    for row in rows:
        cells = mysql_cells(row)
        yield ("INSERT INTO `posts` VALUES\n" if not held else ",\n") + cells
        held += len(cells)
        if held > 1_000_000:
            yield ";\n"
            held = 0
    yield ";\n" if held else ""


def copied(rows: Iterator[tuple[Any, ...]]) -> Iterator[str]:
    yield "COPY public.posts FROM stdin;\n"
    for row in rows:
        cells = rest(row, "\t", "\\N")
        yield f"{row[0]}\t{row[1]}\t{row[2].translate(COPY_ESCAPES)}\t{row[3]}{cells}\n"
    yield "\\.\n"


MYSQL_HEAD = """-- MySQL dump 10.13
/*!40101 SET NAMES utf8mb4 */;
CREATE TABLE `posts` (`id` int NOT NULL, `at` datetime, `body` longtext, `score` int{more}, PRIMARY KEY (`id`)) ENGINE=InnoDB;
"""
POSTGRES_HEAD = """-- PostgreSQL database dump
SET standard_conforming_strings = on;
CREATE TABLE public.posts (id integer, at timestamp without time zone, body text, score integer{more});
"""
SQLITE_HEAD = """PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE posts(id INTEGER PRIMARY KEY, at TEXT, body TEXT, score INTEGER{more});
"""
DIALECTS: dict[str, tuple[str, Callable[[Iterator[tuple[Any, ...]]], Iterator[str]]]] = {
    "mysqldump": (MYSQL_HEAD, extended),
    "mysqldump --skip-extended-insert": (
        MYSQL_HEAD,
        lambda rows: (f"INSERT INTO `posts` VALUES {mysql_cells(row)};\n" for row in rows),
    ),
    "pg_dump": (POSTGRES_HEAD, copied),
    "pg_dump --inserts": (POSTGRES_HEAD, lambda rows: (f"INSERT INTO public.posts VALUES {quoted(row)};\n" for row in rows)),
    "sqlite3 .dump": (SQLITE_HEAD, lambda rows: (f"INSERT INTO posts VALUES{sqlite_cells(row)};\n" for row in rows)),
}


def write(path: Path, dialect: str, kind: str) -> int:
    """Write a dump of about `SIZE` bytes; return its rows."""
    head, body = DIALECTS[dialect]
    head = head.replace("{more}", ", amount numeric(9,2), day integer, flag smallint, bytes bigint" if kind == "cells" else "")
    count, room = 0, SIZE
    made = posts(kind)
    for row in made:
        room -= len(row[2].encode()) + 30 + 10 * len(row[4:])
        count += 1
        if room < 0:
            break
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(head)
        file.writelines(body(islice(posts(kind), count)))
    return count


def busy() -> float:
    """Return the processor time of this process so far, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def seconds(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    start = clock()
    work()
    return clock() - start


def read(path: Path) -> int:
    return sum(found.table.num_rows for found in sql_dump(Source("dump.sql", str(path))) if isinstance(found, Rows))


def to_parquet(path: Path, out: Path) -> None:
    held: list[pa.Table] = []
    part = 0
    tables = (found for found in sql_dump(Source("dump.sql", str(path)), table="posts") if isinstance(found, Rows))
    for found in tables:
        held.append(found.table)
        if sum(table.nbytes for table in held) >= 32 << 20:
            write_part(held, out / f"{part}.parquet")
            held, part = [], part + 1
    if held:
        write_part(held, out / f"{part}.parquet")


def write_part(tables: list[pa.Table], path: Path) -> None:
    pq.write_table(pa.concat_tables(tables).combine_chunks(), path, compression="zstd")


def ours(path: Path, out: Path) -> dict[str, float]:
    """Return megabytes a second, the best of `ROUNDS`: of the reader, and with Parquet, by clock and by core."""
    size = path.stat().st_size / 1e6
    works = {
        "reader": (lambda: read(path), time.perf_counter),
        "reader, a core": (lambda: read(path), busy),
        "Parquet": (lambda: to_parquet(path, out), time.perf_counter),
        "Parquet, a core": (lambda: to_parquet(path, out), busy),
    }
    return {name: max(size / seconds(work, clock) for _ in range(ROUNDS)) for name, (work, clock) in works.items()}


@pytest.mark.parametrize("kind", ["texts", "lines", "cells"])
def test_dumps_against_sqlparse(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "dump.sql"
    print(f"\nrows are {kind}; MB/s, and in brackets times sqlparse.split of {SLICES[0] / 1e6:g} MB")
    for dialect in DIALECTS:
        count = write(path, dialect, kind)
        assert read(path) == count
        text = path.read_bytes().decode()
        split = {cut: cut / 1e6 / seconds(partial(sqlparse.split, text[:cut]), busy) for cut in SLICES}
        figures = ours(path, tmp_path)
        print(f"{dialect} ({path.stat().st_size / 1e6:.0f} MB)")
        print("   ", ", ".join(f"{name} {speed:.0f} ({speed / split[SLICES[0]]:.0f} x)" for name, speed in figures.items()))
        slices = [f"sqlparse.split of {cut / 1e6:g} MB {speed:.2f}" for cut, speed in split.items()]
        print("   ", ", ".join(slices), flush=True)
