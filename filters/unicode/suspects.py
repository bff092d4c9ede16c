"""Texts -> the lines that ftfy may change, by the tables of `mojibake`."""

import numpy as np

from filters.kernels import Bytes, Hashes, Ints, Scalar, between, decode, kernel, lowest_bit, part
from filters.unicode.mojibake import ALONE, CLASS, UNSTABLE, Kinds

START, END, MARKUP, REASONS = range(4)  # of a line: its bytes, whether a `<` stands in an earlier one, why it is suspect
ORDER, RETURN, CERTAIN = 1, 2, 4  # reasons: it may be out of normal form, it holds a `\r`, ftfy is to look at it


@kernel
def plain(data: Bytes, offsets: Ints) -> bool:
    """Say whether texts hold nothing but printable ASCII, tabs and line breaks, and no ampersand: then no line is suspect."""
    text, texts = 0, len(offsets) - 1
    while text < texts and _next_suspect(data, offsets[text], offsets[text + 1]) == offsets[text + 1]:
        text += 1
    return text == texts


@kernel
def suspects(data: Bytes, offsets: Ints, kinds: Kinds, sides: Hashes, unescape: bool) -> Ints:
    """Find the lines that ftfy may change; `int64[lines, 4]` of START, END, MARKUP and REASONS, in order."""
    lines, found = np.empty((64, 4), dtype=np.int64), 0
    for text in range(len(offsets) - 1):
        begin, end = offsets[text], offsets[text + 1]
        start, known, markup = begin, begin, 0
        place = _next_suspect(data, begin, end)
        while place < end:
            reason, at = _look(data, begin, place, end, kinds, sides, unescape)
            if reason and (not found or lines[found - 1, END] <= place):
                start, markup = _walk(data, known, place, start, markup)
                known = place
                if markup == 2 and data[place] == 38:
                    reason = 0
                else:
                    lines, found = (_doubled(lines) if found == len(lines) else lines), found + 1
                    lines[found - 1, START], lines[found - 1, END] = start, _line_end(data, place, end)
                    lines[found - 1, MARKUP], lines[found - 1, REASONS] = markup == 2, 0
            if reason:
                lines[found - 1, REASONS] |= reason
                at = lines[found - 1, END] if reason & CERTAIN else at
            place = _next_suspect(data, at, end)
    return lines[:found]


@part
def _walk(data: Bytes, at: Scalar, place: Scalar, start: Scalar, markup: Scalar) -> tuple[Scalar, Scalar]:
    """Walk on to a place; returns the start of its line, and whether a `<` stands in it (1) or in an earlier one (2)."""
    for byte in range(at, place):
        if data[byte] == 10:
            start, markup = byte + 1, 2 if markup else 0
        elif data[byte] == 60 and not markup:
            markup = 1
    return start, markup


@part
def _line_end(data: Bytes, at: Scalar, end: Scalar) -> Scalar:
    while at < end and data[at] != 10:
        at += 1
    return min(at + 1, end)


@kernel
def _doubled(lines: Ints) -> Ints:
    """Make room for as many rows again."""
    more = np.empty((2 * len(lines), lines.shape[1]), dtype=np.int64)
    for row in range(len(lines)):
        for column in range(lines.shape[1]):
            more[row, column] = lines[row, column]
    return more


@part
def _next_suspect(data: Bytes, at: Scalar, end: Scalar) -> Scalar:
    """Return the place of the next byte that is a control character, an ampersand or not ASCII."""
    while at + 64 <= len(data) and at < end:
        bits = between(data, at, 127, 255) | between(data, at, 0, 8) | between(data, at, 11, 31) | between(data, at, 38, 38)
        if bits:
            return min(at + lowest_bit(bits), end)
        at += 64
    while at < end and (data[at] == 9 or data[at] == 10 or (32 <= data[at] < 127 and data[at] != 38)):
        at += 1
    return min(at, end)


@part
def _look(data: Bytes, begin: Scalar, at: Scalar, end: Scalar, kinds: Kinds, sides: Hashes, unescape: bool) -> Scalar:
    """Return why a line is suspect for the characters from a place on, 0 if it is not, and the place to go on from."""
    if data[at] >= 0x80:
        return _stretch(data, begin, at, end, kinds, sides)
    if data[at] == 13:
        return RETURN, at + 1
    if data[at] == 38:
        return CERTAIN if unescape and _entity(data, at, end) else 0, at + 1
    return CERTAIN if kinds[data[at]] == ALONE else 0, at + 1


@part
def _entity(data: Bytes, at: Scalar, end: Scalar) -> Scalar:
    """Say whether an ampersand begins what ftfy takes for an HTML entity: up to 24 letters and digits, and a semicolon."""
    first = at + 2 if at + 1 < end and data[at + 1] == 35 else at + 1
    last, end = first, min(end, first + 25)
    while last < end and (48 <= data[last] <= 57 or 97 <= data[last] | 32 <= 122):
        last += 1
    return first < last < end and data[last] == 59


@part
def _stretch(data: Bytes, begin: Scalar, at: Scalar, end: Scalar, kinds: Kinds, sides: Hashes) -> Scalar:
    """Look at a stretch that is not ASCII, as `_look` does, up to the ASCII character behind it."""
    reason, mark = 0, np.int64(0)
    before = kinds[data[at - 1] if at > begin else 10] & CLASS
    while at < end:
        code, after = decode(data, at, end)
        kind = np.int64(kinds[min(code, 0x10FFFF)])
        if kind == ALONE or (code == 0xFFFD and after == at + 1):
            return CERTAIN, after
        near = sides[0, before] & sides[1, kind & CLASS]
        if near:
            code, _ = decode(data, after, end) if after < end else (np.int64(10), after)
            if near & sides[2, kinds[min(code, 0x10FFFF)] & CLASS]:
                return CERTAIN, after
        if data[at] < 0x80:
            break
        if kind & UNSTABLE or mark > kind >> 8 > 0:
            reason = ORDER
        mark, before, at = kind >> 8, kind & CLASS, after
    return reason, at
