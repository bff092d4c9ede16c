"""A dump's bytes -> where its statements, rows and cells begin and end: compiled kernels over one buffer of bytes.

Every kernel takes the buffer and the half-open range `p, end` to look at. What does not end before `end` is reported as such,
and the caller reads on and asks again from a place before it. Rows are cut as `int64` starts and stops and `uint8` kinds of
cells, row after row, so that a batch is decoded column by column without a Python object for a cell.
"""

import numpy as np
import numpy.typing as npt

from filters.kernels import kernel, load, part
from pipeline.readers.sql_dump.runs import run_end

Bytes = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]

MYSQL, POSTGRES, SQLITE, SQL_SERVER, ORACLE = 0, 1, 2, 3, 4
LINES = SQL_SERVER  # from here on, dialects whose statements may end with a line, without a semicolon

NULL = 0
BARE = 1  # a number or a word
PLAIN = 2  # a string whose bytes are its value
DOUBLED = 3  # a string with doubled quotes
BACKSLASHES = 4  # a string with MySQL's escapes
E_STRING = 5  # a string with PostgreSQL's escapes
COPY_FIELD = 6  # a field of COPY with escapes
HEX = 7
BITS = 8
REPLACE = 9  # sqlite3 before 3.50: replace(replace('..','\r',char(13)),'\n',char(10))
UNISTR = 10  # sqlite3 from 3.50 on: unistr('..\u000a..')
EXPRESSION = 11  # anything else

MORE = 0  # the next row does not end in this buffer
DONE = 1  # the statement is over
FULL = 2  # the arrays, or the batch's bytes, are full
BAD = 3  # this is no row

QUOTE, DOUBLE_QUOTE, BACKTICK, BACKSLASH = ord("'"), ord('"'), ord("`"), ord("\\")
NEWLINE, RETURN, TAB, SPACE, SEMICOLON, COMMA = ord("\n"), ord("\r"), ord("\t"), ord(" "), ord(";"), ord(",")
OPEN, CLOSE, DOLLAR, DASH, SLASH, STAR, HASH, BANG = (
    ord("("),
    ord(")"),
    ord("$"),
    ord("-"),
    ord("/"),
    ord("*"),
    ord("#"),
    ord("!"),
)
BRACKET, BRACKET_END, COLON, UNDERSCORE, DOT, ZERO = ord("["), ord("]"), ord(":"), ord("_"), ord("."), ord("0")

WORD = np.array([chr(b).isalnum() or b in b"_$" or b >= 128 for b in range(256)])
LOOSE = np.array([WORD[b] or b in b"+-." for b in range(256)])
BLANK = np.array([b in b" \t\r\n\f\v" for b in range(256)])


def _letters(word: bytes) -> Bytes:
    return np.frombuffer(word, np.uint8)


_GO, _REM, _INSERT, _CREATE = _letters(b"go"), _letters(b"rem"), _letters(b"insert"), _letters(b"create")


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


@kernel
def _is_word(buf: Bytes, p: int, stop: int, word: Bytes) -> bool:
    if stop - p != len(word):
        return False
    for i in range(len(word)):  # noqa: SIM110  a generator does not compile
        if (buf[p + i] | 32) != word[i]:
            return False
    return True


@kernel
def begins_statement(buf: Bytes, p: int, end: int, dialect: int) -> int:
    """Say whether a line that begins like this begins a statement where no semicolon must: 1, 0, or -1 if its word is cut."""
    if p < end and buf[p] == SLASH and dialect == ORACLE:
        return -1 if p + 1 == end else int(BLANK[buf[p + 1]])
    stop = p
    while stop < end and stop - p < 8 and WORD[buf[stop]]:
        stop += 1
    if stop == end:
        return -1
    if _is_word(buf, p, stop, _INSERT) or _is_word(buf, p, stop, _CREATE):
        return 1
    return int(_is_word(buf, p, stop, _GO if dialect == SQL_SERVER else _REM))


@kernel
def comment_end(buf: Bytes, p: int, end: int, dialect: int) -> int:
    """Return the place behind the comment that begins at `p`; `p` if none does, -1 if it does not end."""
    b = buf[p]
    if b != DASH and b != SLASH and not (b == HASH and dialect == MYSQL):
        return p
    if b != HASH:
        if p + 2 >= end:
            return -1
        if b == SLASH and buf[p + 1] == STAR:
            return _block_comment_end(buf, p + 2, end, dialect)
        if b == SLASH or buf[p + 1] != DASH or (dialect == MYSQL and not BLANK[buf[p + 2]]):
            return p
    while p < end:
        if buf[p] == NEWLINE:
            return p + 1
        p += 1
    return -1


