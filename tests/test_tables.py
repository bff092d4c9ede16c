import gzip
import json
import sqlite3
import tracemalloc
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.cli import main
from pipeline.errors import SourceError
from pipeline.tables import Column, Table, facts, listing, notes, suggestion, tables_of

MYSQL = """-- MySQL dump
CREATE TABLE `users` (`id` int NOT NULL, `name` varchar(20), `at` datetime);
CREATE TABLE `posts` (`id` int, `price` decimal(12,2) unsigned, `body` text, `mood` enum('a','b') DEFAULT 'a', `raw` blob);
CREATE TABLE `empty` (`id` int);
INSERT INTO `users` VALUES (1,'bob','2020-01-01'),(2,NULL,'2020-01-01');
INSERT INTO `posts` VALUES (1,1.5,'hello there','a',0x00),(2,NULL,'so','a',NULL);
INSERT INTO `users` VALUES (3,'alice','2020-01-01');
INSERT INTO `posts` (`body`,`id`) VALUES ('four',4);
"""
EXPECTED = [
    Table("users", 3, [Column("id", "int"), Column("name", "varchar(20)", 4.0, 5), Column("at", "datetime")]),
    Table(
        "posts",
        3,
        [
            Column("id", "int"),
            Column("price", "decimal(12,2) unsigned"),
            Column("body", "text", 17 / 3, 11),
            Column("mood", "enum"),
            Column("raw", "blob"),
        ],
    ),
    Table("empty", 0, [Column("id", "int")]),
]


def dump_of(path: Path, text: str | bytes) -> str:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def test_rows_types_and_lengths_of_a_dump_are_told(tmp_path: Path) -> None:
    assert tables_of(dump_of(tmp_path / "a.sql", MYSQL)) == EXPECTED


def test_a_packed_dump_is_the_same(tmp_path: Path) -> None:
    assert tables_of(dump_of(tmp_path / "a.sql.gz", gzip.compress(MYSQL.encode()))) == EXPECTED


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=20))
def test_a_database_tells_what_its_dump_tells(tmp_path: Path, texts: list[str | None]) -> None:
    path = tmp_path / "a.db"
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT, n DECIMAL(3,1))")
        connection.executemany("INSERT INTO t (body, n) VALUES (?, 1.5)", [(text,) for text in texts])
    connection.close()
    given = [len(text.encode()) for text in texts if text is not None]
    body = Column("body", "text", pytest.approx(sum(given) / len(given) if given else 0), max(given, default=0))
    assert tables_of(str(path)) == [Table("t", len(texts), [Column("id", "integer"), body, Column("n", "decimal(3,1)")])]
    copied = "".join("\\N\n" if text is None else "x" * len(text.encode()) + "\n" for text in texts)
    dump = f"CREATE TABLE public.t (body text);\nCOPY public.t (body) FROM stdin;\n{copied}\\.\n"
    assert tables_of(dump_of(tmp_path / "a.sql", dump)) == [
        Table("t", len(texts), [Column("body", "text", body.mean if body.longest else 0.0, body.longest)])
    ]


def test_columns_without_create_table_are_told_by_their_cells(tmp_path: Path) -> None:
    assert tables_of(dump_of(tmp_path / "a.sql", "INSERT INTO t VALUES (1,'ab'),(2,'');")) == [
        Table("t", 2, [Column("column_1", ""), Column("column_2", "", 1.0, 2)])
    ]


def test_a_cut_dump_tells_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    found = tables_of(dump_of(tmp_path / "a.sql", "INSERT INTO t VALUES (1,'ab'),(2,'c"))
    assert [table.rows for table in found] == [1]
    assert notes(found) == ["t: 1 of its rows or statements cannot be read"]
    packed = gzip.compress("".join(f"INSERT INTO t VALUES ({n},'{n * n}');\n" for n in range(5000)).encode())
    found = tables_of(dump_of(tmp_path / "a.sql.gz", packed[:-1000]))
    assert 3000 < found[0].rows < 5000
    assert "Compressed file ended" in notes(found)[0]


def test_tables_of_one_name_are_told_with_their_schemas(tmp_path: Path) -> None:
    text = "INSERT INTO a.t VALUES (1);\nINSERT INTO b.t VALUES (2);\nINSERT INTO b.u VALUES (3);\n"
    assert [table.name for table in tables_of(dump_of(tmp_path / "a.sql", text))] == ["a.t", "b.t", "u"]


def test_the_suggested_command_names_the_column_with_most_text(tmp_path: Path) -> None:
    path = dump_of(tmp_path / "a.sql", MYSQL)
    assert suggestion("a.sql", tables_of(path)) == "prep ingest a.sql --table posts --text-column body"
    assert suggestion("a.sql", [Table("t", 3, [Column("id", "int")])]) == ""


