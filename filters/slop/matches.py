"""Matches: where phrases stand; joined, chosen and put in order."""

from typing import NamedTuple

import numpy as np

from filters.kernels import Flags, Ints


class Matches(NamedTuple):
    """Where phrases stand: text, first byte in it, byte after the last, phrase; in order of these (the longer one first)."""

    text: Ints
    start: Ints
    end: Ints
    phrase: Ints


def joined(*parts: Matches) -> Matches:
    """Join matches; none of none."""
    nothing = np.zeros(0, dtype=np.int64)
    return Matches(*(np.concatenate(columns) for columns in zip(*parts, strict=True))) if parts else Matches(*[nothing] * 4)


def where(found: Matches, chosen: Flags) -> Matches:
    """Return some of the matches."""
    return Matches(*(column[chosen] for column in found))


def in_order(found: Matches) -> Matches:
    """Sort matches by text, start, end (the longer one first) and phrase."""
    order = np.lexsort((found.phrase, -found.end, found.start, found.text))
    return Matches(*(column[order] for column in found))


def first_and_longest(found: Matches) -> Matches:
    """Keep, of matches that overlap in a text, the one that begins first, and of those the longest."""
    found = in_order(found)
    keep = np.zeros(len(found.text), dtype=np.bool_)
    last_text, free = -1, 0
    for match, (text, start, end) in enumerate(zip(found.text.tolist(), found.start.tolist(), found.end.tolist(), strict=True)):
        if text != last_text or start >= free:
            keep[match], last_text, free = True, text, end
    return where(found, keep)