@kernel
def _block_comment_end(buf: Bytes, p: int, end: int, dialect: int) -> int:
    depth = 1
    while p + 1 < end:
        if buf[p] == STAR and buf[p + 1] == SLASH:
            depth -= 1
            p += 2
            if depth == 0:
                return p
        elif dialect == POSTGRES and buf[p] == SLASH and buf[p + 1] == STAR:
            depth += 1
            p += 2
        else:
            p += 1
    return -1


@kernel
def _separator_end(buf: Bytes, p: int, end: int, dialect: int) -> int:
    """Return the place behind a comment, or behind SQL Server's GO; `p` if there is none, -1 if it does not end."""
    if dialect == SQL_SERVER and (buf[p] | 32) == ord("g"):
        if p + 2 >= end:
            return -1
        return p + 2 if _is_word(buf, p, p + 2, _GO) and not WORD[buf[p + 2]] else p
    return comment_end(buf, p, end, dialect)


@kernel
def skip_blank(buf: Bytes, p: int, end: int, dialect: int) -> tuple[int, bool]:
    """Pass over white space, `;` and comments between statements, but not over MySQL's conditional comments.

    Returns the place reached and whether something stands there; if not, the caller reads on from that place.
    """
    while p < end:
        if BLANK[buf[p]] or buf[p] == SEMICOLON:
            p += 1
            continue
        if buf[p] == SLASH and dialect == MYSQL:
            if p + 3 >= end:
                return p, False
            if buf[p + 2] == BANG or buf[p + 3] == BANG:
                return p, True
        after = _separator_end(buf, p, end, dialect)
        if after < 0:
            return p, False
        if after == p:
            return p, True
        p = after
    return p, False


@kernel
def _word_end(buf: Bytes, p: int, end: int, dialect: int) -> int:
    after = p + 1
    while after < end and WORD[buf[after]]:
        after += 1
    if after == end:
        return 0
    if dialect == POSTGRES and buf[after] == QUOTE and after == p + 1 and (buf[p] | 32) == ord("e"):
        return string_end(buf, after + 1, end, QUOTE, True)[0] + 1
    if dialect == ORACLE and buf[after] == QUOTE and is_q_prefix(buf, p, after):
        return max(q_string_end(buf, after, end), 0)
    return after


@kernel
def _token_end(buf: Bytes, p: int, end: int, dialect: int, strings: int) -> int:
    """Return the place behind the token that begins at `p`, 0 if it does not end before `end`."""
    b = buf[p]
    if b == DOLLAR and dialect == POSTGRES:
        text, stop = dollar_end(buf, p, end)
        return 0 if text < 0 else p + 1 if text == 0 else stop + text - p
    if WORD[b]:
        return _word_end(buf, p, end, dialect)
    if b == QUOTE:
        return string_end(buf, p + 1, end, QUOTE, strings != DOUBLED)[0] + 1
    if b in (DOUBLE_QUOTE, BACKTICK):
        return string_end(buf, p + 1, end, b, dialect == MYSQL and b == DOUBLE_QUOTE)[0] + 1
    if b in (DASH, SLASH, HASH):
        after = comment_end(buf, p, end, dialect)
        return p + 1 if after == p else max(after, 0)
    if b == BRACKET and dialect in (SQLITE, SQL_SERVER):
        while p < end and buf[p] != BRACKET_END:
            p += 1
        return p if p < end else 0
    return p + 1


@kernel
def statement_end(buf: Bytes, p: int, end: int, dialect: int, strings: int) -> tuple[int, bool]:
    """Return where the statement's `;` stands and True; else the start of what does not end before `end`, and False.

    Where a dialect needs no `;`, the end of the line before the next statement ends one too.
    """
    lines = dialect >= LINES
    while p < end:
        b = buf[p]
        if b == SEMICOLON:
            return p, True
        if lines and b == NEWLINE:
            word = p
            while word < end and BLANK[buf[word]]:
                word += 1
            found = begins_statement(buf, word, end, dialect)
            if found != 0:
                return p, found > 0
            p = word
            continue
        after = _token_end(buf, p, end, dialect, strings)
        if after <= p:
            return p, False
        p = after - 1 if lines and after > p + 1 and buf[after - 1] == NEWLINE else after  # a comment's newline counts
    return end, False


@part
def next_statement(buf: Bytes, p: int, end: int, head: Bytes, dialect: int) -> int:
    """Return the place behind `head` if the statement that begins at `p` or behind white space begins with it, else -1."""
    while p < end and BLANK[buf[p]]:
        p += 1
    if dialect == SQL_SERVER:
        p, _ = skip_blank(buf, p, end, dialect)
    return p + len(head) if begins(buf, p, end, head) else -1
