import gzip
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.documents import Rejection, Rows
from pipeline.errors import SourceError
from pipeline.readers.sql_dump import sniff, sql_dump, window
from pipeline.sources import Source

TEXTS = [
    "",
    "plain",
    'it\'s "quoted" `so`',
    "''",
    "\\",
    "\\'",
    "ends in a backslash\\",
    "C:\\new\\table\\%\\_\\N",
    "\\N",
    "\\.",
    "line\nline\r\nline\r\ttab",
    "\nINSERT INTO other VALUES (1,'x');\nCOPY other (id) FROM stdin;\n1\n\\.\n",
    "');-- DROP TABLE posts;",
    "),(1,'x');",
    "/* no comment */ -- nor this # nor this",
    "$$ $tag$ x $tag$",
    "\b\f\v\x1a\x7f",
    "emoji 🙂 é ß 中文 \u2028",
    "replace('a\\nb','\\n',char(10))",
    "NULL",
    "0x41",
    "\\x41 \\101 \\u0041",
    "long " * 4000 + "'\\\n" * 50,
]
BLOBS = [b"", b"\x00", b"\x00\x01\xff'\\\n\t\r\x1a\"", bytes(range(256)), b"\\x41", b"\\N", b"plain", "é".encode()]


def dump_of(path: Path, text: str | bytes) -> Source:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Source(path.name, str(path), "sql_dump")


def read(source: Source, table: str | None = None) -> tuple[pa.Table, list[str], list[Rejection]]:
    found = list(sql_dump(source, table=table))
    rows = [piece for piece in found if isinstance(piece, Rows)]
    places = [place for piece in rows for place in piece.places]
    tables = [piece.table for piece in rows]
    return (pa.concat_tables(tables) if tables else pa.table({})), places, [p for p in found if isinstance(p, Rejection)]


def cells(source: Source, table: str | None = None) -> list[list[Any]]:
    rows, _, rejected = read(source, table)
    assert rejected == []
    return [list(row.values()) for row in rows.to_pylist()]


def padded(values: Sequence[Any], length: int) -> list[Any]:
    return [values[n % len(values)] for n in range(length)]


# --- MariaDB

MARIADB_TABLE = """CREATE TABLE nasty (
  `id` int NOT NULL AUTO_INCREMENT COMMENT 'it''s (a, "number")', `tiny` tinyint(1), `big` bigint unsigned,
  `small` mediumint(6) zerofill,
  `price` decimal(12,2) DEFAULT 0.00, `ratio` double, `single` float, `day` date, `at` datetime(6), `took` time, `y` year,
  `mood` enum('a,b','c)','it''s'), `tags` set('x','y'), `doc` json, `code` char(8), `name` varchar(255),
  `body` longtext CHARACTER SET utf8mb4,
  `raw` longblob, `short` varbinary(300), `four` binary(4), `bits` bit(10), `at point` point, `key` text,
  `signed` bigint, `shorter` smallint unsigned, `stamp` timestamp NULL, `u` uuid, `net` inet6, `little` tinyblob,
  `line` linestring,
  `twice` double GENERATED ALWAYS AS (`ratio` * 2) VIRTUAL,
  PRIMARY KEY (`id`), KEY `tiny` (`tiny`), UNIQUE KEY `u` (`id`,`tiny`), CONSTRAINT `sane` CHECK (`tiny` < 100)
)"""


MARIADB_INTEGERS, MARIADB_FLOATS = (0, 1, 2, 3, 23, 24), (5, 6, 30)
MARIADB_FORMS = [
    [],
    ["--skip-extended-insert"],
    ["--complete-insert"],
    ["--hex-blob"],
    ["--compact", "--skip-add-drop-table"],
    ["--insert-ignore", "--skip-opt", "--create-options"],
    ["--replace"],
    ["--order-by-primary", "--triggers", "--routines", "--databases"],
]


