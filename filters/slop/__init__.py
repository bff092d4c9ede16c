"""Slop: text -> the phrases of language models in it, where they stand and which they are.

Reading order: `entries` (a line of a phrase list), `preparing` (lists -> what is looked for); for phrases of whole words
`words`, `index`, `comparing`, `search`; for all else `folded`; and `matches`, in which all of them meet.
"""

from collections.abc import Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from filters import kernels
from filters.kernels import Bytes, Ints
from filters.kinds import PhraseList, Spans, Texts, spans
from filters.slop.entries import marked, parsed
from filters.slop.folded import folded_matches, taken
from filters.slop.matches import Matches, first_and_longest, in_order, joined, where
from filters.slop.preparing import Prepared, prepare
from filters.slop.search import search

__all__ = ["marked", "parsed", "slop"]


@spans(version=3)
def slop(
    texts: Texts,
    *,
    lists: Annotated[Sequence[PhraseList | str], Field(min_length=1)] = ("refusals",),
    whole_words: bool = True,
) -> Spans:
    """Find phrases of phrase lists, whatever their case, white space and quotes, as whole words.

    In a recipe `lists` names lists that ship (`prep list phrases`) or files: a phrase a line, `#` comments, `^` before a phrase
    that counts only at the start of a message, `$` after one that counts only at its end, `re:` before a pattern. Of phrases
    that overlap, the one that begins first counts, and of those the longest. A text on which a pattern takes too long is
    rejected with the reason.

    >>> import pyarrow as pa
    >>> refusals = PhraseList("refusals", phrases=("as an ai", "i'm sorry", "^well"))
    >>> found = slop(pa.array(["Has an AI", "Well, I’m  sorry: as an AI…"], pa.large_string()), lists=(refusals,))
    >>> found.text.tolist(), found.start.tolist(), [found.labels[label] for label in found.label]
    ([1, 1, 1], [0, 6, 20], ['^well', "i'm sorry", 'as an ai'])
    """
    chosen = tuple(phrases for phrases in lists if isinstance(phrases, PhraseList))
    if len(chosen) < len(lists):
        raise TypeError(f"phrase lists are read before slop is called: {lists!r}. See pipeline.phrase_lists.load.")
    prepared = prepare(chosen, whole_words)
    data, offsets = kernels.buffers(texts)
    others, failed = folded_matches(data, offsets, prepared)
    found = _with_others(data, offsets, prepared, others)
    kept = ~np.isin(found.text, [text for text, _ in failed])
    return Spans(*where(found, kept), prepared.labels, failed)


def _with_others(data: Bytes, offsets: Ints, prepared: Prepared, others: Matches) -> Matches:
    """Find the phrases of words, and put other matches in between: in a text that has some, all compete with all."""
    found = _words(data, offsets, prepared, overlapping=False)
    if not len(others.text):
        return found
    rows = np.unique(others.text)
    again = _words(*taken(data, offsets, rows), prepared, overlapping=True)
    chosen = first_and_longest(joined(again._replace(text=rows[again.text]), others))
    return in_order(joined(where(found, ~np.isin(found.text, rows)), chosen))


def _words(data: Bytes, offsets: Ints, prepared: Prepared, *, overlapping: bool) -> Matches:
    """Find the phrases that are made of whole words."""
    if prepared.words is None:
        return joined()
    found = search(data, offsets, prepared.words, overlapping=overlapping)
    return found._replace(phrase=prepared.numbers[found.phrase])
