"""A Parquet or Arrow file -> its rows; a column of conversations becomes `messages`.

`messages` and `conversations` are taken for conversations where they are lists of structs of `role` and `content`, or
`from` and `value`. All other columns stay as they are.
"""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.documents import MESSAGES, ROLES, STRING, Rejection, Rows
from pipeline.sources import Source, open_bytes

SUFFIXES = (".parquet", ".arrow", ".feather")

BATCH_ROWS = 10_000
BATCH_BYTES = 16 << 20
KEPT_BYTES = 16 << 20  # of a file that cannot be read; a larger one's bytes are not copied to the rejection
CHATS = ("messages", "conversations")
SIDES = (("role", "content"), ("from", "value"))
DAMAGE = (pa.ArrowException, OSError, EOFError, zlib.error)

Bools = npt.NDArray[np.bool_]
Group = tuple[int, Iterator[pa.RecordBatch]]


def sniff(head: bytes) -> bool:
    """Tell Parquet and Arrow files by their magic bytes.

    >>> sniff(b"PAR1..."), sniff(b"ARROW1..."), sniff(b"Hi")
    (True, True, False)
    """
    return head.startswith((b"PAR1", b"ARROW1"))


def parquet(source: Source) -> Iterator[Rows | Rejection]:
    """Read a Parquet file, or an Arrow file or stream; a row's place is its number, from 1.

    A conversation needs a turn beside the system's, known roles and no empty turn (an empty system turn is left out);
    it is a `Rejection` otherwise, as are a row whose strings are not UTF-8, a group of rows that cannot be read, and a
    file that is none.
    """
    with open_bytes(source) as file:
        try:
            groups = _groups(file)
        except DAMAGE as error:
            yield Rejection("", f"not a readable Parquet or Arrow file ({_line(error)})", _bytes(file))
            return
        number = 0
        for rows, batches in groups:
            last = number + rows
            for batch in _until_damage(batches):
                if isinstance(batch, str):
                    to = f"to {last}" if rows else "on"
                    yield Rejection(str(number + 1), f"rows from {number + 1} {to} cannot be read ({batch})", b"")
                    number = last
                else:
                    yield from _rows(pa.table(batch), number)
                    number += len(batch)


def _groups(file: BinaryIO) -> list[Group]:
    """Return for each part that can be read without the others its number of rows (0: unknown), and its batches."""
    magic = file.read(6)
    file.seek(0)
    if magic == b"ARROW1":
        reader = pa.ipc.open_file(file)
        return [(0, _sliced(reader.get_batch(index) for index in range(reader.num_record_batches)))]
    if not magic.startswith(b"PAR1"):
        return [(0, _sliced(iter(pa.ipc.open_stream(file))))]
    import pyarrow.parquet as pq

    opened = pq.ParquetFile(file)
    groups = [(index, opened.metadata.row_group(index)) for index in range(opened.num_row_groups)]
    return [
        (group.num_rows, opened.iter_batches(_rows_a_batch(group.num_rows, group.total_byte_size), row_groups=[index]))
        for index, group in groups
    ]


def _until_damage(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch | str]:
    try:
        yield from batches
    except DAMAGE as error:
        yield _line(error)