def typed(row: Sequence[Any], integers: Sequence[int], floats: Sequence[int]) -> list[Any]:
    """Turn the text that a server sends into what the reader gives."""
    kinds = {**dict.fromkeys(integers, int), **dict.fromkeys(floats, float)}
    return [kinds[n](cell) if n in kinds and cell is not None else cell for n, cell in enumerate(row)]


def mariadb_row(n: int, text: str, blob: bytes) -> list[Any]:
    numbers = [n, n % 2, 2**64 - n, n, f"{n}.50", -n / 3 * 10.0 ** (n * 5 - 50), 0.1 * n]
    times = ["2024-02-29", "2024-12-31 23:59:59.000123", "-12:34:56", 1999]
    words = ["it's", "x,y", '{"a": "\\"quoted\\" \\n"}', text[:8].strip(), text[:255], text]
    return [*numbers, *times, *words, blob, blob, blob[:4], n * 37, f"POINT({n} -{n}.5)", text[::-1], *mariadb_rest(n)]


def mariadb_rest(n: int) -> list[Any]:
    blob = BLOBS[n % len(BLOBS)][:255]
    return [-(2**63) + n, 65535 - n, "2024-06-01 12:00:00", f"{n:032x}", f"2001:db8::{n:x}", blob, f"LINESTRING(0 0,{n} 1)"]


@pytest.fixture(scope="module")
def filled_mariadb(mariadb: Any) -> Iterator[tuple[Any, list[list[Any]]]]:
    import pymysql

    connection = pymysql.connect(unix_socket=mariadb.socket, user="root", database="test", charset="utf8mb4")
    with connection, connection.cursor() as cursor:
        cursor.execute(MARIADB_TABLE)
        names = "id,tiny,big,small,price,ratio,single,day,at,took,y,mood,tags,doc,code,name,body,raw,short,four,bits"
        names += ",`at point`,`key`,signed,shorter,stamp,u,net,little,line"
        marks = ",".join(["%s"] * 21 + ["ST_PointFromText(%s)"] + ["%s"] * 7 + ["ST_LineFromText(%s)"])
        for n, text in enumerate(TEXTS):
            blob = BLOBS[n % len(BLOBS)]
            cursor.execute(f"INSERT INTO nasty ({names}) VALUES ({marks})", mariadb_row(n + 1, text, blob))
        cursor.execute("INSERT INTO nasty (id) VALUES (99)")
        cursor.execute("CREATE TABLE `we``ird` (`a'b` int)")
        connection.commit()
        connection.decoders = {}  # every cell as the text that the server sends
        cursor.execute("SET time_zone = '+00:00'")  # a dump's
        cursor.execute(f"SELECT {names},twice FROM nasty ORDER BY id")
        yield mariadb, [typed(row, MARIADB_INTEGERS, MARIADB_FLOATS) for row in cursor.fetchall()]


@pytest.mark.server
@pytest.mark.parametrize("form", MARIADB_FORMS, ids=" ".join)
def test_every_cell_of_a_mariadb_dump_is_what_select_returns(filled_mariadb, form: list[str], tmp_path: Path) -> None:
    server, expected = filled_mariadb
    tables = ["test"] if form[-1:] == ["--databases"] else ["test", "nasty"]
    dump = dump_of(tmp_path / "dump.sql", server.run("mariadb-dump", *form, *tables))
    assert cells(dump, "nasty") == expected


@pytest.mark.server
def test_rows_of_a_trigger_in_a_dump_are_no_rows(mariadb, tmp_path: Path) -> None:
    mariadb.run("mariadb", "-e", "CREATE DATABASE IF NOT EXISTS triggers; CREATE TABLE triggers.log (a int, b text)")
    body = "CREATE TRIGGER t BEFORE INSERT ON log FOR EACH ROW BEGIN SET NEW.b = ';'; INSERT INTO x VALUES (1); END"
    mariadb.run("mariadb", "triggers", stdin=f"INSERT INTO log VALUES (1, 'x');\nDELIMITER ;;\n{body};;\n".encode())
    dump = dump_of(tmp_path / "dump.sql", mariadb.run("mariadb-dump", "--routines", "triggers"))
    assert cells(dump) == [[1, "x"]]


