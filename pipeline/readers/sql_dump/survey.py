"""A dump -> what is in it: each table's rows, columns, and how long the cells of its columns are, without reading any cell.

Rows are counted as the stream passes: the kernels that cut a table's rows say where cells begin and end, and only lengths are
kept. Memory is that of one batch of a thousand rows.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pipeline.readers.sql_dump.columns import Flags
from pipeline.readers.sql_dump.dump import Dump, unreadable_charset
from pipeline.readers.sql_dump.schema import Column
from pipeline.readers.sql_dump.signs import BAD, BARE, DONE, EXPRESSION, MORE, NULL, Bytes, Places
from pipeline.readers.sql_dump.statements import Statement, TableName
from pipeline.readers.sql_dump.table_rows import TableRows
from pipeline.sources import Source, open_bytes

_ROWS = 1024


class Lengths(NamedTuple):
    """A column with the number of its cells that are neither NULL nor a number, their bytes as written, and the longest's."""

    column: Column
    cells: int
    total: int
    longest: int


@dataclass
class Surveyed:
    """A table of a dump; `lengths[n]` are the cells, bytes and longest cell of its column `n`, `broken` its unreadable rows."""

    rows: int = 0
    broken: int = 0
    columns: list[Column] = field(default_factory=list)
    lengths: Places = field(default_factory=lambda: np.zeros((0, 3), np.int64))

    def measured(self) -> list[Lengths]:
        """Return the columns with what was measured of them."""
        return [Lengths(column, *(int(n) for n in found)) for column, found in zip(self.columns, self.lengths, strict=True)]


def survey(source: Source, encoding: str = "") -> tuple[dict[TableName, Surveyed], str]:
    """Return a dump's tables in the order in which they come, and what of it cannot be read, or nothing.

    `encoding` counts instead of the charset that the dump names. Raises `SourceError` for what is no plain dump.
    """
    with unreadable_charset(source), open_bytes(source) as file:
        dump = Dump(source, file, encoding)
        found: dict[TableName, Surveyed] = {}
        unread: list[int] = []
        for statement in dump.statements():
            if not statement.table.name:
                unread.append(statement.place)
                continue
            table = found.setdefault(statement.table, Surveyed())
            if statement.kind in ("insert", "copy"):
                _measure(dump, statement, table)
            else:
                table.broken += 1
        for name, columns in dump.session.created.items():
            table = found.setdefault(name, Surveyed())
            if not table.columns:
                table.columns, table.lengths = columns, np.zeros((len(columns), 3), np.int64)
        tables = {name: table for name, table in found.items() if not name.name.startswith("sqlite_")}
        return tables, _damage(dump.window.error, unread)


def _damage(error: str, unread: list[int]) -> str:
    if error:
        return f"the source cannot be read further: {error}"
    return f"{len(unread)} statements cannot be read, the first at byte {unread[0]}" if unread else ""


def _measure(dump: Dump, statement: Statement, table: Surveyed) -> None:
    rows = TableRows(dump, statement.table, _ROWS)
    rows.columns = table.columns
    rows.arrange(statement)
    if not table.columns:
        table.columns, table.lengths = rows.columns, np.zeros((len(rows.columns), 3), np.int64)
    status, head = MORE, np.frombuffer(statement.head, np.uint8)
    while status != DONE:
        status, dump.window.start, count = rows.cut(statement, head)
        table.rows += count
        _add(rows, count, table.lengths)
        if status == MORE and dump.window.full:
            rows.pass_long(statement)
            table.broken += 1
            if dump.window.start == dump.window.end and dump.window.ended:
                return
        elif status == BAD or (status == MORE and not dump.window.more()):
            table.broken += sum(1 for _ in rows.rest(statement))
            return


def _is_no_text(data: Bytes, starts: Places, kinds: Bytes) -> Flags:
    """Tell dates and numbers by the letters of their expressions: CAST(, DATE '..', TO_DATE(, TO_TIMESTAMP(, TIMESTAMP '..'."""
    found: Flags = kinds == EXPRESSION
    if found.any():
        first, fourth = data[starts[found]] | 32, data[starts[found] + 3] | 32
        dated = np.isin(first, [ord("c"), ord("d")]) | ((first == ord("t")) & np.isin(fourth, [ord("d"), ord("t"), ord("e")]))
        found[found] = dated
    return found


def _add(rows: TableRows, count: int, lengths: Places) -> None:
    cells, width = rows.cells, rows.cells.columns
    whole = int((cells.rows[:count, 2] == width).sum())
    if not whole:
        return
    shape, last = (whole, width), whole * width
    kinds = cells.kinds[:last].reshape(shape)
    texts = (
        (kinds != NULL) & (kinds != BARE) & ~_is_no_text(rows.window.bytes, cells.starts[:last], kinds.ravel()).reshape(shape)
    )
    sizes = (cells.stops[:last] - cells.starts[:last]).reshape(shape) * texts
    found = np.stack([texts.sum(axis=0), sizes.sum(axis=0), sizes.max(axis=0)], axis=1)
    for column, index in enumerate(rows.order):
        if index >= 0:
            lengths[column, :2] += found[index, :2]
            lengths[column, 2] = max(lengths[column, 2], found[index, 2])
