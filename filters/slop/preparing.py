"""Phrase lists -> what is looked for: phrases of whole words, substrings, and patterns."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from filters.kernels import Ints
from filters.kinds import PhraseList
from filters.slop.entries import AT_END, AT_START, parsed
from filters.slop.index import Index, has_word, index


class Prepared(NamedTuple):
    """Phrase lists, ready to be looked for; `numbers` and `label_of` lead back to `labels` (entries, then patterns).

    `label_of[anchors, s]` is the label of substring s with these anchors, -1 where no entry has them.
    """

    labels: list[str]
    patterns: list[str]
    words: Index | None
    numbers: Ints
    substrings: list[str]
    label_of: Ints


@lru_cache(maxsize=8)
def prepare(lists: tuple[PhraseList, ...], whole_words: bool) -> Prepared:
    """Prepare phrase lists; one set of lists is prepared once."""
    entries = list(dict.fromkeys(entry for phrases in lists for entry in phrases.phrases))
    shapes = list(dict.fromkeys(pattern for phrases in lists for pattern in phrases.patterns))
    bodies = [parsed(entry) for entry in entries]
    worded = np.array([whole_words and has_word(body) for body, _ in bodies], dtype=np.bool_)
    numbers = np.flatnonzero(worded)
    indexed = [bodies[number] for number in numbers]
    words = index([body for body, _ in indexed], [anchors for _, anchors in indexed]) if indexed else None
    rest = [(number, *bodies[number]) for number in np.flatnonzero(~worded) if bodies[number][0]]
    substrings = {body: place for place, body in enumerate(dict.fromkeys(body for _, body, _ in rest))}
    label_of = np.full((AT_START + AT_END + 1, len(substrings)), -1, dtype=np.int64)
    for number, body, anchors in rest:
        label_of[anchors, substrings[body]] = number
    return Prepared(entries + shapes, shapes, words, numbers, list(substrings), label_of)