@pytest.mark.server
def test_a_latin1_mariadb_dump_is_decoded(filled_mariadb, tmp_path: Path) -> None:
    server, _ = filled_mariadb
    server.run("mariadb", "test", "-e", "CREATE TABLE old (t text) CHARSET latin1; INSERT INTO old VALUES (0xE980819F)")
    dump = server.run("mariadb-dump", "--default-character-set=latin1", "test", "old")
    assert b"\xe9\x80\x81" in dump
    assert cells(dump_of(tmp_path / "dump.sql", dump)) == [["é€\x81Ÿ"]]


# --- PostgreSQL

POSTGRES_TABLE = """CREATE SCHEMA "Odd ""schema"; CREATE TYPE mood AS ENUM ('a,b', 'it''s');
CREATE TYPE pair AS (number integer, word text);
CREATE TABLE "Odd ""schema"."nasty; table" (
  id integer PRIMARY KEY, big bigint, small smallint, price numeric(12,2) DEFAULT 0.0 CHECK (price > -1),
  ratio double precision, single real,
  flag boolean DEFAULT true, day date, at timestamp with time zone, took interval, feeling mood, doc jsonb,
  plain json, code character(8),
  name character varying(300) DEFAULT 'a, (b)'::character varying, body text, raw bytea, bits bit(5), uuid uuid,
  list text[], numbers integer[], local timestamp, clock time, zoned timetz, net inet, block cidr, hardware macaddr, markup xml,
  spot point, area polygon, span int4range, pair pair, paid money, many bit varying(9), search tsvector, key bigserial,
  "strange ""name" text, twice double precision GENERATED ALWAYS AS (ratio * 2) STORED,
  CONSTRAINT "some, check" CHECK (id > 0)
)"""
POSTGRES_INTEGERS, POSTGRES_FLOATS = (0, 1, 2, 35), (4, 5)
POSTGRES_AS_THEY_ARE = (13, 16)  # char(n)::text loses its blanks; bytes
POSTGRES_FORMS = [
    [],
    ["--inserts"],
    ["--column-inserts"],
    ["--inserts", "--rows-per-insert=7"],
    ["--inserts", "--on-conflict-do-nothing"],
]
POSTGRES_NAMES = [
    *("id", "big", "small", "price", "ratio", "single", "flag", "day", "at", "took", "feeling", "doc", "plain", "code"),
    *(
        "name",
        "body",
        "raw",
        "bits",
        "uuid",
        "list",
        "numbers",
        "local",
        "clock",
        "zoned",
        "net",
        "block",
        "hardware",
        "markup",
    ),
    *("spot", "area", "span", "pair", "paid", "many", "search", "key", '"strange ""name"'),
]


def postgres_row(n: int, text: str, blob: bytes) -> list[Any]:
    ratio = [float("nan"), float("inf"), float("-inf")][n] if n < 3 else -n / 3 * 10.0 ** (n * 5 - 50)
    numbers = [n + 1, -(2**63) + n, -n, f"{n}.50", ratio, 0.1 * n, n % 2 == 0]
    times = ["2024-02-29", "2024-12-31 23:59:59.000123+02", "1 day 02:03:04"]
    words = ["it's", '{"a": "\\"quoted\\" \\n"}', '{"b":  "\\\\"}', text[:8], text[:300], text]
    return [*numbers, *times, *words, blob, "10101", f"{n:032x}", [text, None, "a,b"], [n, None], *postgres_rest(n), text[::-1]]


