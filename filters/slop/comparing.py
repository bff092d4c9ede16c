"""A phrase and a place in a text -> whether it stands there, letter by letter, folded on the way."""

import numpy as np

from filters import kernels
from filters.kernels import Bytes, Flags, Ints, Scalar, kernel, load, part
from filters.slop.entries import AT_END, AT_START
from filters.slop.index import Rows
from filters.slop.words import BLANK, KIND, NONE, Table, folded, is_word

HIGH = np.uint64(0x8080808080808080)  # set in bytes beyond ASCII


@part
def stands(
    data: Bytes,
    begin: Scalar,
    previous: Scalar,
    word: Scalar,
    end: Scalar,
    phrases: Bytes,
    rows: Rows,
    row: Scalar,
    table_: Table,
) -> tuple[Scalar, Scalar]:
    """Return from where to where a phrase stands whose first word is at `word`; -1, -1 if it does not.

    The text goes from `begin` to `end`; the word before is at `previous`, -1 if there is none. `rows` are `Index.rows`.
    """
    first, own, last = np.int64(rows[row, 0]), np.int64(rows[row, 1]), np.int64(rows[row, 2])
    before, anchors, letter = rows[row, 3], rows[row, 4], rows[row, 5]
    at, after = np.int64(-1), _compare(data, word, end, phrases, own, last, table_)
    whole = after == end or not letter or (after >= 0 and folded(data, after, end, table_)[0] >> KIND != kernels.WORD)
    if after >= 0 and whole and not (anchors & AT_START and previous >= 0):
        at = word
        if before:
            at = _beginning(data, max(previous, begin), word, end, before, table_)
            if at >= 0 and _compare(data, at, word, phrases, first, own, table_) < 0:
                at = np.int64(-1)
        if anchors & AT_END and not _wordless(data, after, end, table_):
            at = np.int64(-1)
    return at, after


@part
def _compare(data: Bytes, at: Scalar, end: Scalar, phrase: Bytes, begin: Scalar, stop: Scalar, table_: Table) -> Scalar:
    """Return the byte after the phrase `phrase[begin:stop]` if the text from `at` on folds to it, else -1."""
    while begin < stop:
        if at >= end:
            return np.int64(-1)
        if begin + 8 <= stop and at + 8 <= end and phrase[begin + 7] != 0x20:
            eight = load(phrase, begin)
            if eight & HIGH == NONE and eight == load(data, at):
                begin, at = begin + 8, at + 8
                continue
        code, at = folded(data, at, end, table_)
        wanted, begin = folded(phrase, begin, stop, table_)
        if code != wanted:
            return np.int64(-1)
        if code == BLANK:
            at = _past_blanks(data, at, end, table_)
    return np.int64(at)


@part
def _past_blanks(data: Bytes, at: Scalar, end: Scalar, table_: Table) -> Scalar:
    while at < end:
        code, after = folded(data, at, end, table_)
        if code != BLANK:
            break
        at = after
    return at


@part
def _beginning(data: Bytes, previous: Scalar, word: Scalar, end: Scalar, before: Scalar, table_: Table) -> Scalar:
    """Return where a phrase begins that has `before` code points before its first word, which stands at `word`.

    The word before stands at `previous`, or there the text begins. -1 if it stands too near.
    """
    gap, inside = previous, True
    while inside and gap < word:
        code, after = folded(data, gap, end, table_)
        inside = code >> KIND == kernels.WORD
        if inside or (gap == previous and code >> KIND == kernels.IDEOGRAPH):
            gap = after
    _, many = _skip(data, gap, word, end, word, table_)
    return _skip(data, gap, word, end, many - before, table_)[0] if many >= before else np.int64(-1)


@part
def _skip(data: Bytes, at: Scalar, stop: Scalar, end: Scalar, many: Scalar, table_: Table) -> tuple[Scalar, Scalar]:
    """Pass over code points of the folded text, as many as asked for or up to `stop`; return where that ends, and how many."""
    passed = 0
    while at < stop and passed < many:
        code, at = folded(data, at, end, table_)
        if code == BLANK:
            at = _past_blanks(data, at, stop, table_)
        passed += 1
    return at, passed


@part
def _wordless(data: Bytes, at: Scalar, end: Scalar, table_: Table) -> Scalar:
    """Say whether no word stands from `at` to `end`."""
    while at < end:
        code, at = folded(data, at, end, table_)
        if is_word(code):
            return False
    return True


@kernel
def at_ends(
    data: Bytes,
    offsets: Ints,
    text: Ints,
    start: Ints,
    end: Ints,
    anchors: Scalar,
    table_: Table,
) -> Flags:
    """Say of each match in `data` whether it stands where `anchors` has it: no word before it, none after it."""
    stands = np.ones(len(text), dtype=np.bool_)
    for match in range(len(text)):
        begin, stop = offsets[text[match]], offsets[text[match] + 1]
        if anchors & AT_START and not _wordless(data, begin, begin + start[match], table_):
            stands[match] = False
        if anchors & AT_END and not _wordless(data, begin + end[match], stop, table_):
            stands[match] = False
    return stands
