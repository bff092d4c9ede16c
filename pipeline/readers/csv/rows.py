"""The blocks of a table -> its rows, and a rejection for each record that is none: in bounded memory."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.documents import STRING, Rejection, Rows
from pipeline.places import Places
from pipeline.readers._encodings import Encoding, is_utf8, original
from pipeline.readers.csv.cells import table_of
from pipeline.readers.csv.parsed import parsed_of
from pipeline.readers.csv.scan import BROKEN, LOOSE, SOUND, Dialect, Records, scan, soundness

LONGEST = 256 << 20  # bytes of a record; beyond, its quote is taken for a stray one
CUT = "the file cannot be read to its end"
DAMAGE = (OSError, EOFError, zlib.error, UnicodeDecodeError)
UTF8_AS_CP1252 = re.compile(
    rb"\xc3[\x82-\xb4](?:\xc2[\x80-\xbf]|\xc5[\x92\x93\xa0\xa1\xb8\xbd\xbe]|\xc6\x92|\xcb[\x86\x9c]|\xe2(?:\x80[\x93-\xba]|\x82\xac|\x84\xa2))"
)


@dataclass
class Table:
    """What is known of a file's table: how to cut it, its columns, its header's bytes (none: no header)."""

    encoding: Encoding
    dialect: Dialect
    names: list[str]
    header: bytes = b""
    several: list[str] = field(default_factory=list)  # names that several columns have
    kept: int = 0  # rows with a quote that is not doubled

    def original(self, raw: bytes) -> bytes:
        """Return a record's bytes as they stand in the file."""
        return original(raw, self.encoding.name)


class Blocks:
    """Blocks of a file until its end, or until damage, which is remembered."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self.damage = ""
        self._blocks = blocks

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._blocks
        except DAMAGE as error:
            self.damage = f"{CUT} ({error})"


def rows(pieces: Iterator[bytes], blocks: Blocks, table: Table) -> Iterator[Rows | Rejection]:
    """Yield the rows of a table's bytes, from its first one on, and its rejections; a place is the row's number."""
    number = 0
    for block in _records(pieces, blocks, table):
        if isinstance(block, Rejection):
            number += 1
            yield block._replace(place=str(number), raw=table.original(block.raw))
            continue
        if not table.names and len(block.starts):
            table.names = [f"column_{place}" for place in range(1, int(block.widths[0]) + 1)]
        yield from _of_block(block, number, table)
        number += len(block.starts)


def _records(pieces: Iterator[bytes], blocks: Blocks, table: Table) -> Iterator[Records | Rejection]:
    rest, held, size, doubt = b"", list[bytes](), 0, False
    for block in pieces:
        held.append(block)
        size += len(block)
        if size < min(len(rest), LONGEST - len(rest)):  # as much again: so a long record is walked over twice, not often
            continue
        records = scan([rest, *held], table.dialect, len(table.names), doubt)
        doubt = bool(len(records.states)) and records.states[-1] == BROKEN
        rest, held, size = records.left(), [], 0
        yield records
        del records
        if len(rest) > LONGEST:
            line, rest = _first_line(rest)
            yield Rejection("", f"a quote is not closed within {LONGEST >> 20} MiB", line)
    end = [] if blocks.damage else [b"\n"]
    rest = b"".join([rest, *held])
    while rest:
        records = scan([rest, *end], table.dialect, len(table.names), doubt)
        rest = records.left()
        yield records
        if rest and blocks.damage:
            break
        line, rest = _first_line(rest)
        if line.strip(b"\r\n"):
            yield Rejection("", "a quote is never closed", line)
    if blocks.damage:
        yield Rejection("", blocks.damage, rest)


def _first_line(data: bytes) -> tuple[bytes, bytes]:
    found = re.search(rb"\r\n|\r|\n", data)
    end = found.end() if found else len(data)
    return data[:end], data[end:]


def _of_block(block: Records, before: int, table: Table) -> Iterator[Rows | Rejection]:
    sound = _sound(block, table)
    good = sound & (block.widths == len(table.names)) & (block.states != BROKEN) & ~_again(block, table) & ~_end_marks(block)
    rows = np.flatnonzero(good)
    if len(rows):
        table.kept += int(np.sum(block.states[rows] == LOOSE))
        raw = lambda row: table.original(block.record(int(rows[row])))
        places = Places("", pa.array(rows + before + 1))
        plain = len(rows) == len(good) and not np.any(block.states != SOUND)
        parsed = parsed_of(block, table.names, table.dialect) if plain else None
        yield Rows(parsed or table_of(block, good, table.names, table.dialect), places, raw)
    for index in np.flatnonzero(~good).tolist():
        why = _why(block, index, bool(sound[index]), table)
        yield Rejection(str(before + index + 1), why, table.original(block.record(index)))


def _why(block: Records, index: int, sound: bool, table: Table) -> str:
    if not sound:
        utf8 = table.encoding.how and is_utf8(table.original(block.record(index)))
        return f"the row is UTF-8, not {table.encoding.name}" if utf8 else f"the row is not {table.encoding.name}"
    if block.record(index) == b"\x1a":
        return "the end mark of DOS (Ctrl-Z)"
    if block.states[index] == BROKEN:
        return "a quote is out of place"
    if block.widths[index] != len(table.names):
        return f"{block.widths[index]} fields, not {len(table.names)}"
    return "the header again"


def _sound(block: Records, table: Table) -> npt.NDArray[np.bool_]:
    """Say of each record whether it is in the encoding; where that was told by bytes, also whether it is not UTF-8."""
    whole = pa.Array.from_buffers(STRING, 1, [None, pa.py_buffer(np.array([0, block.rest])), pa.py_buffer(block.data)])
    sound = np.ones(len(block.starts), np.bool_)
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:
        sound = soundness(block.data, block.starts, block.ends)
    if table.encoding.how and table.encoding.name == "cp1252" and UTF8_AS_CP1252.search(block.data.data):
        for index in range(len(sound)):
            raw = table.original(block.record(index))
            sound[index] &= raw.isascii() or not is_utf8(raw)
    return sound


def _end_marks(block: Records) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = (block.ends - block.starts == 1) & (block.data[block.starts] == 26)
    return found


def _again(block: Records, table: Table) -> npt.NDArray[np.bool_]:
    """Say of each record whether it is the header again, as in files that were put together."""
    header = table.header
    found = np.zeros(len(block.starts), np.bool_)
    if len(header) > 1 and len(table.names) > 1:
        found = (block.ends - block.starts == len(header)) & (block.data[block.starts] == header[0])
        found &= block.data[block.ends - 1] == header[-1]
        for index in np.flatnonzero(found):
            found[index] = block.record(index) == header
    return found