def postgres_rest(n: int) -> list[Any]:
    times, nets = ["1999-01-01 00:00:00.5", "12:34:56.5", "12:34:56+02"], ["10.0.0.1/8", "2001:db8::/32", "08:00:2b:01:02:03"]
    shapes = ["<a b='c'>it's\n&amp;</a>", "(1,2.5)", "((0,0),(1,1),(1,0))", f"[{n},{n + 5})", '(1,"it\'s ""a"", b\\\\c")']
    return [*times, *nets, *shapes, f"{n}.25", "0101", "'it''s':1 b:2", 2**40 + n]


@pytest.fixture(scope="module")
def filled_postgres(postgres: Any) -> tuple[Any, list[list[Any]]]:
    import psycopg

    table = '"Odd ""schema"."nasty; table"'
    with psycopg.connect(host=postgres.socket, user="postgres", dbname="postgres", autocommit=True) as connection:
        connection.execute(POSTGRES_TABLE)
        insert = f"INSERT INTO {table} ({','.join(POSTGRES_NAMES)}) VALUES ({','.join(['%s'] * len(POSTGRES_NAMES))})"
        for n, text in enumerate(TEXTS):
            connection.execute(insert, postgres_row(n, text, BLOBS[n % len(BLOBS)]))
        connection.execute(f"INSERT INTO {table} (id) VALUES (99)")
        asked = [name if n in POSTGRES_AS_THEY_ARE else f"{name}::text" for n, name in enumerate(POSTGRES_NAMES)]
        rows = connection.execute(f"SELECT {','.join(asked)} FROM {table} ORDER BY {table}.id").fetchall()
    return postgres, [typed(row, POSTGRES_INTEGERS, POSTGRES_FLOATS) for row in rows]


def as_dumped(rows: list[list[Any]], inserts: bool) -> list[list[Any]]:
    """Booleans stay as the dump writes them; NaN is told by its text."""
    flags = {"true": "true" if inserts else "t", "false": "false" if inserts else "f", None: None}
    return [[flags[cell] if n == 6 else repr(cell) if n == 4 else cell for n, cell in enumerate(row)] for row in rows]


@pytest.mark.server
@pytest.mark.parametrize("form", POSTGRES_FORMS, ids=" ".join)
def test_every_cell_of_a_postgresql_dump_is_what_select_returns(filled_postgres, form: list[str], tmp_path: Path) -> None:
    server, expected = filled_postgres
    dump = dump_of(tmp_path / "dump.sql", server.run("pg_dump", *form, "-t", '"Odd ""schema"."nasty; table"', "postgres"))
    found = [[repr(cell) if n == 4 else cell for n, cell in enumerate(row)] for row in cells(dump, "nasty; table")]
    assert found == as_dumped(expected, bool(form))


@pytest.mark.server
def test_rows_in_the_body_of_a_postgresql_function_are_no_rows(postgres, tmp_path: Path) -> None:
    postgres.run("psql", "-c", "CREATE DATABASE bodies")
    body = "INSERT INTO tiny VALUES ('a;'); SELECT CASE WHEN true THEN 1 END"
    atomic = f"CREATE FUNCTION f() RETURNS void LANGUAGE sql BEGIN ATOMIC {body}; END;"
    dollar = "CREATE FUNCTION g() RETURNS void LANGUAGE sql AS $_$\nINSERT INTO tiny VALUES (';');\n$_$;"
    postgres.run("psql", "bodies", "-c", f"CREATE TABLE tiny (a text); INSERT INTO tiny VALUES ('x'); {atomic} {dollar}")
    for form in POSTGRES_FORMS:
        assert cells(dump_of(tmp_path / "dump.sql", postgres.run("pg_dump", *form, "bodies"))) == [["x"]]


@pytest.mark.server
def test_a_latin1_postgresql_dump_is_decoded(postgres, tmp_path: Path) -> None:
    postgres.run("psql", "-c", "CREATE TABLE old (t text)", "-c", "INSERT INTO old VALUES (U&'\\00e9')")
    dump = postgres.run("pg_dump", "--encoding=LATIN1", "-t", "old", "postgres")
    assert b"\xe9" in dump
    assert cells(dump_of(tmp_path / "dump.sql", dump)) == [["é"]]


