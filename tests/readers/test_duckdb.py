import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli import main
from pipeline.documents import STRING, Rejection, Rows
from pipeline.errors import SourceError
from pipeline.readers import format_of
from pipeline.readers.database import database
from pipeline.sources import Source

driver = pytest.importorskip("duckdb")


def made(folder: Path, *statements: str, name: str = "x.duckdb") -> Path:
    with driver.connect(str(folder / name)) as connection:
        for statement in statements:
            connection.execute(statement)
    return folder / name


def read(path: Path, **asked: Any) -> tuple[pa.Table, list[str], list[Rejection]]:
    found = list(database(Source(path.name, str(path)), **asked))
    rows = [part for part in found if isinstance(part, Rows)]
    table = pa.concat_tables([part.table for part in rows]) if rows else pa.table({})
    return table, [place for part in rows for place in part.places], [part for part in found if isinstance(part, Rejection)]


def test_the_only_table_is_read_and_numbered(tmp_path):
    path = made(tmp_path, "CREATE TABLE t (a VARCHAR)", "INSERT INTO t VALUES ('x'), (NULL)")
    table, places, rejected = read(path)
    assert (table.to_pylist(), places, rejected) == ([{"a": "x"}, {"a": None}], ["t:1", "t:2"], [])


@pytest.mark.parametrize(
    ("declared", "cell", "kind", "read_as"),
    [
        ("TINYINT", "5", pa.int64(), 5),
        ("UINTEGER", "4294967295", pa.int64(), 2**32 - 1),
        ("UBIGINT", "18446744073709551615", pa.uint64(), 2**64 - 1),
        ("HUGEINT", "170141183460469231731687303715884105727", STRING, str(2**127 - 1)),
        ("FLOAT", "0.5", pa.float64(), 0.5),
        ("DOUBLE", "'nan'", pa.float64(), "nan"),
        ("DECIMAL(9,2)", "1.5", STRING, "1.50"),
        ("BOOLEAN", "true", STRING, "true"),
        ("BLOB", "'\\xFF\\x00'::BLOB", pa.large_binary(), b"\xff\x00"),
        ("DATE", "'2024-02-29'", STRING, "2024-02-29"),
        ("TIMESTAMPTZ", "'2024-12-31 23:59:59.5+02'", STRING, "2024-12-31 21:59:59.5+00"),
        ("UUID", "'00000000-0000-0000-0000-00000000000f'", STRING, "00000000-0000-0000-0000-00000000000f"),
        ("VARCHAR[]", "['a', NULL]", STRING, "[a, NULL]"),
        ("STRUCT(a INTEGER, b VARCHAR)", "{'a': 1, 'b': 'x'}", STRING, "{'a': 1, 'b': x}"),
        ("ENUM ('a,b', 'c')", "'a,b'", STRING, "a,b"),
        ("BIT", "'10101'", STRING, "10101"),
    ],
)
def test_a_columns_type_is_that_of_other_databases(tmp_path, declared, cell, kind, read_as):
    table, _, _ = read(made(tmp_path, f"CREATE TABLE t (a {declared})", f"INSERT INTO t VALUES ({cell}), (NULL)"))
    found = table["a"].to_pylist()
    assert (table["a"].type, [str(found[0]) if read_as == "nan" else found[0], found[1]]) == (kind, [read_as, None])


def test_a_query_keeps_its_order_and_is_numbered(tmp_path):
    path = made(tmp_path, "CREATE TABLE t AS SELECT range AS n, 'x' || range AS s FROM range(50000)")
    table, places, _ = read(path, query="SELECT s, n * 2 AS twice FROM t WHERE n % 2 = 0 ORDER BY n DESC -- the even ones\n;")
    assert table.schema.types == [STRING, pa.int64()]
    assert table["twice"].to_pylist() == list(range(99996, -1, -4))
    assert (places[0], places[-1]) == ("query:1", "query:25000")


def test_tables_of_other_schemas_and_views_are_named(tmp_path):
    path = made(tmp_path, "CREATE SCHEMA s", "CREATE TABLE s.t AS SELECT 1 AS a", "CREATE VIEW v AS SELECT 2 AS a")
    assert read(path)[1] == ["s.t:1"]
    assert read(path, table="v")[0].to_pylist() == [{"a": 2}]


def test_a_duckdb_file_is_told_by_its_first_bytes(tmp_path):
    assert format_of(Source("x", str(made(tmp_path, "CREATE TABLE t (a INT)", name="x")))) == "database"


