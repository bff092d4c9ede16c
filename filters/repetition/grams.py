"""Word n-grams -> the characters of the most frequent one, and of those that repeat."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.kernels import Bytes, Ints, Scalar, Values, characters, part
from filters.kernels.hash_table import bits_for, place
from filters.kernels.hashing import SIGNED_GOLDEN, stir, stir_bytes
from filters.kernels.traits import DATATROVE, DOLMA, NEMO, WIDE, Traits
from filters.kernels.walking import AT
from filters.repetition.columns import FIRST_GRAM, GRAM, LONGEST, LONGEST_TOP
from filters.repetition.literal import count_literally

Positions = npt.NDArray[np.int32]
SHARES = 256  # of n-grams, at most


class Grams(NamedTuple):
    """Where a document's n-grams stand (k-th word), under which key, equal to which first one, and how often that stands there.

    `ends[k]` is how many characters the first k words have; `shares` has room to count
    them in, `share` of which are looked up in one table (see `_shared`).
    """

    keys: Ints
    positions: Positions
    groups: Positions
    counts: Positions
    ends: Ints
    shares: Ints
    share: int


@part
def hash_words(data: Bytes, marks: Ints, keys: Ints, ends: Ints, first: Scalar) -> None:
    """Hash words, from number `first` on, and add up their lengths."""
    total = ends[first]
    for word in range(first, first + len(marks) // 2):
        mark = 2 * (word - first)
        begin, end, seen = marks[mark], marks[mark + 1] & AT, marks[mark + 1] >> 48
        size = end - begin
        keys[word] = stir_bytes(data, begin, end)
        total += characters(data, begin, end) if seen & WIDE else size
        ends[word + 1] = total


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
    seen: Bytes,
    turn: Scalar,
    value: Values,
) -> None:
    """Measure the n-grams of a document; the keys are its word hashes."""
    found = _pairs(grams, words, seen)
    whole = size if variant != DOLMA else max(grams.ends[words], 1)
    for n in range(FIRST_GRAM, LONGEST + 1):
        if n > words:
            value[n + GRAM] = variant == NEMO
            continue
        if n > FIRST_GRAM:
            found = _longer(grams, found)
        found = _repeating(grams, found, slots, turn + n)
        if n <= LONGEST_TOP:
            top, count = _top(grams, n, found, variant == NEMO)
            length = grams.ends[top + n] - grams.ends[top] + (n - 1) * (variant != DOLMA)
            if variant == NEMO:
                count = count_literally(data, begin, end, traits, top, n)
            value[n + GRAM] = length * count / whole
        elif variant == DATATROVE:
            value[n + GRAM] = _passed_over(grams, n, found) / whole
        elif variant == NEMO:
            value[n + GRAM] = _covered(grams, n, found) / whole
        else:
            value[n + GRAM] = _all_copies(grams, n, found, words)


@part
def _pairs(grams: Grams, words: Scalar, seen: Bytes) -> Scalar:
    """Make the keys of 2-grams from word hashes, and keep those that may repeat; return how many.

    `seen` has eight counters a word, of which a key hits one: where it stands at one, the key is the only one of its kind.
    """
    keys, positions = grams.keys, grams.positions
    shift = 64 - bits_for(4 * words)
    seen[: 1 << (64 - shift)] = 0
    for word in range(words - 1):
        keys[word] = keys[word] * SIGNED_GOLDEN + keys[word + 1]
        at = np.uint64(keys[word]) >> np.uint64(shift)
        seen[at] = 1 if seen[at] == 0 else 2
    to = 0
    for word in range(words - 1):
        key = keys[word]
        keys[to], positions[to] = key, word
        to += seen[np.uint64(key) >> np.uint64(shift)] > 1
    return to


@part
def _longer(grams: Grams, found: Scalar) -> Scalar:
    """Make the keys of n-grams where two neighbours of the length before repeat."""
    to = 0
    for at in range(found - 1):
        position = grams.positions[at]
        grams.keys[to] = np.int64(grams.groups[at]) << 32 | np.int64(grams.groups[at + 1])
        grams.positions[to] = position
        to += grams.positions[at + 1] == position + 1
    return to


@part
def _repeating(grams: Grams, found: Scalar, slots: Ints, turn: Scalar) -> Scalar:
    """Group equal n-grams under the position of the first, count them there, and keep those that repeat."""
    positions, groups, counts, shares = grams.positions, grams.groups, grams.counts, grams.shares
    many, to = _shared(grams, found), 0
    bits = bits_for(found) if many == 1 else min(bits_for(shares.max()), bits_for(2 * grams.share))
    for share in range(many):
        if share > 0:
            slots[: 2 << bits] = 0
        for at in range(found):
            if many > 1 and _share(grams.keys[at], many) != share:
                continue
            position = np.int64(positions[at])
            first = place(slots, bits, grams.keys[at], turn, position)
            groups[at] = first
            counts[first] = counts[first] + 1 if first != position else 1
    for at in range(found):
        position, group = positions[at], groups[at]
        positions[to], groups[to] = position, group
        to += counts[group] > 1
    return to


@part
def _shared(grams: Grams, found: Scalar) -> Scalar:
    """Return into how many shares n-grams are parted, so that the hash table of one stays small; count those in each."""
    many = 1
    while many < len(grams.shares) and found > many * grams.share:
        many *= 2
    grams.shares[:] = 0
    for at in range(found if many > 1 else 0):
        grams.shares[_share(grams.keys[at], many)] += 1
    return many


@part
def _share(key: Scalar, many: Scalar) -> Scalar:
    """Return the share that a key belongs to, of a power of two."""
    return (stir(key, 1) >> 20) & (many - 1)


@part
def _top(grams: Grams, n: Scalar, found: Scalar, longest: bool) -> tuple[Scalar, Scalar]:
    """Return where the most frequent n-gram stands first, and its count: where none repeats, the first n-gram.

    Of equals it is the first, or the first of the longest.
    """
    top, most = np.int64(0), np.int64(1)
    for at in range(found):
        if grams.groups[at] == grams.positions[at]:
            position, count = np.int64(grams.positions[at]), np.int64(grams.counts[grams.groups[at]])
            longer = grams.ends[position + n] - grams.ends[position] > grams.ends[top + n] - grams.ends[top]
            if count > most or (longest and longer and count == most):
                top, most = position, count
    return top, most


@part
def _passed_over(grams: Grams, n: Scalar, found: Scalar) -> Scalar:
    """Add up the n-grams seen before, going on behind each one's last word; a count of 0 becomes the mark of what was seen."""
    total, next_ = 0, 0
    for at in range(found):
        position, group = np.int64(grams.positions[at]), grams.groups[at]
        if position >= next_:
            if grams.counts[group] == 0:
                total += grams.ends[position + n] - grams.ends[position]
                next_ = position + n
            grams.counts[group] = 0
    return total


@part
def _covered(grams: Grams, n: Scalar, found: Scalar) -> Scalar:
    """Add up the words of n-grams seen before, each word once, with the blanks between them."""
    total, last = 0, -n
    for at in range(found):
        position, group = np.int64(grams.positions[at]), grams.groups[at]
        if grams.counts[group] == 0:
            held = max(0, n - (position - last))
            total += grams.ends[position + n] - grams.ends[position + held] + min(n - held, n - 1)
            last = position
        grams.counts[group] = 0
    return total


@part
def _all_copies(grams: Grams, n: Scalar, found: Scalar, words: Scalar) -> Scalar:
    """Return the share of n-grams that have a copy, by the characters of their words."""
    total, of_copies = 0, 0
    for word in range(words - n + 1):
        total += grams.ends[word + n] - grams.ends[word]
    for at in range(found):
        of_copies += grams.ends[grams.positions[at] + n] - grams.ends[grams.positions[at]]
    return of_copies / max(total, 1)
