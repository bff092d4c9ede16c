"""The cells that a server sent, as text -> typed columns, each row with its place; and rejections of what is no text."""

from collections.abc import Iterator, Sequence

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.documents import STRING, Rejection, Rows
from pipeline.readers.live_database.answers import BINARY, Answer


def typed(asked: Answer) -> Iterator[Rows | Rejection]:
    """Give an answer's rows their types. A row's place is `label:key`, or `label:number`, from 1, where there is no key."""
    number = 0
    for batch in asked.batches:
        places = [f"{asked.label}:{place}" for place in _places(batch, asked, number)]
        bad = _broken(batch, asked)
        number += batch.num_rows
        sound = batch
        if bad:
            sound = batch.filter(pa.array([row not in bad for row in range(batch.num_rows)]))
        columns = [_as(sound[name], kind) for name, kind in asked.columns.items()]
        table = pa.table(columns, names=list(asked.columns))
        yield Rows(table, [place for row, place in enumerate(places) if row not in bad])
        for row, name in bad.items():
            (cells,) = batch.slice(row, 1).to_pylist()
            raw = orjson.dumps(cells, default=_replaced)
            yield Rejection(places[row], f"the column {name!r} holds bytes that are not UTF-8", raw)


def _as(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if kind == BINARY:
        return column
    text = column.cast(STRING)
    return text if kind == STRING else text.cast(kind)


def _places(batch: pa.Table, asked: Answer, before: int) -> Sequence[str]:
    if not asked.keys:
        return [str(before + row + 1) for row in range(batch.num_rows)]
    columns = []
    for name in asked.keys:
        binary = asked.columns[name] == BINARY
        columns.append([cell.hex() if binary else _replaced(cell) for cell in batch[name].to_pylist()])
    return [",".join(cells) for cells in zip(*columns, strict=True)]


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


def _is_text(column: pa.ChunkedArray) -> bool:
    try:
        pc.cast(column, STRING)
    except pa.ArrowInvalid:
        return False
    return True
