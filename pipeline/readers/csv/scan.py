"""Bytes -> where each record of theirs begins and ends, where its fields end, and whether its quotes are in place.

The grammar is RFC 4180's: a quote inside an unquoted field is a character, a blank line is no record, a byte order mark
before a record is none of its text. A quote inside a quoted field that is neither doubled nor at the field's end is kept as a
character if the record has one line; a record of several lines with such a quote is broken, and costs its first line.

The walk goes from one delimiter, quote or line end to the next, 64 bytes at a time.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from filters.kernels import BROKEN as NO_CHARACTER
from filters.kernels import Bytes, Flags, Ints, Scalar, between, bits_in, decode, kernel, load, lowest_bit, part, read_only

SOUND, LOOSE, BROKEN = 0, 1, 2  # a record's state
QUOTED, ESCAPED = 1, 2  # bits of a field's end
PAD = b"\n" * 64  # the kernels look 64 bytes ahead
UNSET = 10  # as a quote or delimiter: a line end, which is looked for anyway


class Dialect(NamedTuple):
    """How cells are cut: the delimiter and the quote (empty: none), backslashes that escape, blanks before a quote."""

    delimiter: str
    quote: str = '"'
    backslash: bool = False
    blanks: bool = False

    def codes(self) -> tuple[int, int, int, bool]:
        """Return delimiter, quote and escape as the kernels know them, and whether blanks before a quote are passed over."""
        return ord(self.delimiter or chr(UNSET)), ord(self.quote or chr(UNSET)), 92 * self.backslash, self.blanks


class Records(NamedTuple):
    """The whole records of some bytes.

    `data` ends with 64 bytes that are not counted in `size`. Of each record: where it begins and ends, its number of fields,
    the first of them, its state. `fields` are all fields' ends times 4, plus QUOTED and ESCAPED. Behind `rest` no record ends.
    """

    data: Bytes
    size: int
    starts: Ints
    ends: Ints
    widths: Ints
    firsts: Ints
    states: Ints
    fields: Ints
    rest: int

    def record(self, index: int) -> bytes:
        """Return one record's bytes, without its line end."""
        return self.data[self.starts[index] : self.ends[index]].tobytes()

    def left(self) -> bytes:
        """Return the bytes behind the last whole record."""
        return self.data[self.rest : self.size].tobytes()


def scan(pieces: Sequence[bytes], dialect: Dialect, width: int = 0, doubt: bool = False) -> Records:
    r"""Find the records of bytes, which come in pieces.

    `width` is how many fields are expected (0: any), `doubt` whether a broken record came before.

    >>> found = scan([b'a,"b\n c"\n1,2\n3'], Dialect(","))
    >>> found.record(0), found.widths.tolist(), found.rest
    (b'a,"b\n c"', [2, 2], 13)
    """
    padded = read_only(np.frombuffer(b"".join([*pieces, PAD]), np.uint8))
    size = len(padded) - len(PAD)
    codes = dialect.codes()
    lines, delimiters = _count(padded, codes[0])
    table, ends = np.empty((5, lines), np.int64), np.empty(lines + delimiters, np.int64)
    records, found, rest = _walk(padded, size, *codes, width, doubt, table, ends)
    starts, stops, widths, firsts, states = table[:, :records]
    return Records(padded, size, starts, stops, widths, firsts, states, ends[:found], rest)


@kernel
def _count(data: Bytes, delimiter: Scalar) -> tuple[int, int]:
    """Return the numbers of line ends and of delimiters; the last bytes, fewer than 64, are padding."""
    lines = delimiters = 0
    for at in range(0, len(data) - 63, 64):
        lines += bits_in(between(data, at, 10, 10) | between(data, at, 13, 13))
        delimiters += bits_in(between(data, at, delimiter, delimiter))
    return lines, delimiters


@part
def _specials(data: Bytes, at: Scalar, delimiter: Scalar, quote: Scalar, escape: Scalar) -> Scalar:
    found = between(data, at, delimiter, delimiter) | between(data, at, quote, quote)
    found |= between(data, at, 10, 10) | between(data, at, 13, 13)
    return found | between(data, at, escape, escape) if escape else found


@part
def _after_mark(data: Bytes, at: Scalar) -> Scalar:
    return at + 3 if load(data, at) & np.uint64(0xFFFFFF) == np.uint64(0xBFBBEF) else at


@part
def _blank(data: Bytes, begin: Scalar, end: Scalar) -> Scalar:
    while begin < end and data[begin] == 32:
        begin += 1
    return begin == end


@kernel
def _walk(  # noqa: C901  one loop: a call for each state would cost more than its work
    data: Bytes,
    size: Scalar,
    delimiter: Scalar,
    quote: Scalar,
    escape: Scalar,
    blanks: Scalar,
    expected: Scalar,
    doubt: Scalar,
    records: Ints,
    fields: Ints,
) -> tuple[int, int, int]:
    count = found = base = first = skip = 0
    start = field = _after_mark(data, 0)
    rest, line, flags = 0, -1, 0  # `line`: where the record's first line ends, if it has several
    quoted = loose = inner = False
    bits = _specials(data, 0, delimiter, quote, escape)
    while True:
        while bits == 0:
            base += 64
            if base >= size:
                return count, first, rest
            bits = _specials(data, base, delimiter, quote, escape)
        at = base + lowest_bit(bits)
        bits &= bits - np.uint64(1)
        if at >= size:
            return count, first, rest
        byte = data[at]
        broken = False
        if at < skip:
            continue
        if byte == escape and escape:
            skip, flags = at + 2, flags | 2
            continue
        if quoted:
            if byte == 10 or byte == 13:
                line = at if line < 0 else line
                broken = loose
            elif byte == quote:
                if at + 1 >= size:
                    return count, first, rest
                following = data[at + 1]
                if following == quote:
                    skip, flags = at + 2, flags | 2
                elif following == delimiter or following == 10 or following == 13:
                    quoted = False
                else:
                    loose, broken = True, line >= 0
            if not broken:
                continue
        elif byte == delimiter and byte != 10:
            fields[found] = at << 2 | flags
            found, field, flags = found + 1, at + 1, 0
            continue
        elif byte == quote and byte != 10:
            if at == field or (blanks and _blank(data, field, at)):
                quoted, flags = True, flags | 1
            else:
                inner = True
            continue
        elif at > start:
            fields[found] = at << 2 | flags
            found += 1
            wrong = expected > 0 and found - first != expected
            broken = (loose and wrong) or (doubt and inner)
        if at > start:
            end = line if broken and line >= 0 else at
            records[0, count], records[1, count] = start, end
            records[2, count], records[3, count] = found - first, first
            records[4, count] = 2 if broken else 1 if loose else 0
            count, doubt = count + 1, broken
            if end < at:  # what follows the first line is read anew
                base = end
                bits = _specials(data, base, delimiter, quote, escape) & ~np.uint64(1)
            at = end
        rest = at + 1
        start = field = _after_mark(data, rest)
        first, line, flags, skip = found, -1, 0, 0
        quoted = loose = inner = False


@kernel
def soundness(data: Bytes, starts: Ints, ends: Ints) -> Flags:
    """Say of each record whether it is UTF-8; `bool[records]`."""
    sound = np.ones(len(starts), np.bool_)
    for record in range(len(starts)):
        at, end = starts[record], ends[record]
        while at < end:
            if load(data, at) & np.uint64(0x8080808080808080) == 0:
                at += 8
                continue
            code, after = decode(data, at, end)
            if code == NO_CHARACTER and after == at + 1:  # a true U+FFFD has three bytes
                sound[record] = False
                break
            at = after
    return sound
