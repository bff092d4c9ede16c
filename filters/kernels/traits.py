"""Traits: what the rules of quality and repetition ask of a code point, one look-up each.

The rules of Gopher have been read in three ways, by datatrove, NeMo Curator and dolma; the tables are one for each.
"""

import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
import regex

from filters.kernels.characters import IDEOGRAPH, OTHER, TABLE, classes
from filters.kernels.characters import SPACE as WHITE

Traits = npt.NDArray[np.uint16]
Split = Literal["whitespace", "unicode"]
Variant = Literal["datatrove", "nemo", "dolma"]

VARIANTS: tuple[Variant, ...] = ("datatrove", "nemo", "dolma")
DATATROVE, NEMO, DOLMA = 0, 1, 2
GAP, ALONE, SPACE, BREAK, ALPHA, PLAIN, WIDE, HASH, DOT, ELLIPSIS, BULLET, TERMINAL = (1 << bit for bit in range(12))
SYMBOL = HASH | DOT | ELLIPSIS

BULLET_POINTS = ("•-", "•‣⁃⁌⁍∙○●◘◦⦾⦿", "*-")
PUNCTUATION = "\"#$%&'()*+,-/:;<=>@[\\]^_`{|}~«´»–—’“”„…∶━►、〈〉《》「」【】％（），１：；～"
TERMINALS = """
    21 2e 3f 589 61d-61f 6d4 700-702 7f9 837 839 83d-83e 964-965 104a-104b 1362 1367-1368 166e 1735-1736 17d4-17d6 17d9-17da
    1803 1809 1944-1945 1aa8-1aab 1b5a-1b5b 1b5e-1b5f 1b7d-1b7e 1c3b-1c3c 1c7e-1c7f 203c-203d 2047-2049 2e2e 2e3c 2e53-2e54
    3002 a4ff a60e-a60f a6f3 a6f7 a876-a877 a8ce-a8cf a92f a9c8-a9c9 aa5d-aa5f aaf0-aaf1 abeb fe52 fe56-fe57 ff01 ff0e ff1f
    ff61 10a56-10a57 10f55-10f59 10f86-10f89 11047-11048 110be-110c1 11141-11143 111c5-111c6 111cd 111de-111df 11238-11239
    1123b-1123c 112a9 1144b-1144c 115c2-115c3 115c9-115d7 11641-11642 1173c-1173e 11944 11946 11a42-11a43 11a9b-11a9c
    11c41-11c42 11ef7-11ef8 11f43-11f44 16a6e-16a6f 16af5 16b37-16b38 16b44 16e98 1bc9f 1da88
"""
"""The 159 code points that end a sentence in any script, as datatrove has them; `PUNCTUATION` adds to them."""


@cache
def traits(variant: Variant, split: Split) -> Traits:
    """Return `uint16[TABLE + 1]`: the bits of each code point; the last entry stands for all beyond the table.

    SPACE and BREAK are white space and line breaks as `str.strip` and `str.splitlines` have them (the peers other than
    datatrove break at `\\n` only); GAP is no part of a word, ALONE is a word by itself; PLAIN makes a word more than a symbol;
    WIDE takes more than one byte.
    """
    table = np.zeros(TABLE + 1, dtype=np.uint16)

    def mark(codes: Iterable[int], bit: int) -> None:
        table[list(codes)] |= np.uint16(bit)

    mark(_codes(str.isspace), SPACE)
    breaks = "\n" if variant != "datatrove" else "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
    mark(map(ord, breaks), BREAK)
    if split == "whitespace":
        table[(table & SPACE) > 0] |= np.uint16(GAP)
    else:
        table[:-1][(classes() == OTHER) | (classes() == WHITE)] |= np.uint16(GAP)
        table[:-1][classes() == IDEOGRAPH] |= np.uint16(ALONE)
        table[-1] |= np.uint16(GAP)
    mark(_letters(variant), ALPHA)
    mark(_terminals(), TERMINAL)
    table |= np.uint16(PLAIN)
    table[0x80:] |= np.uint16(WIDE)
    if variant == "datatrove":
        controls = [code for code in range(0xA0) if unicodedata.category(chr(code)) == "Cc" and code not in (9, 10)]
        table[[*_terminals(), *map(ord, PUNCTUATION), *controls]] &= np.uint16(0xFFFF ^ PLAIN)
    mark(map(ord, BULLET_POINTS[VARIANTS.index(variant)]), BULLET)
    for character, bit in (("#", HASH), (".", DOT), ("…", ELLIPSIS), *((("»", ELLIPSIS),) if variant == "nemo" else ())):
        mark([ord(character)], bit)
    return table


def _letters(variant: Variant) -> list[int]:
    """Return the alphabetic code points: `str.isalpha`, and for NeMo the Unicode property of that name."""
    if variant == "nemo":
        return [match.start() for match in regex.finditer("[[:alpha:]]", "".join(map(chr, range(TABLE))))]
    return _codes(str.isalpha)


def _codes(has: Callable[[str], bool]) -> list[int]:
    """Return the code points of the table that have a property."""
    found: list[int] = np.flatnonzero(np.fromiter(map(has, map(chr, range(TABLE))), np.bool_, TABLE)).tolist()
    return found


def _terminals() -> list[int]:
    ends = [[int(end, 16) for end in entry.split("-")] for entry in TERMINALS.split()]
    return [code for pair in ends for code in range(pair[0], pair[-1] + 1)]
