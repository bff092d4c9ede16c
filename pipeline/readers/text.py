"""A text file -> rows of `text`: a document a file, a paragraph or a line."""

import zlib
from collections.abc import Iterator
from itertools import chain
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.documents import STRING, Found, Rejection, Remark, Rows
from pipeline.places import Places
from pipeline.readers._encodings import Encoding, chosen, is_utf8, original, recoded
from pipeline.sources import Source, blocks_of

SUFFIXES = (".txt", ".md", ".markdown", ".rst")

SCHEMA = pa.schema([pa.field("text", STRING)])
Split = Literal["file", "paragraphs", "lines"]
Ints = npt.NDArray[np.int64]

BLOCK = 4 << 20
LONGEST = 256 << 20  # bytes of a document
DAMAGE = (OSError, EOFError, zlib.error, UnicodeDecodeError)
CUT = "the file cannot be read to its end"
MARK = "\ufeff"


def text(source: Source, *, split: Split = "file", encoding: str = "") -> Iterator[Found]:
    """Read plain text or Markdown as it stands: a document a file, or, with `split`, a paragraph or a line that is not blank.

    A paragraph ends at a blank line; a row's place is its first line, from 1. The encoding, where it is not set, is UTF-8, or
    UTF-16 and UTF-32 by mark or form, else told by the bytes, which a `Remark` says. Rejected are a file with NUL bytes, which
    is no text, one of more than 256 MiB where it is one document, a longer line or paragraph, one that is not in the encoding,
    and what is cut.
    """
    blocks = blocks_of(source, BLOCK)
    start = next(blocks, b"")
    told = chosen(source, encoding, start)
    if b"\0" in start and not told.name.startswith(("utf-16", "utf-32")):
        yield Rejection("", "the file is no text: it has NUL bytes", start if len(start) < BLOCK else b"")
        return
    if told.how:
        yield Remark(str(told))
    pieces = chain([start], blocks)
    yield from _whole(pieces, told) if split == "file" else _parts(pieces, told, split)


def _whole(pieces: Iterator[bytes], encoding: Encoding) -> Iterator[Rows | Rejection]:
    held, size = [], 0
    try:
        for piece in pieces:
            held.append(piece)
            size += len(piece)
            if size > LONGEST:
                yield Rejection("", f"the file has more than {LONGEST >> 20} MiB. Set `split: lines` or `paragraphs`.", b"")
                return
    except DAMAGE as error:
        yield Rejection("", f"{CUT} ({error})", b"".join(held))
        return
    raw = b"".join(held)
    try:
        content = raw.decode(encoding.name).removeprefix(MARK)
    except UnicodeDecodeError as error:
        yield Rejection("", f"the file is not {error.encoding} ({error.reason} at byte {error.start})", raw)
        return
    if "\0" in content:
        yield Rejection("", "the file is no text: it has NUL bytes", raw)
        return
    yield Rows(pa.table([pa.array([content], STRING)], schema=SCHEMA), [""])


def _parts(pieces: Iterator[bytes], encoding: Encoding, split: Split) -> Iterator[Rows | Rejection]:
    """Yield lines or paragraphs as the blocks come; the last one, which may go on, waits for the next block."""
    rest, line, held, size, damage, broken_off = b"", 1, list[bytes](), 0, "", False
    blocks = recoded(pieces, encoding.name)
    try:
        for block in chain([next(blocks, b"").removeprefix(MARK.encode())], blocks):
            held.append(block)
            size += len(block)
            if size < min(len(rest), LONGEST - len(rest)):  # as much again: so a long line is split twice, not often
                continue
            parts = _cut(b"".join([rest, *held]), split, line, whole=False)
            held, size = [], 0
            yield from _rows(parts, encoding, broken_off)
            broken_off &= not len(parts.starts)
            rest, line = parts.data[parts.rest :], parts.line
            if len(rest) > LONGEST:
                yield Rejection(str(line), f"{LONGEST >> 20} MiB without an end; they stay in the file", b"")
                rest, broken_off = b"", True
    except DAMAGE as error:
        damage = f"{CUT} ({error})"
    parts = _cut(b"".join([rest, *held]), split, line, whole=not damage)
    yield from _rows(parts, encoding, broken_off)
    if damage:
        yield Rejection(str(parts.line), damage, original(parts.data[parts.rest :], encoding.name))


class Parts(NamedTuple):
    """Where parts of some bytes begin and end, without line ends, and on which lines; where the rest begins, and its line."""

    data: bytes
    starts: Ints
    ends: Ints
    lines: Ints
    rest: int
    line: int


def _cut(data: bytes, split: Split, line: int, *, whole: bool) -> Parts:
    r"""Cut whole lines or paragraphs that are not blank, the first line being number `line`; `whole` if no more data comes.

    >>> found = _cut(b"a\nb\n\nc", "paragraphs", 1, whole=True)
    >>> found.starts.tolist(), found.ends.tolist(), found.lines.tolist()
    ([0, 5], [3, 6], [1, 4])
    """
    lines = pa.array(data.splitlines(keepends=True), pa.large_binary())
    bounds = np.frombuffer(lines.buffers()[1], np.int64)[: len(lines) + 1] if len(lines) else np.zeros(1, np.int64)
    starts, ends, codes = bounds[:-1], bounds[1:], np.frombuffer(b"  " + data, np.uint8)  # so that a byte is 2 behind its place
    last, before = codes[ends + 1], codes[ends]
    stops = ends - np.isin(last, (10, 13)) - ((last == 10) & (before == 13))
    open_ = len(lines) > 0 and not whole and last[-1] != 10  # a carriage return may be half of a line end
    count = len(lines) - open_
    words = pc.ascii_trim_whitespace(lines.view(STRING))
    full = pc.binary_length(words).to_numpy(zero_copy_only=False)[:count] > 0
    first = last_ = np.flatnonzero(full)
    if split == "paragraphs":
        edges = np.diff(np.concatenate([[False], full, [False]]).astype(np.int8))
        first, last_ = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
        if not whole and count and full[-1]:  # the last one may go on
            count, first, last_ = int(first[-1]), first[:-1], last_[:-1]
    return Parts(data, starts[first], stops[last_], first + line, int(bounds[count]), line + count)


def _rows(parts: Parts, encoding: Encoding, broken_off: bool) -> Iterator[Rows | Rejection]:
    """Yield parts as rows, and rejections of those that are no text; and of the first if it is the end of a long one."""
    cells = [parts.data[start:end] for start, end in zip(parts.starts.tolist(), parts.ends.tolist(), strict=True)]
    why = {0: "the end of what was too long"} if broken_off and cells else {}
    array = pa.array(cells, pa.large_binary())
    try:
        texts = array.cast(STRING)
    except pa.ArrowInvalid:
        why |= {index: f"not {encoding.name}" for index, cell in enumerate(cells) if not is_utf8(cell)}
    if b"\0" in parts.data:
        why |= {index: "no text: it has NUL bytes" for index, cell in enumerate(cells) if b"\0" in cell}
    lines = parts.lines
    if why:
        good = np.setdiff1d(np.arange(len(cells)), list(why))
        texts, lines = array.take(pa.array(good)).cast(STRING), lines[good]
    if len(texts):
        yield Rows(pa.table([texts], schema=SCHEMA), Places("", pa.array(lines)))
    for index, error in sorted(why.items()):
        yield Rejection(str(parts.lines[index]), error, original(cells[index], encoding.name))
