"""A dump -> the rows of one of its tables: chooses the table, cuts its rows batch by batch, rejects what cannot be read."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from pipeline.documents import Found, Rejection, Rows
from pipeline.errors import SourceError, did_you_mean
from pipeline.places import Places
from pipeline.readers.sql_dump.columns import Cells, table_of
from pipeline.readers.sql_dump.frame import frame_of
from pipeline.readers.sql_dump.rows import count_row, cut_copy, cut_insert
from pipeline.readers.sql_dump.scan import BAD, DONE, LINES, MORE, MYSQL, Bytes
from pipeline.readers.sql_dump.schema import Column
from pipeline.readers.sql_dump.statements import (
    UNSAFE,
    Session,
    Statement,
    TableName,
    codec_of,
    dialect_of,
    session_of,
    statements,
)
from pipeline.readers.sql_dump.window import TOO_LONG, Window
from pipeline.sources import Source, open_bytes

MOST_ROWS = 10_000
MOST_BYTES = 8 << 20
MOST_CELLS = 1_000_000
_SHOWN = 1 << 20  # bytes of a row that is too long
_OTHER_FORMATS = {
    b"PGDMP": "an archive of pg_dump. Make a plain dump of it: pg_restore --file=dump.sql {path}",
    b"SQLite format 3\0": "an SQLite database. Make a dump of it: sqlite3 {path} .dump > dump.sql",
}


def read(source: Source, wanted: str | None, encoding: str = "") -> Iterator[Found]:
    """Yield how a table is read, its rows and what is none of them; raises `SourceError` if it is not clear which table."""
    with unreadable_charset(source):
        if wanted is None:
            with open_bytes(source) as file:
                wanted = _only_table(source, file, encoding)
        with open_bytes(source) as file:
            yield from Dump(source, file, encoding).read(wanted)


@contextmanager
def unreadable_charset(source: Source) -> Iterator[None]:
    """Raise `SourceError` where a dump is found to be in a charset that cannot be read."""
    try:
        yield
    except LookupError as error:
        raise SourceError(
            f"{source.path}: cannot read the charset {error}. Make the dump in UTF-8 "
            "(--default-character-set=utf8mb4, --encoding=UTF8)."
        ) from error


def _only_table(source: Source, file: BinaryIO, encoding: str) -> str | None:
    dump = Dump(source, file, encoding)
    found: list[str] = []
    for statement in dump.statements():
        dump.skip(statement)
        name = str(statement.table)
        if name not in found and not statement.table.name.startswith("sqlite_") and statement.kind in ("insert", "copy"):
            found.append(name)
    if len(found) > 1:
        raise SourceError(f"{source.path} holds {len(found)} tables: {', '.join(found)}. Choose one with --table {found[0]}.")
    return found[0] if found else None


class Dump:
    """A dump that is being read, in its own charset or in one that is given."""

    def __init__(self, source: Source, file: BinaryIO, encoding: str = "") -> None:
        self.source = source
        self.window = Window(file)
        head = self.window.peek(1 << 16)
        for magic, what in _OTHER_FORMATS.items():
            if head.startswith(magic):
                raise SourceError(f"{source.path} is {what.format(path=source.path)}.")
        codec = self._recode(dialect_of(head), encoding) if encoding else ""
        head = self.window.peek(1 << 16)
        if head.startswith((b"\xff\xfe", b"\xfe\xff")) and not codec:
            head = self._as_utf8(source)
        if head.startswith(b"\xef\xbb\xbf"):
            self.window.start += 3
        self.session: Session = session_of(head)
        self.session.codec, self.session.fixed = codec or self.session.codec, bool(codec)
        self.met: list[TableName] = []

    def _recode(self, dialect: int, encoding: str) -> str:
        """Read on in a given encoding; returns the codec of texts from here on. MySQL's blobs stand in a dump as they are."""
        try:
            codec = codec_of(encoding, dialect)
        except LookupError as error:
            line = f"{self.source.path}: unknown encoding {encoding!r}. Try utf-8, cp1252 or latin1."
            raise SourceError(line) from error
        if dialect == MYSQL and codec in UNSAFE:
            raise LookupError(encoding)
        if codec == "utf-8" or dialect == MYSQL:
            return codec
        self.window.recode(codec)
        return "utf-8"

    def _as_utf8(self, source: Source) -> bytes:
        """Read on in UTF-8, if it is a script that its tool writes in UTF-16; returns how it begins."""
        self.window.recode("utf-16")
        head = self.window.peek(1 << 16)
        if dialect_of(head) < LINES:
            what = "UTF-16. Let the dump tool write the file itself (--result-file, --file) instead of redirecting"
            raise SourceError(f"{source.path} is {what}.")
        return head

    def is_wanted(self, wanted: str, table: TableName) -> bool:
        """Say whether a table is meant by a name, bare or with its schema; SQL Server and Oracle know no case in names."""
        if self.session.dialect >= LINES:
            return wanted.lower() in (table.name.lower(), str(table).lower())
        return wanted in (table.name, str(table))

    def statements(self) -> Iterator[Statement]:
        """Yield the statements with rows, noting their tables."""
        for statement in statements(self.window, self.session):
            if statement.table not in self.met and statement.table.name:
                self.met.append(statement.table)
            yield statement

    def skip(self, statement: Statement) -> None:
        """Pass over a statement's rows."""
        window, session = self.window, self.session
        if statement.kind == "insert":
            window.skip(session.dialect, session.strings, statement.head)
        elif statement.kind == "copy" and window.peek(2) != b"\\.":
            window.skip_past(b"\n\\.")
            window.skip_line()

    def read(self, wanted: str | None) -> Iterator[Found]:
        """Yield the rows of a table named bare or with its schema."""
        table: TableRows | None = None
        met_broken = False
        for statement in self.statements():
            if statement.kind == "cut" or (statement.kind == "broken" and not statement.table.name):
                met_broken = True
                yield self.broken(statement, wanted or "statement", 1 + (table.count if table else 0))
            elif wanted is None or not self.is_wanted(wanted, statement.table):
                self.skip(statement)
            else:
                if table is not None and table.name != statement.table:
                    both = f"{table.name} and {statement.table}"
                    raise SourceError(f"{self.source.path} has both {both}. Choose one with --table.")
                table = table or TableRows(self, statement.table)
                yield from table.read(statement)
        if self.window.error:
            error = f"the source cannot be read further: {self.window.error}"
            yield Rejection(f"byte {self.window.place}", error, b"")
        if table is None and not met_broken:
            yield from self._nothing(wanted)

    def _nothing(self, wanted: str | None) -> Iterator[Rejection]:
        known = list(dict.fromkeys([*self.met, *self.session.created]))
        if wanted is not None and not any(self.is_wanted(wanted, table) for table in known):
            names = [str(table) for table in known]
            hint = did_you_mean(wanted, [*names, *(table.name for table in known)])
            holds = f"It holds: {', '.join(names)}." if names else "It holds none."
            raise SourceError(f"{self.source.path}: no table {wanted!r}.{hint} {holds}")
        if not known and not self.window.error:
            yield Rejection("byte 0", "no CREATE TABLE, INSERT or COPY: not an SQL dump, or cut before its first table", b"")

    def broken(self, statement: Statement, label: str, number: int) -> Rejection:
        """Reject a statement as the `number`th row of a table."""
        what = "the dump ends in the middle of a statement" if statement.kind == "cut" else "a statement that cannot be read"
        return Rejection(f"{label}:{number}", f"byte {statement.place}: {what}", self.window.original(statement.head))


