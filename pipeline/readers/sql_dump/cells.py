"""A cell of an INSERT -> where its value begins and ends, and how it is written."""

from filters.kernels import kernel, part
from pipeline.readers.sql_dump.signs import (
    BACKTICK,
    BARE,
    BITS,
    BLANK,
    CLOSE,
    COLON,
    COMMA,
    DOLLAR,
    DOUBLE_QUOTE,
    DOUBLED,
    E_STRING,
    EXPRESSION,
    HEX,
    LOOSE,
    NULL,
    OPEN,
    PLAIN,
    QUOTE,
    REPLACE,
    UNDERSCORE,
    UNISTR,
    WORD,
    ZERO,
    Bytes,
)
from pipeline.readers.sql_dump.strings import dollar_end, is_q_prefix, q_string_end, string_end

Cell = tuple[int, int, int, int]


@part
def blank_end(buf: Bytes, p: int, end: int) -> int:
    """Return the place behind white space."""
    while p < end and BLANK[buf[p]]:
        p += 1
    return p


@kernel
def _opens_q_string(buf: Bytes, p: int) -> bool:
    return not WORD[buf[p - 2]] or ((buf[p - 2] | 32) == ord("n") and not WORD[buf[p - 3]])


@kernel
def expression_end(buf: Bytes, p: int, end: int, strings: int) -> int:
    """Return where the `,` or `)` behind an expression stands, -1 if not before `end`."""
    depth = 0
    while p < end:
        b = buf[p]
        if depth == 0 and b in (COMMA, CLOSE):
            return p
        if b == OPEN:
            depth += 1
        elif b == CLOSE:
            depth -= 1
        elif b in (QUOTE, DOUBLE_QUOTE, BACKTICK):
            if b == QUOTE and (buf[p - 1] | 32) == ord("q") and _opens_q_string(buf, p):
                p = q_string_end(buf, p, end)
                if p < 0:
                    return -1
                continue
            e_string = b == QUOTE and (buf[p - 1] | 32) == ord("e") and not WORD[buf[p - 2]]
            p, _ = string_end(buf, p + 1, end, b, strings != DOUBLED or e_string)
            if p < 0:
                return -1
        p += 1
    return -1


@part
def _close_cell(buf: Bytes, p: int, end: int, first: int, start: int, stop: int, kind: int, strings: int) -> Cell:
    p = blank_end(buf, p, end)
    if p == end:
        return -1, 0, 0, 0
    if buf[p] == COMMA or buf[p] == CLOSE:
        return p, start, stop, kind
    after = expression_end(buf, p, end, strings)
    if buf[p] == COLON and kind != BARE:  # a cast: '..'::text
        return after, start, stop, kind
    return after, first, after, EXPRESSION


@part
def _prefix_kind(letter: int, length: int, strings: int) -> int:
    if length != 1:
        return EXPRESSION
    letter |= 32
    if letter == ord("x"):
        return HEX
    if letter == ord("b"):
        return BITS
    if letter == ord("e"):
        return E_STRING
    return strings if letter == ord("n") else EXPRESSION


@part
def _function_kind(buf: Bytes, p: int, length: int) -> int:
    if length == 7 and (buf[p] | 32) == ord("r") and (buf[p + 6] | 32) == ord("e"):
        return REPLACE
    if length == 6 and (buf[p] | 32) == ord("u") and (buf[p + 5] | 32) == ord("r"):
        return UNISTR
    return EXPRESSION


@part
def _is_null(buf: Bytes, p: int, length: int) -> bool:
    return (
        length == 4
        and (buf[p] | 32) == ord("n")
        and (buf[p + 1] | 32) == ord("u")
        and (buf[p + 2] | 32) == ord("l")
        and (buf[p + 3] | 32) == ord("l")
    )


@part
def _string_cell(buf: Bytes, p: int, end: int, first: int, kind: int, strings: int) -> Cell:
    stop, escaped = string_end(buf, p + 1, end, QUOTE, kind == E_STRING or (strings != DOUBLED and kind == strings))
    if stop < 0:
        return -1, 0, 0, 0
    if not escaped and kind != HEX and kind != BITS and kind != EXPRESSION:
        kind = PLAIN
    return _close_cell(buf, stop + 1, end, first, p + 1, stop, kind, strings)


@kernel
def _dollar_cell(buf: Bytes, p: int, end: int, strings: int) -> Cell:
    start, stop = dollar_end(buf, p, end)
    if start < 0:
        return -1, 0, 0, 0
    if start == 0:
        return expression_end(buf, p, end, strings), p, p, EXPRESSION
    return _close_cell(buf, stop + start - p, end, p, start, stop, PLAIN, strings)


@part
def _word_cell(buf: Bytes, p: int, end: int, first: int, strings: int) -> Cell:
    word = p
    while word < end and LOOSE[buf[word]]:
        word += 1
    if word == end:
        return -1, 0, 0, 0
    length = word - p
    if buf[word] == QUOTE and length > 0:
        if is_q_prefix(buf, p, word):
            after = q_string_end(buf, word, end)
            return _close_cell(buf, after, end, first, word + 2, after - 2, PLAIN, strings) if after > 0 else (-1, 0, 0, 0)
        return _string_cell(buf, word, end, first, _prefix_kind(buf[p], length, strings), strings)
    if buf[word] == OPEN:
        after = expression_end(buf, word, end, strings)
        return after, p, after, _function_kind(buf, p, length)
    if _is_null(buf, p, length):
        return _close_cell(buf, word, end, first, p, p, NULL, strings)
    if length >= 2 and buf[p] == ZERO and (buf[p + 1] | 32) == ord("x"):
        return _close_cell(buf, word, end, first, p + 2, word, HEX, strings)
    return _close_cell(buf, word, end, first, p, word, BARE if length > 0 else EXPRESSION, strings)


@part
def cell_at(buf: Bytes, p: int, end: int, strings: int) -> Cell:
    """Cut the cell that begins at `p`: the place behind it (-1: it does not end before `end`), its start, stop and kind."""
    first = p
    if buf[p] == UNDERSCORE:  # a charset introducer: _binary '..', _utf8mb4'..'
        while p < end and WORD[buf[p]]:
            p += 1
        p = blank_end(buf, p, end)
        if p == end:
            return -1, 0, 0, 0
    if buf[p] == QUOTE:
        return _string_cell(buf, p, end, first, strings, strings)
    if buf[p] == DOLLAR:
        return _dollar_cell(buf, p, end, strings)
    return _word_cell(buf, p, end, first, strings)
