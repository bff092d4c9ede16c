"""A table or query of an SQLite database -> its rows, read-only.

A column's Arrow type follows its declared type by SQLite's rules of affinity (https://sqlite.org/datatype3.html):
INTEGER gives int64, REAL float64, a declared BLOB large_binary, all else text. A query's columns have no declared type,
so they are text.
"""

import gzip
import shutil
import sqlite3
import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pyarrow as pa

from pipeline.documents import STRING, Rejection, Rows
from pipeline.errors import SourceError, did_you_mean
from pipeline.sources import COMPRESSED, Source, open_bytes

SUFFIXES = (".db", ".sqlite", ".sqlite3")

BATCH = 10_000
FIRST_BATCH = 256
BATCH_BYTES = 16 << 20
BINARY = pa.large_binary()

Columns = dict[str, pa.DataType]
Cells = tuple[Any, ...]


def sniff(head: bytes) -> bool:
    r"""Tell an SQLite database by its magic bytes.

    >>> sniff(b"SQLite format 3\x00..."), sniff(b"Hi")
    (True, False)
    """
    return head.startswith(b"SQLite format 3\x00")


def database(source: Source, *, table: str | None = None, query: str | None = None) -> Iterator[Rows | Rejection]:
    """Read a table, or what a query answers; a row's place is `table:number` or `query:number`, from 1.

    With neither, the database's only table is read. A row with a cell that does not fit its column (text in an INTEGER
    column, text that is not UTF-8) is a `Rejection`; so is the rest of a damaged file. Raises `SourceError` for a table
    that is not there or not chosen, and for a query that the database refuses.
    """
    if table and query:
        raise SourceError(f"{source.path}: choose a table or a query, not both.")
    try:
        with _unpacked(source) as path, closing(_connect(path)) as connection:
            yield from _ask(source, connection, query) if query else _take(source, connection, table)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        yield Rejection("", f"the file cannot be unpacked ({error})", b"")


@contextmanager
def _unpacked(source: Source) -> Iterator[Path]:
    with open_bytes(source) as file:
        if not source.path.lower().endswith(COMPRESSED):
            yield Path(source.path)
            return
        with tempfile.NamedTemporaryFile() as copy:
            shutil.copyfileobj(file, copy)
            copy.flush()
            yield Path(copy.name)


def _connect(path: Path) -> sqlite3.Connection:
    """Open a file that nothing may write; `immutable` needs no lock, but would not see what is still in a log."""
    logs = any(Path(f"{path}{ending}").exists() for ending in ("-wal", "-journal"))
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro{'' if logs else '&immutable=1'}", uri=True)


def _ask(source: Source, connection: sqlite3.Connection, query: str) -> Iterator[Rows | Rejection]:
    try:
        cursor = connection.execute(query)
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise SourceError(f"{source.path}: the query fails: {str(error).rstrip('.')}.") from error
    names = [column[0] for column in cursor.description or ()]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or not names:
        why = f"gives two columns named {twice[0]!r}. Rename one with AS" if twice else "gives no rows. Write a SELECT"
        raise SourceError(f"{source.path}: the query {why}.")
    yield from _read(cursor, dict.fromkeys(names, STRING), "query")


def _take(source: Source, connection: sqlite3.Connection, table: str | None) -> Iterator[Rows | Rejection]:
    try:
        chosen = _choose(source, connection, table)
        cursor = connection.execute(f"SELECT * FROM {_quoted(chosen)}")
        info = connection.execute(f"PRAGMA table_xinfo({_quoted(chosen)})")
        declared = {name: _affinity(kind) for _id, name, kind, *_rest in info}
    except sqlite3.DatabaseError as error:
        yield Rejection("", f"not a readable SQLite database ({error})", b"")
        return
    yield from _read(cursor, {column[0]: declared.get(column[0], STRING) for column in cursor.description}, chosen)


def _choose(source: Source, connection: sqlite3.Connection, table: str | None) -> str:
    listed = "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') AND substr(name, 1, 7) <> 'sqlite_'"
    found: dict[str, str] = dict(connection.execute(listed).fetchall())
    if table in found:
        return table
    if table is not None:
        hint = did_you_mean(table, found)
        raise SourceError(f"{source.path}: no table {table!r}.{hint} It has: {', '.join(sorted(found)) or 'none'}.")
    tables = sorted(name for name, kind in found.items() if kind == "table")
    if len(tables) != 1:
        many = f"{len(tables)} tables: {', '.join(tables)}. Choose one with --table {tables[0]}" if tables else "no table"
        raise SourceError(f"{source.path} holds {many}.")
    return tables[0]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _affinity(declared: str) -> pa.DataType:
    kind = declared.upper()
    if "INT" in kind:
        return pa.int64()
    if any(word in kind for word in ("CHAR", "CLOB", "TEXT")):
        return STRING
    if "BLOB" in kind:
        return BINARY
    return pa.float64() if any(word in kind for word in ("REAL", "FLOA", "DOUB")) else STRING


def _read(cursor: sqlite3.Cursor, columns: Columns, where: str) -> Iterator[Rows | Rejection]:
    cursor.connection.text_factory = bytes  # decoded a column at a time, so that one bad cell stops nothing
    number, step, damage = 0, FIRST_BATCH, ""
    while not damage:
        rows: list[Cells] = []
        try:
            rows.extend(islice(cursor, step))
        except sqlite3.Error as error:
            damage = str(error)
        if rows:
            table, misfits = _table(rows, columns)
            places = [f"{where}:{number + index + 1}" for index in range(len(rows))]
            yield Rows(table, [place for index, place in enumerate(places) if index not in misfits])
            for index, why in sorted(misfits.items()):
                yield Rejection(places[index], why, _json(rows[index], columns))
            step = max(1, min(BATCH, len(rows) * BATCH_BYTES // max(table.nbytes, 1)))
        elif not damage:
            return
        number += len(rows)
    yield Rejection(f"{where}:{number + 1}", f"the rest cannot be read ({damage})", b"")


def _table(rows: Sequence[Cells], columns: Columns) -> tuple[pa.Table, dict[int, str]]:
    misfits: dict[int, str] = {}
    arrays = []
    for (name, kind), cells in zip(columns.items(), zip(*rows, strict=True), strict=True):
        bad = {} if _fits(cells, kind) else {index: cell for index, cell in enumerate(cells) if not _fits([cell], kind)}
        for index, cell in bad.items():
            misfits.setdefault(index, f"the column {name!r} ({kind}) cannot hold {_plain(cell)[:40]}")
        arrays.append(_array([None if index in bad else cell for index, cell in enumerate(cells)] if bad else cells, kind))
    table = pa.Table.from_arrays(arrays, names=list(columns))
    if misfits:
        table = table.filter(pa.array([index not in misfits for index in range(len(rows))]))
    return table, misfits


def _array(cells: Sequence[Any], kind: pa.DataType) -> pa.Array:
    if kind != STRING:
        return pa.array(cells, kind)
    texts = [cell if cell is None or type(cell) is bytes else str(cell).encode() for cell in cells]
    return pa.array(texts, BINARY).cast(STRING)


def _fits(cells: Sequence[Any], kind: pa.DataType) -> bool:
    try:
        _array(cells, kind)
    except (pa.ArrowException, TypeError, OverflowError):
        return False
    return True


def _json(row: Cells, columns: Columns) -> bytes:
    cells = dict(zip(columns, row, strict=True))
    return orjson.dumps(cells, default=_plain)


def _plain(cell: object) -> str:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)
