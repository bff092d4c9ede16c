"""The start of a file -> its delimiter, how its cells are quoted, and where in it the table begins.

The plain reading, double quotes that are doubled, is left only for one that reads what the plain one cannot: rows that were
ragged or had quotes out of place are whole under it, but for a tenth. So nothing is guessed against the text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.errors import SourceError
from pipeline.readers.csv.cells import cells_of
from pipeline.readers.csv.scan import SOUND, Dialect, Records, scan
from pipeline.sources import Source, suffix

NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar", "\x01": "^A", "\x1f": "^_", "": "no delimiter"}
QUOTES = {"double": '"', "single": "'", "none": ""}
SAMPLE = 65536  # bytes that the dialect is told by
MOST_ABOVE = 50  # lines above a table
STABLE = 0.75  # the least share of equally wide lines that makes a table below narrow ones
SEPARATOR = re.compile(rb"\A(?:\"?)sep=([^\r\n\"])\"?(?:\r\n|\r|\n)", re.IGNORECASE)


class Wanted(NamedTuple):
    """What the user set; what is empty or `auto` is to be found out."""

    delimiter: str = ""
    encoding: str = ""
    header: bool | str = "auto"
    quote: str = "auto"
    backslash: bool | str = "auto"


@dataclass(frozen=True)
class Shape:
    """A sample under a dialect: its records, the table's first one and its width, and how many do not fit in."""

    dialect: Dialect
    records: Records
    top: int
    width: int
    faults: int

    @property
    def share(self) -> float:
        """The share of the table's records that fit in; none where the table has one column only."""
        rows = len(self.records.starts) - self.top
        return (1 - self.faults / rows) if rows and self.width > 1 else 0.0


def separator(start: bytes) -> tuple[str, int]:
    r"""Return the delimiter that Excel's first line names, and that line's length.

    >>> separator(b"sep=;\r\na;b"), separator(b"a;b")
    ((';', 7), ('', 0))
    """
    found = SEPARATOR.match(start)
    return (found[1].decode("latin-1"), found.end()) if found and found[1].isascii() else ("", 0)


def shape_of(source: Source, wanted: Wanted, start: bytes, whole: bool) -> Shape:
    """Tell the dialect of a file's start, and its shape under it; `whole` if that is the whole file.

    Raises `SourceError` for a delimiter that is none.
    """
    given = wanted.delimiter
    if given and given != "none" and (len(given) != 1 or not given.isascii() or given in '"\r\n'):
        raise SourceError(f"{source.path}: the delimiter must be one ASCII character, or `none`, not {given!r}.")
    sample = _sample(start, whole)
    if not given and suffix(source.path) == ".tsv":
        wanted = wanted._replace(delimiter=(given := "\t"))
    plain = Dialect(",", QUOTES.get(wanted.quote, '"'), wanted.backslash is True)
    delimiters = [given.replace("none", "")] if given else [code for code in NAMES if code and code.encode() in sample]
    return _quoted(sample, delimiters, plain, wanted, whole)


def _sample(start: bytes, whole: bool) -> bytes:
    """Cut off whole lines for a sample; what ends the file ends a line."""
    if len(start) <= SAMPLE:
        return start + b"\n" if whole else start
    end = max(start.rfind(b"\n", 0, SAMPLE), start.rfind(b"\r", 0, SAMPLE)) + 1
    return start[:end] if end else start + b"\n" * whole


def _shape(sample: bytes, dialect: Dialect, whole: bool) -> Shape:
    records = scan([sample], dialect)
    top, width = _table(records)
    below = slice(top, None)
    faults = int(np.sum((records.widths[below] != width) | (records.states[below] != SOUND)))
    unclosed = whole and records.rest < records.size
    return Shape(dialect, records, top, width, faults + unclosed)