# --- SQLite


def sqlite_dump(path: Path, script: str, rows: Sequence[Sequence[Any]] = ()) -> Source:
    if shutil.which("sqlite3") is None:
        pytest.skip("sqlite3's shell is not installed")
    path.unlink(missing_ok=True)
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
        for row in rows:
            connection.execute(f"INSERT INTO t VALUES ({','.join('?' * len(row))})", row)
    connection.close()
    return dump_of(path.with_suffix(".sql"), subprocess.run(["sqlite3", path, ".dump"], capture_output=True, check=True).stdout)


def test_every_cell_of_a_sqlite_dump_is_what_select_returns(tmp_path: Path) -> None:
    blobs = padded(BLOBS, len(TEXTS))
    rows = [(n, text, blobs[n], 10.0 ** (n * 7) / 3, text[::-1]) for n, text in enumerate(TEXTS)]
    rows += [(-(2**63), None, None, None, None), (2**63 - 1, "x", b"", float("inf"), "y"), (99, "x", b"", float("-inf"), "y")]
    table = "CREATE TABLE t('id' INTEGER PRIMARY KEY, \"b, c\" TEXT DEFAULT 'a,(', [d e] BLOB, f DOUBLE, g, h AS (id + 1));"
    dump = sqlite_dump(
        tmp_path / "a.db", table + "CREATE TRIGGER x AFTER DELETE ON t BEGIN DELETE FROM z; INSERT INTO z VALUES(1); END;", rows
    )
    assert cells(dump) == sorted(map(list, rows))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1, max_size=20))
def test_any_text_comes_back_from_a_sqlite_dump(tmp_path: Path, texts: list[str]) -> None:
    assert cells(sqlite_dump(tmp_path / "a.db", "CREATE TABLE t(a TEXT);", [(text,) for text in texts])) == [[t] for t in texts]


@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), blob=st.binary())
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back_from_mysql_escapes_copy_fields_and_unistr(tmp_path: Path, text: str, blob: bytes) -> None:
    escapes = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\x1a": "\\Z"}
    mysql = "".join(escapes.get(char, char) for char in text)
    prefixed = f"0x{blob.hex()}" if blob else "''"
    dump = "CREATE TABLE `t` (`a` text, `b` blob, `c` blob);\n"
    dump += f"INSERT INTO `t` VALUES ('{mysql}',{prefixed},X'{blob.hex()}');\n"
    assert cells(dump_of(tmp_path / "a.sql", dump)) == [[text, blob, blob]]
    escapes = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\b": "\\b"}
    field = "".join(escapes.get(char, char) for char in text)
    dump = f"CREATE TABLE t (a text, b bytea);\nCOPY t (a, b) FROM stdin;\n{field}\t\\\\x{blob.hex()}\n\\.\n"
    assert cells(dump_of(tmp_path / "a.sql", dump)) == [[text, blob]]
    escaped = "".join(f"\\u{ord(c):04x}" if c < " " else "\\\\" if c == "\\" else "''" if c == "'" else c for c in text)
    dump = f"PRAGMA foreign_keys=OFF;\nCREATE TABLE t(a TEXT);\nINSERT INTO t VALUES(unistr('{escaped}'));\n"
    assert cells(dump_of(tmp_path / "a.sql", dump)) == [[text]]


def test_sqlites_own_tables_do_not_count(tmp_path: Path) -> None:
    dump = sqlite_dump(tmp_path / "a.db", "CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO t VALUES(7);")
    assert cells(dump) == [[7]]


