"""A string, quoted in one of the ways of SQL -> where it ends."""

from filters.kernels import kernel, load, part
from pipeline.readers.sql_dump.runs import run_end
from pipeline.readers.sql_dump.signs import BACKSLASH, BRACKET, DOLLAR, OPEN, QUOTE, WORD, Bytes


@part
def string_end(buf: Bytes, p: int, end: int, quote: int, backslash: bool) -> tuple[int, bool]:
    """Return where the quote that closes a string stands (-1: not before `end`), and whether the string has escapes."""
    escaped = False
    other = BACKSLASH if backslash else quote
    p = run_end(buf, p, end, quote, quote, other)
    while p < end:
        if buf[p] == quote:
            if p + 1 == end:
                return -1, escaped
            if buf[p + 1] != quote:
                return p, escaped
        escaped = True
        p = run_end(buf, p + 2, end, quote, quote, other)
    return -1, escaped


@kernel
def string_rest(buf: Bytes, p: int, end: int, quote: int, backslash: bool) -> tuple[int, bool]:
    """Return the place behind the string that `p` is in, and True; else the place to go on from with more, and False."""
    other = BACKSLASH if backslash else quote
    while True:
        p = run_end(buf, p, end, quote, quote, other)
        if p + 1 >= end:
            return min(p, end), False
        if buf[p] == quote and buf[p + 1] != quote:
            return p + 1, True
        p += 2


@part
def begins(buf: Bytes, p: int, end: int, text: Bytes) -> bool:
    """Say whether the bytes from `p` on begin with `text`."""
    if p + len(text) > end:
        return False
    i = 0
    while i + 8 <= len(text):
        if load(buf, p + i) != load(text, i):
            return False
        i += 8
    while i < len(text) and buf[p + i] == text[i]:
        i += 1
    return i == len(text)


@kernel
def dollar_end(buf: Bytes, p: int, end: int) -> tuple[int, int]:
    """Return where a dollar-quoted string's text begins and ends; `(0, 0)` if `p` begins none, `(-1, -1)` if it is cut."""
    tag = p + 1
    while tag < end and WORD[buf[tag]] and buf[tag] != DOLLAR:
        tag += 1
    if tag == end:
        return -1, -1
    if buf[tag] != DOLLAR:
        return 0, 0
    delimiter = buf[p : tag + 1]
    for q in range(tag + 1, end):
        if buf[q] == DOLLAR and begins(buf, q, end, delimiter):
            return tag + 1, q
    return -1, -1


@kernel
def q_string_end(buf: Bytes, p: int, end: int) -> int:
    """Return the place behind Oracle's q'[..]', whose first quote stands at `p`; -1 if it does not end before `end`."""
    if p + 1 >= end:
        return -1
    closing = buf[p + 1]
    if closing == OPEN or closing == ord("<"):
        closing += 1 if closing == OPEN else 2
    elif closing == BRACKET or closing == ord("{"):
        closing += 2
    for q in range(p + 2, end - 1):
        if buf[q] == closing and buf[q + 1] == QUOTE:
            return q + 2
    return -1


@kernel
def is_q_prefix(buf: Bytes, p: int, stop: int) -> bool:
    """Say whether the word `buf[p:stop]` is the q or nq that opens Oracle's q'[..]'."""
    length = stop - p
    return (length == 1 or (length == 2 and (buf[p] | 32) == ord("n"))) and (buf[stop - 1] | 32) == ord("q")