def _table(records: Records) -> tuple[int, int]:
    """Return the first record of the table, and its width: the first line's, but for narrow lines above a stable table."""
    widths = records.widths
    if not len(widths):
        return 0, 1
    counts = np.bincount(widths)
    usual = int(len(counts) - 1 - np.argmax(counts[::-1]))
    top = int(np.argmax(widths == usual))
    above, rows = widths[:top], widths[top:]
    narrow = 0 < top <= MOST_ABOVE and len(rows) > 2 and np.all(above <= max(1, usual // 2))
    if narrow and np.mean(rows == usual) >= STABLE and (usual > 2 or _blank_line(records, top)):
        return top, usual
    return 0, int(widths[0])


def _blank_line(records: Records, index: int) -> bool:
    between = records.data[records.ends[index - 1] : records.starts[index]].tobytes()
    return max(between.count(b"\n"), between.count(b"\r")) > 1


def _delimited(sample: bytes, delimiters: Sequence[str], plain: Dialect, whole: bool) -> Shape:
    """Return the shape under the delimiter that most rows agree on; if the first line has none, each line is one cell."""
    shapes = [_shape(sample, plain._replace(delimiter=delimiter), whole) for delimiter in delimiters]
    open_ = [shape for shape in shapes if not len(shape.records.starts)]  # all within one quote: who knows how wide
    ranked = sorted([shape for shape in shapes if shape.width > 1] or open_, key=lambda shape: (-shape.share, -shape.width))
    if not ranked:
        return _shape(sample, plain._replace(delimiter=""), whole)
    best, others = ranked[0], [shape for shape in ranked[1:] if shape.share >= 0.9]
    decimal = best.dialect.delimiter == "," and b"," not in re.sub(rb"(?<=\d),(?=\d)", b"", sample)
    return others[0] if decimal and others else best


def _quoted(sample: bytes, delimiters: Sequence[str], double: Dialect, wanted: Wanted, whole: bool) -> Shape:
    """Return the shape under plain quoting, or the first one under another that is clearly better."""
    given = delimiters[0] if wanted.delimiter else None

    def shape(dialect: Dialect) -> Shape:
        if given is not None:
            return _shape(sample, dialect._replace(delimiter=given), whole)
        return _delimited(sample, delimiters, dialect, whole)

    plain = shape(double)
    others = (shape(dialect) for dialect in _others(sample, double, wanted))
    chosen = next((found for found in others if _clearly(found, plain)), plain)
    delimiter, quote = chosen.dialect.delimiter.encode(), chosen.dialect.quote.encode()
    if delimiter and quote and re.search(re.escape(delimiter) + b" +" + quote, sample):
        found = _shape(sample, chosen.dialect._replace(blanks=True), whole)
        if found.faults <= chosen.faults and not np.any(found.records.states != SOUND):
            return found
    return chosen


def _others(sample: bytes, plain: Dialect, wanted: Wanted) -> list[Dialect]:
    """Return the dialects beside the plain one that the sample and the user's settings leave open."""
    quotes = [plain.quote]
    if wanted.quote == "auto":
        quotes += ["'"] * (b"'" in sample) + [""] * (sample.count(b'"') > 1)
    escapes = [wanted.backslash] if wanted.backslash != "auto" else [False, True] if b"\\" in sample else [False]
    dialects = [plain._replace(quote=quote, backslash=bool(escape)) for quote in quotes for escape in escapes]
    return [dialect for dialect in dialects if dialect != plain]


def _clearly(other: Shape, plain: Shape) -> bool:
    """Say whether a reading is clearly better than the plain one, or is MySQL's, by a cell that is its NULL."""
    dialect = other.dialect
    escaped = dialect.backslash and dialect.quote == plain.dialect.quote
    if escaped and plain.width < 2 <= other.width and not other.faults:  # no delimiter was found for the broken quotes
        return True
    if escaped and other.faults <= plain.faults and _has(plain, r"\N"):
        return True
    if not plain.faults or other.faults * 10 > plain.faults or other.width < plain.width:
        return False
    return bool(dialect.quote) or not _pairs(_cells(other))


def _has(shape: Shape, cell: str) -> bool:
    return any(cell in row for row in _cells(shape))


def _pairs(rows: Sequence[Sequence[str]]) -> bool:
    """Say whether quotes quote after all: a cell begins and ends with one, or only one cell begins with one."""
    begun = [cell for row in rows for cell in row if cell.startswith('"')]
    return len(begun) < 2 or any(len(cell) > 1 and cell.endswith('"') for cell in begun)


def _cells(shape: Shape) -> list[list[str]]:
    return cells_of(shape.records, shape.dialect, 1000)
