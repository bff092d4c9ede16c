import bz2
import gzip
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pipeline.artifacts import Store
from pipeline.cli import main
from pipeline.documents import STRING, Rejection, Remark, Rows
from pipeline.engine.local import Local
from pipeline.errors import SourceError
from pipeline.readers.database import database, sniff, sqlite
from pipeline.run import Run
from pipeline.sources import Source
from pipeline.stages.ingest import ingest


def made(tmp_path, *statements, rows=()):
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT INTO t VALUES ({marks})", rows)
        connection.commit()
    return path


def read(path, **settings):
    got = list(database(Source(path.name, str(path)), **settings))
    return [part for part in got if isinstance(part, Rows)], [part for part in got if isinstance(part, Rejection)]


def test_the_only_table_is_read_and_numbered(tmp_path):
    (rows,), rejected = read(made(tmp_path, "CREATE TABLE t (a TEXT)", rows=[("x",), (None,)]))
    assert (rows.table.to_pylist(), list(rows.places)) == ([{"a": "x"}, {"a": None}], ["t:1", "t:2"])
    assert rejected == []


@pytest.mark.parametrize(
    ("declared", "cell", "kind", "read_as"),
    [
        ("INT", 5, pa.int64(), 5),
        ("double precision", 1, pa.float64(), 1.0),
        ("VARCHAR(9)", "é", STRING, "é"),
        ("BLOB", b"\xff", pa.large_binary(), b"\xff"),
        ("BLOB", "é", pa.large_binary(), "é".encode()),
        ("DATETIME", "2024-01-01", STRING, "2024-01-01"),
        ("DECIMAL", 1.5, STRING, "1.5"),
        ("", "x", STRING, "x"),
        ("", 7, STRING, "7"),
    ],
)
def test_a_columns_type_follows_its_declaration(tmp_path, declared, cell, kind, read_as):
    (rows,), _ = read(made(tmp_path, f"CREATE TABLE t (a {declared})", rows=[(cell,)]))
    assert (rows.table.schema.field("a").type, rows.table["a"].to_pylist()) == (kind, [read_as])


def test_types_are_the_same_in_every_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "FIRST_BATCH", 1)
    rows, _ = read(made(tmp_path, "CREATE TABLE t (a INTEGER, b)", rows=[(None, None)] + [(1, "x")] * 3))
    assert len(rows) > 1
    assert {part.table.schema for part in rows} == {rows[0].table.schema}
    assert [place for part in rows for place in part.places] == ["t:1", "t:2", "t:3", "t:4"]


@pytest.mark.parametrize(
    ("declared", "cells", "kind", "read_as"),
    [
        ("INTEGER", [1, "many", None, 2.5, 3], STRING, ["1", "many", None, "2.5", "3"]),
        ("REAL", [1.0, "none", 0.1], STRING, ["1", "none", "0.1"]),
        ("BLOB", [b"\xff", 7, 2.5, "x"], pa.large_binary(), [b"\xff", b"7", b"2.5", b"x"]),
    ],
)
def test_a_column_with_cells_of_other_types_keeps_them_all(tmp_path, declared, cells, kind, read_as):
    (rows,), rejected = read(made(tmp_path, f"CREATE TABLE t (a {declared})", rows=[(cell,) for cell in cells]))
    assert (rows.table["a"].type, rows.table["a"].to_pylist(), rejected) == (kind, read_as, [])


def test_a_column_that_becomes_text_is_told_once(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "FIRST_BATCH", 1)
    path = made(tmp_path, "CREATE TABLE t (a INTEGER, b TEXT)", rows=[(1, "x"), ("many", "y"), ("more", "z"), (4, "z")])
    found = list(database(Source("x.db", str(path))))
    assert [part for part in found if isinstance(part, Remark)] == [
        Remark("the column 'a' (int64) is read as text: it holds many at t:2")
    ]
    types = [part.table.schema.field("a").type for part in found if isinstance(part, Rows)]
    assert types == [pa.int64(), *[STRING] * (len(types) - 1)]


@pytest.mark.parametrize(("declared", "early", "texts"), [("INTEGER", 7, "7"), ("REAL", 7.0, "7"), ("REAL", 1e20, "1e+20")])
def test_a_column_that_becomes_text_late_looks_alike_in_all_documents(tmp_path, monkeypatch, declared, early, texts):
    monkeypatch.setattr(sqlite, "FIRST_BATCH", 1)
    path = made(tmp_path, f"CREATE TABLE t (a {declared}, text TEXT)", rows=[(early, "x"), ("many", "y"), (early, "z")])
    artifact = ingest([str(path)], "x", Run(Store(tmp_path / "store"), Local(1)), keep_columns=["a"])
    cells = [row for file in artifact.files("documents") for row in pq.read_table(file)["a"].to_pylist()]
    assert cells == [texts, "many", texts]
    assert artifact.manifest.rows["rejected"] == 0


