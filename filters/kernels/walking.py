"""Walking: text -> code points with their traits, and where words begin and end; see `traits`."""

import numpy as np

from filters.kernels.arrays import Bytes, Ints, Scalar
from filters.kernels.characters import before, decode
from filters.kernels.compiled import part
from filters.kernels.traits import ALONE, GAP, SPACE, Traits

AT = (1 << 48) - 1  # a mark: a byte's place in the lower 48 bits, traits above


@part
def step(data: Bytes, at: Scalar, end: Scalar, traits: Traits) -> tuple[Scalar, Scalar]:
    """Return the traits of the code point at a byte, and the byte after it."""
    byte = data[np.uint64(at)]
    if byte < 0x80:
        return np.int64(traits[byte]), at + 1
    code, after = decode(data, at, end)
    return np.int64(traits[min(code, len(traits) - 1)]), after


@part
def strip(data: Bytes, begin: Scalar, end: Scalar, traits: Traits) -> tuple[Scalar, Scalar]:
    """Return where bytes begin and end without the white space around them, as `str.strip` has it."""
    while begin < end:
        trait, after = step(data, begin, end, traits)
        if trait & SPACE == 0:
            break
        begin = after
    while begin < end:
        last = before(data, begin, end)
        trait, after = step(data, last, end, traits)
        if trait & SPACE == 0 or after < end:
            break
        end = last
    return begin, end


@part
def blank(data: Bytes, at: Scalar, end: Scalar, traits: Traits) -> Scalar:
    """Say whether bytes are white space and nothing else."""
    while at < end:
        trait, at = step(data, at, end, traits)
        if trait & SPACE == 0:
            return False
    return True


@part
def mark_words(
    data: Bytes, at: Scalar, end: Scalar, traits: Traits, words: Ints, wanted: Scalar, others: Ints
) -> tuple[Scalar, Scalar]:
    """Mark where each word begins and ends, and in `others` each code point with a wanted trait; return how many of both.

    The mark of a word's end has the traits seen in it. A mark is written at every byte and kept where a word begins or ends,
    so that the processor has no branch to guess.
    """
    found, other, outside = np.uint64(0), np.uint64(0), 1
    trait: Scalar = 0
    seen: Scalar = 0
    while at < end:
        begin, byte = at, data[np.uint64(at)]
        if byte < 0x80:
            trait, at = np.int64(traits[byte]), at + 1
        else:
            trait, at = step(data, at, end, traits)
            if trait & ALONE:
                words[found] = begin | seen << 48
                found += np.uint64(1 - outside)
                words[found], words[found + np.uint64(1)] = begin, at | trait << 48
                found, outside, seen = found + np.uint64(2), 1, 0
                continue
        if trait & wanted:
            others[other] = begin | trait << 48
            other += np.uint64(1)
        gap = trait & GAP
        words[found] = begin | seen << 48
        found += np.uint64(gap ^ outside)
        outside, seen = gap, (seen | trait) & (gap - 1)
    words[found] = end | seen << 48
    return np.int64(found + np.uint64(1 - outside)) // 2, np.int64(other)
