"""A dump's bytes -> where its statements and tokens begin and end: compiled kernels over one buffer of bytes.

Every kernel takes the buffer and the half-open range `p, end` to look at. What does not end before `end` is reported as such,
and the caller reads on and asks again from a place before it.
"""

import numpy as np

from filters.kernels import kernel, part
from pipeline.readers.sql_dump.signs import (
    BACKTICK,
    BANG,
    BLANK,
    BRACKET,
    BRACKET_END,
    CLOSE,
    DASH,
    DOLLAR,
    DOUBLE_QUOTE,
    DOUBLED,
    HASH,
    LINES,
    MYSQL,
    NEWLINE,
    OPEN,
    ORACLE,
    POSTGRES,
    QUOTE,
    SEMICOLON,
    SLASH,
    SQL_SERVER,
    SQLITE,
    STAR,
    WORD,
    Bytes,
)
from pipeline.readers.sql_dump.strings import begins, dollar_end, is_q_prefix, q_string_end, string_end, string_rest


def _letters(word: bytes) -> Bytes:
    return np.frombuffer(word, np.uint8)


IN_WORD = -1  # instead of the quote that a token ends with

_GO, _REM, _INSERT, _CREATE = _letters(b"go"), _letters(b"rem"), _letters(b"insert"), _letters(b"create")


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


@part
def _letters_end(buf: Bytes, p: int, end: int) -> int:
    while p < end and WORD[buf[p]]:
        p += 1
    return p


@kernel
def _word_end(buf: Bytes, p: int, end: int, dialect: int) -> int:
    after = _letters_end(buf, p, end)
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
def token_begun(buf: Bytes, p: int, end: int, dialect: int, strings: int) -> tuple[int, int, bool]:
    """Say in what `p` is behind the first bytes of a token that does not end before `end`.

    Returns the place behind these bytes, the quote that closes the token and whether backslashes escape it. Of a word the quote
    is `IN_WORD`, and 0 of what only its end tells: a string in dollars or Oracle's q'[..]', a comment.
    """
    b = buf[p] if p < end else SEMICOLON
    if b == QUOTE:
        return p + 1, QUOTE, strings != DOUBLED
    if b in (DOUBLE_QUOTE, BACKTICK):
        return p + 1, int(b), dialect == MYSQL and b == DOUBLE_QUOTE
    if not WORD[b] or (b == DOLLAR and dialect == POSTGRES):
        return p, 0, False
    after = _letters_end(buf, p, end)
    if after == end:
        return p, IN_WORD, False
    return (p + 2, QUOTE, True) if dialect == POSTGRES else (p, 0, False)


@kernel
def token_rest(buf: Bytes, p: int, end: int, quote: int, backslash: bool) -> tuple[int, bool]:
    """Return as `string_rest` does, for a word too."""
    if quote != IN_WORD:
        return string_rest(buf, p, end, quote, backslash)
    after = _letters_end(buf, p, end)
    return after, after < end


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


@kernel
def row_end(buf: Bytes, p: int, end: int, dialect: int, strings: int, depth: int) -> tuple[int, int]:
    """Pass over a row with `depth` open brackets; returns the place reached and the brackets open there, 0 behind the row."""
    while p < end:
        after = _token_end(buf, p, end, dialect, strings)
        if after <= p:
            break
        depth += int(buf[p] == OPEN) - int(buf[p] == CLOSE)
        p = after
        if depth == 0:
            break
    return p, depth


@part
def next_statement(buf: Bytes, p: int, end: int, head: Bytes, dialect: int) -> int:
    """Return the place behind `head` if the statement that begins at `p` or behind white space begins with it, else -1."""
    while p < end and BLANK[buf[p]]:
        p += 1
    if dialect == SQL_SERVER:
        p, _ = skip_blank(buf, p, end, dialect)
    return p + len(head) if begins(buf, p, end, head) else -1
