"""One cell as a dump writes it -> the bytes that the database holds: a compiled kernel for each way of writing.

Each reads `buf[p:stop]`, writes to `out` from `o` on, and returns the place behind what it wrote, or -1 if it cannot be read.
None writes more bytes than it reads, but `out` needs `ROOM` behind them.
"""

import numpy as np

from filters.kernels import kernel, part
from pipeline.readers.sql_dump.runs import BLOCK, copy_all, copy_run
from pipeline.readers.sql_dump.signs import BACKSLASH, CLOSE, OPEN, QUOTE, Bytes
from pipeline.readers.sql_dump.strings import begins, string_end

_MYSQL_ESCAPES = {"0": 0, "b": 8, "n": 10, "r": 13, "t": 9, "Z": 26}
_POSTGRES_ESCAPES = {"b": 8, "f": 12, "n": 10, "r": 13, "t": 9, "v": 11}


def _table(escapes: dict[str, int]) -> Bytes:
    table = np.arange(256, dtype=np.uint8)
    for letter, value in escapes.items():
        table[ord(letter)] = value
    return table


MYSQL_TABLE, POSTGRES_TABLE = _table(_MYSQL_ESCAPES), _table(_POSTGRES_ESCAPES)
MOST_CALLS = 3  # of replace(), one in the other; sqlite3 writes two at most
ROOM = (MOST_CALLS + 1) * BLOCK  # bytes of `out` behind what is written
DIGIT = np.array([int(chr(b), 16) if chr(b) in "0123456789abcdefABCDEF" else 99 for b in range(256)], dtype=np.int64)


@part
def _digits(buf: Bytes, p: int, stop: int, base: int, most: int) -> tuple[int, int]:
    value = 0
    last = min(stop, p + most)
    while p < last and DIGIT[buf[p]] < base:
        value = value * base + DIGIT[buf[p]]
        p += 1
    return value, p


@kernel
def _put_code_point(out: Bytes, o: int, code: int) -> int:
    if code < 0x80:
        out[o] = code
        return o + 1
    if code < 0x800:
        out[o] = 0xC0 | code >> 6
    else:
        if code < 0x10000:
            out[o] = 0xE0 | code >> 12
        else:
            out[o] = 0xF0 | code >> 18
            o += 1
            out[o] = 0x80 | code >> 12 & 0x3F
        o += 1
        out[o] = 0x80 | code >> 6 & 0x3F
    out[o + 1] = 0x80 | code & 0x3F
    return o + 2


@part
def copy(buf: Bytes, p: int, stop: int, out: Bytes, o: int) -> int:
    """Copy the bytes as they are."""
    return copy_all(buf, p, stop, out, o)


@part
def doubled(buf: Bytes, p: int, stop: int, out: Bytes, o: int) -> int:
    """Undo doubled quotes."""
    while p < stop:
        after = copy_run(buf, p, stop, QUOTE, QUOTE, out, o)
        o += after - p
        p = after
        if p < stop:
            out[o] = QUOTE
            o += 1
            p += 2
    return o


@part
def mysql(buf: Bytes, p: int, stop: int, out: Bytes, o: int) -> int:
    """Undo MySQL's backslash escapes and doubled quotes."""
    while True:
        after = copy_run(buf, p, stop, BACKSLASH, QUOTE, out, o)
        o += after - p
        if after >= stop:
            return o
        b = buf[after + 1]
        if buf[after] == BACKSLASH:
            b = MYSQL_TABLE[b]
            if b == ord("%") or b == ord("_"):
                out[o] = BACKSLASH
                o += 1
        out[o] = b
        o += 1
        p = after + 2


@kernel
def postgres(buf: Bytes, p: int, stop: int, out: Bytes, o: int, in_copy: bool) -> int:
    """Undo PostgreSQL's backslash escapes, those of COPY or of an E'..' string."""
    quote = BACKSLASH if in_copy else QUOTE
    while True:
        after = copy_run(buf, p, stop, BACKSLASH, quote, out, o)
        o += after - p
        if after >= stop:
            return o
        b = buf[after + 1]
        p = after + 2
        if buf[after] == BACKSLASH:
            if DIGIT[b] < 8:
                value, p = _digits(buf, p - 1, stop, 8, 3)
                b = np.uint8(value & 255)
            elif b == ord("x") and p < stop and DIGIT[buf[p]] < 16:
                value, p = _digits(buf, p, stop, 16, 2)
                b = np.uint8(value)
            elif (b == ord("u") or b == ord("U")) and not in_copy:
                value, p = _digits(buf, p, stop, 16, 4 if b == ord("u") else 8)
                o = _put_code_point(out, o, value)
                continue
            else:
                b = POSTGRES_TABLE[b]
        out[o] = b
        o += 1


@kernel
def hexadecimal(buf: Bytes, p: int, stop: int, out: Bytes, o: int) -> int:
    """Write the bytes of hexadecimal digits."""
    if (stop - p) % 2 == 1:
        out[o] = DIGIT[buf[p]]
        if DIGIT[buf[p]] > 15:
            return -1
        p += 1
        o += 1
    for q in range(p, stop, 2):
        high, low = DIGIT[buf[q]], DIGIT[buf[q + 1]]
        if high > 15 or low > 15:
            return -1
        out[o] = high << 4 | low
        o += 1
    return o


