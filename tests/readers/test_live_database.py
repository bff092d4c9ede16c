"""Live databases: a running PostgreSQL, a running MariaDB, and what must hold of both."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.artifacts import Store
from pipeline.cli import main
from pipeline.documents import STRING, Rejection, Rows
from pipeline.engine.local import Local
from pipeline.errors import SourceError
from pipeline.ingesting.plan import default_name
from pipeline.readers.live_database import answers, live_database, mysql, postgresql
from pipeline.readers.live_database.address import address, live_source
from pipeline.readers.live_database.spool import Digest, scratch
from pipeline.run import Run
from pipeline.stages.ingest import ingest
from pipeline.tables import Column, Table, facts, suggestion, tables_of

PASSWORD = "s3cr3t/p@ss:#%w"
TEXTS = ["", "plain", "\\N", "\\.", "\\n is no newline", "tab\tline\nline\r\n", "\b\f\v\\", "é 🙂 中文", "'\"", "t" * 70_000]
BLOBS = [b"", b"\x00", bytes(range(256)), b"\\x41", b"\n\t\\N"]


@dataclass(frozen=True)
class Live:
    """A server in a test: its programs' client, and URLs of one of its databases."""

    server: Any
    database: str

    def sql(self, script: str) -> str:
        if self.postgres:
            return self.server.run("psql", "-qAt", "-v", "ON_ERROR_STOP=1", self.database, stdin=script.encode()).decode()
        return self.server.run(
            "mariadb", "-N", "--default-character-set=utf8mb4", self.database, stdin=script.encode()
        ).decode()

    @property
    def postgres(self) -> bool:
        return "postgres" in self.server.options

    def url(self, user: str = "", password: str = "", database: str = "") -> str:
        who = f"{user or ('postgres' if self.postgres else 'root')}{':' + quote(password, '') if password else ''}"
        name = database or self.database
        if self.postgres:
            return f"postgresql://{who}@/{name}?host={self.server.socket}"
        return f"mariadb://{who}@localhost/{name}?unix_socket={self.server.socket}"

    def source(self, **other: str) -> Any:
        return live_source(self.url(**other))

    def read(self, **asked: str) -> tuple[pa.Table, list[str], list[Rejection]]:
        found = list(live_database(self.source(), **asked))
        rows = [piece for piece in found if isinstance(piece, Rows)]
        table = pa.concat_tables([piece.table for piece in rows]) if rows else pa.table({})
        return table, [place for piece in rows for place in piece.places], [r for r in found if isinstance(r, Rejection)]


@pytest.fixture
def pg(postgres: Any) -> Iterator[Live]:
    """An empty database of PostgreSQL, with a user `guarded` who needs a password."""
    rules = Path(postgres.socket) / "data" / "pg_hba.conf"
    if "guarded" not in rules.read_text():
        rules.write_text(f"local all guarded scram-sha-256\n{rules.read_text()}")
        sql = f"CREATE ROLE guarded SUPERUSER LOGIN PASSWORD '{PASSWORD}'; SELECT pg_reload_conf();"
        postgres.run("psql", "postgres", stdin=sql.encode())
    postgres.run("psql", "-c", "CREATE DATABASE live", "postgres")
    yield Live(postgres, "live")
    postgres.run("psql", "-c", "DROP DATABASE live WITH (FORCE)", "postgres")


@pytest.fixture
def maria(mariadb: Any) -> Iterator[Live]:
    """An empty database of MariaDB, with a user `guarded` who needs a password."""
    sql = f"CREATE USER IF NOT EXISTS guarded IDENTIFIED BY '{PASSWORD}'; GRANT SELECT ON *.* TO guarded;"
    mariadb.run("mariadb", stdin=f"{sql} CREATE DATABASE live CHARACTER SET utf8mb4".encode())
    yield Live(mariadb, "live")
    mariadb.run("mariadb", "-e", "DROP DATABASE live")


