"""Records -> a table of strings: the cells are copied column by column into Arrow's buffers, without quotes and escapes."""

# ruff: noqa: ANN401, ARG001  numba's and llvmlite's own types and signatures
# mypy: disable-error-code="import-untyped, untyped-decorator"

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from filters.kernels import Bytes, Flags, Ints, Scalar, kernel, part
from pipeline.documents import STRING
from pipeline.readers.csv.scan import Dialect, Records

WIDE = SPILL = 32  # bytes copied at a time, and thus at most written behind a column's last cell


@intrinsic
def _copy(typing: Any, data: Any, at: Any, out: Any, to: Any) -> Any:
    """Copy `data[at:at + 32]` to `out[to:to + 32]`; nothing is checked."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind = ir.VectorType(ir.IntType(8), WIDE)
        ends = []
        for place in (0, 2):
            array = context.make_array(signature.args[place])(context, builder, values[place])
            ends.append(builder.bitcast(builder.gep(array.data, [values[place + 1]]), kind.as_pointer()))
        builder.store(builder.load(ends[0], align=1), ends[1], align=1)
        return context.get_dummy_value()

    return types.void(data, types.int64, out, types.int64), write


def table_of(block: Records, chosen: Flags, names: Sequence[str], dialect: Dialect) -> pa.Table:
    """Return the cells of the chosen records, which are UTF-8 and as wide as there are names; all are strings.

    Where backslashes escape, an unquoted backslash-N is NULL, as MySQL writes it.
    """
    rows = np.flatnonzero(chosen)
    starts, firsts = block.starts[rows], block.firsts[rows]
    out, bounds, nulls = _cut(block.data, *dialect.codes(), starts, firsts, block.fields, len(names))
    data, last = pa.py_buffer(out), len(rows) + 1
    offsets = pa.py_buffer(bounds)
    columns = []
    for place in range(len(names)):
        own = offsets.slice(place * last * 8, last * 8)
        valid = pa.py_buffer(np.packbits(~nulls[place], bitorder="little")) if dialect.backslash else None
        columns.append(pa.Array.from_buffers(STRING, len(rows), [valid, own, data]))
    return pa.Table.from_arrays(columns, list(names))


def cells_of(block: Records, dialect: Dialect, most: int) -> list[list[str]]:
    r"""Return the cells of at most some first records, whatever their width; what is not UTF-8 in them is replaced.

    >>> from pipeline.readers.csv.scan import scan
    >>> cells_of(scan([b'a,"b ""c"" d"\n1\n'], Dialect(",")), Dialect(","), 9)
    [['a', 'b "c" d'], ['1']]
    """
    rows = []
    for index in range(min(most, len(block.starts))):
        width = int(block.widths[index])
        own = slice(index, index + 1)
        out, bounds, _ = _cut(block.data, *dialect.codes(), block.starts[own], block.firsts[own], block.fields, width)
        raw, edges = out.tobytes(), zip(*bounds.T.tolist(), strict=True)
        rows.append([raw[begin:end].decode("utf-8", "replace") for begin, end in edges])
    return rows


@part
def _unescaped(
    data: Bytes, at: Scalar, last: Scalar, delimiter: Scalar, quote: Scalar, escape: Scalar, out: Bytes, to: Scalar
) -> Scalar:
    """Copy a cell without what escapes in it; a backslash before any other letter stays. Return where the copy ends."""
    while at < last:
        byte: Scalar = data[at]
        after = data[at + 1]
        if byte == quote:
            at += after == quote
        elif escape and byte == escape:
            if after == 48:  # \0 stands for NUL
                byte, at = np.uint8(0), at + 1
            elif after == escape or after == 34 or after == 39 or after == delimiter or after == 10 or after == 13:
                byte, at = after, at + 1
        out[to] = byte
        to += 1
        at += 1
    return to


@kernel
def _cut(  # noqa: C901  loops over rows and columns, one after the other
    data: Bytes,
    delimiter: Scalar,
    quote: Scalar,
    escape: Scalar,
    blanks: Scalar,
    starts: Ints,
    firsts: Ints,
    fields: Ints,
    width: Scalar,
) -> tuple[Bytes, Ints, Flags]:
    """Return bytes, `int64[width, rows + 1]` bounds of the cells in them, and `bool[width, rows]` NULLs (of no rows: none)."""
    rows = len(starts)
    bounds = np.zeros((width, rows + 1), np.int64)
    nulls = np.zeros((width, rows if escape else 0), np.bool_)
    room = np.zeros(width + 1, np.int64)  # where each column's bytes begin
    for row in range(rows):
        begin = starts[row]
        for column in range(width):
            end = fields[firsts[row] + column] >> 2
            room[column + 1] += end - begin
            begin = end + 1
    for column in range(width):
        room[column + 1] += room[column] + SPILL
        bounds[column, 0] = room[column]
    out = np.empty(room[width], np.uint8)
    for row in range(rows):
        begin = starts[row]
        for column in range(width):
            flags = fields[firsts[row] + column]
            end = flags >> 2
            to = room[column]
            if flags & 1:
                at, last = begin + 1, end - 1
                while blanks and data[at - 1] == 32:
                    at += 1
            else:
                at, last = begin, end
            if not flags & 2:
                for place in range(0, last - at, WIDE):
                    _copy(data, at + place, out, to + place)
                to += last - at
            elif escape and flags & 3 == 2 and last - at == 2 and data[at] == escape and data[at + 1] == 78:
                nulls[column, row] = True
            else:
                to = _unescaped(data, at, last, delimiter, quote if flags & 1 else -1, escape, out, to)
            room[column] = to
            bounds[column, row + 1] = to
            begin = end + 1
    return out, bounds, nulls
