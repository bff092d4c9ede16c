"""A Parquet or Arrow file -> its rows; a column of conversations becomes `messages`.

`messages`, `conversations` and `conversation` are taken for conversations where they are lists of structs of `role` and
`content`, or `from` and `value`, and so is `data`, a list of strings beside at most an `id`. Tool calls and
the columns `tools` and `functions` of such a file become JSON text, without the keys that are null. All other columns stay as
they are.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.conversations.calls import calls_text, functions_text, json_text, without_nulls
from pipeline.conversations.shapes import fields_left_out
from pipeline.documents import STRING, Found, Rejection, Remark, Rows
from pipeline.places import Places
from pipeline.sources import Source, open_bytes

SUFFIXES = (".parquet", ".arrow", ".feather")

BATCH_ROWS = 10_000
BATCH_BYTES = 16 << 20
KEPT_BYTES = 16 << 20  # of a file that cannot be read; a larger one's bytes are not copied to the rejection
CHATS = ("messages", "conversations", "conversation")
FUNCTIONS = ("tools", "functions")
SIDES = (("role", "content"), ("from", "value"))
DAMAGE = (pa.ArrowException, OSError, EOFError, zlib.error)

Group = tuple[int, Iterator[pa.RecordBatch]]


def sniff(head: bytes) -> bool:
    """Tell Parquet and Arrow files by their magic bytes.

    >>> sniff(b"PAR1..."), sniff(b"ARROW1..."), sniff(b"Hi")
    (True, True, False)
    """
    return head.startswith((b"PAR1", b"ARROW1"))


def parquet(source: Source) -> Iterator[Found]:
    """Read a Parquet file, or an Arrow file or stream; a row's place is its number, from 1.

    A `Rejection` are a row whose strings are not UTF-8, a conversation whose contents are no texts or whose calls are none, a
    group of rows that cannot be read, and a file that is none. Fields of turns that no message has are left out, and a `Remark`
    counts them.
    """
    unread: Counter[str] = Counter()
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
                    yield from _rows(pa.table(batch), number, unread)
                    number += len(batch)
    if unread:
        yield Remark(fields_left_out(unread))


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


def _rows(table: pa.Table, before: int, unread: Counter[str]) -> Iterator[Rows | Rejection]:
    places = np.arange(before + 1, before + 1 + table.num_rows)
    broken = _not_utf8(table)
    for index, (error, raw) in broken.items():
        yield Rejection(str(places[index]), error, raw)
    if broken:
        sound = ~np.isin(np.arange(len(places)), list(broken))
        table, places = table.filter(pa.array(sound)), places[sound]
    chat = _chat(table.schema)
    if chat and len(places):
        messages, errors = _messages(table[chat], unread)
        bad = np.isin(np.arange(len(places)), list(errors))
        for index, row in zip(np.flatnonzero(bad), table.filter(pa.array(bad)).to_pylist(), strict=True):
            yield Rejection(str(places[index]), errors[int(index)], orjson.dumps(row, default=_plain))
        table = _with_functions(table.set_column(table.column_names.index(chat), "messages", messages))
        table, places = table.filter(pa.array(~bad)), places[~bad]
    if len(places):
        yield Rows(table, Places("", pa.array(places)))


def _chat(columns: pa.Schema) -> str | None:
    """Return the name of the column that holds conversations."""
    if columns.names in (["id", "data"], ["data"]) and _is_list(columns.field("data").type, _is_text):
        return "data"
    return next((name for name in CHATS if name in columns.names and _sides(columns.field(name).type)), None)


def _with_functions(table: pa.Table) -> pa.Table:
    """Make one column `tools`, of JSON text, of the functions that conversations may call."""
    for name in FUNCTIONS:
        if name in table.column_names:
            cells = [None if cell is None else functions_text(without_nulls(cell)) for cell in table[name].to_pylist()]
            return table.set_column(table.column_names.index(name), "tools", pa.array(cells, STRING))
    return table


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


def _is_list(kind: pa.DataType, of: Callable[[pa.DataType], bool]) -> bool:
    return (pa.types.is_list(kind) or pa.types.is_large_list(kind)) and of(kind.value_type)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind))


def _is_number(kind: pa.DataType) -> bool:
    return any(test(kind) for test in (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null))


def _sides(kind: pa.DataType) -> tuple[str, str] | None:
    if not _is_list(kind, pa.types.is_struct):
        return None
    names = {field.name for field in kind.value_type}
    return next((pair for pair in SIDES if names.issuperset(pair)), None)


def _messages(column: pa.ChunkedArray, unread: Counter[str]) -> tuple[pa.Array, dict[int, str]]:
    """Return conversations with the fields of messages, and what is wrong with those that are none, by their index.

    What turns have besides is counted in `unread`.
    """
    lists = pa.concat_arrays(column.chunks)
    lengths = pc.list_value_length(lists).fill_null(0).to_numpy()
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = pc.list_flatten(lists)
    number = np.arange(len(values)) - np.repeat(offsets[:-1], lengths)
    errors: dict[int, str] = {}  # by turn
    if _is_text(values.type):
        speakers = pa.array(["user", "assistant"], STRING).take(pa.array(number % 2))
        columns = {"role": speakers, "content": values.cast(STRING)}
    else:
        parts = dict(zip((field.name for field in values.type), values.flatten(), strict=True))
        speaker, text = _sides(column.type) or SIDES[0]
        columns = {"role": parts[speaker].cast(STRING), "content": _texts(parts[text], _content, errors)}
        more, used = _more(parts, errors)
        columns |= more
        left = {name: len(cells) - cells.null_count for name, cells in parts.items() if name not in (speaker, text, *used)}
        unread.update({name: count for name, count in left.items() if count})
    struct = pa.StructArray.from_arrays(list(columns.values()), names=list(columns))
    of_rows = {}
    for turn in sorted(errors, reverse=True):
        row = int(np.searchsorted(offsets, turn, side="right")) - 1
        of_rows[row] = f"turn {number[turn] + 1} ({columns['role'][turn].as_py()}) {errors[turn]}"
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), struct), of_rows


def _more(parts: dict[str, pa.Array], errors: dict[int, str]) -> tuple[dict[str, pa.Array], list[str]]:
    """Return what the messages of a file have besides role and content, and the names of the fields that it is read from."""
    texts = [name for name in ("name", "tool_call_id") if name in parts and _is_text(parts[name].type)]
    more: dict[str, pa.Array] = {name: parts[name] for name in texts}
    calls = [name for name in ("tool_calls", "function_call") if name in parts]
    if calls:
        more["tool_calls"] = pc.coalesce(*(_texts(parts[name], calls_text, errors) for name in calls))
    weight = [name for name in ("weight", "train") if name in parts and _is_number(parts[name].type)][:1]
    if weight:
        more["weight"] = parts[weight[0]].cast(pa.float64())
    return more, [*texts, *calls, *weight]


def _texts(cells: pa.Array, read: Callable[[object], str | None], errors: dict[int, str]) -> pa.Array:
    """Read nested cells one by one, strings (unless they are calls) as they are; note by its turn what cannot be read."""
    if _is_text(cells.type) and read is _content:
        return cells.cast(STRING)
    texts: list[str | None] = [None] * len(cells)
    for turn in np.flatnonzero(cells.is_valid().to_numpy(zero_copy_only=False)).tolist():
        try:
            texts[turn] = read(without_nulls(cells[turn].as_py()))
        except ValueError as error:
            errors.setdefault(turn, str(error))
    return pa.array(texts, STRING)


def _content(value: object) -> str:
    """Return a content in parts as one text."""
    parts = value if isinstance(value, list) else [value]
    texts = [part.get("text") if isinstance(part, dict) else part for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"has a part that is not text: {json_text(value)[:40]}")
    return "".join(map(str, texts))