def test_a_text_that_is_not_utf8_is_rejected(tmp_path):
    path = made(tmp_path, "CREATE TABLE t (a TEXT)", "INSERT INTO t VALUES ('x'), (CAST(x'ff' AS TEXT)), ('y')")
    (rows,), (rejected,) = read(path)
    assert (list(rows.places), rejected.place) == (["t:1", "t:3"], "t:2")
    assert (rejected.error, orjson.loads(rejected.raw)) == ("the column 'a' holds bytes that are not UTF-8", {"a": "\ufffd"})


def test_a_query_is_read_as_text(tmp_path):
    path = made(tmp_path, "CREATE TABLE t (a INTEGER)", rows=[(1,), (2,)])
    (rows,), _ = read(path, query="SELECT a * 2 AS b, 'x' AS c FROM t WHERE a > 1")
    assert (rows.table.to_pylist(), list(rows.places)) == ([{"b": "4", "c": "x"}], ["query:1"])


def test_a_table_is_chosen_by_name(tmp_path):
    path = made(tmp_path, "CREATE TABLE t (a)", 'CREATE TABLE "odd ""name" (b)', 'INSERT INTO "odd ""name" VALUES (1)')
    (rows,), _ = read(path, table='odd "name')
    assert list(rows.places) == ['odd "name:1']


def test_a_view_can_be_read(tmp_path):
    path = made(tmp_path, "CREATE TABLE t (a TEXT)", "CREATE VIEW v AS SELECT a FROM t", rows=[("x",)])
    (rows,), _ = read(path, table="v")
    assert list(rows.places) == ["v:1"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "holds 2 tables: posts, users. Choose one with --table posts."),
        ({"table": "post"}, "no table 'post'. Did you mean 'posts'? It has: posts, users."),
        ({"table": "posts", "query": "SELECT 1"}, "choose a table or a query, not both."),
        ({"query": "SELECT x FROM posts"}, "the query fails: no such column: x."),
        ({"query": "SELECT 1 AS a, 2 AS a"}, "the query gives two columns named 'a'. Rename one with AS."),
        ({"query": "DELETE FROM posts"}, "the query fails: attempt to write a readonly database."),
        ({"query": "SELECT 1; SELECT 2"}, "the query fails: You can only execute one statement at a time."),
        ({"query": "SELECT abs(-9223372036854775807 - column1) FROM (VALUES (0), (1))"}, "the query fails: integer overflow."),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(tmp_path, settings, said):
    path = made(tmp_path, "CREATE TABLE users (a)", "CREATE TABLE posts (b)")
    with pytest.raises(SourceError) as error:
        read(path, **settings)
    assert str(error.value).endswith(said)


def test_a_database_without_tables_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="holds no table"):
        read(made(tmp_path, "CREATE TABLE t (a)", "DROP TABLE t"))


def test_rows_still_in_the_write_ahead_log_are_read(tmp_path):
    path = made(tmp_path, "PRAGMA journal_mode = WAL", "CREATE TABLE t (a TEXT)")
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("INSERT INTO t VALUES ('x')")
        writer.commit()
        (rows,), _ = read(path)
    assert rows.table.to_pylist() == [{"a": "x"}]


def test_a_packed_database_is_unpacked(tmp_path):
    path = made(tmp_path, "CREATE TABLE t (a TEXT)", rows=[("x",)])
    (tmp_path / "x.db.gz").write_bytes(gzip.compress(path.read_bytes()))
    (rows,), _ = read(tmp_path / "x.db.gz")
    assert rows.table.to_pylist() == [{"a": "x"}]


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_a_packed_database_that_is_cut_is_rejected(tmp_path, ending, pack):
    path = made(tmp_path, "CREATE TABLE t (a TEXT)")
    (tmp_path / f"x.db{ending}").write_bytes(pack(path.read_bytes())[:-20])
    rows, (rejected,) = read(tmp_path / f"x.db{ending}")
    assert rows == []
    assert rejected.error.startswith("the file cannot be unpacked")


def test_a_file_that_is_no_database_or_encrypted_is_rejected(tmp_path):
    (tmp_path / "x.db").write_bytes(b"nonsense" * 100)
    rows, rejected = read(tmp_path / "x.db")
    assert rows == []
    assert rejected == [Rejection("", "damaged, encrypted or no SQLite database (file is not a database)", b"")]


def test_an_encrypted_database_is_said_in_one_line(tmp_path):
    (tmp_path / "x.db").write_bytes(b"\x8f\x11\xe3" * 4096)
    done = CliRunner().invoke(main, ["ingest", str(tmp_path / "x.db"), "--store", str(tmp_path / "store")])
    why = "damaged, encrypted or no SQLite database (file is not a database)"
    assert done.output == f"Error: no document was read: x.db: {why}\n"


