"""Documents -> their measures of repetition, with one set of tables for all."""

import numpy as np

from filters.kernels import Bytes, Ints, Scalar, Values, characters, kernel
from filters.kernels.hash_table import bits_for, roomy
from filters.kernels.lines import newlines
from filters.kernels.traits import DOLMA, Traits
from filters.kernels.walking import mark_words
from filters.repetition.counting import measure_grams
from filters.repetition.grams import Grams, hash_words, sieve_bits
from filters.repetition.lines import measure_lines
from filters.repetition.shares import roomy_shares


@kernel
def lines(data: Bytes, offsets: Ints, traits: Traits, variant: Scalar, values: Values) -> None:
    """Write the measures of the lines and paragraphs of each document; values are `float64[measures, documents]`."""
    slots, turn = np.zeros(32, dtype=np.int64), 1
    for document in range(len(offsets) - 1):
        begin, end, value = offsets[document], offsets[document + 1], values[:, document]
        size, breaks = characters(data, begin, end), newlines(data, begin, end)
        slots = roomy(slots, breaks + 2)
        measure_lines(data, begin, end, traits, variant, size, slots, bits_for(breaks + 2), turn, value)
        turn += 2


@kernel
def grams(
    data: Bytes, offsets: Ints, pieces: Ints, bounds: Ints, traits: Traits, variant: Scalar, share: int, values: Values
) -> None:
    """Write the measures of the n-grams of each document, whose words are found piece by piece."""
    longest = np.max(offsets[1:] - offsets[:-1]) if len(offsets) > 1 else 0
    most = longest // 2 + 2  # a word and what ends it: two bytes; what is not used takes no memory
    own = Grams(np.empty(most, np.int64), np.empty(most, np.int32), np.empty(most, np.uint32), roomy_shares(most, share))
    own.ends[0] = 0
    marks = np.empty((np.max(pieces[1:] - pieces[:-1]) if len(offsets) > 1 else 0) + 4, dtype=np.int64)
    slots, sieve, turn = np.zeros(32, dtype=np.int64), np.empty(0, dtype=np.uint8), 1
    for document in range(len(offsets) - 1):
        begin, end, value = offsets[document], offsets[document + 1], values[:, document]
        words, size = 0, 0
        for piece in range(bounds[document], bounds[document + 1]):
            more, _ = mark_words(data, pieces[piece], pieces[piece + 1], traits, marks, 0, marks)
            size = hash_words(data, marks[: 2 * more], own, words, size)
            words += more
        size = max(size, 1) if variant == DOLMA else characters(data, begin, end)
        slots = roomy(slots, min(words, 2 * share))
        if len(sieve) < 1 << sieve_bits(words):
            sieve = np.empty(1 << sieve_bits(words), dtype=np.uint8)
        turn = measure_grams(data, begin, end, traits, variant, own, size, words, slots, sieve, turn, value)
