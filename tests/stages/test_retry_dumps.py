"""Retry: rejected rows of SQL dumps, mended in the statement that they stood in."""

from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.artifacts import Artifact, Store
from pipeline.engine.local import Local
from pipeline.rejections import rejected
from pipeline.run import Run
from pipeline.stages.ingest import ingest
from pipeline.stages.retry import retry

MYSQL = b"""-- MySQL dump 10.13
/*!40101 SET NAMES latin1 */;
CREATE TABLE `posts` (`id` int NOT NULL, `body` text, `kind` enum('a','b;c'));
INSERT INTO `posts` VALUES (1,'caf\xe9','a'),
(2,'short'),
(3,'M\xfcsli \\'x\\'','a'),
('x','no \xe9','a');
"""
COPY = b"""SET client_encoding = 'UTF8';
SET search_path = shop;
CREATE TABLE posts (id integer, body text, kind text);
COPY posts (id, body, kind) FROM stdin;
1\tHi\ta
2\tshort
x\tno\ta
4\tcaf\xe9\ta
\\.
"""
SQLITE = b"""PRAGMA foreign_keys=OFF;
CREATE TABLE posts(id INTEGER, body TEXT, kind TEXT);
INSERT INTO posts VALUES(1,'Hi','a');
INSERT INTO posts VALUES(2,'short');
INSERT INTO posts VALUES('x','it''s','a');
INSERT INTO posts VALUES(4,'caf\xe9','a');
"""
SQL_SERVER = b"""USE [shop]
GO
CREATE TABLE [dbo].[posts]([id] [int] NOT NULL, [body] [nvarchar](max) NULL, [kind] [char](1) NULL)
GO
INSERT [dbo].[posts] ([id], [body], [kind]) VALUES (1, N'Hi', N'a')
GO
INSERT [dbo].[posts] ([id], [body], [kind]) VALUES (2, N'short')
GO
"""
ORACLE = b"""REM INSERTING into POSTS
SET DEFINE OFF;
CREATE TABLE "POSTS" ("ID" NUMBER(9,0), "BODY" CLOB, "KIND" CHAR(1));
Insert into POSTS (ID,BODY,KIND) values (1,'Hi','a');
Insert into POSTS (ID,BODY,KIND) values (2,'short');
"""


@pytest.fixture
def run(tmp_path: Any) -> Run:
    return Run(Store(tmp_path / "store"), Local(1))


def made(run: Run, tmp_path: Any, dump: bytes, **asked: Any) -> Artifact:
    (tmp_path / "dump.sql").write_bytes(dump)
    return ingest([str(tmp_path / "dump.sql")], "dump", run, **{"text_column": "body", "keep_columns": ["id"], **asked})


def mend(run: Run, artifact: Artifact, **rows: str) -> dict[str, Any]:
    """Retry with `t2="..."` for the row `posts:2`; returns the documents as place -> (own id, text)."""
    again = retry(artifact, "dump", run, rows={("dump.sql", f"posts:{key[1:]}"): [raw] for key, raw in rows.items()})
    found = [row for file in again.files("documents") for row in pq.read_table(file).to_pylist()]
    return {row["id"].removeprefix("dump.sql:"): (row["own_id"], row["text"]) for row in found}


def raws(artifact: Artifact) -> dict[str, str | None]:
    return {row["place"]: row.get("raw") for row in rejected(artifact)}


def test_rows_of_a_mysql_dump_are_mended_in_its_charset(run: Run, tmp_path: Any) -> None:
    first = made(run, tmp_path, MYSQL)
    assert raws(first) == {"posts:2": "(2,'short')", "posts:4": "('x','no é','a')"}
    assert mend(run, first, t2="(2,'Käse','b')", t4="(4,'it\\'s → é','a')") == {
        "posts:1": (1, "café"), "posts:3": (3, "Müsli 'x'"), "posts:2": (2, "Käse"), "posts:4": (4, "it's → é"),
    }  # fmt: skip


def test_rows_of_a_copy_are_mended(run: Run, tmp_path: Any) -> None:
    first = made(run, tmp_path, COPY)
    assert raws(first) == {"posts:2": "2\tshort", "posts:3": "x\tno\ta", "posts:4": None}
    assert mend(run, first, t2="2\tlong\\tX\ta", t3="3\tyes\ta", t4="4\tcafé\ta") == {
        "posts:1": (1, "Hi"), "posts:2": (2, "long\tX"), "posts:3": (3, "yes"), "posts:4": (4, "café"),
    }  # fmt: skip