def test_a_packed_duckdb_file_is_unpacked(tmp_path):
    path = made(tmp_path, "CREATE TABLE t AS SELECT 1 AS a")
    (tmp_path / "y.duckdb.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert read(tmp_path / "y.duckdb.gz")[0].to_pylist() == [{"a": 1}]


def test_ids_begin_with_the_files_name(tmp_path):
    path = made(tmp_path, "CREATE TABLE t AS SELECT 'Hello' AS text")
    store = tmp_path / "store"
    assert CliRunner().invoke(main, ["ingest", str(path), "--store", str(store)]).exit_code == 0
    (file,) = store.glob("ingest/*/documents/*")
    assert pq.read_table(file).to_pylist() == [{"id": "x.duckdb:t:1", "text": "Hello", "source": "x.duckdb"}]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "holds 2 tables: posts, users. Choose one with --table posts."),
        ({"table": "post"}, "no table 'post'. Did you mean 'posts'? It has: posts, users."),
        ({"table": "posts", "query": "SELECT 1"}, "choose a table or a query, not both."),
        ({"query": "SELECT x FROM posts"}, 'the query fails: Binder Error: Referenced column "x" not found'),
        ({"query": "SELEC"}, "the query fails: Parser Error: "),
        ({"query": "SELECT 1 AS a, 2 AS a"}, "the query gives two columns named 'a'. Rename one with AS."),
        ({"query": "DELETE FROM posts"}, "the query is no single SELECT."),
        ({"query": "SELECT 1; SELECT 2"}, "the query is no single SELECT."),
        ({"query": "SELECT * FROM read_text('/etc/hostname')"}, "the query fails: Permission Error: "),
        ({"query": "SELECT CASE WHEN range = 90000 THEN error('late') END AS a FROM range(99999)"}, "the query fails: "),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(tmp_path, asked, said):
    path = made(tmp_path, "CREATE TABLE users (a INT)", "CREATE TABLE posts (b INT)")
    with pytest.raises(SourceError) as caught:
        read(path, **asked)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("of_all", [0.001, 0.1, 0.9])
def test_a_cut_duckdb_file_is_rejected(tmp_path, of_all):
    path = made(tmp_path, "CREATE TABLE t AS SELECT hash(range) AS a FROM range(200000)")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * of_all)])
    rejected = read(path)[2]
    assert [piece.error.partition(" (")[0] for piece in rejected] == ["damaged, encrypted or no DuckDB database"]
    assert "\n" not in rejected[0].error


def test_a_damaged_block_leaves_the_rows_before_it(tmp_path):
    path = made(tmp_path, "CREATE TABLE t AS SELECT hash(range)::VARCHAR AS a FROM range(2000000)")
    raw = bytearray(path.read_bytes())
    raw[len(raw) * 3 // 4 : len(raw) * 3 // 4 + 100] = b"\xff" * 100
    path.write_bytes(raw)
    table, places, (rejected,) = read(path)
    assert 0 < table.num_rows < 2_000_000
    assert rejected.place == f"t:{len(places) + 1}"


def test_a_duckdb_file_that_is_written_to_is_said_in_one_line(tmp_path):
    path = made(tmp_path, "CREATE TABLE t (a INT)")
    script = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"
    writer = subprocess.Popen([sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    writer.stdout.readline()
    with pytest.raises(SourceError, match=r"another program has it open\. Run again when it has finished\.$"):
        read(path)
    writer.communicate()


def test_an_encrypted_duckdb_file_is_rejected(tmp_path):
    attach = f"ATTACH '{tmp_path}/e.duckdb' AS e (ENCRYPTION_KEY 'quack')"
    made(tmp_path, "SET force_mbedtls_unsafe = 'true'", attach, "CREATE TABLE e.t (a INT)")
    (rejected,) = read(tmp_path / "e.duckdb")[2]
    assert rejected.error.startswith("damaged, encrypted or no DuckDB database (")


TEXT = st.none() | st.text(st.characters(codec="utf-8"), max_size=8)
CELLS = st.tuples(TEXT, st.none() | st.integers(-(2**63), 2**63 - 1), st.none() | st.binary(max_size=8))


@given(st.lists(CELLS, min_size=1, max_size=5))
def test_what_is_stored_comes_back(tmp_path_factory, cells):
    path = made(tmp_path_factory.mktemp("db"), "CREATE TABLE t (a VARCHAR, b BIGINT, c BLOB)")
    with driver.connect(str(path)) as connection:
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", cells)
    assert [tuple(row.values()) for row in read(path)[0].to_pylist()] == cells
