"""ftfy's pattern of mojibake -> tables that tell a kernel which characters, alone or side by side, it may change.

A pattern has a hundred alternatives. Of each, three characters in a row that stand in every match become a bit.
"""
# ruff: noqa: ANN401  ftfy's settings

import math
import re
import unicodedata
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from filters.kernels import Bytes, Flags, Hashes, Ints

Kinds = npt.NDArray[np.uint16]
Window = tuple[Flags, ...]

CLASS, UNSTABLE = 0x7F, 0x80  # bits of a character's kind: its class, whether normalising may change it; above, how it combines
ALONE = 0x7F  # the class of what ftfy changes by itself
BREAKS = "\x85\u2028\u2029"
PIECE = re.compile(r"(\[(?:\\.|[^\]\\])*\]|\\.|.)(\??)", re.DOTALL)  # a piece of a pattern without groups, and its `?`
PLANE, PLANES = 0x10000, 0x40000  # the first plane; those that hold characters which can be decomposed or combine
SAMPLE = "\U0001d400"  # stands for all letters beyond the first plane


@cache
def tables(config: Any) -> tuple[Kinds, Hashes]:
    """Return the kind of each code point, `uint16[0x110000]`, and what is suspect side by side, `uint64[3, classes]`.

    Three characters are suspect if one bit is set for the class of the first in row 0, of the second in row 1 and of the third
    in row 2.
    """
    windows = np.array(_windows())
    examples, own = _classes(np.packbits(windows.reshape(-1, PLANE + 1), axis=0))
    sides = np.zeros((3, CLASS + 1), dtype=np.uint64)
    sides[:, ALONE] = 2**64 - 1
    for number, window in enumerate(windows):
        sides[:, : len(examples)] |= window[:, examples].astype(np.uint64) << np.uint64(number % 64)
    kinds = np.full(0x110000, own[PLANE], dtype=np.uint16)
    kinds[:PLANE] = own[:PLANE]
    if config.normalization:
        kinds[:PLANES] |= np.fromiter(map(unicodedata.combining, map(chr, range(PLANES))), dtype=np.uint16) << 8
        kinds[_unstable(config.normalization)] |= UNSTABLE
    kinds[_changed_alone(config)] = ALONE
    return kinds, sides


def _classes(members: Bytes) -> tuple[Ints, Ints]:
    """Return a column of each kind that there is, and the kind of each column; nearly all are like the last one."""
    other = np.flatnonzero((members != members[:, -1:]).any(axis=0))
    _, firsts, kinds = np.unique(members[:, other], axis=1, return_index=True, return_inverse=True)
    own = np.zeros(members.shape[1], dtype=np.int64)
    own[other] = kinds + 1
    return np.concatenate([[members.shape[1] - 1], other[firsts]]), own


def _windows() -> list[Window]:
    """Return of each alternative in ftfy's pattern of mojibake three characters that stand side by side where it matches.

    Each is a set, of the first plane and the `SAMPLE`. Of the threes of an alternative it is the one of the fewest characters
    whose first or second is not ASCII, since the kernel looks at those.
    """
    from ftfy.badness import BADNESS_RE

    terse = re.sub(r"(\\.|\[(?:\\.|[^\]\\])*\])|\s+|#[^\n]*", lambda piece: piece[1] or "", BADNESS_RE.pattern)
    pieces = PIECE.findall(terse)
    anything = np.ones(PLANE + 1, dtype=np.bool_)
    if any(piece in "(){}*+$" for piece, _ in pieces):
        return [(anything, anything, anything)]
    members = _members({piece for piece, _ in pieces} - set("|^"))
    found: list[Window] = []
    choices: list[Window] = [(anything, anything, anything)]
    run = [anything]
    for piece, optional in [*pieces, ("|", "")]:
        if piece not in "|^" and not optional:
            run.append(members[piece])
            continue
        choices += [window for window in zip(run, run[1:], [*run[2:], anything], strict=False) if not _ascii(window)]
        run = [anything]
        if piece == "|":
            found.append(min(choices, key=lambda window: math.prod(int(side.sum()) for side in window)))
            choices = choices[:1]
    return found


def _members(pieces: set[str]) -> dict[str, Flags]:
    """Return which characters each piece of a pattern matches.

    Most match few, and those that match nearly all are told by what they leave: so Python seldom sees a character alone.
    """
    every = "".join(map(chr, [*range(0xD800), *range(0xE000, PLANE)])) + SAMPLE
    wide = {piece for piece in pieces if re.match(piece, SAMPLE)}
    left = {piece: re.sub(piece, "", every) for piece in wide}
    some = set(every) - set(re.sub("|".join(pieces - wide), "", every))
    found = {piece: re.findall(piece, "".join(some)) for piece in pieces - wide}
    members = {}
    for piece in pieces:
        members[piece] = np.full(PLANE + 1, piece in wide)
        members[piece][[min(ord(character), PLANE) for character in left.get(piece) or found[piece]]] = piece not in wide
    return members


def _ascii(window: Window) -> bool:
    return bool(window[0][:128].any() and window[1][:128].any())


def _changed_alone(config: Any) -> list[int]:
    """Return the code points that one of ftfy's fixers takes out or replaces, whatever stands beside them."""
    from ftfy import chardata

    codes = {*chardata.CONTROL_CHARS, *map(ord, BREAKS), *range(0x80, 0xA0)}
    if config.fix_latin_ligatures:
        codes |= set(chardata.LIGATURES)
    if config.fix_character_width:
        codes |= set(chardata.WIDTH_MAP)
    if config.uncurl_quotes:
        plane = "".join(map(chr, range(PLANE)))
        codes |= {ord(quote) for form in (chardata.SINGLE_QUOTE_RE, chardata.DOUBLE_QUOTE_RE) for quote in form.findall(plane)}
    return sorted(codes)


def _unstable(form: Literal["NFC", "NFKC"]) -> list[int]:
    """Return the code points that are no or perhaps no part of a normal form (https://unicode.org/reports/tr15, section 9).

    Text without them is in normal form if marks stand in the order of their combining classes.
    """
    found = {*range(0x1161, 0x1176), *range(0x11A8, 0x11C3)}  # vowels and finals of Hangul, composed by a formula
    for code in range(PLANES):
        parts = unicodedata.decomposition(chr(code))
        if parts and not unicodedata.is_normalized(form, chr(code)):
            found.add(code)
        if parts and not parts.startswith("<") and unicodedata.is_normalized("NFC", chr(code)):
            found.update(int(second, 16) for second in parts.split()[1:])
    return sorted(found)
