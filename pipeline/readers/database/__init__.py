"""A table or query of a database that is a file, SQLite's or DuckDB's -> its rows, read-only."""

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.documents import Rejection, Remark, Rows
from pipeline.errors import SourceError
from pipeline.readers.database import duckdb, sqlite
from pipeline.sources import COMPRESSED, Source, open_bytes

SUFFIXES = (".db", ".sqlite", ".sqlite3", ".duckdb", ".ddb")


def sniff(head: bytes) -> bool:
    r"""Tell an SQLite or DuckDB database by its magic bytes.

    >>> sniff(b"SQLite format 3\x00..."), sniff(b"checksumDUCK..."), sniff(b"Hi")
    (True, True, False)
    """
    return head.startswith(b"SQLite format 3\x00") or duckdb.sniff(head)


def database(source: Source, *, table: str | None = None, query: str | None = None) -> Iterator[Rows | Rejection | Remark]:
    """Read a table of an SQLite or DuckDB file, or what a query answers; a row's place is `table:number` or `query:number`.

    With neither, the database's only table is read; numbers begin with 1. A text that is not UTF-8 makes its row a `Rejection`,
    and so is the rest of a damaged file. Where SQLite has other cells in a numeric column, it is text from there on. Raises
    `SourceError` for a table that is not there or not chosen, for a query that the database refuses, and for a database that
    another program has locked.
    """
    if table and query:
        raise SourceError(f"{source.path}: choose a table or a query, not both.")
    try:
        with _unpacked(source) as path:
            with path.open("rb") as file:
                read = duckdb.read if duckdb.sniff(file.read(12)) else sqlite.read
            yield from read(source, path, table, query)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield Rejection("", f"the file cannot be unpacked ({error})", b"")


@contextmanager
def _unpacked(source: Source) -> Iterator[Path]:
    with open_bytes(source) as file:
        if not source.path.lower().endswith(COMPRESSED):
            yield Path(source.file)
            return
        with tempfile.NamedTemporaryFile() as copy:
            shutil.copyfileobj(file, copy)
            copy.flush()
            yield Path(copy.name)
