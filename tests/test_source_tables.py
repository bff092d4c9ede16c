"""Several tables and queries of one dump or database in one data set."""

import sqlite3
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.artifacts import Store
from pipeline.engine.local import Local
from pipeline.errors import RecipeError
from pipeline.ingesting.plan import plan
from pipeline.rejections import Mended, rejected
from pipeline.run import Run
from pipeline.stages.ingest import ingest
from pipeline.stages.retry import retry

DUMP = """CREATE TABLE posts (id int, body text);
CREATE TABLE notes (body text, note text);
INSERT INTO posts VALUES (1,'a post'),(2,'b','c');
INSERT INTO notes VALUES ('no','a note'),('cut');
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(Store(tmp_path / "store"), Local(1))


@pytest.fixture
def dump(tmp_path: Path) -> str:
    (tmp_path / "dump.sql").write_text(DUMP)
    return str(tmp_path / "dump.sql")


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.executescript("CREATE TABLE posts (body TEXT); CREATE TABLE users (name TEXT);")
        connection.executescript("INSERT INTO posts VALUES ('Hi'), ('Yo'); INSERT INTO users VALUES ('Ann');")
    return str(path)


def texts(made: Any) -> dict[str, str]:
    return {row["id"]: row["text"] for file in made.files("documents") for row in pq.read_table(file).to_pylist()}


def tables(path: str, **columns: str) -> list[dict[str, str]]:
    return [{"path": path, "table": table, "text_column": column} for table, column in columns.items()]


def test_two_tables_of_a_dump_and_two_of_a_database_are_one_data_set(run: Run, dump: str, database: str) -> None:
    made = ingest([*tables(dump, posts="body", notes="note"), *tables(database, users="name", posts="body")], "all", run)
    assert texts(made) == {
        "dump.sql:notes:1": "a note",
        "dump.sql:posts:1": "a post",
        "shop.db:posts:1": "Hi",
        "shop.db:posts:2": "Yo",
        "shop.db:users:1": "Ann",
    }


def test_a_row_of_one_of_two_tables_is_mended_in_its_own(run: Run, dump: str) -> None:
    made = ingest(tables(dump, posts="body", notes="note"), "all", run)
    assert [(row["source"], row["place"]) for row in rejected(made)] == [("dump.sql:notes", "2"), ("dump.sql:posts", "2")]
    rows: Mended = {("dump.sql:notes", "2"): ["('no','mended note')"], ("dump.sql:posts", "2"): ["(2,'mended post')"]}
    again = texts(retry(made, "all", run, rows=rows))
    assert (again["dump.sql:notes:2"], again["dump.sql:posts:2"]) == ("mended note", "mended post")


def test_queries_of_a_database_are_numbered(run: Run, database: str) -> None:
    asked = ["SELECT body FROM posts", "SELECT name FROM users"]
    entries = [{"path": database, "query": query, "text_column": query.split()[1]} for query in asked]
    made = ingest([*entries, *tables(database, posts="body")], "all", run)
    assert list(texts(made)) == [
        *("shop.db:posts:1", "shop.db:posts:2"),
        *("shop.db:query:1", "shop.db:query:2", "shop.db:query-2:1"),
    ]


def test_a_table_alone_keeps_its_files_name(run: Run, dump: str) -> None:
    entries = tables(dump, posts="body")
    made = ingest(entries + entries, "one", run)
    assert list(texts(made)) == ["dump.sql:posts:1"]
    assert [source.name for source, _ in plan(entries, {})] == ["dump.sql"]


@pytest.mark.parametrize("other", [{"table": "posts", "text_column": "id"}, {"text_column": "note"}])
def test_two_readings_that_no_table_tells_apart_are_refused(dump: str, other: dict[str, str]) -> None:
    with pytest.raises(RecipeError, match=r"dump\.sql is named twice, with other .* a `table` or `query` of its own"):
        plan([*tables(dump, posts="body"), {"path": dump, **other}], {})
