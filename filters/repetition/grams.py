"""Words -> their n-grams, and which of these repeat.

An n-gram that may repeat has one number, so that what is held of a huge document stays small:

    at first         its key, which is not negative
    looked up        `DONE`; `REPEATS`, where it does; the place of the first that is equal to it, in the lower 31 bits; and
                     there, in the 31 bits from `COUNT` on, how often it stands in the document
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.kernels import Bytes, Ints, Scalar, characters, part
from filters.kernels.hash_table import bits_for, place
from filters.kernels.hashing import SIGNED_GOLDEN, stir_bytes
from filters.kernels.traits import WIDE
from filters.kernels.walking import AT
from filters.repetition.shares import BLOCK, Shares, members, parted

KEY = (1 << 63) - 1
DONE, COUNT, REPEATS, FIRST = -1 << 63, 1 << 32, 1 << 31, (1 << 31) - 1
SIEVE = 26  # bits; a sieve of 64 MiB


class Grams(NamedTuple):
    """A document's n-grams that may repeat: the number of each (see above), and at which word it stands.

    `ends[k]` is how many characters the first k words have, without what is above 32 bits.
    """

    numbers: Ints
    positions: npt.NDArray[np.int32]
    ends: npt.NDArray[np.uint32]
    shares: Shares


@part
def length_of(grams: Grams, word: Scalar, n: Scalar) -> Scalar:
    """Return how many characters the n words from one on have."""
    return np.int64(np.uint32(grams.ends[word + n] - grams.ends[word]))


@part
def repeats(grams: Grams, at: Scalar) -> Scalar:
    """Say whether an n-gram that was looked up repeats."""
    return grams.numbers[at] & REPEATS != 0


@part
def first_of(grams: Grams, at: Scalar) -> Scalar:
    """Return which n-gram is the first that is equal to one that was looked up."""
    return grams.numbers[at] & FIRST


@part
def count_of(grams: Grams, first: Scalar) -> Scalar:
    """Return how often an n-gram that is the first of its kind stands in the document."""
    return (grams.numbers[first] & KEY) // COUNT


@part
def hash_words(data: Bytes, marks: Ints, grams: Grams, first: Scalar, total: Scalar) -> Scalar:
    """Hash words, from number `first` on; add their lengths to those of the words before, and return the sum."""
    for word in range(first, first + len(marks) // 2):
        mark = 2 * (word - first)
        begin, end, seen = marks[mark], marks[mark + 1] & AT, marks[mark + 1] >> 48
        size = end - begin
        grams.numbers[word] = stir_bytes(data, begin, end)
        total += characters(data, begin, end) if seen & WIDE else size
        grams.ends[word + 1] = total
    return total


@part
def pair(grams: Grams, words: Scalar, sieve: Bytes) -> Scalar:
    """Make the keys of 2-grams from word hashes, and keep those that may repeat; return how many.

    The sieve has eight counters a word, as long as it has room, of which a key hits one: where it stands at one, the key is
    the only one of its kind.
    """
    numbers, positions = grams.numbers, grams.positions
    bits = sieve_bits(words)
    shift = np.uint64(63 - bits)
    sieve[: 1 << bits] = 0
    for word in range(words - 1):
        numbers[word] = (numbers[word] * SIGNED_GOLDEN + numbers[word + 1]) & KEY
        at = np.uint64(numbers[word]) >> shift
        sieve[at] = 1 if sieve[at] == 0 else 2
    to = 0
    for word in range(words - 1):
        key = numbers[word]
        numbers[to], positions[to] = key, word
        to += sieve[np.uint64(key) >> shift] > 1
    return to


@part
def sieve_bits(words: Scalar) -> Scalar:
    """Return b so that the sieve of so many words has 2^b counters."""
    return min(bits_for(4 * words), SIEVE)


@part
def lengthen(grams: Grams, found: Scalar) -> Scalar:
    """Make the keys of n-grams where two neighbours of the length before repeat; return how many."""
    to = 0
    for at in range(found - 1):
        position, both = grams.positions[at], repeats(grams, at) & repeats(grams, at + 1)
        grams.numbers[to] = first_of(grams, at) << 32 | first_of(grams, at + 1)
        grams.positions[to] = position
        to += both & (grams.positions[at + 1] == position + 1)
    return to


@part
def look_up(grams: Grams, found: Scalar, slots: Ints, turn: Scalar) -> Scalar:
    """Find of each n-gram the first that is equal to it, count them there, and mark those that repeat; return the next turn.

    Where they are many they are looked up share by share, each in a turn of its own.
    """
    many = parted(grams.shares, grams.numbers, found)
    if many == 1:
        bits = bits_for(found)
        for at in range(found):
            _count(grams, at, slots, bits, turn)
    else:
        bits = bits_for(2 * grams.shares.size)
        for share in range(many):
            for block in range((found - 1) // BLOCK + 1):
                first, last = members(grams.shares, block, share, many)
                for member in range(first, last):
                    _count(grams, block * BLOCK + np.int64(grams.shares.order[member]), slots, bits, turn + share)
    for at in range(found):
        grams.numbers[at] |= REPEATS * (count_of(grams, first_of(grams, at)) > 1)
    return turn + many


@part
def _count(grams: Grams, at: Scalar, slots: Ints, bits: Scalar, turn: Scalar) -> None:
    first = place(slots, bits, grams.numbers[at], turn, at)
    grams.numbers[at] = DONE | first
    grams.numbers[first] += COUNT
