"""A dump or a database -> its tables, with rows, columns and longest texts: what to give `--table` and `--text-column`.

Nothing is kept but counts, so memory does not grow with the source.
"""

import shlex
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.database_texts import NO_TEXT, texts_of
from pipeline.documents import STRING
from pipeline.errors import SourceError
from pipeline.readers import format_of
from pipeline.readers.live_database.address import live_source
from pipeline.readers.sql_dump.survey import Lengths, survey
from pipeline.sources import Source, expand, size_of
from pipeline.sources.remote import fetched, remote_sources, shown

_SHOWN = 3


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
    """Return the tables of an SQL dump or a database, in its order; raises `SourceError` for anything else.

    `path` is a file or the URL of one, which is copied to this disk meanwhile, or the URL of a live database, which is asked in
    a read-only snapshot. `encoding` is for a dump that names no charset or a wrong one, as the reader's setting is.
    """
    with _at_hand(path) as source:
        kind = source.format or format_of(source)
        if encoding and kind.endswith("database"):
            raise SourceError(f"{source.path} is a database, which knows its encoding. Leave --encoding out.")
        if kind == "sql_dump":
            found = _of_dump(source, encoding)
        elif kind.endswith("database"):
            found = [Table(name, rows, [Column(*column) for column in columns]) for name, rows, columns in texts_of(source)]
        else:
            raise SourceError(f"{source.path} is {kind}, which has no tables to choose from. `prep ingest` reads it as it is.")
        if not found:
            empty = kind != "live_database" and not size_of(source)
            raise SourceError(f"{source.path} holds no table{' (the file is empty)' * empty}.")
        return found


@contextmanager
def _at_hand(path: str) -> Iterator[Source]:
    """Give the one source that a path or URL means: a live database as it is, a file from elsewhere as a copy on this disk."""
    far = remote_sources(path)
    live = None if far else live_source(path)
    sources: Sequence[Source] = far or ([live] if live else expand([path]))
    if len(sources) > 1 or not sources[0].alone:
        raise SourceError(f"{shown(path) or path} is more than one file. Name one dump or database.")
    if not far:
        yield sources[0]
        return
    with tempfile.TemporaryDirectory() as folder:
        ((_, copy),) = fetched({0: far[0]}, Path(folder))
        yield copy


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
    words = ["prep", "ingest", _printed(path), "--table", chosen[1], "--text-column", chosen[2]]
    return shlex.join(words)


def _printed(path: str) -> str:
    """Return a path or URL as it is, or, where it holds a secret, as errors show it."""
    live = None if shown(path) else live_source(path)
    secret = live is not None and live.address is not None and (live.address.password or "pass" in str(live.address.options))
    return live.path if live is not None and secret else shown(path) or path


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
    return {"source": _printed(path), "tables": [asdict(table) for table in tables], "command": suggestion(path, tables)}


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
    return kind == STRING and not NO_TEXT.match(declared)
