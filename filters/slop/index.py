"""Phrases of words -> an index of them by the keys of their first words, four at most."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters import kernels
from filters.kernels import Bytes, Flags, Hashes, Ints, Scalar, kernel, part
from filters.slop.words import KIND, ONE, Table, folded, is_word, table, word_key

Rows = npt.NDArray[np.int32]
KEYS = 4  # the words of a phrase by which it is looked up
MOST_BITS = 20  # of a bitmap's places: 128 KiB, of which 50,000 phrases fill 5 %
MULTIPLIERS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F], dtype=np.uint64)
LENGTH = np.uint64(0xE7037ED1A0B428DB)
THREE, SEVEN = np.uint64(3), np.uint64(7)


class Index(NamedTuple):
    """Phrases, ready to be looked up.

    A row says where in `data` a phrase begins, its first word begins, and it ends; how many code points are before that word;
    its anchors; whether it ends in a word; its number. `bits` holds the pairs of first words by their hashes, from bit `shift`
    on; `lengths[n]` says whether phrases are looked up by n words. Slot s of the hash table has the hash `slots[s]` and stands
    for `rows[first:first + count]` with `first, count = groups[s]`.
    """

    data: Bytes
    rows: Rows
    bits: Bytes
    shift: np.uint64
    lengths: Flags
    slots: Hashes
    groups: Rows


def index(phrases: list[str], anchors: list[int]) -> Index:
    """Index phrases of one word or more; `anchors[p]` is a sum of `AT_START` and `AT_END`.

    Raises `ValueError` for a phrase without a word.
    """
    parts = [phrase.encode() for phrase in phrases]
    data = np.frombuffer(b"".join(parts), dtype=np.uint8)
    rows, keys, words = _rows(data, np.cumsum([0, *map(len, parts)], dtype=np.int64), table())
    if (words == 0).any():
        raise ValueError(f"a phrase without a word cannot be indexed: {phrases[int(np.argmin(words))]!r}")
    rows[:, 4], rows[:, 6] = anchors, np.arange(len(rows))
    lengths = np.zeros(KEYS + 1, dtype=np.bool_)
    lengths[words] = True
    hashes = (keys * MULTIPLIERS).sum(axis=1, dtype=np.uint64) + words.astype(np.uint64) * LENGTH
    order = np.argsort(hashes, kind="stable")
    unique, first, count = np.unique(hashes[order], return_index=True, return_counts=True)
    slots, groups = _slots(unique, np.stack([first, count], axis=1).astype(np.int32), 1 << (2 * len(unique)).bit_length())
    shift = np.uint64(64 - min(max(10, (32 * len(phrases)).bit_length()), MOST_BITS))
    return Index(data, rows[order], _bitmap(keys, shift), shift, lengths, slots, groups)


def has_word(phrase: str) -> bool:
    """Say whether a phrase holds a word, as `index` needs it to.

    >>> has_word("as an ai"), has_word("数据"), has_word("—!")
    (True, True, False)
    """
    if phrase[:1].isascii() and phrase[:1].isalnum():
        return True
    kinds = table() >> np.uint32(KIND)
    return any(ord(letter) < len(kinds) and kinds[ord(letter)] in (kernels.WORD, kernels.IDEOGRAPH) for letter in phrase)


def _bitmap(keys: Hashes, shift: np.uint64) -> Bytes:
    """Return a bit for each pair of first words; of a phrase of one word, for that word alone."""
    places = (keys[:, :2] * MULTIPLIERS[:2]).sum(axis=1, dtype=np.uint64) >> shift
    bits = np.zeros(1 << (61 - int(shift)), dtype=np.uint8)
    np.bitwise_or.at(bits, places >> THREE, np.left_shift(1, places & SEVEN).astype(np.uint8))
    return bits


@kernel
def _rows(data: Bytes, offsets: Ints, table_: Table) -> tuple[Rows, Hashes, Ints]:
    """Return `Index.rows` (without anchors and numbers), the keys of each phrase's first words, and how many those are."""
    many = len(offsets) - 1
    rows, keys, words = np.zeros((many, 7), np.int32), np.zeros((many, KEYS), np.uint64), np.zeros(many, np.int64)
    for phrase in range(many):
        at, end, code = offsets[phrase], offsets[phrase + 1], np.int64(0)
        rows[phrase, 0], rows[phrase, 2] = at, end
        while at < end:
            start = at
            code, at = folded(data, at, end, table_)
            if not is_word(code):
                rows[phrase, 3] += words[phrase] == 0
                continue
            while code >> KIND == kernels.WORD and at < end:
                code, after = folded(data, at, end, table_)
                if code >> KIND == kernels.WORD:
                    at = after
            if words[phrase] == 0:
                rows[phrase, 1] = start
            if words[phrase] < KEYS:
                keys[phrase, words[phrase]] = word_key(data, start, at, end, table_)
                words[phrase] += 1
        rows[phrase, 5] = code >> KIND == kernels.WORD
    return rows, keys, words


@kernel
def _slots(hashes: Hashes, groups: Rows, size: Scalar) -> tuple[Hashes, Rows]:
    """Lay hashes and their groups out in a table of `size` slots, a power of two; a slot whose group is empty is free."""
    slots, theirs = np.zeros(size, np.uint64), np.zeros((size, 2), np.int32)
    for number in range(len(hashes)):
        slot = slot_of(slots, theirs, hashes[number])
        slots[slot], theirs[slot, 0], theirs[slot, 1] = hashes[number], groups[number, 0], groups[number, 1]
    return slots, theirs


@part
def slot_of(slots: Hashes, groups: Rows, hash_: Scalar) -> Scalar:
    """Return the slot of a hash: its own, or the free one where it would stand."""
    most = np.uint64(len(slots) - 1)
    slot = kernels.avalanche(hash_) & most
    while groups[slot, 1] and slots[slot] != hash_:
        slot = (slot + ONE) & most
    return slot
