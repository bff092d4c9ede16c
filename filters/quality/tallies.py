"""Tallies: what the rules of Gopher ask about a document, counted in one pass over it."""

import numpy as np

from filters.kernels import Bytes, Ints, Scalar, kernel
from filters.kernels.traits import BREAK, DOLMA, SYMBOL, Traits
from filters.kernels.walking import mark_words
from filters.quality.columns import LENGTH, TALLIES
from filters.quality.lines import tally_lines
from filters.quality.phrases import Phrases
from filters.quality.words import tally_words, twice_median


@kernel
def tally(data: Bytes, offsets: Ints, traits: Traits, variant: Scalar, stops: Phrases, marks: Phrases) -> Ints:
    """Count what the rules ask about; `int64[documents, TALLIES]`."""
    found = np.zeros((len(offsets) - 1, TALLIES), dtype=np.int64)
    last_seen = np.full(len(stops.offsets) - 1, -1, dtype=np.int64)
    longest = np.max(offsets[1:] - offsets[:-1]) if len(offsets) > 1 else 0
    words, others = np.empty(longest + 4, dtype=np.int64), np.empty(longest, dtype=np.int64)
    lengths = np.zeros(longest + 1 if variant == DOLMA else 0, dtype=np.int64)
    for document in range(len(offsets) - 1):
        own, begin, end = found[document], offsets[document], offsets[document + 1]
        count, other = mark_words(data, begin, end, traits, words, SYMBOL | BREAK, others)
        tally_words(data, words[: 2 * count], variant, own, stops, marks, last_seen, document, lengths)
        tally_lines(data, begin, end, traits, variant, own, marks, others[:other])
        if variant == DOLMA:
            own[LENGTH] = twice_median(lengths[: end - begin + 1], count)
    return found
