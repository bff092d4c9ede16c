"""How much a block of text looks like an article's: a logistic regression over what can be counted without its words.

Its weights are fitted to the pages of the public article-extraction benchmark whose id has an even SHA-256, each page's blocks
together counting the same; the other half of the pages is for measuring.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.readers.html import state as s
from pipeline.readers.html.blocks import Blocks
from pipeline.readers.html.tags import HEADINGS, NAMES

Floats = NDArray[np.float64]

PARAGRAPH, CODE, ITEM, CELL, QUOTE, HEADING, OTHER = range(7)
KINDS = {
    "p": PARAGRAPH,
    "pre": CODE,
    "li": ITEM,
    "dt": ITEM,
    "dd": ITEM,
    "td": CELL,
    "th": CELL,
    "blockquote": QUOTE,
} | dict.fromkeys(HEADINGS, HEADING)
KIND_OF = np.array([KINDS.get(name, OTHER) for name in NAMES])  # a tag
SENTENCE_ENDS = '.!?…。"”»'
APPEAL = re.compile(  # in small letters
    r"(?:follow us|sign up|subscrib|newsletter|click here|read more|also read|read also|related|photo|image|copyright|"
    r"all rights|share|comment|cookie|contact|email|advert|updated|published|posted|[©@])"
)
SHORT = 400  # characters: in longer blocks such words mean nothing
LONG = float(np.log1p(12))  # of 12 unlinked words and more: a paragraph that is surely one


class Measured(NamedTuple):
    """What is counted of each block: characters, those in links, their share, the kind by `KINDS`, and some yes and no."""

    length: Floats
    linked: Floats
    density: Floats
    kind: NDArray[np.int64]
    ends: Floats
    commas: Floats
    first: Floats
    appeal: Floats

    def part(self, part: slice) -> "Measured":
        """Return the same of some of the blocks."""
        counts = (self.length[part], self.linked[part], self.density[part], self.kind[part])
        return Measured(*counts, self.ends[part], self.commas[part], self.first[part], self.appeal[part])


def measure(blocks: Blocks) -> Measured:
    """Count what the value and the looks of blocks rest on."""
    texts, fields = blocks.texts, blocks.fields
    length = _column(map(len, texts))
    linked = np.minimum(fields[:, s.LINKED], length)
    ends = _column(text[-1] in SENTENCE_ENDS for text in texts)
    commas = _column(text.count(",") + text.count("，") for text in texts)
    appeal = _column(len(text) < SHORT and APPEAL.search(text.lower()) is not None for text in texts)
    kind, first = KIND_OF[fields[:, s.TAG]], fields[:, s.FIRST].astype(np.float64)
    return Measured(length, linked, linked / length, kind, ends, commas, first, appeal)


def _column(numbers: Iterable[float]) -> Floats:
    return np.fromiter(numbers, np.float64)


def looks(measured: Measured) -> NDArray[np.bool_]:
    """Tell of the blocks of an article's element which look like its text. Code always does."""
    columns = features(measured)
    score = sum((WEIGHTS[name] * column for name, column in columns.items()), np.full(len(measured.kind), BIAS))
    kept: NDArray[np.bool_] = (score > 0) | (measured.kind == CODE)
    return kept


def features(measured: Measured) -> dict[str, Floats]:
    """Return the columns of the regression by name, for blocks in document order."""
    kind, density, n = measured.kind, measured.density, len(measured.kind)
    words = np.log1p(measured.length / 6)
    unlinked = words * (1 - density)
    paragraph, item, cell, other = (np.where(kind == which, 1.0, 0.0) for which in (PARAGRAPH, ITEM, CELL, OTHER))
    prose = paragraph * unlinked
    share = float((measured.length * paragraph).sum() / measured.length.sum())
    before, after = _outside(paragraph * (unlinked > LONG))
    place = np.arange(n)
    return {
        "words": words,
        "words²": words * words / 4,
        "density": density,
        "density·words": density * words,
        "ends a sentence": measured.ends,
        "commas": np.log1p(measured.commas),
        "begins with a link": measured.first,
        "appeal": measured.appeal,
        "paragraph": paragraph,
        "item": item,
        "cell": cell,
        "quote": np.where(kind == QUOTE, 1.0, 0.0),
        "heading": np.where(kind == HEADING, 1.0, 0.0),
        "words, item": words * item,
        "words, cell": words * cell,
        "words, other": words * other,
        "among prose, item": share * item,
        "among prose, other": share * other,
        "among prose, words, item": share * words * item,
        "among prose, words, other": share * words * other,
        "before the prose": before,
        "after the prose": after,
        "before the prose, paragraph": before * paragraph,
        "after the prose, paragraph": after * paragraph,
        "one of the first two": np.where(place < 2, 1.0, 0.0),
        "one of the last two": np.where(place >= n - 2, 1.0, 0.0),
        "words of the last": _shifted(unlinked, 1),
        "words of the next": _shifted(unlinked, -1),
        "words of the last but one": _shifted(unlinked, 2),
        "words of the next but one": _shifted(unlinked, -2),
        "density of the last": _shifted(density, 1),
        "density of the next": _shifted(density, -1),
        "prose before": _shifted(prose, 1),
        "prose after": _shifted(prose, -1),
        "prose further before": _shifted(prose, 2) + _shifted(prose, 3),
        "prose further after": _shifted(prose, -2) + _shifted(prose, -3),
    }


def _outside(long: Floats) -> tuple[Floats, Floats]:
    if not long.any():
        return np.zeros(len(long)), np.zeros(len(long))
    return (np.cumsum(long) == 0) * 1.0, (np.cumsum(long[::-1])[::-1] == 0) * 1.0


def _shifted(column: Floats, by: int) -> Floats:
    moved = np.zeros(len(column))
    if by > 0:
        moved[by:] = column[:-by]
    else:
        moved[:by] = column[-by:]
    return moved


BIAS = -1.25
WEIGHTS = {
    "words": 0.47,
    "words²": 0.12,
    "density": -0.41,
    "density·words": -1.62,
    "ends a sentence": 0.49,
    "commas": -0.11,
    "begins with a link": 0.14,
    "appeal": -0.77,
    "paragraph": 0.92,
    "item": 4.23,
    "cell": 0.0,
    "quote": 1.51,
    "heading": -0.79,
    "words, item": -0.69,
    "words, cell": 0.0,
    "words, other": 0.45,
    "among prose, item": -1.59,
    "among prose, other": -0.56,
    "among prose, words, item": 0.17,
    "among prose, words, other": -1.42,
    "before the prose": -2.72,
    "after the prose": -0.95,
    "before the prose, paragraph": 4.09,
    "after the prose, paragraph": 0.7,
    "one of the first two": -0.61,
    "one of the last two": -0.23,
    "words of the last": 0.01,
    "words of the next": 0.01,
    "words of the last but one": 0.19,
    "words of the next but one": 0.21,
    "density of the last": 0.17,
    "density of the next": -0.66,
    "prose before": 0.33,
    "prose after": 0.25,
    "prose further before": -0.07,
    "prose further after": 0.09,
}
