"""A text file -> rows of `text`: a document a file, a paragraph or a line."""

import zlib
from collections.abc import Iterator
from itertools import chain
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.documents import LONGEST, STRING, Found, Rejection, Remark, Rows
from pipeline.places import Places
from pipeline.readers._encodings import Encoding, chosen, is_utf8, original, recoded
from pipeline.sources import Source, blocks_of, size_of
from pipeline.sources.unpacking import packed_as

SUFFIXES = (".txt", ".md", ".markdown", ".rst")

SCHEMA = pa.schema([pa.field("text", STRING)])
Split = Literal["file", "paragraphs", "lines"]
Ints = npt.NDArray[np.int64]

BLOCK = 4 << 20
LONGEST_PART = 256 << 20  # bytes of a line or a paragraph
KEPT = 64 << 20  # bytes of what is too long in a rejection; it takes many
DAMAGE = (OSError, EOFError, zlib.error, UnicodeDecodeError)
CUT = "the file cannot be read to its end"
MARK = "\ufeff"
SIGNS = (b"\0", MARK.encode(), "\ufffd".encode())  # a file with one of these may be another than its bytes say at once


def text(source: Source, *, split: Split = "file", encoding: str = "") -> Iterator[Found]:
    """Read plain text or Markdown as it stands: a document a file, or, with `split`, a paragraph or a line that is not blank.

    A paragraph ends at a blank line; a row's place is its first line, from 1. The encoding, where it is not set, is UTF-8, or
    UTF-16 and UTF-32 by mark or form, else told by the bytes, which a `Remark` says. Rejected are a file with NUL bytes, which
    is no text, one of 2 GiB or more where it is one document, a line or paragraph of more than 256 MiB, one that is not in the
    encoding, and what is cut; all of them with their bytes, what is too long piece by piece.
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
    yield from _whole(source, pieces, told) if split == "file" else _parts(pieces, told, split)


def at_once(contents: pa.LargeBinaryArray) -> tuple[pa.LargeStringArray, npt.NDArray[np.bool_]]:
    r"""Return files' bytes as texts, and which of them `text` would take for documents as they stand.

    Of the others, whatever they are (empty, another encoding, marked, with NUL bytes or a replacement character, by which an
    encoding may be told), the text means nothing.

    >>> texts, sound = at_once(pa.array([b"Hi", b" ", b"caf\xe9", b"a\0b"], pa.large_binary()))
    >>> texts[0].as_py(), sound.tolist()
    ('Hi', [True, False, False, False])
    """
    data = contents.buffers()[2]
    held = memoryview(data or b"").tobytes()
    odd = np.zeros(len(contents), bool)
    if any(sign in held for sign in SIGNS):
        odd = np.array([any(sign in cell for sign in SIGNS) for cell in contents.to_pylist()])
    try:
        texts = contents.cast(STRING)
    except pa.ArrowInvalid:
        cells = contents.to_pylist()
        sound = [is_utf8(cell) for cell in cells]
        odd |= ~np.array(sound)
        texts = pa.array([cell.decode() if good else "" for cell, good in zip(cells, sound, strict=True)], STRING)
    empty = pc.or_(pc.equal(pc.binary_length(texts), 0), pc.utf8_is_space(texts))
    return texts, ~(odd | empty.to_numpy(zero_copy_only=False))


def _whole(source: Source, pieces: Iterator[bytes], encoding: Encoding) -> Iterator[Rows | Rejection]:
    held = bytearray()  # grows in place, where joined blocks would be there twice
    size = size_of(source) if source.part is None and not packed_as(source.path) else 0
    try:
        while max(size, len(held)) <= LONGEST:
            piece = next(pieces, None)
            if piece is None:
                yield _document(held, encoding)
                return
            held += piece
    except DAMAGE as error:
        yield Rejection("", f"{CUT} ({error})", bytes(held))
        return
    yield from _too_long(held, pieces)


def _document(raw: bytearray, encoding: Encoding) -> Rows | Rejection:
    """Return a file's text as a row."""
    try:
        content = raw if encoding.name == "utf-8" else raw.decode(encoding.name).removeprefix(MARK).encode()
        text = _utf8(content)
    except UnicodeDecodeError as error:
        return Rejection("", f"the file is not {error.encoding} ({error.reason} at byte {error.start})", bytes(raw))
    if len(content) > LONGEST:
        return Rejection("", f"in UTF-8 the text has {len(content)} bytes, too many for a document", bytes(raw))
    if 0 in content:
        return Rejection("", "the file is no text: it has NUL bytes", bytes(raw))
    return Rows(pa.table([text], schema=SCHEMA), [""])


def _utf8(raw: bytes | bytearray) -> pa.LargeStringArray:
    """Return UTF-8 as a string without its mark, nothing copied; raises `UnicodeDecodeError` for what is none."""
    first = len(MARK.encode()) if raw.startswith(MARK.encode()) else 0
    bounds = pa.py_buffer(np.array([first, len(raw)]))
    text = pa.LargeStringArray.from_buffers(1, bounds, pa.py_buffer(raw))
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        raw.decode()
        raise
    return text


def _too_long(held: bytearray, pieces: Iterator[bytes]) -> Iterator[Rejection]:
    """Yield a file that is too long for a document, some bytes at a time."""
    why = f"the file has more than {LONGEST} bytes, too many for a document. Set `split: lines` or `paragraphs`."
    at = 0
    try:
        for piece in pieces:
            held += piece
            while len(held) > KEPT:
                yield Rejection(f"bytes {at}-{at + KEPT - 1}", why, bytes(held[:KEPT]))
                del held[:KEPT]
                at += KEPT
    except DAMAGE as error:
        why = f"{why[:-1]}; {CUT} ({error})"
    while held:
        yield Rejection(f"bytes {at}-{at + min(KEPT, len(held)) - 1}", why, bytes(held[:KEPT]))
        del held[:KEPT]
        at += KEPT


def _parts(pieces: Iterator[bytes], encoding: Encoding, split: Split) -> Iterator[Rows | Rejection]:
    """Yield lines or paragraphs as the blocks come; the last one, which may go on, waits for the next block."""
    rest, line, held, size, damage, broken_off = b"", 1, list[bytes](), 0, "", False
    blocks = recoded(pieces, encoding.name)
    try:
        for block in chain([next(blocks, b"").removeprefix(MARK.encode())], blocks):
            held.append(block)
            size += len(block)
            if size < min(len(rest), LONGEST_PART - len(rest)):  # as much again: so a long line is split twice, not often
                continue
            parts = _cut(b"".join([rest, *held]), split, line, whole=False)
            held, size = [], 0
            yield from _rows(parts, encoding, broken_off)
            broken_off &= not len(parts.starts)
            rest, line = parts.data[parts.rest :], parts.line
            if len(rest) > LONGEST_PART:
                error = f"more than {LONGEST_PART >> 20} MiB without an end; here they are"
                yield Rejection(str(line), error, original(rest, encoding.name))
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