@kernel
def bits(buf: Bytes, p: int, stop: int, out: Bytes, o: int) -> int:
    """Write the bytes of binary digits, the last eight in the last byte."""
    value, seen = 0, (8 - (stop - p) % 8) % 8
    for q in range(p, stop):
        if DIGIT[buf[q]] > 1:
            return -1
        value = value << 1 | DIGIT[buf[q]]
        seen += 1
        if seen == 8:
            out[o] = value
            o, value, seen = o + 1, 0, 0
    return o


@part
def bare(buf: Bytes, p: int, stop: int, out: Bytes, o: int) -> int:
    """Copy a number or `true`/`false`; any other word is an expression."""
    first = buf[p] | 32
    if first != ord("t") and first != ord("f"):
        for q in range(p, stop):
            b = buf[q]
            exponent = q > p and (b | 32) == ord("e")
            sign = (b == ord("-") or b == ord("+")) and (q == p or (buf[q - 1] | 32) == ord("e"))
            if DIGIT[b] > 9 and b != ord(".") and not exponent and not sign:
                return -1
    elif stop - p != (4 if first == ord("t") else 5) or (buf[stop - 1] | 32) != ord("e"):
        return -1
    return copy(buf, p, stop, out, o)


@kernel
def replaced(buf: Bytes, p: int, stop: int, out: Bytes, o: int) -> int:
    r"""Evaluate sqlite3's replace(replace('..','\r',char(13)),'\n',char(10))."""
    calls = 0
    while p < stop and buf[p] != QUOTE:
        p = p + 8 if p + 8 <= stop and buf[p + 7] == OPEN else stop
        calls += 1
    if p >= stop or calls > MOST_CALLS:
        return -1
    close, _ = string_end(buf, p + 1, stop, QUOTE, False)
    if close < 0:
        return -1
    start = o + calls * BLOCK  # each call moves the text a block back, so that what it copies runs over nothing unread
    written, p = doubled(buf, p + 1, close, out, start), close + 1
    while p < stop:  # ,'\n',char(10))
        if p + 3 >= stop or buf[p + 1] != QUOTE:
            return -1
        close, _ = string_end(buf, p + 2, stop, QUOTE, False)
        if close < 0 or close == p + 2 or close + 7 >= stop or buf[close + 6] != OPEN:
            return -1
        code, after = _digits(buf, close + 7, stop, 10, 3)
        if after + 2 > stop or buf[after] != CLOSE or buf[after + 1] != CLOSE or code > 127:
            return -1
        written = _substitute(out, start, written, buf[p + 2 : close], code)
        start, p, calls = start - BLOCK, after + 2, calls - 1
    return written if calls == 0 else -1


@kernel
def _substitute(out: Bytes, p: int, last: int, pattern: Bytes, code: int) -> int:
    o = p - BLOCK
    while True:
        after = copy_run(out, p, last, pattern[0], pattern[0], out, o)
        o += after - p
        if after >= last:
            return o
        same = begins(out, after, last, pattern)
        out[o] = code if same else out[after]
        p = after + (len(pattern) if same else 1)
        o += 1


@kernel
def unistr(buf: Bytes, p: int, stop: int, out: Bytes, o: int) -> int:
    r"""Undo the escapes of a whole call, `unistr('..\u000a..')`, that sqlite3 writes since 3.50."""
    p += 8  # unistr('
    stop -= 2  # ')
    if p > stop or buf[p - 1] != QUOTE or buf[stop] != QUOTE:
        return -1
    while True:
        run = copy_run(buf, p, stop, BACKSLASH, QUOTE, out, o)
        o += run - p
        if run >= stop:
            return o
        b = buf[run]
        p = run + (2 if b == QUOTE else 1)
        if b == BACKSLASH and buf[p] != BACKSLASH:
            letter = buf[p]
            length = 4 if letter == ord("u") else 6 if letter == ord("+") else 8 if letter == ord("U") else 0
            p += 1 if length else 0
            code, after = _digits(buf, p, stop, 16, length if length else 4)
            if after - p != (length if length else 4):
                return -1
            o, p = _put_code_point(out, o, code), after
            continue
        if b == BACKSLASH:
            p += 1
        out[o] = b
        o += 1


@kernel
def bytea(out: Bytes, first: int, last: int) -> int:
    """Turn PostgreSQL's text of a bytea, in hex or escaped, into its bytes, in place."""
    if last - first >= 2 and out[first] == BACKSLASH and out[first + 1] == ord("x"):
        return hexadecimal(out, first + 2, last, out, first) if (last - first) % 2 == 0 else -1
    o, p = first, first
    while p < last:
        b = out[p]
        p += 1
        if b == BACKSLASH:
            if p < last and out[p] == BACKSLASH:
                p += 1
            else:
                value, after = _digits(out, p, last, 8, 3)
                if after - p != 3:
                    return -1
                b, p = np.uint8(value & 255), after
        out[o] = b
        o += 1
    return o
