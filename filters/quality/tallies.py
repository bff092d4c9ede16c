"""Tallies: what the rules of Gopher ask about a document, counted in one pass over it."""

import numpy as np

from filters.kernels import Bytes, Ints, Scalar, kernel
from filters.kernels.traits import BREAK, DOLMA, SYMBOL, Traits
from filters.kernels.walking import mark_words
from filters.quality.columns import LENGTH, TALLIES, WORDS
from filters.quality.lines import tally_lines
from filters.quality.phrases import Phrases
from filters.quality.words import tally_words, twice_median


@kernel
def tally(
    data: Bytes, offsets: Ints, pieces: Ints, bounds: Ints, traits: Traits, variant: Scalar, stops: Phrases, marks: Phrases
) -> Ints:
    """Count what the rules ask about, piece by piece; `int64[documents, TALLIES]`."""
    found = np.zeros((len(offsets) - 1, TALLIES), dtype=np.int64)
    last_seen = np.full(len(stops.offsets) - 1, -1, dtype=np.int64)
    longest = np.max(offsets[1:] - offsets[:-1]) if len(offsets) > 1 else 0
    room = np.max(pieces[1:] - pieces[:-1]) if len(offsets) > 1 else 0
    words, others = np.empty(room + 4, dtype=np.int64), np.empty(room, dtype=np.int64)
    lengths = np.zeros(longest + 1 if variant == DOLMA else 0, dtype=np.int64)
    for document in range(len(offsets) - 1):
        own = found[document]
        for piece in range(bounds[document], bounds[document + 1]):
            begin, end, last = pieces[piece], pieces[piece + 1], piece + 1 == bounds[document + 1]
            count, other = mark_words(data, begin, end, traits, words, SYMBOL | BREAK, others)
            tally_words(data, words[: 2 * count], variant, own, stops, marks, last_seen, document, lengths)
            tally_lines(data, begin, end, traits, variant, own, marks, others[:other], last)
        if variant == DOLMA:
            own[LENGTH] = twice_median(lengths[: offsets[document + 1] - offsets[document] + 1], own[WORDS])
    return found
