"""N-grams that repeat -> the characters of the most frequent one, and of all that do."""

import numpy as np

from filters.kernels import Bytes, Ints, Scalar, Values, part
from filters.kernels.traits import DATATROVE, DOLMA, NEMO, Traits
from filters.repetition.columns import FIRST_GRAM, GRAM, LONGEST, LONGEST_TOP
from filters.repetition.grams import COUNT, Grams, count_of, first_of, length_of, lengthen, look_up, pair, repeats
from filters.repetition.literal import count_literally


@part
def measure_grams(
    data: Bytes,
    begin: Scalar,
    end: Scalar,
    traits: Traits,
    variant: Scalar,
    grams: Grams,
    size: Scalar,
    words: Scalar,
    slots: Ints,
    sieve: Bytes,
    turn: Scalar,
    value: Values,
) -> Scalar:
    """Measure the n-grams of a document, of whose words the hashes are known, by `size` characters; return the next turn."""
    found = pair(grams, words, sieve)
    for n in range(FIRST_GRAM, LONGEST + 1):
        if n > words:
            value[n + GRAM] = variant == NEMO
            continue
        if n > FIRST_GRAM:
            found = lengthen(grams, found)
        turn = look_up(grams, found, slots, turn)
        if n <= LONGEST_TOP:
            top, count = _top(grams, n, found, variant == NEMO)
            length = length_of(grams, top, n) + (n - 1) * (variant != DOLMA)
            if variant == NEMO:
                count = count_literally(data, begin, end, traits, top, n)
            value[n + GRAM] = length * count / size
        elif variant == DATATROVE:
            value[n + GRAM] = _passed_over(grams, n, found) / size
        elif variant == NEMO:
            value[n + GRAM] = _covered(grams, n, found) / size
        else:
            value[n + GRAM] = _all_copies(grams, n, found, words)
    return turn


@part
def _top(grams: Grams, n: Scalar, found: Scalar, longest: bool) -> tuple[Scalar, Scalar]:
    """Return where the most frequent n-gram stands first, and its count: where none repeats, the first n-gram.

    Of equals it is the first, or the first of the longest.
    """
    top, most = np.int64(0), np.int64(1)
    for at in range(found):
        if repeats(grams, at) and first_of(grams, at) == at:
            position, count = np.int64(grams.positions[at]), count_of(grams, at)
            longer = length_of(grams, position, n) > length_of(grams, top, n)
            if count > most or (longest and longer and count == most):
                top, most = position, count
    return top, most


@part
def _seen(grams: Grams, at: Scalar) -> Scalar:
    """Say whether an n-gram was asked for before: of such a one the count is gone."""
    first = first_of(grams, at)
    count = count_of(grams, first)
    grams.numbers[first] -= count * COUNT
    return count == 0


@part
def _passed_over(grams: Grams, n: Scalar, found: Scalar) -> Scalar:
    """Add up the n-grams seen before, going on behind each one's last word."""
    total, next_ = 0, 0
    for at in range(found):
        position = np.int64(grams.positions[at])
        if repeats(grams, at) and position >= next_ and _seen(grams, at):
            total += length_of(grams, position, n)
            next_ = position + n
    return total


@part
def _covered(grams: Grams, n: Scalar, found: Scalar) -> Scalar:
    """Add up the words of n-grams seen before, each word once, with the blanks between them."""
    total, last = 0, -n
    for at in range(found):
        position = np.int64(grams.positions[at])
        if repeats(grams, at) and _seen(grams, at):
            held = max(0, n - (position - last))
            total += length_of(grams, position + held, n - held) + min(n - held, n - 1)
            last = position
    return total


@part
def _all_copies(grams: Grams, n: Scalar, found: Scalar, words: Scalar) -> Scalar:
    """Return the share of n-grams that have a copy, by the characters of their words."""
    total, of_copies = 0, 0
    for word in range(words - n + 1):
        total += length_of(grams, word, n)
    for at in range(found):
        if repeats(grams, at):
            of_copies += length_of(grams, np.int64(grams.positions[at]), n)
    return of_copies / max(total, 1)