class TableRows:
    """The rows of one table of a dump, statement after statement; `count` have been met so far."""

    def __init__(self, dump: Dump, name: TableName, most_rows: int = MOST_ROWS) -> None:
        self.dump, self.window, self.session, self.name = dump, dump.window, dump.session, name
        self.count, self._most_rows = 0, most_rows
        self.framed: Statement | None = None
        self.columns: list[Column] = []
        self.order: list[int] = []
        self.cells = Cells(0, most_rows)

    def read(self, statement: Statement) -> Iterator[Found]:
        """Yield a statement's rows; before the table's first, how a row is read alone."""
        if statement.kind == "broken":
            self.count += 1
            yield self.dump.broken(statement, self.name.name, self.count)
            return
        refused = self.arrange(statement)
        if self.framed is None:
            self.framed = statement
            yield frame_of(self.window, self.session, self.columns, statement)
        status, head = MORE, np.frombuffer(statement.head, np.uint8)
        while status != DONE:
            status, after, rows = self.cut(statement, head)
            yield from self._batch(statement, rows, refused)
            self.window.start = after
            if status == MORE and self.window.full:
                yield self._too_long(statement)
                if self.window.start == self.window.end and self.window.ended:
                    return
            elif status == BAD or (status == MORE and not self.window.more()):
                yield from self.rest(statement)
                return

    def _too_long(self, statement: Statement) -> Rejection:
        """Reject a row that is too long to be held, with how it begins; go on behind its line, or at the next INSERT."""
        window, lines = self.window, statement.kind == "copy"
        place, raw = window.place, bytes(window.data[window.start : min(window.end, window.start + _SHOWN)])
        window.skip_past(b"\n" if lines else b"\n" + statement.head)
        self.count += 1
        error = f"byte {place}: {TOO_LONG}. Here is its start; reading goes on with the next {'line' if lines else 'INSERT'}"
        return Rejection(self._place(-1), error, window.original(raw))

    def cut(self, statement: Statement, head: Bytes) -> tuple[int, int, int]:
        """Cut a batch of a statement's rows into `cells`; returns the status, the place reached and the rows cut."""
        window, cells, session = self.window, self.cells, self.session
        data, start, end, columns = window.bytes, window.start, window.end, cells.columns
        starts, stops, kinds, rows = cells.starts, cells.stops, cells.kinds, cells.rows
        if statement.kind == "copy":
            return cut_copy(data, start, end, columns, starts, stops, kinds, rows, MOST_BYTES)
        how = session.dialect, session.strings
        return cut_insert(data, start, end, head, columns, *how, starts, stops, kinds, rows, MOST_BYTES)

    def _place(self, number: int) -> str:
        return f"{self.name.name}:{self.count + number + 1}"

    def arrange(self, statement: Statement) -> str:
        """Find each column's place in the statement's rows; returns why the rows cannot be taken, or nothing."""
        created = self.session.created.get(self.name, [])
        names = statement.columns or self._names(statement, created)
        self.columns = self.columns or self._columns(created, names)
        known = [column.name for column in self.columns]
        self.order = [names.index(name) if name in names else -1 for name in known]
        if self.cells.columns != len(names):
            self.cells = Cells(len(names), max(1, min(self._most_rows, MOST_CELLS // max(1, len(names)))))
        passed = {"rowid", "_rowid_", "oid", *known, *(column.name for column in created)}
        unknown = [name for name in names if name not in passed]
        return f"the table has no column {unknown[0]!r}" if unknown else ""

    def _names(self, statement: Statement, created: list[Column]) -> list[str]:
        count = self._first_row() if statement.kind == "insert" else self._first_line()
        stored = [column.name for column in created if not column.generated]
        names = [column.name for column in created] if count == len(created) else stored
        return names or [column.name for column in self.columns] or [f"column_{n}" for n in range(1, count + 1)]

    def _columns(self, created: list[Column], names: list[str]) -> list[Column]:
        """Leave out the columns that the database computes; only MariaDB writes their cells, PostgreSQL writes DEFAULT."""
        written = names if self.session.dialect == MYSQL else []
        return [c for c in created if c.name in written or not c.generated] or [Column(name) for name in names]

    def _first_row(self) -> int:
        """Count the cells of the first row behind VALUES; -1 if it is cut, or too long."""
        window, none, kinds = self.window, np.zeros(0, np.int64), np.zeros(0, np.uint8)
        while True:
            at = window.data.find(b"(", window.start, window.end)
            if at >= 0:
                after, count = count_row(window.bytes, at, window.end, self.session.strings, none, kinds)
                if after >= 0:
                    return int(count)
            if window.full or not window.more():
                return -1

    def _first_line(self) -> int:
        """Count the fields of a COPY's first line; -1 if it is cut, or too long."""
        window = self.window
        while True:
            stop = window.data.find(b"\n", window.start, window.end)
            if stop >= 0:
                return window.data.count(b"\t", window.start, stop) + 1
            if window.full or not window.more():
                return -1

    def _batch(self, statement: Statement, rows: int, refused: str) -> Iterator[Rows | Rejection]:
        spans = self.cells.rows[:rows]
        whole = np.flatnonzero(spans[:, 2] == self.cells.columns)
        codec = self.session.codec
        how = (self.columns, self.order, self.session.dialect, codec, self.window.codec or codec)
        table, misfits = table_of(self.window.bytes, self.cells, len(whole), *how)
        why = {int(whole[row]): reason for row, reason in misfits.why.items()}
        for row in np.flatnonzero(spans[:, 2] != self.cells.columns):
            why[int(row)] = f"{spans[row, 2]} cells in a row of {self.cells.columns}"
        if refused:
            why = dict.fromkeys(range(rows), refused)
        elif why:
            whole, table = whole[~misfits.rows], table.filter(pa.array(~misfits.rows))
        if len(whole) and not refused:
            yield Rows(table, Places(f"{self.name.name}:", pa.array(whole + self.count + 1)))
        for row in sorted(why):
            start, stop, _ = spans[row].tolist()
            error = f"byte {self.window.base + start}: {why[row]}"
            yield Rejection(self._place(row), error, self._raw(statement, bytes(self.window.data[start:stop])))
        self.count += rows

    def _raw(self, statement: Statement, row: bytes) -> bytes:
        """Return a row as the stream has it, behind its own statement's head where that lists other columns than the first."""
        first = self.framed or statement
        alike = (first.kind, first.columns) == (statement.kind, statement.columns)
        head = b"" if alike else statement.head + b" " * (statement.kind == "insert")
        return self.window.original(head + row.removesuffix(b"\n"))

    def rest(self, statement: Statement) -> Iterator[Rejection]:
        """Reject what is left of a statement that cannot be read on, or that the dump's end has cut."""
        window, session = self.window, self.session
        place, start = window.place, window.peek(2)
        if session.dialect >= LINES and not start.strip():
            return
        if statement.kind == "copy":
            if start == b"\\.":
                window.start = window.end
                return
            raw, whole = window.peek(window.end - window.start), False
            window.start = window.end
        else:
            raw, whole = window.statement(session.dialect, session.strings)
        piece = "row" if raw.strip(b" \t\r\n,") else "statement"
        error = "this is no row" if whole else f"the dump ends in the middle of a {piece}"
        yield Rejection(self._place(0), f"byte {place}: {error}", window.original(raw))
        self.count += 1
