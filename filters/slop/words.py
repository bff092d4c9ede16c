"""Text -> where its words begin, and a key of each: its first eight letters, folded.

A text is read 64 bytes at a time (`kernels.block`): the bits that say which bytes make words say also where words begin. Words
are runs of letters, digits and marks (`kernels.classes`) of the folded text; an ideograph is a word by itself.
"""

from functools import cache

import numpy as np

from filters import kernels
from filters.kernels import Bytes, Hashes, Ints, Scalar, load, lowest_bit, part

Table = kernels.Codes
KIND = 24  # the bit from which on an entry of `Table` says what its code point is
BLANK = kernels.SPACE << KIND | ord(" ")
NONE, ONE, ALL = np.uint64(0), np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)
_BLANKS = np.uint64(0x2020202020202020)  # lower case of eight ASCII letters; digits have these bits


@cache
def table() -> Table:
    """Return for each code point what it is folded to, and from bit `KIND` on what that is (`kernels.classes`)."""
    folds = kernels.folds()
    kinds = kernels.classes()[np.minimum(folds, kernels.TABLE - 1)].astype(np.uint32)
    return kernels.read_only(np.bitwise_or(folds, kinds << np.uint32(KIND)))


@part
def _ones(many: Scalar) -> Scalar:
    """Return a mask of the lowest bits, 64 at most."""
    return ALL if many >= 64 else (ONE << np.uint64(many)) - ONE


@part
def folded(data: Bytes, at: Scalar, end: Scalar, table_: Table) -> tuple[Scalar, Scalar]:
    """Return the entry of the code point at a byte (-1 for a broken byte, which is equal to none), and the byte after it."""
    if data[at] < 0x80:
        return np.int64(table_[data[at]]), at + 1
    code, after = kernels.decode(data, at, end)
    if code == kernels.BROKEN and after == at + 1:
        return np.int64(-1), after
    return np.int64(table_[code]) if code < len(table_) else np.int64(code), after


@part
def is_word(code: Scalar) -> Scalar:
    """Say whether the entry of a code point is a word's, or an ideograph's."""
    return code >> KIND == kernels.WORD or code >> KIND == kernels.IDEOGRAPH


@part
def word_key(data: Bytes, at: Scalar, stop: Scalar, end: Scalar, table_: Table) -> Scalar:
    """Return the key of the word from `at` to `stop`: its first eight code points, folded."""
    key, shift = NONE, 0
    while at < stop and shift < 64:
        code, at = folded(data, at, end, table_)
        key ^= np.uint64(code & (1 << KIND) - 1) << np.uint64(shift)
        shift += 8
    return key


@part
def _window(data: Bytes, at: Scalar, end: Scalar, table_: Table) -> tuple[Scalar, Scalar, Scalar, Scalar]:
    """Look at up to 64 bytes of a text that ends at `end`.

    Returns how many were looked at and, bit by bit, which make words, where a word begins although another one ends there, and
    which bytes are to be read with care: beyond ASCII, or all if the texts' buffer ends near.
    """
    size, cuts, wide = min(64, end - at), NONE, NONE if at + 72 <= len(data) else ALL
    word, high = kernels.block(data, at, end)
    while high != NONE:
        bit = lowest_bit(high)
        code, after = folded(data, at + bit, end, table_)
        to = after - at
        if to > size:
            size = bit
            break
        span = _ones(to) & ~_ones(bit)
        word, wide, high = word & ~span, wide | span, high & ~span
        if is_word(code):
            word |= span
        if code >> KIND == kernels.IDEOGRAPH:
            cuts |= (ONE << np.uint64(bit)) | (_ones(to + 1) & ~_ones(to))
    return size, word & _ones(size), cuts, wide


@part
def find_words(data: Bytes, begin: Scalar, end: Scalar, table_: Table, places: Ints, keys: Hashes) -> Scalar:
    """Write down where the words of a text begin, and their keys; return how many there are."""
    many, at, inside = 0, begin, NONE
    while at < end:
        size, word, cuts, wide = _window(data, at, end, table_)
        starts = word & (~((word << ONE) | inside) | cuts)
        inside = (word >> np.uint64(size - 1)) & ONE if starts == NONE else NONE
        while starts != NONE:
            bit = lowest_bit(starts)
            starts &= starts - ONE
            stop = min(lowest_bit((~word | starts) >> np.uint64(bit)) + bit, 64)
            if stop == size and at + size < end:  # the word may go on: leave it to the next window, unless it fills this one
                if bit > 0:
                    size = bit
                    break
                inside = ONE
            places[many] = at + bit
            if (wide & _ones(stop)) >> np.uint64(bit):
                keys[many] = word_key(data, at + bit, at + stop, end, table_)
            else:
                keys[many] = (load(data, at + bit) | _BLANKS) & _ones(8 * (stop - bit))
            many += 1
        at += size
    return many