@pytest.fixture(params=["pg", "maria"])
def live(request: pytest.FixtureRequest) -> Live:
    """Either server."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(Store(tmp_path / "store"), Local(1))


def documents(made: Any) -> list[dict[str, Any]]:
    return [row for file in made.files("documents") for row in pq.read_table(file).to_pylist()]


def bytes_of(made: Any) -> dict[str, str]:
    return {entry["path"]: entry["sha256"] for entry in made.manifest.files}


POSTS = "CREATE TABLE posts (id int PRIMARY KEY, body text); INSERT INTO posts VALUES (17, 'Hello'), (4, 'World'), (5, NULL);"

# --- what comes back

POSTGRES_TABLE = """CREATE TYPE mood AS ENUM ('a,b', 'it''s');
CREATE TABLE nasty (
  id integer PRIMARY KEY, big bigint, small smallint, ratio double precision, single real, price numeric(12,2), flag boolean,
  day date, at timestamptz, local timestamp, clock time, took interval, feeling mood, doc jsonb, plain json, code char(8),
  name varchar(300), body text, raw bytea, bits bit(5), uuid uuid, list text[], numbers int[], point point, net inet,
  markup xml, "strange ""name" text, twice double precision GENERATED ALWAYS AS (ratio * 2) STORED
)"""
POSTGRES_TYPES = {
    **dict.fromkeys(("id", "big", "small"), pa.int64()),
    **dict.fromkeys(("ratio", "single", "twice"), pa.float64()),
    "raw": pa.large_binary(),
}


def postgres_row(n: int) -> list[Any]:
    text, blob = TEXTS[n % len(TEXTS)], BLOBS[n % len(BLOBS)]
    ratio = [float("nan"), float("inf"), float("-inf")][n] if n < 3 else -n / 3 * 10.0 ** (n * 5 - 50)
    times = ["2024-02-29", "2024-12-31 23:59:59.000123+02", "1999-01-01 00:00:00", "12:34:56.5", "1 day 02:03:04"]
    words = ["it's", '{"a": "\\"quoted\\" \\n"}', '{"b":  "\\\\"}', text[:8], text[:300], text]
    rest = [blob, "10101", f"{n:032x}", [text, None, "a,b"], [n, None], "(1,2.5)", "10.0.0.0/8", "<a>x</a>", text[::-1]]
    return [n, -(2**63) + n, -n, ratio, 0.1 * n, f"{n}.50", n % 2 == 0, *times, *words, *rest]


@pytest.mark.server
def test_every_cell_of_a_postgresql_table_is_what_select_shows(pg: Live) -> None:
    import psycopg

    with psycopg.connect(host=pg.server.socket, user="postgres", dbname="live") as connection:
        connection.execute(POSTGRES_TABLE)
        marks = ",".join(["%s"] * 27)
        for n in range(13):
            connection.execute(f"INSERT INTO nasty VALUES ({marks})", postgres_row(n))
        connection.execute("INSERT INTO nasty (id) VALUES (99)")
        connection.commit()
        names = [row[0] for row in connection.execute("SELECT attname FROM pg_attribute WHERE attrelid = 'nasty'::regclass "
                                                      "AND attnum > 0 ORDER BY attnum")]  # fmt: skip
        connection.execute("SET TimeZone = 'UTC'")
        columns = []
        for name in names:
            quoted = '"' + name.replace('"', '""') + '"'
            asked = quoted if name in POSTGRES_TYPES else f"format('%s', {quoted})"  # char(n)::text loses its blanks
            cells = connection.execute(f"SELECT CASE WHEN {quoted} IS NULL THEN NULL ELSE {asked} END FROM nasty ORDER BY id")
            columns.append([cell for (cell,) in cells])
    table, places, rejected = pg.read(table="nasty")
    assert rejected == []
    assert table.column_names == names
    assert {name: table[name].type for name in names} == {name: POSTGRES_TYPES.get(name, STRING) for name in names}
    assert places == [f"nasty:{n}" for n in [*range(13), 99]]
    for name, expected in zip(names, columns, strict=True):
        found = table[name].to_pylist()
        if name in ("ratio", "single", "twice"):
            found, expected = [repr(cell) for cell in found], [repr(cell) for cell in expected]
        assert found == expected, name


MARIADB_TABLE = """CREATE TABLE nasty (
  id int PRIMARY KEY, tiny tinyint(1), big bigint unsigned, signed bigint, small mediumint(6) zerofill, price decimal(12,2),
  ratio double, single float, day date, at datetime(6), stamp timestamp NULL, took time, y year, mood enum('a,b','it''s'),
  tags set('x','y'), doc json, code char(8), name varchar(255), body longtext, old text CHARACTER SET latin1, raw longblob,
  short varbinary(300), four binary(4), bits bit(10), place point, u uuid, twice double GENERATED ALWAYS AS (ratio * 2) VIRTUAL
)"""
MARIADB_TYPES = {
    **dict.fromkeys(("id", "tiny", "signed", "small"), pa.int64()),
    "big": pa.uint64(),
    **dict.fromkeys(("ratio", "single", "twice"), pa.float64()),
    **dict.fromkeys(("raw", "short", "four", "bits", "place"), pa.large_binary()),
}


def mariadb_row(n: int) -> list[Any]:
    text, blob = TEXTS[n % len(TEXTS)], BLOBS[n % len(BLOBS)]
    numbers = [n, n % 2, 2**64 - 1 - n, -(2**63) + n, n, f"{n}.50", -n / 3 * 10.0 ** (n * 5 - 30), 0.1 * n]
    times = ["2024-02-29", "2024-12-31 23:59:59.000123", "2024-06-01 12:00:00", "-12:34:56", 1999]
    words = ["it's", "x,y", '{"a": "\\"quoted\\" \\n"}', text[:8].strip(), text[:255], text, "é€"]
    return [*numbers, *times, *words, blob, blob, blob[:4], n * 37, f"POINT({n} -{n}.5)", f"{n:032x}"]


@pytest.mark.server
def test_every_cell_of_a_mariadb_table_is_what_select_shows(maria: Live) -> None:
    import pymysql

    maria.sql(MARIADB_TABLE)
    how = {"unix_socket": maria.server.socket, "user": "root", "database": "live", "charset": "utf8mb4"}
    with pymysql.connect(**how) as connection, connection.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00'")
        marks = ",".join([*["%s"] * 24, "ST_PointFromText(%s)", "%s"])
        names = (
            "id,tiny,big,signed,small,price,ratio,single,day,at,stamp,took,y,mood,tags,doc,code,name,body,old,raw,short,four"
        )
        for n in range(13):
            cursor.execute(f"INSERT INTO nasty ({names},bits,place,u) VALUES ({marks})", mariadb_row(n))
        cursor.execute("INSERT INTO nasty (id) VALUES (99)")
        connection.commit()
        connection.decoders = {}  # every cell as the text that the server sends
        cursor.execute("SELECT * FROM nasty ORDER BY id")
        expected = [list(row) for row in cursor.fetchall()]
    table, places, rejected = maria.read(table="nasty")
    assert rejected == []
    assert {field.name: field.type for field in table.schema} == {
        name: MARIADB_TYPES.get(name, STRING) for name in table.column_names
    }
    assert places == [f"nasty:{n}" for n in [*range(13), 99]]
    kinds = {pa.int64(): int, pa.uint64(): int, pa.float64(): float}
    made = [kinds.get(kind, lambda same: same) for kind in table.schema.types]
    typed = [[None if cell is None else make(cell) for cell, make in zip(row, made, strict=True)] for row in expected]
    as_bytes = lambda cell: cell.encode("latin-1") if isinstance(cell, str) else cell
    binary = [pa.types.is_large_binary(kind) for kind in table.schema.types]
    typed = [[as_bytes(cell) if raw else cell for cell, raw in zip(row, binary, strict=True)] for row in typed]
    assert [list(row.values()) for row in table.to_pylist()] == typed


@pytest.mark.server
def test_a_query_has_the_types_of_its_columns_and_numbers(live: Live) -> None:
    live.sql(POSTS)
    table, places, _ = live.read(
        query="SELECT id, body, id / 2.0 AS half FROM posts WHERE body IS NOT NULL ORDER BY id -- all\n; "
    )
    assert [(row["id"], row["body"]) for row in table.to_pylist()] == [(4, "World"), (17, "Hello")]
    assert (table.schema.types, places) == ([pa.int64(), STRING, STRING], ["query:1", "query:2"])


@pytest.mark.server
def test_a_table_without_a_key_is_numbered_and_a_key_of_two_columns_is_joined(live: Live) -> None:
    live.sql("CREATE TABLE t (a int, b text); INSERT INTO t VALUES (2, 'x'), (1, 'y');")
    live.sql("CREATE TABLE k (a int, b varchar(9), PRIMARY KEY (b, a)); INSERT INTO k VALUES (2, 'x'), (1, 'y');")
    assert live.read(table="t")[1] == ["t:1", "t:2"]
    assert live.read(table="k")[1] == ["k:x,2", "k:y,1"]


@pytest.mark.server
def test_an_empty_table_has_no_rows(live: Live) -> None:
    live.sql("CREATE TABLE t (a int)")
    assert live.read() == (pa.table({}), [], [])


@pytest.mark.server
def test_a_text_that_is_not_utf8_is_rejected(pg: Live) -> None:
    pg.server.run("psql", "-c", "CREATE DATABASE old ENCODING 'SQL_ASCII' TEMPLATE template0", "postgres")
    old = Live(pg.server, "old")
    old.sql("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x'), (2, E'\\xff'), (3, 'y')")
    table, places, (rejected,) = old.read()
    assert (table["id"].to_pylist(), places) == ([1, 3], ["t:1", "t:3"])
    assert rejected == Rejection("t:2", "the column 'a' holds bytes that are not UTF-8", b'{"id":"2","a":"\\\\xff"}')
    pg.server.run("psql", "-c", "DROP DATABASE old", "postgres")


@pytest.mark.server
def test_tables_of_other_schemas_are_named_with_them(pg: Live) -> None:
    pg.sql("CREATE SCHEMA s; CREATE TABLE s.t (a text); CREATE TABLE t (a text); INSERT INTO s.t VALUES ('in s')")
    assert pg.read(table="s.t")[0].to_pylist() == [{"a": "in s"}]
    assert pg.read(table="public.t")[0].num_rows == 0
    assert pg.read(table="t")[0].num_rows == 0


@pytest.mark.server
def test_the_tables_of_a_server_have_their_rows_and_longest_texts(live: Live) -> None:
    mark = '"' if live.postgres else "`"
    live.sql(f"CREATE TABLE {mark}odd name{mark} (id integer, body text, {mark}a b{mark} varchar(20))")
    live.sql(f"INSERT INTO {mark}odd name{mark} VALUES (1, 'Hé', 'x'), (2, 'Hello', NULL)")
    live.sql("CREATE TABLE void (at date); CREATE VIEW seen AS SELECT 1 AS one")
    integer, varchar = ("integer", "character varying(20)") if live.postgres else ("int(11)", "varchar(20)")
    columns = [Column("id", integer), Column("body", "text", 4.0, 5), Column("a b", varchar, 1.0, 1)]
    assert tables_of(live.url()) == [Table("odd name", 2, columns), Table("void", 0, [Column("at", "date")])]


@pytest.mark.server
def test_a_table_of_another_schema_is_listed_as_ingest_takes_it(pg: Live) -> None:
    pg.sql("CREATE SCHEMA s; CREATE TABLE s.t (a text); INSERT INTO s.t VALUES ('in s')")
    assert [(table.name, table.rows) for table in tables_of(pg.url())] == [("s.t", 1)]


@pytest.mark.server
def test_a_server_without_tables_is_told(live: Live) -> None:
    with pytest.raises(SourceError, match=r"/live holds no table\.$"):
        tables_of(live.url())


def test_the_suggested_command_shows_no_password() -> None:
    found = [Table("posts", 1, [Column("body", "text", 2.0, 2)])]
    assert suggestion("mysql://me@host/shop", found) == "prep ingest mysql://me@host/shop --table posts --text-column body"
    assert "secret" not in str(facts("mysql://me:secret@host/shop", found))


@given(cells=st.lists(st.tuples(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | st.none(),
                                st.binary() | st.none()), min_size=1, max_size=20))  # fmt: skip
@settings(max_examples=200, deadline=None)
def test_any_cell_comes_back_from_the_lines_of_copy(cells: list[tuple[str | None, bytes | None]]) -> None:
    escapes = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\b": "\\b", "\f": "\\f"}
    lines = []
    for text, blob in cells:
        field = "\\N" if text is None else "".join(escapes.get(char, char) for char in text)
        raw = "\\N" if blob is None else "\\\\x" + blob.hex()
        lines.append(f"{field}\t{raw}\n".encode())
    table = postgresql._table(lines, [("a", STRING), ("b", pa.large_binary())])
    assert [(None if a is None else a.decode(), b) for a, b in zip(*table.to_pydict().values(), strict=True)] == cells


# --- identity


@pytest.mark.server
def test_ids_name_database_table_and_key_and_columns_ride_along(live: Live, run: Run) -> None:
    live.sql(POSTS)
    made = ingest([live.url()], "posts", run, table="posts", text_column="{id}: {body}", keep_columns=["id"])
    assert documents(made) == [
        {"id": "live:posts:4", "text": "4: World", "source": "live", "own_id": 4},
        {"id": "live:posts:5", "text": "5: ", "source": "live", "own_id": 5},
        {"id": "live:posts:17", "text": "17: Hello", "source": "live", "own_id": 17},
    ]


@pytest.mark.server
def test_an_id_column_gives_the_ids(live: Live, run: Run) -> None:
    live.sql(POSTS)
    made = ingest([live.url()], "posts", run, text_column="body", id_column="id")
    assert [row["id"] for row in documents(made)] == ["4", "17"]
    assert made.manifest.rows == {"in": 3, "kept": 2, "removed": 0, "rejected": 1}


@pytest.mark.server
def test_the_same_rows_are_not_read_into_the_store_twice_and_changed_ones_are(live: Live, run: Run) -> None:
    live.sql(POSTS)
    made = ingest([live.url()], "posts", run, text_column="body")
    before = {path: path.stat().st_ino for path in made.path.rglob("*")}
    assert ingest([live.url()], "posts", run, text_column="body").ref == made.ref
    (source,) = pq.read_table(made.files("sources")[0]).to_pylist()
    assert (source["name"], source["format"], source["bytes"]) == ("live", "live_database", 14)
    assert {path: path.stat().st_ino for path in made.path.rglob("*")} == before
    live.sql("UPDATE posts SET body = 'new' WHERE id = 5")
    assert ingest([live.url()], "posts", run, text_column="body").ref != made.ref


@pytest.mark.server
def test_the_server_does_not_enter_the_identity(live: Live, run: Run) -> None:
    live.sql(POSTS)
    made = ingest([live.url()], "posts", run, text_column="body")
    assert ingest([live.url(user="guarded", password=PASSWORD)], "posts", run, text_column="body").ref == made.ref
    if live.postgres:
        live.sql("ALTER DATABASE live SET TimeZone = 'Asia/Tokyo'; ALTER DATABASE live SET DateStyle = 'German'")
    query = "SELECT id, body FROM posts ORDER BY id"
    assert ingest([live.url()], "posts", run, text_column="body", query=query).ref != made.ref


@pytest.mark.server
def test_a_table_of_another_name_has_another_identity(live: Live, run: Run) -> None:
    live.sql(POSTS)
    made = ingest([live.url()], "posts", run, text_column="body")
    live.sql("ALTER TABLE posts RENAME TO letters")
    assert documents(ingest([live.url()], "posts", run, text_column="body"))[0]["id"] == "live:letters:4"
    assert documents(made)[0]["id"] == "live:posts:4"


def test_the_hash_of_rows_does_not_depend_on_their_batches() -> None:
    table = pa.table({"a": pa.array([b"x", None, b"", b"yz"], pa.large_binary())})
    whole, cut, other = (Digest(answers.Answer("t", {"a": STRING}, [], iter(()))) for _ in range(3))
    whole.update(table)
    for start in range(4):
        cut.update(table.slice(start, 1))
    other.update(pa.table({"a": pa.array([b"x", b"", None, b"yz"], pa.large_binary())}))
    assert whole.hexdigest() == cut.hexdigest() != other.hexdigest()


@pytest.mark.server
def test_rows_are_of_one_snapshot(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql, "BATCH", 1)
    monkeypatch.setattr(mysql, "BATCH", 1)
    live.sql("CREATE TABLE t (a int PRIMARY KEY, b text)")
    live.sql("INSERT INTO t VALUES " + ",".join(f"({n}, '{'x' * 1000}')" for n in range(5000)))
    found = live_database(live.source())
    first = next(found)
    live.sql("DELETE FROM t WHERE a >= 2500")
    assert isinstance(first, Rows)
    assert sum(piece.table.num_rows for piece in found if isinstance(piece, Rows)) == 4999


@pytest.mark.server
def test_a_reading_that_is_given_up_leaves_the_server_free(live: Live) -> None:
    live.sql("CREATE TABLE t (a int PRIMARY KEY, b text)")
    live.sql("INSERT INTO t VALUES " + ",".join(f"({n}, '{'x' * 1000}')" for n in range(30_000)))
    found = live_database(live.source())
    next(found)
    found.close()
    live.sql("DROP TABLE t")


@pytest.mark.server
def test_a_connection_that_breaks_in_the_middle_is_said_in_one_line(live: Live) -> None:
    live.sql("CREATE TABLE t (a int PRIMARY KEY, b text)")
    live.sql("INSERT INTO t VALUES " + ",".join(f"({n}, '{'x' * 1000}')" for n in range(30_000)))
    found = live_database(live.source())
    next(found)
    if live.postgres:
        live.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COPY%'")
    else:
        number = live.sql("SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT * FROM `t`%'").strip()
        live.sql(f"KILL {number}")
    with pytest.raises(SourceError, match=r"the query fails: .*\.$") as caught:
        list(found)
    assert "\n" not in str(caught.value)


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.parametrize("points", [("parts",), ("spooling", "publishing")], ids=str)
def test_runs_killed_while_spooling_while_forming_and_before_publishing_go_on_to_the_same_bytes(
    live: Live, points: tuple[str, ...]
) -> None:
    script = Path(__file__).parents[1] / "benchmarks" / "live_databases.py"
    command = [sys.executable, str(script), live.url(), "20000", "--words", "60"]
    command += [word for point in points for word in ("--at", point)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    runs = [orjson.loads(line) for line in done.stdout.splitlines()]
    assert [(found["run"], found.get("same")) for found in runs[1:]] == [(point, True) for point in points]


@pytest.mark.server
def test_a_table_that_changed_after_a_kill_makes_another_artifact_and_the_draft_stays(live: Live, tmp_path: Path) -> None:
    live.sql(POSTS)
    script = "import os, pipeline.stages.ingest as i\nfrom pipeline.cli import main\n"
    script += "def die(*_): os.kill(os.getpid(), 9)\ni._finish = die\nmain()"
    store = tmp_path / "store"
    flags = ["ingest", live.url(), "--text-column", "body", "--store", str(store), "-q"]
    assert subprocess.run([sys.executable, "-c", script, *flags], check=False, capture_output=True).returncode == -9
    (draft,) = store.glob("ingest/*")
    live.sql("UPDATE posts SET body = 'new' WHERE id = 5")
    made = ingest([live.url()], "live", Run(Store(store), Local(1)), text_column="body")
    assert [row["text"] for row in documents(made)] == ["World", "new", "Hello"]
    assert sorted(store.glob("ingest/*")) == sorted([draft, made.path])
    assert list(store.glob(".live-*")) == []


def test_a_folder_that_another_run_holds_is_left_alone(tmp_path: Path) -> None:
    with scratch(tmp_path) as one, scratch(tmp_path) as other:
        assert one.is_dir()
        assert one != other
    assert list(tmp_path.iterdir()) == []


# --- what cannot be had, and the password


@pytest.mark.server
@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({}, "live holds 2 tables: posts, users. Choose one with --table posts."),
        ({"table": "post"}, "live: no table 'post'. Did you mean 'posts'? It has: posts, users."),
        ({"table": "posts", "query": "SELECT 1"}, "choose a table or a query, not both."),
        ({"query": "SELECT 1 AS a, 2 AS a"}, "the query gives two columns named 'a'. Rename one with AS."),
        ({"query": "SELECT x FROM posts"}, "the query fails: "),
        ({"query": "SELEC"}, "the query fails: "),
        ({"query": "SELECT 1 AS a; SELECT 2 AS b"}, "the query fails: "),
        ({"query": "DELETE FROM posts"}, "the query "),
    ],
)
def test_what_cannot_be_asked_is_said_in_one_line(live: Live, asked: dict[str, str], said: str) -> None:
    live.sql("CREATE TABLE posts (id int); CREATE TABLE users (id int); INSERT INTO posts VALUES (1)")
    with pytest.raises(SourceError) as caught:
        live.read(**asked)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert live.sql("SELECT count(*) FROM posts").strip() == "1"


WRITES = ["INSERT INTO posts VALUES (2)", "UPDATE posts SET id = 2", "DELETE FROM posts", "DROP TABLE posts",
          "TRUNCATE TABLE posts", "ALTER TABLE posts ADD COLUMN b int", "CREATE TABLE other AS SELECT * FROM posts",
          "SELECT id FROM posts FOR UPDATE", "INSERT INTO posts VALUES (2) RETURNING id"]  # fmt: skip


@pytest.mark.server
@pytest.mark.parametrize("query", WRITES)
def test_a_query_that_writes_is_refused(live: Live, query: str) -> None:
    live.sql("CREATE TABLE posts (id int); INSERT INTO posts VALUES (1)")
    with pytest.raises(SourceError, match=r"live: the query (gives no rows\. Write a SELECT|fails: .*(?i:read.only).*)\.$"):
        live.read(query=query)
    assert live.sql("SELECT * FROM posts").strip() == "1"
    listed = live.sql("SELECT table_name FROM information_schema.tables WHERE table_schema IN ('public', 'live')")
    assert listed.strip() == "posts"


@pytest.mark.server
def test_what_a_function_of_a_query_writes_is_not_kept(pg: Live) -> None:
    pg.read(query="SELECT lo_create(0) AS made")
    assert pg.sql("SELECT count(*) FROM pg_largeobject_metadata").strip() == "0"


@pytest.mark.server
def test_a_query_without_rows_is_said_in_one_line(live: Live, tmp_path: Path) -> None:
    live.sql(POSTS)
    assert live.read(query="SELECT id, body FROM posts WHERE id > 99") == (pa.table({}), [], [])
    asked = ["--query", "SELECT id, body FROM posts WHERE id > 99", "--text-column", "body", "--store", str(tmp_path / "store")]
    done = CliRunner().invoke(main, ["ingest", live.url(), *asked])
    assert done.output == "Error: no document was read: the sources hold no rows.\n"


@pytest.mark.server
def test_a_query_that_fails_after_many_rows_is_said_in_one_line_and_leaves_nothing(live: Live, tmp_path: Path) -> None:
    numbers = "generate_series(1, 60000) AS g(n)" if live.postgres else "(SELECT seq AS n FROM seq_1_to_60000) g"
    query = f"SELECT n, 9223372036854775807 + (CASE WHEN n = 60000 THEN 1 ELSE 0 END) AS big FROM {numbers}"
    store = tmp_path / "store"
    url = live.url(user="guarded", password=PASSWORD)
    done = CliRunner().invoke(main, ["ingest", url, "--query", query, "--text-column", "n", "--store", str(store)])
    assert done.exit_code == 1
    assert re.fullmatch(r"Error: \w+://[^ ]*/live: the query fails: .*out of range.*\n", done.output)
    assert [path for path in store.rglob("*") if path.is_file()] == []


@pytest.mark.server
def test_a_table_cannot_be_dropped_while_it_is_read(live: Live) -> None:
    live.sql("CREATE TABLE t (a int PRIMARY KEY, b text)")
    live.sql("INSERT INTO t VALUES " + ",".join(f"({n}, '{'x' * 1000}')" for n in range(30_000)))
    found = live_database(live.source())
    first = next(found)
    patience = "SET lock_timeout = '200ms'" if live.postgres else "SET lock_wait_timeout = 1"
    with pytest.raises(AssertionError, match=r"(?i)lock"):
        live.sql(f"{patience}; DROP TABLE t")
    assert isinstance(first, Rows)
    assert first.table.num_rows + sum(piece.table.num_rows for piece in found if isinstance(piece, Rows)) == 30_000


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_host_that_nobody_knows_is_said_in_one_line(scheme: str) -> None:
    source = live_source(f"{scheme}://me:s3cr3t@no-such-host.invalid/shop")
    assert source is not None
    with pytest.raises(SourceError, match=r"^\w+://no-such-host.invalid/shop: .*no-such-host.*\.$") as caught:
        list(live_database(source, table="t"))
    assert "\n" not in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.server
def test_a_wrong_password_is_said_and_not_shown(live: Live, tmp_path: Path) -> None:
    url = live.url(user="guarded", password="wr0ng/word")
    done = CliRunner().invoke(main, ["ingest", url, "--store", str(tmp_path / "store")])
    assert done.exit_code == 1
    assert done.output.startswith("Error: postgresql:///live: " if live.postgres else "Error: mariadb://localhost/live: ")
    assert ("password authentication failed" if live.postgres else "Access denied") in done.output
    assert len(done.output.splitlines()) == 1
    assert "wr0ng" not in done.output


@pytest.mark.server
def test_the_password_is_in_nothing_that_is_written_or_printed(live: Live, tmp_path: Path) -> None:
    live.sql(POSTS)
    url, store = live.url(user="guarded", password=PASSWORD), tmp_path / "store"
    at = ["--store", str(store)]
    done = CliRunner().invoke(main, ["ingest", url, "--text-column", "body", *at])
    assert done.exit_code == 0, done.output
    shown = [CliRunner().invoke(main, [*command, *at]) for command in (["list"], ["show", "live"], ["why", "live:posts:17"])]
    printed = done.output + "".join(other.output for other in shown)
    assert "live:posts:17" in printed
    for secret in (PASSWORD, quote(PASSWORD, ""), "s3cr3t"):
        assert secret not in printed
        assert all(secret.encode() not in path.read_bytes() for path in store.rglob("*") if path.is_file())
        assert not [path for path in store.rglob("*") if secret in path.name]


@pytest.mark.server
def test_the_password_may_come_from_the_environment(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    live.sql(POSTS)
    monkeypatch.setenv("PGPASSWORD" if live.postgres else "MYSQL_PWD", PASSWORD)
    rows = list(live_database(live.source(user="guarded"), table="posts"))
    assert [piece.table.num_rows for piece in rows if isinstance(piece, Rows)] == [3]


@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_a_server_that_is_not_there_is_said_in_one_line(scheme: str) -> None:
    source = live_source(f"{scheme}://me:s3cr3t@127.0.0.1:1/shop")
    assert source is not None
    with pytest.raises(SourceError, match=r"^\w+://127.0.0.1:1/shop: .*refused") as caught:
        list(live_database(source, table="t"))
    assert "\n" not in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cr3t/x@host/shop",
        "mysql://me:12s3cr3t#x@host/shop",
        "mysql://me:12/s3cr3t@host/shop",
        "mysql://me:12?s3cr3t@host/shop",
        "postgresql://me:s3cr3t@host:port/shop",
        "postgresql://me:s3cr3t@[host/shop",
        "postgresql://me:s3cr3t@host",
        "postgresql://me:s3cr3t@host/shop?s3cr3t",
        "oracle://me:s3cr3t@host/shop",
    ],
)
def test_a_url_that_cannot_be_read_is_not_shown(url: str) -> None:
    with pytest.raises(SourceError) as caught:
        address(url)
    assert "s3cr3t" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "recipe",
    [
        "ingest: {sources: [URL, 5]}",
        "ingest: {sources: {path: URL}}",
        "ingest: {sources: [{path: URL, tabel: x}]}",
        "ingest: URL",
        "ingest: [URL]\nclean: URL",
        "name: URL",
    ],
)
def test_no_problem_of_a_recipe_shows_a_password(recipe: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(recipe.replace("URL", "'postgresql://me:s3cr3t@127.0.0.1:1/shop?password=s3cr3t'"))
    done = CliRunner().invoke(main, ["run", str(tmp_path / "recipe.yaml"), "--store", str(tmp_path / "store")])
    assert done.exit_code == 1
    assert "s3cr3t" not in done.output


@pytest.mark.parametrize("option", ["passwordfile=s3cr3t", "password=s3cr3t&nonsense=1"])
@pytest.mark.parametrize("scheme", ["postgresql", "mysql"])
def test_an_unknown_option_is_said(scheme: str, option: str) -> None:
    source = live_source(f"{scheme}://me@127.0.0.1:1/shop?{option}")
    assert source is not None
    with pytest.raises(SourceError) as caught:
        list(live_database(source, table="t"))
    assert "option" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_a_driver_that_is_not_installed_is_said_with_the_command() -> None:
    found = address("mysql://host/shop")
    assert found is not None
    with pytest.raises(SourceError, match=r"^mysql://host/shop: needs X\. Type: pip install 'prep\[databases\]'$"):
        answers.driver(found, "no_such_driver", "X")


def test_a_source_does_not_show_its_password() -> None:
    source = live_source("postgresql://me:s3cr3t@host:5433/shop?password=s3cr3t")
    assert source is not None
    assert (source.name, source.path) == ("shop", "postgresql://host:5433/shop")
    assert "s3cr3t" not in f"{source!r} {source.address!r}"


def test_an_artifact_is_named_like_the_database() -> None:
    assert default_name(["postgres://me:pw@host/shop?password=pw"]) == "shop"


@pytest.mark.parametrize("named", ["posts.csv", "C:/x", "s3://bucket/a@b.csv", "https://example.org/@me"])
def test_what_is_no_databases_url_is_left_to_others(named: str) -> None:
    assert address(named) is None


# --- memory

MEASURE = """
import re, sys
from pathlib import Path
from pipeline.readers.live_database import live_database
from pipeline.readers.live_database.address import live_source
from pipeline.readers.live_database.spool import spooled
import pyarrow.csv, psycopg, pymysql
peak = lambda: int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
source = spooled(live_source(sys.argv[1]), Path(sys.argv[2]), table="t", query=None)
rows = sum(piece.table.num_rows for piece in live_database(source))
print(rows, peak() - before)
"""


@pytest.mark.slow
@pytest.mark.server
def test_a_table_of_200_000_rows_is_read_in_bounded_memory(live: Live, tmp_path: Path) -> None:
    numbers = "generate_series(1, 200000) AS g(n)" if live.postgres else "(SELECT seq AS n FROM seq_1_to_200000) g"
    live.sql("CREATE TABLE t (id int PRIMARY KEY, body text)")
    live.sql(f"INSERT INTO t SELECT n, concat(n, repeat('lorem ipsum ', 170)) FROM {numbers}")
    command = [sys.executable, "-c", MEASURE, live.url(), str(tmp_path / "spool")]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0, done.stderr
    rows, kilobytes = map(int, done.stdout.split())
    assert rows == 200_000
    assert kilobytes < 150_000  # of 400 MB of text


def test_two_tables_and_a_query_of_one_database_are_one_data_set(live: Live, run: Run) -> None:
    live.sql("CREATE TABLE posts (id int PRIMARY KEY, body text); CREATE TABLE users (id int PRIMARY KEY, name text)")
    live.sql("INSERT INTO posts VALUES (17, 'a post'); INSERT INTO users VALUES (3, 'Ann')")
    asked = [
        {"path": live.url(), "table": "posts", "text_column": "body"},
        {"path": live.url(), "table": "users", "text_column": "name"},
        {"path": live.url(), "query": "SELECT name AS who FROM users", "text_column": "who"},
    ]
    found = [(row["id"], row["text"]) for row in documents(ingest(asked, "live", run))]
    assert found == [("live:posts:17", "a post"), ("live:query:1", "Ann"), ("live:users:3", "Ann")]
    (alone,) = documents(ingest(asked[:1], "alone", run))
    assert alone["id"] == "live:posts:17"
