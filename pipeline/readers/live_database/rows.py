"""The cells that a server sent, as text -> typed columns, each row with its place; and rejections of what is no text."""

from collections.abc import Iterator

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.documents import STRING, Rejection, Rows
from pipeline.places import Places, numbered
from pipeline.readers.live_database.answers import BINARY, Answer


def typed(asked: Answer) -> Iterator[Rows | Rejection]:
    """Give an answer's rows their types. A row's place is `label:key`, or `label:number`, from 1, where there is no key."""
    number = 0
    for batch in asked.batches:
        places = _places(batch, asked, number)
        bad = _broken(batch, asked)
        number += batch.num_rows
        sound, ends = batch, places.ends
        if bad:
            good = pa.array([row not in bad for row in range(batch.num_rows)])
            sound, ends = batch.filter(good), ends.filter(good)
        columns = [_as(sound[name], kind) for name, kind in asked.columns.items()]
        table = pa.table(columns, names=list(asked.columns))
        yield Rows(table, Places(places.label, ends))
        for row, name in bad.items():
            (cells,) = batch.slice(row, 1).to_pylist()
            raw = orjson.dumps(cells, default=_replaced)
            yield Rejection(places[row], f"the column {name!r} holds bytes that are not UTF-8", raw)


def _as(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if kind == BINARY:
        return column
    text = column.cast(STRING)
    return text if kind == STRING else text.cast(kind)


def _places(batch: pa.Table, asked: Answer, before: int) -> Places:
    label = f"{asked.label}:"
    if not asked.keys:
        return numbered(label, before + 1, batch.num_rows)
    keys = [_key(batch[name].combine_chunks(), asked.columns[name]) for name in asked.keys]
    return Places(label, pc.binary_join_element_wise(*keys, pa.scalar(",", STRING)))


def _key(cells: pa.Array, kind: pa.DataType) -> pa.LargeStringArray:
    """Return a key's cells as text: those of a binary column in hex, others as they are."""
    if kind != BINARY and _is_text(cells):
        return cells.cast(STRING)
    return pa.array([cell.hex() if kind == BINARY else _replaced(cell) for cell in cells.to_pylist()], STRING)


def _replaced(cell: object) -> str:
    return cell.decode("utf-8", "backslashreplace") if isinstance(cell, bytes) else str(cell)


def _broken(batch: pa.Table, asked: Answer) -> dict[int, str]:
    """Return the rows with a text that is not UTF-8, in order, with the column's name."""
    bad: dict[int, str] = {}
    for name, kind in asked.columns.items():
        if kind == STRING and not _is_text(batch[name]):
            cells = batch[name].to_pylist()
            for row in (row for row, cell in enumerate(cells) if not _is_text(pa.chunked_array([[cell]], BINARY))):
                bad.setdefault(row, name)
    return dict(sorted(bad.items()))


def _is_text(column: pa.Array | pa.ChunkedArray) -> bool:
    try:
        pc.cast(column, STRING)
    except pa.ArrowInvalid:
        return False
    return True