def test_rows_of_a_sqlite_dump_are_mended(run: Run, tmp_path: Any) -> None:
    first = made(run, tmp_path, SQLITE)
    assert raws(first) == {"posts:2": "(2,'short')", "posts:3": "('x','it''s','a')", "posts:4": None}
    assert mend(run, first, t2="(2,'long','a')", t3="(3,'it''s','a')", t4="(4,'café','a')") == {
        "posts:1": (1, "Hi"), "posts:2": (2, "long"), "posts:3": (3, "it's"), "posts:4": (4, "café"),
    }  # fmt: skip


@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_rows_of_a_sql_server_script_are_mended(run: Run, tmp_path: Any, codec: str) -> None:
    first = made(run, tmp_path, SQL_SERVER.decode().encode(codec))
    assert mend(run, first, t2="(2, N'lång', N'a')") == {"posts:1": (1, "Hi"), "posts:2": (2, "lång")}


def test_rows_of_an_oracle_script_are_mended(run: Run, tmp_path: Any) -> None:
    (tmp_path / "dump.sql").write_bytes(ORACLE)
    first = ingest([str(tmp_path / "dump.sql")], "dump", run, text_column="BODY")
    again = retry(first, "dump", run, rows={("dump.sql", "POSTS:2"): ["(2,'long','a')"]})
    assert [row["text"] for file in again.files("documents") for row in pq.read_table(file).to_pylist()] == ["Hi", "long"]


def test_bytes_that_are_not_in_the_charset_are_read_again_in_another(run: Run, tmp_path: Any) -> None:
    again = retry(made(run, tmp_path, COPY), "dump", run, changes={"encoding": "cp1252"})
    assert {row["place"] for row in rejected(again)} == {"posts:2", "posts:3"}
    assert "café" in [row["text"] for file in again.files("documents") for row in pq.read_table(file).to_pylist()]


@pytest.mark.parametrize(
    "dump", [b"INSERT INTO posts VALUES (1,'Hi','a'),(2,'short');\n", b"COPY posts FROM stdin;\n1\tHi\ta\n2\tshort\n\\.\n"]
)
def test_a_row_of_a_table_that_nothing_creates_is_still_held_to_its_columns(run: Run, tmp_path: Any, dump: bytes) -> None:
    first = made(run, tmp_path, dump, text_column="column_2", keep_columns=None)
    again = retry(first, "dump", run)
    assert [row["error"].split(": ")[1] for row in rejected(again)] == ["2 cells in a row of 3"]


def test_a_row_behind_other_columns_is_never_read_as_if_it_had_the_first_ones(run: Run, tmp_path: Any) -> None:
    dump = b"CREATE TABLE posts (id int, body text);\nINSERT INTO posts (id, body) VALUES (1,'Hi');\n"
    first = made(run, tmp_path, dump + b"INSERT INTO posts (body, id) VALUES ('7','x');\n")
    assert raws(first) == {"posts:2": "INSERT INTO posts (body, id) VALUES ('7','x')"}
    (row,) = rejected(retry(first, "dump", run))
    assert row["error"].split(": ")[1] == "a statement that cannot be read"


@pytest.mark.parametrize("charset", [b"/*!40101 SET NAMES latin1 */;\n", b"SET client_encoding = 'WIN1251';\n", b""])
def test_names_that_are_not_in_the_charset_stop_nothing(run: Run, tmp_path: Any, charset: bytes) -> None:
    dump = charset + b"INSERT INTO \"posts\" (\"body\", \"\x81\x98\") VALUES ('Hi','a'),('short');\n"
    assert raws(made(run, tmp_path, dump, keep_columns=None)) == {"posts:2": "('short')"}


def test_how_a_dump_is_read_is_told(run: Run, tmp_path: Any) -> None:
    first = made(run, tmp_path, COPY)
    (row,) = [row for file in first.files("remarks") for row in pq.read_table(file).to_pylist()]
    assert row["text"] == "PostgreSQL dump, table shop.posts, 3 columns"