def test_a_cell_that_is_not_of_its_columns_type_is_rejected_with_its_row(tmp_path: Path) -> None:
    dump = sqlite_dump(
        tmp_path / "a.db", "CREATE TABLE t(a INTEGER, b TEXT); INSERT INTO t VALUES(1,'x'),('no','y'),(3,x'ff'),(4,'z');"
    )
    rows, places, rejected = read(dump)
    assert rows["a"].to_pylist() == [1, 4]
    assert places == ["t:1", "t:4"]
    assert [(r.place, r.error.split(": ")[1], r.raw) for r in rejected] == [
        ("t:2", "column 'a' holds what is no int64", b"('no','y')"),
        ("t:3", "column 'b' holds bytes that are not UTF-8", b"(3,X'ff')"),
    ]


# --- any dump

MYSQL_DUMP = """/*M!999999\\- enable the sandbox mode */
-- MariaDB dump 10.19
/*!40101 SET NAMES utf8mb4 */;
CREATE TABLE `posts` (`id` int NOT NULL, `body` text, `raw` blob, PRIMARY KEY (`id`)) ENGINE=InnoDB;
LOCK TABLES `posts` WRITE;
INSERT INTO `posts` VALUES
(1,'it\\'s; ''so'' é🙂',_binary 'a\\0'),
(2,NULL,0x00FF),(3,'(x),(y)\\\\',''); INSERT INTO `posts` VALUES (4,'last',NULL);
UNLOCK TABLES;
-- Dump completed
"""
MYSQL_ROWS = [[1, "it's; 'so' é🙂", b"a\0"], [2, None, b"\0\xff"], [3, "(x),(y)\\", b""], [4, "last", None]]
COPY_DUMP = """-- PostgreSQL database dump
\\restrict x'y
SET standard_conforming_strings = on;
CREATE TABLE public.posts (id integer, body text, raw bytea);
COPY public.posts (id, body, raw) FROM stdin;
1\tit's; ''so''\\té🙂\t\\\\x6100
2\t\\N\t\\\\x00ff
3\t\\\\N\t\\\\x
\\.

ALTER TABLE ONLY public.posts ADD CONSTRAINT posts_pkey PRIMARY KEY (id);
"""
COPY_ROWS = [[1, "it's; ''so''\té🙂", b"a\0"], [2, None, b"\0\xff"], [3, "\\N", b""]]
SQLITE_DUMP = """PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE posts(id INTEGER PRIMARY KEY, body TEXT, raw BLOB);
INSERT INTO posts VALUES(1,replace('it''s; ''so''\\né🙂','\\n',char(10)),X'6100');
INSERT INTO posts VALUES(2,NULL,X'00ff');
INSERT INTO posts VALUES(3,unistr('\\u000a\\\\'),X'');
COMMIT;
"""
SQLITE_ROWS = [[1, "it's; 'so'\né🙂", b"a\0"], [2, None, b"\0\xff"], [3, "\n\\", b""]]
DUMPS = pytest.mark.parametrize(
    ("text", "expected"),
    [(MYSQL_DUMP, MYSQL_ROWS), (COPY_DUMP, COPY_ROWS), (SQLITE_DUMP, SQLITE_ROWS)],
    ids=["mysql", "copy", "sqlite"],
)


@DUMPS
def test_a_dump_cut_anywhere_loses_the_cut_row_alone(text: str, expected: list[list[Any]], tmp_path: Path) -> None:
    whole, seen = text.encode(), []
    for stop in range(len(whole) + 1):
        rows, places, rejected = read(dump_of(tmp_path / "posts.sql", whole[:stop]))
        found = [list(row.values()) for row in rows.to_pylist()]
        assert found == expected[: len(found)]
        assert places == [f"posts:{n}" for n in range(1, len(found) + 1)]
        assert len(rejected) <= 1
        assert not rejected or whole[:stop].endswith(rejected[0].raw)
        seen.append(len(found))
    assert seen == sorted(seen)
    assert seen[-1] == len(expected)
    assert set(seen) == set(range(len(expected) + 1))


