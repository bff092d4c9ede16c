"""Phrases of words -> where they stand in texts, without a folded copy of the texts.

The keys of two words that follow each other are tested against a bitmap that fits the nearest cache, what passes is looked up
in a hash table, and only that is compared letter by letter. So the time hardly depends on how many phrases there are.

The words of a huge text are found piece by piece: those at the end of a piece wait for the words behind it.
"""

import numpy as np

from filters.kernels import Bytes, Flags, Hashes, Ints, Scalar, kernel, part, pieces
from filters.slop.comparing import stands
from filters.slop.index import KEYS, LENGTH, MULTIPLIERS, SEVEN, THREE, Index, Rows, slot_of
from filters.slop.matches import Matches
from filters.slop.words import NONE, Table, find_words, table


def search(data: Bytes, offsets: Ints, phrases: Index, *, overlapping: bool) -> Matches:
    """Find phrases as whole words in texts: all, or where they overlap the first one, and of those the longest."""
    cut, bounds = pieces.of_words(data, offsets)
    return Matches(*_search(data, offsets, cut, bounds, table(), *phrases, overlapping).T.copy())


@kernel
def _search(
    data: Bytes, offsets: Ints, pieces: Ints, bounds: Ints, table_: Table,
    phrases: Bytes, rows: Rows, bits: Bytes, shift: Scalar, lengths: Flags,
    slots: Hashes, groups: Rows, overlapping: Scalar,
) -> Ints:  # fmt: skip
    out, found = np.empty((1024, 4), dtype=np.int64), 0
    room = np.max(pieces[1:] - pieces[:-1]) // 2 + 3 * KEYS if len(pieces) > 1 else 0
    places, passed, keys = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.uint64)
    for text in range(len(offsets) - 1):
        begin, end, held, first = offsets[text], offsets[text + 1], 0, 0
        free = begin
        for piece in range(bounds[text], bounds[text + 1]):
            many = held + find_words(data, pieces[piece], pieces[piece + 1], table_, places[held:], keys[held:])
            keys[many : many + KEYS] = 0
            known = many if piece + 1 == bounds[text + 1] else max(first, many - KEYS + 1)
            for candidate in range(_candidates(keys, first, known, bits, shift, lengths[1], passed)):
                word, group, hash_ = passed[candidate], found, NONE
                if places[word] < free:
                    continue
                previous = places[word - 1] if word else np.int64(-1)
                for words in range(KEYS):
                    hash_ += keys[word + words] * MULTIPLIERS[words]
                    if not lengths[words + 1]:
                        continue
                    slot = slot_of(slots, groups, hash_ + np.uint64(words + 1) * LENGTH)
                    for row in range(groups[slot, 0], groups[slot, 0] + groups[slot, 1]):
                        start, after = stands(data, begin, previous, places[word], end, phrases, rows, row, table_)
                        if start >= free:
                            out = _kept(out, found, group, text, start - begin, after - begin, rows[row, 6])
                            found += 1
                if found > group and not overlapping:
                    found = group + 1
                    free = begin + out[group, 2]
            held, first = _hold(places, keys, known, many)
    return out[:found]


@part
def _hold(places: Ints, keys: Hashes, known: Scalar, many: Scalar) -> tuple[Scalar, Scalar]:
    """Move the words from number `known` on to the front, behind the one before them; return how many, and where they begin."""
    skipped = max(known - 1, 0)
    for word in range(skipped, many):
        places[word - skipped], keys[word - skipped] = places[word], keys[word]
    return many - skipped, known - skipped


@part
def _candidates(
    keys: Hashes, first: Scalar, known: Scalar, bits: Bytes, shift: Scalar, singles: Scalar, passed: Ints
) -> Scalar:
    """Write down which words begin a pair, or are a word, that some phrase begins with; return how many."""
    count = 0
    for word in range(first, known):
        alone = keys[word] * MULTIPLIERS[0]
        place = (alone + keys[word + 1] * MULTIPLIERS[1]) >> shift
        hit = (bits[place >> THREE] >> (place & SEVEN)) & np.uint8(1)
        if singles:
            place = alone >> shift
            hit |= (bits[place >> THREE] >> (place & SEVEN)) & np.uint8(1)
        passed[count] = word
        count += hit
    return count


@kernel
def _kept(out: Ints, found: Scalar, group: Scalar, text: Scalar, start: Scalar, end: Scalar, phrase: Scalar) -> Ints:
    """Write match number `found` into its place among those from `group` on: by start, the longer one first, phrase."""
    if found == len(out):
        larger = np.empty((2 * len(out), 4), dtype=np.int64)
        larger[:found] = out
        out = larger
    place = found
    while place > group:
        its_start, its_end, its_phrase = out[place - 1, 1], out[place - 1, 2], out[place - 1, 3]
        if its_start < start or (its_start == start and (its_end > end or (its_end == end and its_phrase < phrase))):
            break
        out[place] = out[place - 1]
        place -= 1
    out[place, 0], out[place, 1], out[place, 2], out[place, 3] = text, start, end, phrase
    return out
