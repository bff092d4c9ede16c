"""A CSV or TSV file -> its rows, every cell a string.

A kernel walks over the bytes once and finds where each record ends and how many fields it has, by the grammar of
pandas' own parser (RFC 4180; a quote inside an unquoted field is a character, a blank line is no record). Records that
are not as wide as the header, or not in the encoding, are rejected with their bytes; what is left is rectangular, and
pandas reads it.
"""

import codecs
import io
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.documents import STRING, Rejection, Rows
from pipeline.errors import SourceError
from pipeline.sources import Source, blocks_of, suffix

SUFFIXES = (".csv", ".tsv")

BLOCK = 4 << 20
LONGEST = 64 << 20  # bytes of a record; beyond, its quote is taken for a stray one
START_SIZE = 65536  # bytes that delimiter and encoding are found by
DELIMITERS = ",;\t|"
MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
CUT = "the file cannot be read to its end"
DAMAGE = (OSError, EOFError, zlib.error, UnicodeDecodeError)

Ints = npt.NDArray[np.int64]
Scan = Callable[[npt.NDArray[np.uint8], int, Ints, Ints, Ints], tuple[int, int]]


class Records(NamedTuple):
    """The whole records of some bytes: where each begins and ends, its number of fields, and where the rest begins."""

    data: bytes
    starts: Ints
    ends: Ints
    fields: Ints
    rest: int

    def record(self, index: int) -> bytes:
        """Return one record's bytes, without its line end."""
        return self.data[self.starts[index] : self.ends[index]]


def csv(source: Source, *, delimiter: str = "", encoding: str = "", header: bool = True) -> Iterator[Rows | Rejection]:
    """Read a CSV or TSV file; a row's place is its number, from 1, the rejected ones counted.

    The delimiter is found among comma, semicolon, tab and bar (`.tsv`: tab), the encoding by byte order mark; without
    one it is UTF-8 if most of the file's start is, else cp1252. Without `header`, columns are named `column_1`, ... An
    empty field is the empty string, never NULL. Raises `SourceError` for a header that is broken or names two columns
    alike, and for an unknown delimiter or encoding.
    """
    blocks = blocks_of(source, BLOCK)
    start = next(blocks, b"")
    encoding = _codec(source, encoding or _encoding(start[:START_SIZE]))
    recoded = _utf8(chain([start], blocks), encoding)
    start = next(recoded, b"").removeprefix(codecs.BOM_UTF8)
    delimiter = _delimiter(source, delimiter, start[:START_SIZE])
    names: list[str] = []
    number = 0
    for block in _records(chain([start], recoded), delimiter):
        if isinstance(block, Rejection):
            if header and not names and not block.error.startswith(CUT):
                raise SourceError(f"{source.path}: the header cannot be read: {block.error}.")
            number += 1
            yield Rejection(str(number), block.error, _original(block.raw, encoding))
            continue
        if not names and len(block.starts):
            names = _names(source, block, delimiter, header)
            block = _without_first(block) if header else block
        yield from _rows(block, number, names, delimiter, encoding)
        number += len(block.starts)
    if not names and not number:
        yield Rejection("", "the file is empty", b"")


def _encoding(start: bytes) -> str:
    for mark, name in MARKS:
        if start.startswith(mark):
            return name
    text = start.decode("utf-8", "replace").removesuffix("\ufffd")  # the last character may be cut
    broken = text.count("\ufffd")
    sound = sum(not character.isascii() for character in text) - broken if broken else 0
    return "cp1252" if broken > sound else "utf-8"


