import gzip
import sqlite3
from contextlib import closing

import orjson
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents import STRING, Rejection, Rows
from pipeline.errors import SourceError
from pipeline.readers import database as module
from pipeline.readers.database import database, sniff
from pipeline.sources import Source


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
    assert (rows.table.to_pylist(), rows.places) == ([{"a": "x"}, {"a": None}], ["t:1", "t:2"])
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
    monkeypatch.setattr(module, "FIRST_BATCH", 1)
    rows, _ = read(made(tmp_path, "CREATE TABLE t (a INTEGER, b)", rows=[(None, None)] + [(1, "x")] * 3))
    assert len(rows) > 1
    assert {part.table.schema for part in rows} == {rows[0].table.schema}
    assert [place for part in rows for place in part.places] == ["t:1", "t:2", "t:3", "t:4"]


def test_a_row_with_a_cell_that_does_not_fit_is_rejected_with_its_cells(tmp_path):
    path = made(tmp_path, "CREATE TABLE t (a INTEGER, b TEXT)", rows=[(1, "x"), ("many", "y"), (3, "z")])
    (rows,), (rejected,) = read(path)
    assert (rows.table["a"].to_pylist(), rows.places) == ([1, 3], ["t:1", "t:3"])
    assert (rejected.place, orjson.loads(rejected.raw)) == ("t:2", {"a": "many", "b": "y"})
    assert rejected.error == "the column 'a' (int64) cannot hold many"


def test_a_text_that_is_not_utf8_is_rejected(tmp_path):
    path = made(tmp_path, "CREATE TABLE t (a TEXT)", "INSERT INTO t VALUES ('x'), (CAST(x'ff' AS TEXT)), ('y')")
    (rows,), (rejected,) = read(path)
    assert (rows.places, rejected.place) == (["t:1", "t:3"], "t:2")


def test_a_query_is_read_as_text(tmp_path):
    path = made(tmp_path, "CREATE TABLE t (a INTEGER)", rows=[(1,), (2,)])
    (rows,), _ = read(path, query="SELECT a * 2 AS b, 'x' AS c FROM t WHERE a > 1")
    assert (rows.table.to_pylist(), rows.places) == ([{"b": "4", "c": "x"}], ["query:1"])


def test_a_table_is_chosen_by_name(tmp_path):
    path = made(tmp_path, "CREATE TABLE t (a)", 'CREATE TABLE "odd ""name" (b)', 'INSERT INTO "odd ""name" VALUES (1)')
    (rows,), _ = read(path, table='odd "name')
    assert rows.places == ['odd "name:1']


def test_a_view_can_be_read(tmp_path):
    path = made(tmp_path, "CREATE TABLE t (a TEXT)", "CREATE VIEW v AS SELECT a FROM t", rows=[("x",)])
    (rows,), _ = read(path, table="v")
    assert rows.places == ["v:1"]


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


def test_a_packed_database_that_is_cut_is_rejected(tmp_path):
    path = made(tmp_path, "CREATE TABLE t (a TEXT)")
    (tmp_path / "x.db.gz").write_bytes(gzip.compress(path.read_bytes())[:-20])
    rows, (rejected,) = read(tmp_path / "x.db.gz")
    assert rows == []
    assert rejected.error.startswith("the file cannot be unpacked")


def test_a_file_that_is_no_database_is_rejected(tmp_path):
    (tmp_path / "x.db").write_bytes(b"nonsense" * 100)
    rows, rejected = read(tmp_path / "x.db")
    assert rows == []
    assert rejected == [Rejection("", "not a readable SQLite database (file is not a database)", b"")]


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
