"""A dump or a database -> its tables, with rows, columns and longest texts: what to give `--table` and `--text-column`.

Nothing is kept but counts, so memory does not grow with the source.
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import pyarrow as pa

from pipeline.documents import STRING, Rejection, Rows
from pipeline.errors import SourceError
from pipeline.readers import format_of
from pipeline.readers.database import database, duckdb
from pipeline.readers.database.choice import quoted
from pipeline.readers.sql_dump.survey import Lengths, survey
from pipeline.sources import Source, expand, head, size_of

_NO_TEXT = re.compile(
    r"(?i)(?:date|time|year|interval|decimal|numeric|number|money|smallmoney|float|real|double|bool|bit|uuid|uniqueidentifier"
    r"|enum|set|inet|cidr|oid|geometry|point)\b|timestamp|datetime"
)
_COLUMNS = {
    "sqlite": """
        SELECT t.name AS t, c.name AS c, c.type AS declared FROM sqlite_master AS t JOIN pragma_table_xinfo(t.name) AS c
        WHERE t.type = 'table' AND substr(t.name, 1, 7) <> 'sqlite_' AND c.hidden <> 1 ORDER BY t.rowid, c.cid""",
    "duckdb": """
        SELECT c.table_name AS t, c.column_name AS c, lower(c.data_type) AS declared
        FROM duckdb_columns() AS c JOIN duckdb_tables() AS t USING (table_oid) ORDER BY c.table_oid, c.column_index""",
}
_LENGTH = {  # of a text in bytes, NULL of anything else
    "sqlite": "CASE WHEN typeof({column}) = 'text' THEN length(CAST({column} AS BLOB)) END",
    "duckdb": "CASE WHEN typeof({column}) = 'VARCHAR' THEN strlen(CAST({column} AS VARCHAR)) END",
}
_SHOWN = 3
_CALLS = 200  # tables measured by one query; SQLite takes 500 SELECTs in one


@dataclass(frozen=True)
class Column:
    """A column: its type as declared, empty where nothing declares it, and of its texts the mean length and the longest.

    Lengths are bytes, of a dump as they are written in it, and 0 where the column holds no texts.
    """

    name: str
    type: str
    mean: float = 0.0
    longest: int = 0


@dataclass(frozen=True)
class Table:
    """A table; `note` says what of it cannot be read, or is empty."""

    name: str
    rows: int
    columns: list[Column]
    note: str = ""

    @property
    def texts(self) -> list[Column]:
        """The columns with texts, those with the longest on average first."""
        return sorted((column for column in self.columns if column.longest), key=lambda column: -column.mean)


def tables_of(path: str, encoding: str = "") -> list[Table]:
    """Return the tables of an SQL dump or a database in a file, in its order; raises `SourceError` for anything else.

    `encoding` is for a dump that names no charset or a wrong one, as the reader's setting is.
    """
    sources = expand([path])
    if len(sources) > 1 or not sources[0].alone:
        raise SourceError(f"{path} is more than one file. Name one dump or database.")
    source = sources[0]
    kind = format_of(source)
    if kind == "sql_dump":
        found = _of_dump(source, encoding)
    elif kind == "database":
        if encoding:
            raise SourceError(f"{source.path} is a database, which knows its encoding. Leave --encoding out.")
        found = list(_of_database(source))
    else:
        raise SourceError(f"{source.path} is {kind}, which has no tables to choose from. `prep ingest` reads it as it is.")
    if not found:
        raise SourceError(f"{source.path} holds no table{' (the file is empty)' if not size_of(source) else ''}.")
    return found


def suggestion(path: str, tables: Sequence[Table]) -> str:
    """Return the command that ingests the column with most text, or nothing if there is no text.

    >>> suggestion("my dump.sql", [Table("posts", 2, [Column("title", "text", 9, 9), Column("body", "text", 80, 99)])])
    "prep ingest 'my dump.sql' --table posts --text-column body"
    """
    chosen = max(
        ((table.rows * column.mean, table.name, column.name) for table in tables for column in table.texts), default=None
    )
    if chosen is None:
        return ""
    words = ["prep", "ingest", path, "--table", chosen[1], "--text-column", chosen[2]]
    return shlex.join(words)


def listing(tables: Sequence[Table]) -> tuple[list[str], list[list[str]]]:
    """Return the tables as a heading and rows of words.

    >>> listing([Table("posts", 2000, [Column("id", "int"), Column("body", "text", 80.4, 99)])])[1]
    [['posts', '2,000', 'id int, body text', 'body (mean 80, longest 99)']]
    """
    rows = []
    for table in tables:
        columns = ", ".join(f"{column.name} {column.type}".rstrip() for column in table.columns)
        texts = ", ".join(f"{found.name} (mean {found.mean:,.0f}, longest {found.longest:,})" for found in table.texts[:_SHOWN])
        rows.append([table.name, f"{table.rows:,}", columns, texts])
    return ["table", "rows", "columns", "longest texts (bytes)"], rows


def facts(path: str, tables: Sequence[Table]) -> dict[str, Any]:
    """Return the tables for a machine, with the suggested command."""
    return {"source": path, "tables": [asdict(table) for table in tables], "command": suggestion(path, tables)}


def notes(tables: Sequence[Table]) -> list[str]:
    """Return a line for each table of which something cannot be read."""
    return [f"{table.name}: {table.note}" for table in tables if table.note]


def _of_dump(source: Source, encoding: str) -> list[Table]:
    found, damage = survey(source, encoding)
    bare = [name.name for name in found]
    tables = []
    for name, table in found.items():
        note = f"{table.broken:,} of its rows or statements cannot be read" if table.broken else ""
        called = name.name if bare.count(name.name) == 1 else str(name)
        tables.append(Table(called, table.rows, [_measured(lengths) for lengths in table.measured()], note))
    if damage and not tables:
        raise SourceError(f"{source.path} holds no table that can be read: {damage}.")
    if damage:
        tables[-1] = replace(tables[-1], note=damage)
    return tables


def _measured(lengths: Lengths) -> Column:
    column = lengths.column
    if not lengths.cells or not _is_text(column.declared, column.type):
        return Column(column.name, column.declared)
    return Column(column.name, column.declared, lengths.total / lengths.cells, lengths.longest)


def _is_text(declared: str, kind: pa.DataType) -> bool:
    return kind == STRING and not _NO_TEXT.match(declared)


def _of_database(source: Source) -> Iterator[Table]:
    dialect = "duckdb" if duckdb.sniff(head(source, 12)) else "sqlite"
    columns: dict[str, list[tuple[str, str]]] = {}
    for table, column, declared in _answers(source, _COLUMNS[dialect]):
        columns.setdefault(table, []).append((column, declared))
    names = list(columns)
    for first in range(0, len(names), _CALLS):
        chosen = names[first : first + _CALLS]
        measures = [_measures(number, name, columns[name], _LENGTH[dialect]) for number, name in enumerate(chosen)]
        for number, rows, lengths in _answers(source, " UNION ALL ".join(measures)):
            name = chosen[int(number)]
            yield Table(name, int(rows), [*_with_lengths(columns[name], lengths)])


def _answers(source: Source, query: str) -> Iterator[list[str]]:
    for piece in database(source, query=query):
        if isinstance(piece, Rejection):
            raise SourceError(f"{source.path}: not a readable database ({piece.error}).")
        if isinstance(piece, Rows):
            yield from ([*row.values()] for row in piece.table.to_pylist())


def _measures(number: int, table: str, columns: Sequence[tuple[str, str]], length: str) -> str:
    """Write the query for a table's rows and, as one text, the mean length and the longest of each column's texts."""
    texts = [length.format(column=quoted(column)) if _is_text(declared, STRING) else "" for column, declared in columns]
    measures = [f"ifnull(avg({text}), 0) || ' ' || ifnull(max({text}), 0)" if text else "'0 0'" for text in texts]
    joined = " || ' ' || ".join(measures)
    return f"SELECT {number} AS number, count(*) AS found, {joined} AS lengths FROM {quoted(table)}"


def _with_lengths(columns: Sequence[tuple[str, str]], lengths: str) -> Iterator[Column]:
    numbers = iter(lengths.split())
    for name, declared in columns:
        yield Column(name, declared.lower(), float(next(numbers)), int(next(numbers)))
