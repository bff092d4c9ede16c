"""A CSV file's start -> what is found out about it, told in a remark; then its rows and rejections."""

import codecs
from collections.abc import Iterator
from itertools import chain

from pipeline.documents import Found, Rejection, Remark
from pipeline.errors import SourceError
from pipeline.readers._encodings import Encoding, chosen, original, recoded
from pipeline.readers.csv.cells import cells_of
from pipeline.readers.csv.dialect import NAMES, QUOTES, Shape, Wanted, separator, shape_of
from pipeline.readers.csv.header import is_data, named, twice
from pipeline.readers.csv.other import other
from pipeline.readers.csv.rows import LONGEST, Blocks, Table, rows
from pipeline.readers.csv.scan import BROKEN, soundness
from pipeline.sources import Source, blocks_of, small_file

BLOCK = 4 << 20
SEEN = 1000  # rows of the sample that a header is told by
MOST_TOLD = 3  # names of columns in a remark


def read(source: Source, wanted: Wanted) -> Iterator[Found]:
    """Yield what a CSV file holds, as `csv` says."""
    stored = blocks_of(source, BLOCK)
    start = next(stored, b"")
    if said := other(start):
        yield Rejection("", said, small_file(source))
        return
    encoding = chosen(source, wanted.encoding, start)
    blocks = Blocks(recoded(chain([start], stored), encoding.name))
    yield from _read(source, wanted, encoding, blocks)


def _read(source: Source, wanted: Wanted, encoding: Encoding, blocks: Blocks) -> Iterator[Found]:
    stream = iter(blocks)
    start, ended = _more(b"", stream)
    start = start.removeprefix(codecs.BOM_UTF8)
    named_by_file, length = ("", 0) if wanted.delimiter else separator(start)
    wanted, start = wanted._replace(delimiter=wanted.delimiter or named_by_file), start[length:]
    shape = shape_of(source, wanted, start, ended)
    while not len(shape.records.starts) and not ended and len(start) < LONGEST:
        start, ended = _more(start, stream)
        shape = shape_of(source, wanted, start, ended)
    if not start.strip(b"\r\n") and not blocks.damage:
        yield Rejection("", "the file is empty", b"")
        return
    yield from _above(shape, encoding)
    table, start = _table(source, wanted, encoding, shape, start, blocks)
    if table.names:
        yield _remark(table, shape, "sep=" if length else "", all_said=_all_said(wanted))
    yield from rows(chain([start], stream), blocks, table)
    if table.kept:
        yield Remark(f"{table.kept} rows have a quote in a quoted cell that is not doubled; it is kept as it stands")


def _more(start: bytes, stream: Iterator[bytes]) -> tuple[bytes, bool]:
    """Return the start with as much again, at least two blocks; and whether that is all."""
    pieces, size = [start], 0
    for block in stream:
        pieces.append(block)
        size += len(block)
        if len(pieces) > 2 and size >= len(start):
            return b"".join(pieces), False
    return b"".join(pieces), True


def _above(shape: Shape, encoding: Encoding) -> Iterator[Rejection]:
    """Reject the lines above the table; their places are lines, for they are no rows."""
    for index in range(shape.top):
        before = shape.records.data[: shape.records.starts[index]].tobytes()
        line = max(before.count(b"\n"), before.count(b"\r")) + 1
        yield Rejection(f"line {line}", "a line above the table", original(shape.records.record(index), encoding.name))


def _table(
    source: Source, wanted: Wanted, encoding: Encoding, shape: Shape, start: bytes, blocks: Blocks
) -> tuple[Table, bytes]:
    """Return what is known of the table, and the start from its first row on."""
    records, top = shape.records, shape.top
    table = Table(encoding, shape.dialect, [])
    if not len(records.starts):
        if wanted.header is not False and not blocks.damage:
            raise SourceError(f"{source.path}: the header cannot be read: a quote is never closed. Set `header: false`.")
        return table, start
    seen = cells_of(records, shape.dialect, top + SEEN)[top:]
    start = start[records.starts[top] :]
    if not (wanted.header is True or (wanted.header == "auto" and not is_data(seen[0], seen[1:]))):
        table.names = [f"column_{place}" for place in range(1, shape.width + 1)]
        return table, start
    table.header = records.record(top)
    if records.states[top] == BROKEN or not soundness(records.data, *(ends[top : top + 1] for ends in records[2:4])).all():
        why = "a quote is out of place" if records.states[top] == BROKEN else f"it is not {encoding.name}"
        raise SourceError(f"{source.path}: the header cannot be read: {why}. Set `header: false`, or another `encoding`.")
    table.names = named(seen[0] + [""] * _trailing(seen))
    table.several = twice(seen[0])
    return table, start[len(table.header) :]


def _trailing(rows: list[list[str]]) -> bool:
    """Say whether all rows, at least two, have one field more than the header, an empty one at their end."""
    width = len(rows[0]) + 1
    return len(rows) > 2 and all(len(row) == width and not row[-1] for row in rows[1:])


def _all_said(wanted: Wanted) -> bool:
    return bool(wanted.delimiter and wanted.encoding) and wanted.header != "auto"


def _remark(table: Table, shape: Shape, separator: str, *, all_said: bool) -> Remark:
    """Say how a file is read, unless the user has, and what a row needs to be read alone: the header, and every setting."""
    dialect = table.dialect
    quote = next(name for name, mark in QUOTES.items() if mark == dialect.quote)
    settings = {
        "delimiter": dialect.delimiter or "none", "encoding": table.encoding.name, "header": bool(table.header),
        "quote": quote, "backslash": dialect.backslash,
    }  # fmt: skip
    header = table.original(table.header + b"\n") if table.header else b""
    return Remark("" if all_said else _told(table, shape, separator), header, settings=settings)


def _told(table: Table, shape: Shape, separator: str) -> str:
    """Say how a file is read: `comma, UTF-8, 5 columns named by its first line`."""
    dialect, names = table.dialect, table.names
    how = [NAMES.get(dialect.delimiter, repr(dialect.delimiter)) + f" (by its line {separator})" * bool(separator)]
    how.append(str(table.encoding))
    how += ["single quotes" if dialect.quote else "no quoting"] if dialect.quote != '"' else []
    how += ["backslash escapes"] * dialect.backslash + ["blanks before quotes"] * dialect.blanks
    columns = f"{len(names)} column{'s' * (len(names) > 1)}"
    if not table.header:
        return ", ".join([*how, f"no header: {columns} {names[0]}{' ...' * (len(names) > 1)}"])
    line = f"the line below {shape.top} others" if shape.top else "its first line"
    again = ", ".join(map(repr, table.several[:MOST_TOLD]))
    several = [f"several columns named {again}, told apart by numbers"] if again else []
    return ", ".join([*how, f"{columns} named by {line}", *several])
