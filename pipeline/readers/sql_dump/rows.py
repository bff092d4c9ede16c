"""The rows of an INSERT or a COPY -> arrays that say where each of their cells stands and how it is written.

These are `int64` starts and stops and `uint8` kinds of cells, row after row, so that a batch is decoded column by column
without a Python object for a cell.
"""

import numpy as np

from filters.kernels import kernel, part
from pipeline.readers.sql_dump.cells import blank_end, cell_at
from pipeline.readers.sql_dump.runs import run_end
from pipeline.readers.sql_dump.scan import comment_end, next_statement, statement_end
from pipeline.readers.sql_dump.signs import (
    BACKSLASH,
    BAD,
    BLANK,
    CLOSE,
    COMMA,
    COPY_FIELD,
    DONE,
    DOT,
    FULL,
    LINES,
    MORE,
    NEWLINE,
    NULL,
    OPEN,
    PLAIN,
    RETURN,
    SEMICOLON,
    TAB,
    WORD,
    Bytes,
    Places,
)

LONG_ROW = 4 << 20  # bytes of a row from which on it is passed over token by token, so that no window need hold it


@part
def _row(
    buf: Bytes, p: int, end: int, columns: int, strings: int, starts: Places, stops: Places, kinds: Bytes, at: int
) -> tuple[int, int]:
    """Cut the row whose `(` stands at `p`, writing at most `columns` cells from index `at` on.

    Returns the place behind it (-1: it does not end before `end`) and the number of its cells.
    """
    count = 0
    while p >= 0 and p < end:
        p = blank_end(buf, p + 1, end)
        if p == end:
            break
        p, start, stop, kind = cell_at(buf, p, end, strings)
        if p < 0:
            break
        if count < columns:
            starts[at + count], stops[at + count], kinds[at + count] = start, stop, kind
        count += 1
        if buf[p] == CLOSE:
            return p + 1, count
    return -1, count


@kernel
def count_row(buf: Bytes, p: int, end: int, strings: int, starts: Places, kinds: Bytes) -> tuple[int, int]:
    """Count the cells of the row whose `(` stands at `p`: returns the place behind it, or -1, and their number."""
    return _row(buf, p, end, 0, strings, starts, starts, kinds, 0)


@part
def _rows_end(buf: Bytes, p: int, end: int, strings: int, none: Places, kinds: Bytes) -> tuple[int, bool]:
    """Return the place behind the whole rows from `p` on and True; where one is cut, its own place and False."""
    while True:
        at = blank_end(buf, p, end)
        if at < end and buf[at] == COMMA:
            at = blank_end(buf, at + 1, end)
        if at == end or buf[at] != OPEN:
            return p, True
        after, _ = _row(buf, at, end, 0, strings, none, none, kinds, 0)
        if after < 0:
            return at, False
        p = after


@kernel
def skip_rows(buf: Bytes, p: int, end: int, dialect: int, strings: int, head: Bytes) -> tuple[int, bool]:
    """Pass over an INSERT's rows, and over the INSERTs with the same head that follow; returns as `statement_end` does.

    Whole rows are passed over as they are cut, in a third of the time that their tokens take.
    """
    none, kinds = np.empty(0, np.int64), np.empty(0, np.uint8)
    while True:
        p, whole = _rows_end(buf, p, end, strings, none, kinds)
        if not whole and end - p < LONG_ROW:
            return p, False
        p, found = statement_end(buf, p, end, dialect, strings)
        if not found:
            return p, False
        following = next_statement(buf, p + 1, end, head, dialect)
        if following < 0:
            return p, True
        p = following


@kernel
def cut_insert(
    buf: Bytes,
    p: int,
    end: int,
    head: Bytes,
    columns: int,
    dialect: int,
    strings: int,
    starts: Places,
    stops: Places,
    kinds: Bytes,
    rows: Places,
    most: int,
) -> tuple[int, int, int]:
    """Cut the rows of an INSERT from `p` (behind VALUES or a row) on, and of the INSERTs with the same head that follow.

    Writes start, stop and number of cells of each row to `rows[n, 3]`, and the cells of those that have `columns` cells. Stops
    when `rows` is full or the batch has `most` bytes. Returns MORE, DONE, FULL or BAD, the place reached and the rows cut.
    """
    first, count, good = p, 0, 0
    while p < end:
        b = buf[p]
        if BLANK[b] or b == COMMA:
            p += 1
        elif b == OPEN:
            if count == len(rows) or p - first > most:
                return FULL, p, count
            after, cells = _row(buf, p, end, columns, strings, starts, stops, kinds, good * columns)
            if after < 0:
                return MORE, p, count
            rows[count, 0], rows[count, 1], rows[count, 2] = p, after, cells
            count += 1
            good += cells == columns
            p = after
        elif b == SEMICOLON or (dialect >= LINES and WORD[b]):
            behind = p + 1 if b == SEMICOLON else p
            p = next_statement(buf, behind, end, head, dialect)
            if p < 0:
                return DONE, behind, count
        else:
            after = _tail_end(buf, p, end, dialect, strings)
            if after <= p:
                return (BAD if after == p else MORE), p, count
            p = after
    return MORE, p, count


@kernel
def _tail_end(buf: Bytes, p: int, end: int, dialect: int, strings: int) -> int:
    """Pass over a comment or a clause (ON CONFLICT DO NOTHING) between rows; -1: it does not end before `end`."""
    if WORD[buf[p]]:
        after, found = statement_end(buf, p, end, dialect, strings)
        return after if found else -1
    return comment_end(buf, p, end, dialect)


@part
def _cut_line(
    buf: Bytes, p: int, end: int, columns: int, starts: Places, stops: Places, kinds: Bytes, at: int
) -> tuple[int, int]:
    count, start, kind = 0, p, PLAIN
    while True:
        p = run_end(buf, p, end, TAB, NEWLINE, BACKSLASH)
        if p >= end:
            return -1, count
        b = buf[p]
        p += 1
        if b == BACKSLASH:
            kind = COPY_FIELD
            p += 1
            continue
        stop = p - 2 if b == NEWLINE and p - 1 > start and buf[p - 2] == RETURN else p - 1
        if kind == COPY_FIELD and stop - start == 2 and buf[start + 1] == ord("N"):
            kind, stop = NULL, start
        if count < columns:
            starts[at + count], stops[at + count], kinds[at + count] = start, stop, kind
        count += 1
        if b == NEWLINE:
            return p, count
        start, kind = p, PLAIN


@kernel
def cut_copy(
    buf: Bytes, p: int, end: int, columns: int, starts: Places, stops: Places, kinds: Bytes, rows: Places, most: int
) -> tuple[int, int, int]:
    r"""Cut the lines of a COPY from `p` on to its `\.`; writes and returns as `cut_insert` does."""
    first, count, good = p, 0, 0
    while p < end:
        if count == len(rows) or p - first > most:
            return FULL, p, count
        after, cells = _cut_line(buf, p, end, columns, starts, stops, kinds, good * columns)
        if after < 0:
            return MORE, p, count
        if buf[p] == BACKSLASH and buf[p + 1] == DOT and after - p <= 4:
            return DONE, after, count
        rows[count, 0], rows[count, 1], rows[count, 2] = p, after, cells
        count += 1
        good += cells == columns
        p = after
    return MORE, p, count