def _rows_a_batch(rows: int, size: int) -> int:
    return max(1, min(BATCH_ROWS, rows * BATCH_BYTES // max(size, 1)))


def _sliced(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        step = _rows_a_batch(len(batch), batch.nbytes)
        for start in range(0, len(batch), step):
            yield batch.slice(start, step)


def _line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


def _bytes(file: BinaryIO) -> bytes:
    try:
        file.seek(0)
        raw = file.read(KEPT_BYTES + 1)
    except DAMAGE:
        return b""
    return raw if len(raw) <= KEPT_BYTES else b""


def _rows(table: pa.Table, before: int) -> Iterator[Rows | Rejection]:
    places = np.arange(before + 1, before + 1 + table.num_rows)
    broken = _not_utf8(table)
    for index, (error, raw) in broken.items():
        yield Rejection(str(places[index]), error, raw)
    if broken:
        sound = ~np.isin(np.arange(len(places)), list(broken))
        table, places = table.filter(pa.array(sound)), places[sound]
    chat = next((name for name in CHATS if name in table.column_names and _sides(table[name].type)), None)
    if chat and len(places):
        messages, errors = _messages(table[chat])
        at = table.column_names.index(chat)
        bad = np.isin(np.arange(len(places)), list(errors))
        for index, row in zip(np.flatnonzero(bad), table.filter(pa.array(bad)).to_pylist(), strict=True):
            yield Rejection(str(places[index]), errors[int(index)], orjson.dumps(row, default=_plain))
        table, places = table.set_column(at, "messages", messages).filter(pa.array(~bad)), places[~bad]
    if len(places):
        yield Rows(table, [str(place) for place in places])


def _plain(cell: object) -> str:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else str(cell)


def _not_utf8(table: pa.Table) -> dict[int, tuple[str, bytes]]:
    try:
        table.validate(full=True)
    except pa.ArrowInvalid:
        return {index: found for name in table.column_names for index, found in _broken_cells(name, table[name])}
    return {}


def _broken_cells(name: str, column: pa.ChunkedArray) -> Iterator[tuple[int, tuple[str, bytes]]]:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        column.validate(full=True)  # nested strings have no row that could be told apart
        return
    for index, cell in enumerate(column.cast(pa.large_binary()).to_pylist()):
        try:
            str(cell or b"", "utf-8")
        except UnicodeDecodeError:
            yield index, (f"the column {name!r} is not UTF-8", cell or b"")


def _sides(kind: pa.DataType) -> tuple[str, str] | None:
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)) or not pa.types.is_struct(kind.value_type):
        return None
    names = {field.name for field in kind.value_type}
    return next((pair for pair in SIDES if names.issuperset(pair)), None)


def _messages(column: pa.ChunkedArray) -> tuple[pa.Array, dict[int, str]]:
    """Return conversations as `MESSAGES`, and what is wrong with those that are none, by their index."""
    lists = pa.concat_arrays(column.chunks)
    offsets = lists.offsets.to_numpy().astype(np.int64)
    values = lists.values.slice(offsets[0], offsets[-1] - offsets[0])
    offsets -= offsets[0]
    names = [field.name for field in values.type]
    parts = dict(zip(names, values.flatten(), strict=True))
    named, content = (parts[side].cast(STRING) for side in _sides(column.type) or SIDES[0])
    known = pc.index_in(pc.utf8_lower(named), pa.array(ROLES, STRING))
    role = pa.array(list(ROLES.values()), STRING).take(known)
    system = _mask(pc.equal(role, "system"))
    empty = _mask(pc.equal(pc.utf8_trim_whitespace(content.fill_null("")), ""))
    calls = _has_calls(parts, len(values))
    faults = {"has an unknown role": _mask(role.is_null()), "calls a tool, which is not supported yet": calls}
    faults["is empty"] = empty & ~system
    errors = {int(row): "the conversation is empty" for row in np.flatnonzero(_count(~system, offsets) == 0)}
    for fault, turns in reversed(faults.items()):
        for row in np.flatnonzero(_count(turns, offsets)):
            turn = int(np.flatnonzero(turns[offsets[row] : offsets[row + 1]])[0])
            name = named[int(offsets[row]) + turn].as_py()
            errors[int(row)] = f"turn {turn + 1} ({name}) {fault}"
    kept = ~(system & empty)
    struct = pa.StructArray.from_arrays(
        [role.filter(pa.array(kept)).fill_null(""), content.filter(pa.array(kept)).fill_null("")],
        fields=list(MESSAGES.value_type),
    )
    starts = np.concatenate([[0], np.cumsum(kept)])[offsets].astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(starts), struct, type=MESSAGES), errors


def _mask(answers: pa.BooleanArray) -> Bools:
    mask: Bools = answers.fill_null(False).to_numpy(zero_copy_only=False)
    return mask


def _has_calls(parts: dict[str, pa.Array], turns: int) -> Bools:
    calls = parts.get("tool_calls")
    if calls is None or not (pa.types.is_list(calls.type) or pa.types.is_large_list(calls.type)):
        return np.zeros(turns, bool)
    return _mask(pc.greater(pc.list_value_length(calls), 0))


def _count(turns: Bools, offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    counts: npt.NDArray[np.int64] = np.diff(np.concatenate([[0], np.cumsum(turns)])[offsets])
    return counts
