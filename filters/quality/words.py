"""The words of a document: how many, how long, of letters, stop words, and with symbols in them."""

import numpy as np

from filters.kernels import Bytes, Ints, Scalar, characters, part
from filters.kernels.traits import ALPHA, DATATROVE, DOLMA, ELLIPSIS, HASH, PLAIN, SYMBOL, WIDE
from filters.kernels.walking import AT
from filters.quality.columns import (
    ALPHA_WORDS,
    LENGTH,
    MARK_WORDS,
    PLAIN_WORDS,
    STOP_KINDS,
    STOPS,
    SYMBOL_WORDS,
    WORDS,
)
from filters.quality.phrases import Phrases, ends_with, find


@part
def tally_words(
    data: Bytes,
    words: Ints,
    variant: Scalar,
    tally: Ints,
    stops: Phrases,
    marks: Phrases,
    last_seen: Ints,
    document: Scalar,
    lengths: Ints,
) -> None:
    """Tally words by the traits seen in them."""
    plain, alpha, total = 0, 0, 0
    for word in range(0, len(words), 2):
        begin, end, seen = words[word], words[word + 1] & AT, words[word + 1] >> 48
        length = characters(data, begin, end) if seen & WIDE else end - begin
        is_plain = (seen & PLAIN) != 0
        plain, total = plain + is_plain, total + length * is_plain
        alpha += (seen & ALPHA) != 0
        if stops.sizes[data[np.uint64(begin)]] >> min(end - begin, 62) & 1:
            _stop_word(find(data, begin, end, stops), tally, last_seen, document)
        if variant == DOLMA:
            lengths[length] += 1
        if variant != DATATROVE and seen & SYMBOL:
            _symbol_word(data, begin, end, seen, length, variant, tally, marks)
    tally[WORDS] += len(words) // 2
    tally[PLAIN_WORDS] += plain
    tally[ALPHA_WORDS] += alpha
    tally[LENGTH] += total


@part
def _stop_word(stop: Scalar, tally: Ints, last_seen: Ints, document: Scalar) -> None:
    """Tally a stop word, and whether it is the first of its kind in the document."""
    if stop >= 0:
        tally[STOPS] += 1
        tally[STOP_KINDS] += last_seen[stop] != document
        last_seen[stop] = document


@part
def _symbol_word(
    data: Bytes,
    begin: Scalar,
    end: Scalar,
    seen: Scalar,
    length: Scalar,
    variant: Scalar,
    tally: Ints,
    marks: Phrases,
) -> None:
    """Tally a word with symbols in it, as NeMo and dolma do."""
    if variant == DOLMA:
        tally[SYMBOL_WORDS] += seen & (HASH | ELLIPSIS) != 0
        tally[MARK_WORDS] += seen & ELLIPSIS != 0
        return
    mark, runs = ends_with(data, begin, end, marks, True), 0
    for at in range(begin, end):
        runs += data[at] == 35 and (at == begin or data[at - 1] != 35)
    tally[MARK_WORDS] += mark
    tally[SYMBOL_WORDS] += mark or 2 * runs > length


@part
def twice_median(lengths: Ints, words: Scalar) -> Scalar:
    """Return twice the median of word lengths, given how many words have each; leaves zeros."""
    twice, passed = 0, 0
    for length in range(len(lengths)):
        before, passed = passed, passed + lengths[length]
        twice += length * (before <= (words - 1) // 2 < passed) + length * (before <= words // 2 < passed)
        lengths[length] = 0
    return twice
