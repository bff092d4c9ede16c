"""The cut cells of a batch -> an Arrow table, a column at a time, and the rows that do not fit their columns."""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.readers.sql_dump.decode import BINARY, BYTEA, TEXT, decode_bytes, decode_integers
from pipeline.readers.sql_dump.escapes import ROOM
from pipeline.readers.sql_dump.expressions import value_of
from pipeline.readers.sql_dump.schema import Column
from pipeline.readers.sql_dump.signs import BARE, EXPRESSION, LINES, NULL, POSTGRES, SQLITE, UNISTR, Bytes, Places

Flags = npt.NDArray[np.bool_]


class Cells:
    """Room for a batch's cells, row after row, and for its rows: start, stop and number of cells."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns = columns
        self.starts: Places = np.zeros(columns * rows, np.int64)
        self.stops: Places = np.zeros(columns * rows, np.int64)
        self.kinds: Bytes = np.zeros(columns * rows, np.uint8)
        self.rows: Places = np.zeros((rows, 3), np.int64)

    def column(self, index: int, rows: int) -> tuple[Places, Places, Bytes]:
        """Return the starts, stops and kinds of a column's cells in the first rows."""
        chosen = slice(index, rows * self.columns, self.columns)
        return self.starts[chosen], self.stops[chosen], self.kinds[chosen]


@dataclass
class Misfits:
    """Which of a batch's rows have a cell that does not fit, with the reason for the first such cell of each."""

    rows: Flags
    why: dict[int, str]
    charset: str

    def add(self, column: Column, bad: Flags, reason: str) -> None:
        """Note the rows whose cell in a column does not fit."""
        for row in np.flatnonzero(bad & ~self.rows):
            self.why[int(row)] = f"column {column.name!r} holds {reason}"
        self.rows |= bad


def table_of(
    data: Bytes,
    cells: Cells,
    rows: int,
    columns: Sequence[Column],
    order: Sequence[int],
    dialect: int,
    codec: str,
    charset: str,
) -> tuple[pa.Table, Misfits]:
    """Decode the first `rows` rows of `cells` over `data`; `order` gives each column's place in them, -1 for one of NULLs.

    `codec` is what the texts over `data` are in, `charset` what an error calls it.
    """
    misfits = Misfits(np.zeros(rows, np.bool_), {}, charset)
    arrays = []
    for column, index in zip(columns, order, strict=True):
        if index < 0:
            arrays.append(pa.nulls(rows, column.type))
        elif pa.types.is_integer(column.type):
            arrays.append(_integers(data, cells.column(index, rows), column, misfits))
        else:
            arrays.append(_others(data, cells.column(index, rows), column, misfits, dialect, codec))
    schema = pa.schema([pa.field(column.name, column.type) for column in columns])
    return pa.Table.from_arrays(arrays, schema=schema), misfits


def _bitmap(valid: Flags) -> pa.Buffer | None:
    return None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))


def _integers(data: Bytes, cells: tuple[Places, Places, Bytes], column: Column, misfits: Misfits) -> pa.Array:
    rows = len(cells[0])
    out, valid, bad = np.empty(rows, np.uint64), np.empty(rows, np.bool_), np.zeros(rows, np.bool_)
    decode_integers(data, *cells, column.type == pa.int64(), out, valid, bad)
    misfits.add(column, bad, f"what is no {column.type}")
    return pa.Array.from_buffers(column.type, rows, [_bitmap(valid), pa.py_buffer(out)])


def _others(
    data: Bytes, cells: tuple[Places, Places, Bytes], column: Column, misfits: Misfits, dialect: int, codec: str
) -> pa.Array:
    binary = pa.types.is_large_binary(column.type)
    form = TEXT if not binary else BYTEA if dialect == POSTGRES else BINARY
    rows, room = len(cells[0]), int((cells[1] - cells[0]).sum())
    out, offsets = np.empty(room + ROOM, np.uint8), np.empty(rows + 1, np.int64)
    valid, bad = np.empty(rows, np.bool_), np.zeros(rows, np.bool_)
    decode_bytes(data, *cells, form, out, offsets, valid, bad)
    if dialect == SQLITE and pa.types.is_floating(column.type):
        bad |= (cells[2] != BARE) & (cells[2] != NULL)  # the text 'nan' in a REAL column is a text
    buffers = [_bitmap(valid), pa.py_buffer(offsets), pa.py_buffer(out[: offsets[-1]])]
    raw = pa.Array.from_buffers(pa.large_binary(), rows, buffers)
    if dialect >= LINES:
        raw = _evaluated(raw, data, cells, bad)
    misfits.add(column, bad, "no bytes" if binary else "an expression that cannot be read")
    if binary:
        return raw
    text = _text(raw, column, misfits, codec)
    return _floats(text, column, misfits) if pa.types.is_floating(column.type) else text


