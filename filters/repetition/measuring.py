"""Documents -> their measures of repetition, with one set of tables for all."""

import numpy as np

from filters.kernels import Bytes, Ints, Scalar, Values, characters, kernel
from filters.kernels.hash_table import bits_for, roomy
from filters.kernels.lines import newlines
from filters.kernels.traits import Traits
from filters.kernels.walking import mark_words
from filters.repetition.columns import LONGEST, NAMES
from filters.repetition.grams import SHARES, Grams, hash_words, measure_grams
from filters.repetition.lines import measure_lines


@kernel
def repetition(data: Bytes, offsets: Ints, pieces: Ints, bounds: Ints, traits: Traits, variant: Scalar, share: int) -> Values:
    """Measure each document, whose words are found piece by piece; `float64[len(NAMES), documents]`."""
    values = np.zeros((len(NAMES), len(offsets) - 1))
    longest = np.max(offsets[1:] - offsets[:-1]) if len(offsets) > 1 else 0
    most = longest // 2 + 2  # a word and what ends it: two bytes
    keys, ends = np.empty(most, np.int64), np.empty(most, np.int64)
    ends[0] = 0
    marks = np.empty((np.max(pieces[1:] - pieces[:-1]) if len(offsets) > 1 else 0) + 4, dtype=np.int64)
    grams = Grams(
        keys,
        np.empty(most, np.int32),
        np.empty(most, np.int32),
        np.empty(most, np.int32),
        ends,
        np.zeros(SHARES, np.int64),
        share,
    )
    slots, seen, turn = np.zeros(32, dtype=np.int64), np.empty(0, dtype=np.uint8), 1
    for document in range(len(offsets) - 1):
        begin, end, value = offsets[document], offsets[document + 1], values[:, document]
        size, breaks = characters(data, begin, end), newlines(data, begin, end)
        slots = roomy(slots, breaks + 2)
        measure_lines(data, begin, end, traits, variant, size, slots, bits_for(breaks + 2), turn, value)
        words = 0
        for piece in range(bounds[document], bounds[document + 1]):
            more, _ = mark_words(data, pieces[piece], pieces[piece + 1], traits, marks, 0, marks)
            hash_words(data, marks[: 2 * more], keys, ends, words)
            words += more
        slots = roomy(slots, min(words, 2 * share))
        if len(seen) < 1 << bits_for(4 * words):
            seen = np.empty(1 << bits_for(4 * words), dtype=np.uint8)
        measure_grams(data, begin, end, traits, variant, grams, size, words, slots, seen, turn, value)
        turn += LONGEST + 1
    return values
