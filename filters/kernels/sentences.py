"""Sentences: text -> where each ends.

A sentence ends behind `.`, `!`, `?`, `…` or another script's mark, and the quotes and brackets that close behind it, where
white space or the end of the text follows; behind `。！？` at once; and at a line break. It does not end behind initials
(`J. Smith`, `e.g.`), a common abbreviation, one of numbering before its number (`No. 5`), or a number that begins the sentence
(`1. Wash the pan.`). The white space that follows belongs to it, so sentences part a text without a gap.
"""

from functools import cache

import numpy as np

from filters.kernels.arrays import Bytes, Codes, Ints, Scalar
from filters.kernels.characters import SPACE, TABLE, WORD, before, categories, classes, decode, folds
from filters.kernels.compiled import kernel, part

OTHER, BLANK, BREAK, MARK, MARK_AT_ONCE, CLOSER, QUOTE = range(7)  # what a code point is to a sentence
OPEN, MARKED, MARKED_AT_ONCE, ENDED, ENDED_UNLESS_NUMBER = range(5)  # where a sentence stands
MARKS = ".!?…‼⁇⁈⁉．؟۔।॥։።፧។။"
MARKS_AT_ONCE = "。！？｡"
ABBREVIATIONS = (
    "mr mrs ms dr prof st mt rev hon gov sen gen col capt lt sgt jr sr inc ltd co corp dept etc vs al cf viz ca bzw hr"
)
NUMBERING = "no nos nr fig figs eq vol pp ch sec art jan feb apr aug sept oct nov dec"


def sentence_ends(data: Bytes, offsets: Ints, *, white_space: bool = True) -> tuple[Ints, Ints]:
    """Part texts into sentences: `int64[n + 1]` offsets of the texts in them, and the byte of the buffer behind each.

    An empty text has none; one of white space alone is one, unless `white_space` is false.
    """
    tables = classes(), folds(), _packed(ABBREVIATIONS), _packed(NUMBERING)
    return _sentence_ends(data, offsets, _marks(), *tables, white_space)


@cache
def _marks() -> Bytes:
    """Return `uint8[TABLE]`: what each code point is to a sentence."""
    table = np.zeros(TABLE, dtype=np.uint8)
    for category, mark in ((b"Pe", CLOSER), (b"Pf", CLOSER), (b"Pi", QUOTE)):
        table[categories() == category] = mark
    table[classes() == SPACE] = BLANK
    for letters, mark in (("\"'", CLOSER), (MARKS, MARK), (MARKS_AT_ONCE, MARK_AT_ONCE)):
        table[[ord(letter) for letter in letters]] = mark
    table[[code for code in np.flatnonzero(table == BLANK) if chr(code).splitlines() == [""]]] = BREAK
    return table


@cache
def _packed(words: str) -> Ints:
    """Return each word's letters as the bytes of a number, the first the highest."""
    return np.array([int.from_bytes(word.encode(), "big") for word in words.split()], dtype=np.int64)


@kernel
def _sentence_ends(  # noqa: C901  a state machine
    data: Bytes, offsets: Ints, marks: Bytes, classes: Bytes, folds: Codes,
    abbreviations: Ints, numbering: Ints, white_space: bool,
) -> tuple[Ints, Ints]:  # fmt: skip
    ends = np.empty((offsets[-1] - offsets[0]) // 2 + len(offsets), dtype=np.int64)  # a letter and what ends it: two bytes
    bounds, found = np.zeros(len(offsets), dtype=np.int64), 0
    for text in range(len(offsets) - 1):
        at, end = offsets[text], offsets[text + 1]
        begin, point, state = np.int64(-1), np.int64(-1), OPEN  # the sentence's first byte; the point alone that may end it
        while at < end:
            here = at
            code, at = decode(data, at, end)
            mark = marks[code] if code < len(marks) else np.uint8(OTHER)
            if mark <= BLANK and state == OPEN and begin >= 0:
                continue
            if mark == BREAK or mark == BLANK:
                if (mark == BREAK and begin >= 0) or state == MARKED_AT_ONCE or (state == MARKED and point < 0):
                    state = ENDED
                elif state == MARKED:
                    state = _behind_point(data, begin, point, classes, folds, abbreviations, numbering)
                continue
            if (
                state == ENDED
                or (state == MARKED_AT_ONCE and (mark == OTHER or mark == QUOTE))
                or (state == ENDED_UNLESS_NUMBER and not 0x30 <= code <= 0x39)
            ):
                ends[found] = here
                found, begin, state = found + 1, np.int64(-1), OPEN
            if begin < 0:
                begin = here
            if mark == MARK:
                point = here if code == 0x2E and state == OPEN else np.int64(-1)
                state = max(state, MARKED)
            elif mark == MARK_AT_ONCE:
                state = MARKED_AT_ONCE
            elif mark == OTHER or state > MARKED_AT_ONCE:
                state = OPEN
        if begin >= 0 or (white_space and end > offsets[text]):
            ends[found] = end
            found += 1
        bounds[text + 1] = found
    return bounds, ends[:found]


@part
def _behind_point(
    data: Bytes, begin: Scalar, point: Scalar, classes: Bytes, folds: Codes,
    abbreviations: Ints, numbering: Ints,
) -> Scalar:  # fmt: skip
    """Say by the word before it whether a point before white space ends its sentence."""
    at, letters, digits, packed, upper = point, 0, 0, np.int64(0), False
    while at > begin and letters < 8:
        first = before(data, begin, at)
        code, _ = decode(data, first, point)
        if code >= len(classes) or classes[code] != WORD:
            break
        folded = np.int64(folds[code])
        packed |= folded << (8 * letters) if folded < 0x80 else np.int64(1 << 62)
        upper, digits = folded != code, digits + (0x30 <= code <= 0x39)
        at, letters = first, letters + 1
    if digits and digits == letters:
        return OPEN if at == begin else ENDED
    if letters == 1 and (upper or (at > begin and data[at - 1] == 0x2E)):
        return OPEN
    for abbreviation in abbreviations:
        if packed == abbreviation:
            return OPEN
    for abbreviation in numbering:
        if packed == abbreviation:
            return ENDED_UNLESS_NUMBER
    return ENDED
