"""A table or query of an SQLite database -> its rows.

A column's Arrow type follows its declared type by SQLite's rules of affinity (https://sqlite.org/datatype3.html):
INTEGER gives int64, REAL float64, a declared BLOB large_binary, all else text. A query's columns have no declared type,
so they are text. SQLite lets a column hold what it was not declared for: such a column becomes text, and its number cells what
Arrow writes for them, so that it looks alike before and after.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pyarrow as pa

from pipeline.documents import STRING, Rejection, Remark, Rows
from pipeline.errors import SourceError
from pipeline.places import Places, numbered
from pipeline.readers._choice import chosen, distinct
from pipeline.readers.database.sql import quoted, refused
from pipeline.sources import Source

BATCH = 10_000
FIRST_BATCH = 256
BATCH_BYTES = 16 << 20
PATIENCE = 5.0  # seconds that a locked database is waited for
BINARY = pa.large_binary()

TABLES = "SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view') AND substr(name, 1, 7) <> 'sqlite_' ORDER BY 1"
DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR")

Columns = dict[str, pa.DataType]
Cells = tuple[Any, ...]
Found = Iterator[Rows | Rejection | Remark]


def read(source: Source, path: Path, table: str | None, query: str | None) -> Found:
    """Read a table, a view or what a query answers of the database at `path`."""
    with closing(_connect(path)) as connection:
        yield from _ask(source, connection, query) if query else _take(source, connection, table)


def _connect(path: Path) -> sqlite3.Connection:
    """Open a file that nothing may write.

    Where a write-ahead log would be, but is not, nobody has it open: `immutable` then keeps SQLite from making one.
    """
    with path.open("rb") as file:
        logged = file.read(20)[18:19] == b"\x02"  # the file format's read version
    immutable = logged and not Path(f"{path}-wal").exists()
    where = f"file:{quote(str(path.absolute()))}?mode=ro{'&immutable=1' if immutable else ''}"
    return sqlite3.connect(where, uri=True, timeout=PATIENCE)


def _ask(source: Source, connection: sqlite3.Connection, query: str) -> Found:
    try:
        cursor = connection.execute(query)
    except (sqlite3.Error, sqlite3.Warning) as error:
        _refuse_locked(source, error)
        raise refused(source, error) from error
    names = [column[0] for column in cursor.description or ()]
    distinct(source.path, names)
    yield from _read(source, cursor, dict.fromkeys(names, STRING), "query")


def _take(source: Source, connection: sqlite3.Connection, table: str | None) -> Found:
    try:
        found = dict(connection.execute(TABLES).fetchall())
        name = chosen(source.path, table, list(found), [name for name, kind in found.items() if kind == "table"])
        cursor = connection.execute(f"SELECT * FROM {quoted(name)}")
        info = connection.execute(f"PRAGMA table_xinfo({quoted(name)})")
        declared = {column: _affinity(kind) for _id, column, kind, *_rest in info}
    except sqlite3.DatabaseError as error:
        _refuse_locked(source, error)
        yield Rejection("", f"damaged, encrypted or no SQLite database ({error})", b"")
        return
    yield from _read(source, cursor, {column[0]: declared.get(column[0], STRING) for column in cursor.description}, name)


def _refuse_locked(source: Source, error: Exception) -> None:
    said = getattr(error, "sqlite_errorname", "")
    if said.startswith("SQLITE_BUSY"):
        raise SourceError(f"{source.path}: another program has locked it. Run again when it has finished.") from error
    if said == "SQLITE_READONLY_ROLLBACK":
        why = f"a program was stopped while it wrote ({source.path}-journal)"
        raise SourceError(f"{source.path}: {why}. Type: sqlite3 {source.path} 'PRAGMA quick_check'") from error


def _affinity(declared: str) -> pa.DataType:
    kind = declared.upper()
    if "INT" in kind:
        return pa.int64()
    if any(word in kind for word in ("CHAR", "CLOB", "TEXT")):
        return STRING
    if "BLOB" in kind:
        return BINARY
    return pa.float64() if any(word in kind for word in ("REAL", "FLOA", "DOUB")) else STRING


def _read(source: Source, cursor: sqlite3.Cursor, declared: Columns, where: str) -> Found:
    cursor.connection.text_factory = bytes  # decoded a column at a time, so that one bad cell stops nothing
    columns = dict(declared)
    number, step, damage = 0, FIRST_BATCH, ""
    while not damage:
        rows: list[Cells] = []
        try:
            rows.extend(islice(cursor, step))
        except sqlite3.Error as error:
            damage = _damage(source, error)
        if rows:
            places = numbered(f"{where}:", number + 1, len(rows))
            yield from _widened(rows, places, columns)
            table, broken = _table(rows, columns, declared)
            sound = pa.array([index not in broken for index in range(len(rows))]) if broken else None
            yield Rows(table, places if sound is None else Places(places.label, places.ends.filter(sound)))
            for index, name in sorted(broken.items()):
                yield Rejection(
                    places[index], f"the column {name!r} holds bytes that are not UTF-8", _json(rows[index], columns)
                )
            step = max(1, min(BATCH, len(rows) * BATCH_BYTES // max(table.nbytes, 1)))
        elif not damage:
            return
        number += len(rows)
    yield Rejection(f"{where}:{number + 1}", f"the rest cannot be read ({damage})", b"")


def _damage(source: Source, error: sqlite3.Error) -> str:
    """Say what is wrong with the file; raises `SourceError` where the query is wrong, or its time."""
    _refuse_locked(source, error)
    if not getattr(error, "sqlite_errorname", "").startswith(DAMAGE):
        raise refused(source, error) from error
    return str(error)


def _widened(rows: Sequence[Cells], places: Sequence[str], columns: Columns) -> Iterator[Remark]:
    """Make text of a numeric column with a cell that is no such number, in `columns`, and say so."""
    for number, (name, kind) in enumerate(columns.items()):
        if kind in (pa.int64(), pa.float64()) and not _fits([row[number] for row in rows], kind):
            place, cell = next(
                (place, row[number]) for place, row in zip(places, rows, strict=True) if not _fits([row[number]], kind)
            )
            columns[name] = STRING
            yield Remark(f"the column {name!r} ({kind}) is read as text: it holds {_plain(cell)[:40]} at {place}")


def _fits(cells: Sequence[Any], kind: pa.DataType) -> bool:
    try:
        pa.array(cells, kind)
    except (pa.ArrowException, TypeError, OverflowError):
        return False
    return True


def _table(rows: Sequence[Cells], columns: Columns, declared: Columns) -> tuple[pa.Table, dict[int, str]]:
    """Return the rows as a table, without those whose text is not UTF-8, whose columns' names come back by their numbers."""
    broken: dict[int, str] = {}
    arrays = []
    for (name, kind), cells in zip(columns.items(), zip(*rows, strict=True), strict=True):
        array = pa.array(cells, kind) if kind not in (STRING, BINARY) else _bytes(cells, declared[name])
        if kind == STRING and not _is_text(array):
            bad = [index for index in range(len(array)) if not _is_text(array.slice(index, 1))]
            broken.update({index: broken.get(index, name) for index in bad})
            array = pa.array([None if index in bad else cell for index, cell in enumerate(array.to_pylist())], BINARY)
        arrays.append(array.cast(kind))
    table = pa.Table.from_arrays(arrays, names=list(columns))
    if broken:
        table = table.filter(pa.array([index not in broken for index in range(len(rows))]))
    return table, broken


def _bytes(cells: Sequence[Any], declared: pa.DataType) -> pa.Array:
    """Return cells as their bytes, numbers as they are written; those of a REAL column as Arrow writes them."""
    as_text = (lambda cell: pa.scalar(cell).cast(STRING).as_py()) if declared == pa.float64() else str
    return pa.array([cell if cell is None or type(cell) is bytes else as_text(cell).encode() for cell in cells], BINARY)


def _is_text(array: pa.Array) -> bool:
    try:
        array.cast(STRING)
    except pa.ArrowInvalid:
        return False
    return True


def _json(row: Cells, columns: Columns) -> bytes:
    cells = dict(zip(columns, row, strict=True))
    return orjson.dumps(cells, default=_plain)


def _plain(cell: object) -> str:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)