@DUMPS
def test_rows_are_the_same_however_the_stream_is_cut_into_blocks(
    text: str, expected: list[list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = dump_of(tmp_path / "posts.sql", text)
    for block in range(1, 80):
        monkeypatch.setattr(window.Window.__init__, "__defaults__", (block,))
        assert cells(source) == expected


@DUMPS
def test_a_dump_without_create_table_gives_texts(text: str, expected: list[list[Any]], tmp_path: Path) -> None:
    text = "".join(line for line in text.splitlines(keepends=True) if not line.startswith("CREATE"))
    rows, _, _ = read(dump_of(tmp_path / "posts.sql", text))
    assert set(rows.schema.types) == {pa.large_string()}
    assert rows.column_names == (["id", "body", "raw"] if "COPY" in text else ["column_1", "column_2", "column_3"])


@pytest.mark.parametrize("text", ["INSERT INTO t VALUES (1,f('a'", "COPY t FROM stdin;\n1\ta"])
def test_a_dump_cut_in_its_first_row_without_create_table_ends(text: str, tmp_path: Path) -> None:
    rows, _, rejected = read(dump_of(tmp_path / "a.sql", text))
    assert rows.num_rows == 0
    assert ["in the middle of a row" in rejection.error for rejection in rejected] == [True]


def test_a_batch_holds_at_most_ten_thousand_rows_and_numbers_go_on(tmp_path: Path) -> None:
    dump = dump_of(tmp_path / "a.sql", "INSERT INTO t VALUES (0)" + "".join(f",({n})" for n in range(1, 25_000)) + ";")
    batches = [piece for piece in sql_dump(dump) if isinstance(piece, Rows)]
    assert [len(piece.places) for piece in batches] == [10_000, 10_000, 5_000]
    assert batches[-1].places[-1] == "t:25000"


def test_a_row_longer_than_the_buffer_is_read(tmp_path: Path) -> None:
    long = "x'" * (3 * window.BLOCK // 2)
    dump = dump_of(tmp_path / "a.sql", f"INSERT INTO t VALUES ('{long.replace(chr(39), chr(39) * 2)}'),('b');")
    assert cells(dump) == [[long], ["b"]]


@pytest.mark.parametrize("form", ["INSERT INTO t VALUES (1,'a'),(2),(3,'c');", "COPY t FROM stdin;\n1\ta\n2\n3\tc\n\\.\n"])
def test_a_row_with_too_few_cells_is_rejected(form: str, tmp_path: Path) -> None:
    rows, places, rejected = read(dump_of(tmp_path / "a.sql", "CREATE TABLE t (a int, b text);\n" + form))
    assert rows["a"].to_pylist() == [1, 3]
    assert places == ["t:1", "t:3"]
    assert [(r.place, r.error.split(": ")[1], r.raw.strip()) for r in rejected] in (
        [("t:2", "1 cells in a row of 2", b"(2)")],
        [("t:2", "1 cells in a row of 2", b"2")],
    )


def test_rows_of_an_insert_that_names_a_foreign_column_are_rejected(tmp_path: Path) -> None:
    text = "CREATE TABLE t (a int, b text);\nINSERT INTO t (b, a) VALUES ('x', 1);\nINSERT INTO t (c) VALUES (2),(3);\n"
    rows, places, rejected = read(dump_of(tmp_path / "a.sql", text + "INSERT INTO t (a) VALUES (4);"))
    assert rows.to_pylist() == [{"a": 1, "b": "x"}, {"a": 4, "b": None}]
    assert places == ["t:1", "t:4"]
    assert [(r.place, r.error.split(": ")[1], r.raw) for r in rejected] == [
        ("t:2", "the table has no column 'c'", b"INSERT INTO t (c) VALUES (2)"),
        ("t:3", "the table has no column 'c'", b"INSERT INTO t (c) VALUES (3)"),
    ]


def test_invalid_utf8_is_rejected_with_the_place_in_the_file(tmp_path: Path) -> None:
    _, places, rejected = read(dump_of(tmp_path / "a.sql", b"INSERT INTO t VALUES ('a'),('\xff'),('c');"))
    assert places == ["t:1", "t:3"]
    assert rejected == [Rejection("t:2", "byte 27: column 'column_1' holds bytes that are not UTF-8", b"('\xff')")]


def test_an_expression_and_an_insert_without_values_are_rejected_and_the_rest_goes_on(tmp_path: Path) -> None:
    text = "INSERT INTO t VALUES (1),(now()),(3);\nINSERT INTO t SELECT 'x;';\nINSERT INTO t VALUES (5);"
    _, places, rejected = read(dump_of(tmp_path / "a.sql", text))
    assert places == ["t:1", "t:3", "t:5"]
    assert [(r.place, r.raw) for r in rejected] == [("t:2", b"(now())"), ("t:4", b"INSERT INTO t SELECT 'x;';")]


def test_a_cut_gz_gives_the_rows_before_the_cut(tmp_path: Path) -> None:
    text = "".join(f"INSERT INTO t VALUES ({n},'{n * n}');\n" for n in range(5000)).encode()
    dump = dump_of(tmp_path / "a.sql.gz", gzip.compress(text)[:-1000])
    rows, places, rejected = read(dump)
    assert rows.num_rows > 3000
    assert places[-1] == f"t:{rows.num_rows}"
    assert "Compressed file ended" in rejected[-1].error


TWO = (
    "INSERT INTO a.t VALUES (1);\nINSERT INTO b.t VALUES (2);\nCREATE TABLE b.empty (x int);\nINSERT INTO b.users VALUES (3);\n"
)


@pytest.mark.parametrize(
    ("table", "expected"), [("a.t", [["1"]]), ("b.t", [["2"]]), ("users", [["3"]]), ("b.users", [["3"]]), ("empty", [])]
)
def test_a_table_is_chosen_bare_or_with_its_schema(table: str, expected: list[list[str]], tmp_path: Path) -> None:
    assert cells(dump_of(tmp_path / "a.sql", TWO), table) == expected


@pytest.mark.parametrize(
    ("table", "error"),
    [
        (None, "holds 3 tables: a.t, b.t, b.users. Choose one with --table a.t."),
        ("user", "no table 'user'. Did you mean 'users'? It holds: a.t, b.t, b.users, b.empty."),
        ("t", "has both a.t and b.t. Choose one with --table."),
    ],
)
def test_an_unclear_table_is_an_error_that_names_them(table: str | None, error: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as raised:
        list(sql_dump(dump_of(tmp_path / "a.sql", TWO), table=table))
    assert error in str(raised.value)


@pytest.mark.parametrize(
    ("head", "error"),
    [
        (b"PGDMP\x01", "pg_restore --file=dump.sql"),
        (b"SQLite format 3\0", "sqlite3"),
        ("INSERT".encode("utf-16"), "UTF-16"),
        (b"/*!40101 SET NAMES sjis */;\n", "charset sjis"),
    ],
)
def test_what_is_no_plain_dump_is_an_error_that_says_what_to_do(head: bytes, error: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=error):
        list(sql_dump(dump_of(tmp_path / "a.dump", head)))


@pytest.mark.parametrize("text", [MYSQL_DUMP, COPY_DUMP, SQLITE_DUMP, "-- mine\n\nINSERT INTO t VALUES (1);"])
def test_a_dump_is_known_by_its_first_bytes(text: str) -> None:
    assert sniff(text.encode())


@pytest.mark.parametrize("text", ["", "<html>", "id,text\n1,INSERT INTO t", '{"a": "CREATE TABLE"}', "-- \nnotes"])
def test_other_files_are_no_dumps(text: str) -> None:
    assert not sniff(text.encode())