def _codec(source: Source, encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name.removesuffix("-sig")
    except LookupError:
        raise SourceError(f"{source.path}: unknown encoding {encoding!r}. Try utf-8, utf-16 or cp1252.") from None


def _utf8(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Recode to UTF-8; what cannot be decoded becomes lone surrogates, which are not UTF-8 and can be turned back."""
    if encoding == "utf-8":
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(encoding)(_handler(encoding))
    for block in blocks:
        yield decoder.decode(block).encode("utf-8", "surrogatepass")
    yield decoder.decode(b"", final=True).encode("utf-8", "surrogatepass")


def _original(raw: bytes, encoding: str) -> bytes:
    if encoding == "utf-8":
        return raw
    return raw.decode("utf-8", "surrogatepass").encode(encoding, _handler(encoding))


def _handler(encoding: str) -> str:
    return "surrogatepass" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"


def _delimiter(source: Source, given: str, start: bytes) -> str:
    if given:
        if len(given) != 1 or not given.isascii() or given in '"\r\n':
            raise SourceError(f"{source.path}: the delimiter must be one ASCII character, not {given!r}.")
        return given
    if suffix(source.path) == ".tsv":
        return "\t"

    def score(delimiter: str) -> tuple[float, int]:
        widths = _scan(start + b"\n", delimiter).fields[:100]
        first = int(widths[0]) if len(widths) else 1
        return (float(np.mean(widths == first)), first) if first > 1 else (0.0, 0)

    return max(DELIMITERS, key=score)


def _records(blocks: Iterator[bytes], delimiter: str) -> Iterator[Records | Rejection]:
    rest = b""
    try:
        for block in blocks:
            records = _scan(rest + block, delimiter)
            rest = records.data[records.rest :]
            yield records
            if len(rest) > LONGEST:
                line, newline, rest = rest.partition(b"\n")
                yield Rejection("", f"a quote is not closed within {LONGEST >> 20} MiB", line + newline)
    except DAMAGE as error:
        yield Rejection("", f"{CUT} ({error})", rest)
        return
    while rest:
        records = _scan(rest if rest.endswith(b"\n") else rest + b"\n", delimiter)
        yield records
        line, newline, rest = records.data[records.rest :].partition(b"\n")
        if line:
            yield Rejection("", "a quote is never closed", line + newline)


def _scan(data: bytes, delimiter: str) -> Records:
    size = data.count(b"\n") + data.count(b"\r")
    starts, ends, fields = (np.empty(size, np.int64) for _ in range(3))
    count, rest = _kernel()(np.frombuffer(data, np.uint8), ord(delimiter), starts, ends, fields)
    return Records(data, starts[:count], ends[:count], fields[:count], rest)


@cache
def _kernel() -> Scan:
    from filters.kernels import kernel

    return kernel(_walk)


def _walk(data: npt.NDArray[np.uint8], delimiter: int, starts: Ints, ends: Ints, fields: Ints) -> tuple[int, int]:
    before_field, plain, quoted, closed = 0, 1, 2, 3
    state, count, start, width = before_field, 0, 0, 1
    for position in range(len(data)):
        byte = data[position]
        if state == quoted:
            if byte == 34:  # "
                state = closed
        elif byte == 10 or byte == 13:
            if position > start:
                starts[count], ends[count], fields[count] = start, position, width
                count += 1
            state, start, width = before_field, position + 1, 1
        elif byte == delimiter:
            state, width = before_field, width + 1
        elif byte == 34 and state != plain:
            state = quoted
        else:
            state = plain
    return count, start


def _names(source: Source, block: Records, delimiter: str, header: bool) -> list[str]:
    width = int(block.fields[0])
    if not header:
        return [f"column_{place}" for place in range(1, width + 1)]
    if not _is_utf8(block.record(0)):
        raise SourceError(f"{source.path}: the header is not in the encoding. Set another `encoding`.")
    cells = [column[0].as_py() for column in _table(block.record(0), width, delimiter).columns]
    names = [cell or f"column_{place}" for place, cell in enumerate(cells, 1)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise SourceError(f"{source.path}: two columns are named {twice[0]!r}. Rename one, or set `header: false`.")
    return names


def _without_first(block: Records) -> Records:
    return block._replace(starts=block.starts[1:], ends=block.ends[1:], fields=block.fields[1:])


def _rows(block: Records, before: int, names: list[str], delimiter: str, encoding: str) -> Iterator[Rows | Rejection]:
    sound = np.ones(len(block.starts), bool)
    if not _is_utf8(block.data):
        sound[:] = [_is_utf8(block.record(index)) for index in range(len(sound))]
    good = sound & (block.fields == len(names))
    chosen = np.flatnonzero(good)
    if len(chosen):
        data = b"\n".join([block.data[a:b] for a, b in zip(block.starts[good], block.ends[good], strict=True)])
        table = _table(data, len(names), delimiter).rename_columns(names)
        raw = lambda row: _original(block.record(int(chosen[row])), encoding)
        yield Rows(table, [str(number) for number in (chosen + before + 1).tolist()], raw)
    for index in np.flatnonzero(~good):
        wide = f"{block.fields[index]} fields, not {len(names)}"
        error = wide if sound[index] else f"the row is not {encoding}"
        yield Rejection(str(before + index + 1), error, _original(block.record(index), encoding))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _table(data: bytes, width: int, delimiter: str) -> pa.Table:
    import pandas as pd

    frame = pd.read_csv(
        io.BytesIO(data),
        sep=delimiter,
        header=None,
        names=range(width),
        index_col=False,
        dtype=pd.ArrowDtype(STRING),
        na_filter=False,
        skip_blank_lines=False,
        engine="c",
    )
    schema = pa.schema([pa.field(str(place), STRING) for place in range(width)])
    frame.columns = schema.names
    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