@pytest.mark.parametrize("of_all", [0.02, 0.5, 0.99])
def test_of_a_cut_database_no_row_is_lost_silently(tmp_path, of_all):
    path = made(tmp_path, "CREATE TABLE t (a TEXT)", rows=[(f"{n}" * 100,) for n in range(2000)])
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * of_all)])
    rows, (rejected,) = read(path)
    assert sum(part.table.num_rows for part in rows) < 2000
    assert "database disk image is malformed" in rejected.error


@pytest.fixture
def writer(tmp_path):
    """Return a function that has another program open x.db, do something, and hold it open until the test ends."""
    started = []

    def start(*statements):
        script = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        script += "for statement in sys.argv[2:]: c.execute(statement)\nprint(flush=True)\nsys.stdin.read()"
        command = [sys.executable, "-c", script, str(tmp_path / "x.db"), *statements]
        started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        started[-1].stdout.readline()
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("query", [None, "SELECT a FROM t"])
def test_a_locked_database_is_said_in_one_line(tmp_path, monkeypatch, writer, query):
    monkeypatch.setattr(sqlite, "PATIENCE", 0.05)
    path = made(tmp_path, "CREATE TABLE t (a TEXT)", rows=[("x",)])
    writer("BEGIN EXCLUSIVE")
    with pytest.raises(SourceError, match=r"x\.db: another program has locked it\. Run again when it has finished\.$"):
        read(path, query=query)


def test_a_database_that_is_written_to_meanwhile_is_read_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "FIRST_BATCH", 1)
    path = made(tmp_path, "PRAGMA journal_mode = WAL", "CREATE TABLE t (a TEXT)", rows=[(f"{n}",) for n in range(20_000)])
    with closing(sqlite3.connect(path)) as other:
        other.execute("INSERT INTO t VALUES ('in the log')")
        other.commit()
        found = database(Source("x.db", str(path)))
        first = next(found)
        other.execute("DELETE FROM t")
        other.commit()
        assert first.table.num_rows + sum(part.table.num_rows for part in found) == 20_001


def test_a_database_whose_writer_was_killed_says_how_to_mend_it(tmp_path, writer):
    path = made(tmp_path, "CREATE TABLE t (a TEXT)", rows=[("x" * 1000,)] * 3000)
    process = writer("PRAGMA cache_size = 1", "BEGIN", "UPDATE t SET a = upper(a)")
    process.kill()
    process.wait()
    assert Path(f"{path}-journal").exists()
    with pytest.raises(SourceError, match=r"a program was stopped while it wrote .*Type: sqlite3 .* 'PRAGMA quick_check'$"):
        read(path)


def test_reading_leaves_no_file_beside_the_database(tmp_path):
    path = made(tmp_path, "PRAGMA journal_mode = WAL", "CREATE TABLE t (a TEXT)", rows=[("x",)])
    read(path)
    assert list(tmp_path.iterdir()) == [path]


def test_of_a_damaged_database_the_rows_before_the_damage_are_kept(tmp_path):
    path = made(tmp_path, "CREATE TABLE t (a TEXT)", rows=[(f"{n}" * 100,) for n in range(2000)])
    raw = bytearray(path.read_bytes())
    half = len(raw) // 2 // 4096 * 4096
    raw[half : half + 4096] = b"\xff" * 4096
    path.write_bytes(raw)
    rows, (rejected,) = read(path)
    count = sum(part.table.num_rows for part in rows)
    assert 0 < count < 2000
    assert rejected.place == f"t:{count + 1}"
    assert rejected.error == "the rest cannot be read (database disk image is malformed)"


def test_a_duckdb_file_without_its_driver_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "duckdb", None)
    (tmp_path / "x.db").write_bytes(b"checksumDUCK" + bytes(100))
    with pytest.raises(SourceError, match=r"x\.db: needs duckdb\. Type: pip install 'prep\[databases\]'$"):
        read(tmp_path / "x.db")


def test_a_database_is_told_by_its_magic_bytes():
    assert sniff(b"SQLite format 3\0")
    assert not sniff(b"SQLite")


TEXT = st.none() | st.text(st.characters(codec="utf-8"), max_size=8)
INTEGER = st.none() | st.integers(-(2**63), 2**63 - 1)
CELLS = st.tuples(TEXT, INTEGER, st.none() | st.binary(max_size=8), st.none() | st.floats(allow_nan=False))


@given(st.lists(CELLS, max_size=5))
def test_what_is_stored_comes_back(tmp_path_factory, cells):
    path = made(tmp_path_factory.mktemp("db"), "CREATE TABLE t (a TEXT, b INTEGER, c BLOB, d REAL)", rows=cells)
    rows, rejected = read(path)
    assert rejected == []
    assert [tuple(row.values()) for part in rows for row in part.table.to_pylist()] == cells