def test_a_machine_and_a_reader_get_the_same_figures(tmp_path: Path) -> None:
    found = tables_of(dump_of(tmp_path / "a.sql", MYSQL))
    assert listing(found)[1][0] == ["users", "3", "id int, name varchar(20), at datetime", "name (mean 4, longest 5)"]
    told = facts("a.sql", found)
    assert [table["rows"] for table in told["tables"]] == [3, 3, 0]
    assert told["tables"][0]["columns"][1] == {"name": "name", "type": "varchar(20)", "mean": 4.0, "longest": 5}


def test_a_database_of_a_thousand_tables_is_told(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as connection:
        for n in range(1000):
            connection.execute(f'CREATE TABLE "t{n} ""x""" (a TEXT)')
    connection.close()
    assert [table.name for table in tables_of(str(tmp_path / "a.db"))] == [f't{n} "x"' for n in range(1000)]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.txt", b"Hi", "is text, which has no tables"),
        ("a.sql", b"", "holds no table"),
        ("a.sql", b"PGDMP\x01", "an archive of pg_dump"),
        ("a.db", b"SQLite format 3\0garbage" * 100, "a.db"),
        ("a.sql", b"/*!40101 SET NAMES sjis */;\n", "charset sjis"),
    ],
)
def test_what_has_no_tables_is_an_error_of_one_line(name: str, content: bytes, error: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=error) as raised:
        tables_of(dump_of(tmp_path / name, content))
    assert "\n" not in str(raised.value)


def test_names_are_told_in_the_encoding_that_is_given(tmp_path: Path) -> None:
    path = dump_of(tmp_path / "a.sql", 'COPY "größe" ("maß") FROM stdin;\nviel\n\\.\n'.encode("cp1252"))
    done = CliRunner().invoke(main, ["tables", path, "--encoding", "cp1252"])
    assert done.stdout.splitlines()[1] == "größe\t1\tmaß\tmaß (mean 4, longest 4)"


def test_a_database_knows_its_encoding(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("CREATE TABLE t (a TEXT)")
    done = CliRunner().invoke(main, ["tables", str(tmp_path / "a.db"), "--encoding", "cp1252"])
    assert done.stderr == f"Error: {tmp_path}/a.db is a database, which knows its encoding. Leave --encoding out.\n"


def test_several_files_are_an_error(tmp_path: Path) -> None:
    dump_of(tmp_path / "a.sql", MYSQL)
    with pytest.raises(SourceError, match="more than one file"):
        tables_of(str(tmp_path))


def test_many_tables_take_no_more_memory_than_one(tmp_path: Path) -> None:
    tables = "".join(f"CREATE TABLE `t{n}` (`a` int, `b` text);\n" for n in range(300))
    rows = "".join(f"INSERT INTO `t{n % 300}` VALUES ({n},'x');\n" for n in range(3000))
    path = dump_of(tmp_path / "a.sql", "-- MySQL dump\n" + tables + rows)
    tables_of(path)
    tracemalloc.start()
    found = tables_of(path)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [table.rows for table in found] == [10] * 300
    assert most < 50 << 20


def test_the_command_prints_lines_where_it_is_piped_or_json(tmp_path: Path) -> None:
    path = dump_of(tmp_path / "a.sql", MYSQL)
    done = CliRunner().invoke(main, ["tables", path])
    assert done.stdout.splitlines()[0] == "table\trows\tcolumns\tlongest texts (bytes)"
    assert done.stdout.splitlines()[-1] == f"prep ingest {path} --table posts --text-column body"
    told = json.loads(CliRunner().invoke(main, ["tables", path, "--json"]).stdout)
    assert told["command"] == done.stdout.splitlines()[-1]


def test_the_command_ends_in_one_line_where_there_is_nothing(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["tables", str(tmp_path / "none.sql")])
    assert (done.exit_code, done.stderr) == (1, f"Error: {tmp_path}/none.sql: no such file or folder. Check the path.\n")


def test_the_tables_of_a_duckdb_database_are_listed_with_their_texts(tmp_path):
    duckdb = pytest.importorskip("duckdb")
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE posts (id INTEGER, body VARCHAR); INSERT INTO posts VALUES (1, 'Grüße'), (2, NULL)")
    (table,) = tables_of(str(path))
    assert (table.name, table.rows) == ("posts", 2)
    assert [(column.name, column.type, column.mean, column.longest) for column in table.columns] == [
        ("id", "integer", 0.0, 0),
        ("body", "varchar", 7.0, 7),
    ]
