"""The statements of one table of a dump -> its rows, batch by batch; what is no row of it is rejected with its bytes."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from pipeline.documents import Found, Rejection, Rows
from pipeline.places import Places
from pipeline.readers.sql_dump.columns import Cells, table_of
from pipeline.readers.sql_dump.dump import Dump
from pipeline.readers.sql_dump.frame import frame_of
from pipeline.readers.sql_dump.rows import count_row, cut_copy, cut_insert
from pipeline.readers.sql_dump.schema import Column
from pipeline.readers.sql_dump.signs import BAD, DONE, LINES, MORE, MYSQL, Bytes
from pipeline.readers.sql_dump.statements import Statement, TableName
from pipeline.readers.sql_dump.window import TOO_LONG

MOST_ROWS = 10_000
MOST_BYTES = 8 << 20
MOST_CELLS = 1_000_000
_SHOWN = 1 << 20  # bytes of a row that is too long


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
        """Reject a row that is too long to be held, with how it begins, and go on behind it."""
        window = self.window
        place, raw = window.place, bytes(window.data[window.start : min(window.end, window.start + _SHOWN)])
        behind = self.pass_long(statement)
        self.count += 1
        error = f"byte {place}: {TOO_LONG}. Here is its start; reading goes on with the next {behind}"
        return Rejection(self._place(-1), error, window.original(raw))

    def pass_long(self, statement: Statement) -> str:
        """Pass over a row that is too long to be held; returns what follows.

        Where the same INSERT begins again within the bytes that are held, the row is one with a quote that is not closed.
        """
        window, again = self.window, b"\n" + statement.head
        if statement.kind == "copy":
            window.skip_past(b"\n")
            return "line"
        if window.peek(1) == b"(" and window.data.find(again, window.start, window.end) < 0:
            window.skip_row(self.session.dialect, self.session.strings)
            return "row"
        window.skip_past(again)
        return "INSERT"

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