def _evaluated(raw: pa.LargeBinaryArray, data: Bytes, cells: tuple[Places, Places, Bytes], bad: Flags) -> pa.LargeBinaryArray:
    """Put the values of the expressions that can be read in their places."""
    written = (cells[2] == EXPRESSION) | (cells[2] == UNISTR)
    values: list[bytes | None] = []
    for row in np.flatnonzero(written):
        try:
            values.append(value_of(data[cells[0][row] : cells[1][row]].tobytes()))
            bad[row] = False
        except (ValueError, RecursionError):
            values.append(None)
            bad[row] = True
    return pc.replace_with_mask(raw, written, pa.array(values, pa.large_binary())) if values else raw


def _text(raw: pa.LargeBinaryArray, column: Column, misfits: Misfits, codec: str) -> pa.LargeStringArray:
    if codec == "utf-8":
        try:
            return raw.cast(pa.large_string())
        except pa.ArrowInvalid:
            pass  # the rows at fault are looked for below
    elif (found := _of_single_bytes(raw, codec)) is not None:
        return found
    cells: list[str | None] = []
    bad = np.zeros(len(raw), np.bool_)
    for row, cell in enumerate(raw.to_pylist()):
        try:
            cells.append(None if cell is None else _decode(cell, codec))
        except UnicodeDecodeError:
            bad[row] = True
            cells.append(None)
    misfits.add(column, bad, f"bytes that are not {misfits.charset.upper()}")
    return pa.array(cells, pa.large_string())


def _of_single_bytes(raw: pa.LargeBinaryArray, codec: str) -> pa.LargeStringArray | None:
    """Decode all cells at once; None if the charset has characters of several bytes, or the cells bytes that it lacks."""
    sizes = _sizes(codec)
    if sizes is None:
        return None
    valid, offsets, data = raw.buffers()
    places = np.frombuffer(offsets, np.int64)
    held = memoryview(data)[: places[-1]]
    try:
        text = _decode(bytes(held), codec).encode()
    except UnicodeDecodeError:
        return None
    ends = np.concatenate([[0], np.cumsum(sizes[np.frombuffer(held, np.uint8)], dtype=np.int64)])[places]
    return pa.Array.from_buffers(pa.large_string(), len(raw), [valid, pa.py_buffer(ends), pa.py_buffer(text)])


@cache
def _sizes(codec: str) -> Bytes | None:
    """Return how many bytes of UTF-8 stand for each byte of a charset, None for a charset of longer characters."""
    found = [_decode(bytes([byte]), codec, "replace") for byte in range(256)]
    alone = _decode(bytes(range(256)), codec, "replace") == "".join(found)
    return np.array([len(char.encode()) for char in found], np.uint8) if alone and set(map(len, found)) == {1} else None


def _decode(cell: bytes, codec: str, errors: str = "strict") -> str:
    if codec == "cp1252":  # MySQL's latin1: cp1252, with the five bytes that it leaves open taken from ISO 8859-1
        return codecs.charmap_decode(cell, errors, _cp1252())[0]
    return cell.decode(codec, errors)


@cache
def _cp1252() -> str:
    decoded = [bytes([byte]).decode("cp1252", "replace") for byte in range(256)]
    return "".join(chr(byte) if char == "\ufffd" else char for byte, char in enumerate(decoded))


def _floats(text: pa.LargeStringArray, column: Column, misfits: Misfits) -> pa.DoubleArray:
    try:
        return pc.cast(text, pa.float64())
    except pa.ArrowInvalid:
        pass  # the rows at fault are looked for below
    cells: list[float | None] = []
    bad = np.zeros(len(text), np.bool_)
    for row, cell in enumerate(text.to_pylist()):
        try:
            cells.append(None if cell is None else float(cell))
        except ValueError:
            bad[row] = True
            cells.append(None)
    misfits.add(column, bad, "what is no number")
    return pa.array(cells, pa.float64())
