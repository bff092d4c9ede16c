"""Words: text -> how many there are, and a hash of each; ASCII in blocks of 64 bytes, the rest by code points."""

import numpy as np

from filters.kernels.arrays import Bytes, Codes, Hashes, Ints, Scalar
from filters.kernels.characters import IDEOGRAPH, OTHER, WORD, decode, utf8
from filters.kernels.compiled import kernel, part
from filters.kernels.hashing import load_partly, low_bytes, mix
from filters.kernels.instructions import between, bits_in, load, lowest_bit


@part
def block(data: Bytes, at: Scalar, end: Scalar) -> tuple[Scalar, Scalar]:
    """Say of 64 bytes which are ASCII letters and digits and which are no ASCII, as bits; none is set from `end` on."""
    word, high = np.uint64(0), np.uint64(0)
    if at + 64 <= len(data):
        word = between(data, at, 48, 57) | between(data, at, 65, 90) | between(data, at, 97, 122)
        high = between(data, at, 128, 255)
    else:
        for place in range(min(len(data), end) - at):
            byte, bit = data[at + place], np.uint64(1) << np.uint64(place)
            if byte >= 128:
                high |= bit
            elif 48 <= byte <= 57 or 97 <= byte | 32 <= 122:
                word |= bit
    keep = np.uint64(0xFFFFFFFFFFFFFFFF)
    if end - at < 64:
        keep = (np.uint64(1) << np.uint64(end - at)) - np.uint64(1)
    return word & keep, high & keep


@kernel
def count_words(data: Bytes, offsets: Ints, classes_: Bytes) -> Ints:
    """Count the words of each text; `int64[n]`."""
    counts = np.zeros(len(offsets) - 1, dtype=np.int64)
    for text in range(len(counts)):
        at, end, inside, count = offsets[text], offsets[text + 1], False, 0
        while at < end:
            word, high = block(data, at, end)
            if not high:
                count += bits_in(word & ~(word << np.uint64(1) | np.uint64(inside)))
                inside, at = word >> np.uint64(63) != 0, at + 64
                continue
            last = min(at + 64, end)
            while at < last:
                code, at = decode(data, at, end)
                kind = classes_[code] if code < len(classes_) else np.uint8(OTHER)
                if kind == IDEOGRAPH or (kind == WORD and not inside):
                    count += 1
                inside = kind == WORD
        counts[text] = count
    return counts


@kernel
def hash_words(data: Bytes, offsets: Ints, classes_: Bytes, folds_: Codes, split: bool) -> tuple[Hashes, Ints]:
    """Hash each folded word of each text; `uint64[words]` and `int64[n + 1]` offsets of the texts in them.

    With `split`, an ideograph is a word; without, it is a letter of one. A hash is that of the UTF-8 bytes of the folded word,
    8 at a time.
    """
    words = np.empty((offsets[-1] - offsets[0]) // 2 + len(offsets), dtype=np.uint64)  # a word and what ends it: two bytes
    bounds = np.zeros(len(offsets), dtype=np.int64)
    found = 0
    for text in range(len(offsets) - 1):
        at, end = offsets[text], offsets[text + 1]
        while at < end:
            word, high = block(data, at, end)
            left, begin, at = word | high, at, at + 64
            while left:
                first = lowest_bit(left)
                behind = left + (np.uint64(1) << np.uint64(first))  # the carry runs through the stretch of bits
                last = lowest_bit(behind)
                if (high & (left ^ behind)) or last - first == 64:
                    at, found = _hash_stretch(data, begin + first, end, classes_, folds_, split, words, found)
                    break
                if last == 64:
                    at = begin + first
                    break
                words[found] = _hash_ascii(data, begin + first, last - first)
                found, left = found + 1, left & behind
        bounds[text + 1] = found
    return words[:found], bounds


@part
def _hash_ascii(data: Bytes, at: Scalar, size: Scalar) -> Scalar:
    """Hash ASCII letters and digits in lower case."""
    running, lower = np.uint64(0), np.uint64(0x2020202020202020)
    while size >= 8:
        running, at, size = mix(running, load(data, at) | lower), at + 8, size - 8
    if size:
        running = mix(running, (load_partly(data, at) | lower) & low_bytes(size))
    return running


@part
def _hash_stretch(
    data: Bytes, at: Scalar, end: Scalar, classes_: Bytes, folds_: Codes, split: bool, words: Hashes, found: Scalar
) -> tuple[Scalar, Scalar]:
    """Hash the words up to the next ASCII character that is in none; returns its place and the number of words found."""
    running, bytes_, size = np.uint64(0), np.uint64(0), 0
    while True:
        code, after = decode(data, at, end) if at < end else (np.int64(0), at)
        kind = classes_[code] if code < len(classes_) else np.uint8(OTHER)
        letter = kind == WORD or kind == IDEOGRAPH
        alone = split and kind == IDEOGRAPH
        if size and (alone or not letter):
            words[found] = mix(running, bytes_) if size & 7 else running
            running, bytes_, size, found = np.uint64(0), np.uint64(0), 0, found + 1
        if not letter and (at == end or data[at] < 0x80):
            return at, found
        at = after
        if not letter:
            continue
        folded, bits = utf8(np.int64(folds_[code]))
        for shift in range(0, bits, 8):
            bytes_ |= (folded >> np.uint64(shift) & np.uint64(0xFF)) << np.uint64(8 * (size & 7))
            size += 1
            if not size & 7:
                running, bytes_ = mix(running, bytes_), np.uint64(0)
        if alone:
            words[found] = mix(running, bytes_)
            bytes_, size, found = np.uint64(0), 0, found + 1
