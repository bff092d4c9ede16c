"""A batch of rows -> the same rows, each with what it is in its thread: `Columns` says which columns tell it."""

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.documents import STRING, Rejection, Rows
from pipeline.ingesting.forming import as_text, column_of, rejections, text_of
from pipeline.sources import Source

MARK = "\ue000"  # no column of a source begins with a private-use character
THREAD, ROLE, CONTENT, ORDER, PLACE = TURN = tuple(f"{MARK}{name}" for name in ("thread", "role", "content", "order", "place"))
CONTENTS = ("content", "text")


class Columns(NamedTuple):
    """The columns of a table that hold a turn's thread, its role, its place in the thread, and what is said."""

    thread: str
    role: str
    order: str | None = None
    text: str | None = None


def turns(source: Source, rows: Rows, columns: Columns) -> tuple[pa.Table, list[Rejection]]:
    """Put the columns of `TURN`, all strings, before a batch's own; rows without a thread come back as rejections.

    >>> rows = Rows(pa.table({"id": [7, None], "who": ["user", "user"], "text": ["Hi", "Yo"]}), ["1", "2"])
    >>> taken, rejected = turns(Source("a.csv", "a.csv"), rows, Columns("id", "who"))
    >>> taken[CONTENT].to_pylist(), [(one.place, one.error) for one in rejected]
    (['Hi'], [('2', "the column 'id' is NULL or empty")])
    """
    table = rows.table
    text = columns.text or next((name for name in CONTENTS if name in table.column_names), None)
    thread = as_text(column_of(source, table, columns.thread))
    order = pa.nulls(table.num_rows, STRING) if columns.order is None else as_text(column_of(source, table, columns.order))
    cells = [thread, as_text(column_of(source, table, columns.role)), text_of(source, table, text), order]
    taken = pa.table([*cells, pa.array(rows.places, STRING), *table.columns], names=[*TURN, *table.column_names])
    lost = pc.fill_null(pc.equal(thread, ""), True)
    if not pc.any(lost).as_py():
        return taken, []
    why = pc.if_else(lost, f"the column {columns.thread!r} is NULL or empty", pa.scalar(None, pa.string()))
    return taken.filter(pc.invert(lost)), list(rejections(rows, why))
