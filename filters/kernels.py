"""The numba kernels that filters share: loops over Arrow's own buffers, without Python strings and without the GIL.

    buffers            an Arrow array's bytes and offsets, nothing copied
    classes, folds     one table look-up a code point: is it part of a word, what is it folded to
    count_words, hash_words, hash_documents
    fold               case, white-space runs and typographic quotes evened out, with the way back to the original bytes

Hashing steps from block to block by splitmix64 (Steele, Lea, Flood 2014). One multiplication a block would not do: a flip of a
high bit passes it with probability 1/2, and an equal flip in the next block undoes it.
"""

import unicodedata
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.compiled import kernel

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

OTHER, WORD, IDEOGRAPH, SPACE = 0, 1, 2, 3
TABLE = 0x32400  # past the last assigned letter (CJK extension H); what lies beyond is no part of a word
QUOTES = {"‘": "'", "’": "'", "‚": "'", "‛": "'", "′": "'", "ʼ": "'", "“": '"', "”": '"', "„": '"', "‟": '"', "″": '"'}
IDEOGRAPHS = ((0x3041, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, TABLE))


def buffers(texts: pa.LargeStringArray) -> tuple[Bytes, Ints]:
    """Return the bytes and the `int64[n + 1]` offsets of a string array, as views."""
    _, offsets, data = texts.buffers()
    view = (
        np.frombuffer(offsets, dtype=np.int64)[texts.offset : texts.offset + len(texts) + 1]
        if offsets
        else np.zeros(1, np.int64)
    )
    return (np.frombuffer(data, dtype=np.uint8) if data and data.size else np.zeros(0, np.uint8)), view


@cache
def classes() -> Bytes:
    """Return `uint8[TABLE]`: what each code point is: part of a word, a word by itself, white space, or other.

    Letters, numbers and marks make words (so an accent or a vowel sign does not cut one); the marks that dress symbols up,
    enclosing ones and the selectors of text or emoji style, do not.
    """
    table = np.zeros(TABLE, dtype=np.uint8)
    kinds = [unicodedata.category(chr(code)) for code in range(TABLE)]
    table[[kind[0] in "LNM" and kind != "Me" for kind in kinds]] = WORD
    table[0xFE0E:0xFE10] = OTHER
    for first, last in IDEOGRAPHS:
        block = table[first : last + 1]
        block[block == WORD] = IDEOGRAPH
    table[[code for code in range(0x3001) if chr(code).isspace()]] = SPACE
    return table


@cache
def folds() -> npt.NDArray[np.uint32]:
    """Return `uint32[TABLE]`: the code point each one is folded to: its lower case, a straight quote, a blank."""
    codes = np.arange(TABLE, dtype=np.uint32)
    valid = np.flatnonzero((codes < 0xD800) | (codes > 0xDFFF))
    lower = pc.utf8_lower(pa.array([chr(code) for code in valid])).to_pylist()
    codes[valid] = [ord(text) if len(text) == 1 else code for text, code in zip(lower, valid, strict=True)]
    for quote, straight in QUOTES.items():
        codes[ord(quote)] = ord(straight)
    codes[classes() == SPACE] = ord(" ")
    return codes


@kernel
def decode(data: Bytes, at: Any, end: Any) -> tuple[Any, Any]:
    """Return the code point at a byte of UTF-8 and the byte after it; a byte that begins none is U+FFFD."""
    first = np.int64(data[at])
    if first < 0x80:
        return first, at + 1
    if 0xC2 <= first < 0xE0 and at + 1 < end:
        return ((first & 0x1F) << 6) | (np.int64(data[at + 1]) & 0x3F), at + 2
    if 0xE0 <= first < 0xF0 and at + 2 < end:
        return ((first & 0x0F) << 12) | ((np.int64(data[at + 1]) & 0x3F) << 6) | (np.int64(data[at + 2]) & 0x3F), at + 3
    if 0xF0 <= first < 0xF5 and at + 3 < end:
        high = ((first & 0x07) << 18) | ((np.int64(data[at + 1]) & 0x3F) << 12)
        return high | ((np.int64(data[at + 2]) & 0x3F) << 6) | (np.int64(data[at + 3]) & 0x3F), at + 4
    return 0xFFFD, at + 1


@kernel
def avalanche(hash_: Any) -> Any:
    """Spread every bit of a hash over all of them."""
    hash_ = (hash_ ^ (hash_ >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hash_ = (hash_ ^ (hash_ >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hash_ ^ (hash_ >> np.uint64(31))


@kernel
def mix(hash_: Any, value: Any) -> Any:
    """Mix a value into a running 64-bit hash, so that no later value is likely to undo what another one did."""
    return avalanche((hash_ ^ np.uint64(value)) + np.uint64(0x9E3779B97F4A7C15))


@kernel
def count_words(data: Bytes, offsets: Ints, classes_: Bytes) -> Ints:
    """Count the words of each text; `int64[n]`."""
    counts = np.zeros(len(offsets) - 1, dtype=np.int64)
    for text in range(len(counts)):
        at, end, inside, count = offsets[text], offsets[text + 1], False, 0
        while at < end:
            if data[at] < 0x80:
                code, at = np.int64(data[at]), at + 1
            else:
                code, at = decode(data, at, end)
            kind = classes_[code] if code < len(classes_) else np.uint8(OTHER)
            if kind == WORD:
                count += not inside
            elif kind == IDEOGRAPH:
                count += 1
            inside = kind == WORD
        counts[text] = count
    return counts


@kernel
def hash_words(data: Bytes, offsets: Ints, classes_: Bytes, folds_: npt.NDArray[np.uint32], split: bool) -> tuple[Hashes, Ints]:
    """Hash each folded word of each text; `uint64[words]` and `int64[n + 1]` offsets of the texts in them.

    With `split`, an ideograph is a word; without, it is a letter of one.
    """
    words = np.empty((offsets[-1] - offsets[0]) // 2 + len(offsets), dtype=np.uint64)  # a word and what ends it: two bytes
    bounds = np.zeros(len(offsets), dtype=np.int64)
    start, factor = np.uint64(0x452821E638D01377), np.uint64(0x9E3779B97F4A7C15)
    found = 0
    for text in range(len(offsets) - 1):
        at, end, inside, running = offsets[text], offsets[text + 1], False, start
        while at < end:
            if data[at] < 0x80:
                code, at = np.int64(data[at]), at + 1
            else:
                code, at = decode(data, at, end)
            kind = classes_[code] if code < len(classes_) else np.uint8(OTHER)
            alone = split and kind == IDEOGRAPH
            if inside and (alone or kind == OTHER or kind == SPACE):
                words[found] = avalanche(running)
                found, inside, running = found + 1, False, start
            if alone:
                words[found] = avalanche((start ^ np.uint64(folds_[code])) * factor)
                found += 1
            elif kind == WORD or kind == IDEOGRAPH:
                running, inside = (running ^ np.uint64(folds_[code])) * factor, True
        if inside:
            words[found] = avalanche(running)
            found += 1
        bounds[text + 1] = found
    return words[:found].copy(), bounds


@kernel
def hash_documents(data: Bytes, text_offsets: Ints, offsets: Ints, seed: Any) -> Hashes:
    """Hash the bytes of each document, with the ends of its texts; `uint64[documents]`."""
    hashes = np.empty(len(offsets) - 1, dtype=np.uint64)
    for document in range(len(hashes)):
        running = np.uint64(seed)
        for text in range(offsets[document], offsets[document + 1]):
            at, end = text_offsets[text], text_offsets[text + 1]
            running = mix(running, end - at)
            while at + 8 <= end:
                block = np.uint64(0)
                for byte in range(8):
                    block |= np.uint64(data[at + byte]) << np.uint64(8 * byte)
                running, at = mix(running, block), at + 8
            block = np.uint64(0)
            for byte in range(end - at):
                block |= np.uint64(data[at + byte]) << np.uint64(8 * byte)
            running = mix(running, block)
        hashes[document] = avalanche(running)
    return hashes


@kernel
def sum_by_document(values: Ints, offsets: Ints) -> Ints:
    """Add up a number a text to a number a document; `int64[documents]`."""
    sums = np.zeros(len(offsets) - 1, dtype=np.int64)
    for document in range(len(sums)):
        for text in range(offsets[document], offsets[document + 1]):
            sums[document] += values[text]
    return sums


def fold(data: Bytes, offsets: Ints, *, origins: bool = False) -> tuple[Bytes, Ints, Ints]:
    """Even out case, white-space runs and typographic quotes.

    Returns the folded bytes, the `int64[n + 1]` offsets of the texts in them and, with `origins`, for each folded byte where
    its code point begins in `data`, and one more for the end of each text at `origin[byte + text]`.
    """
    return _fold(data, offsets, classes(), folds(), origins)


@kernel
def _fold(
    data: Bytes, offsets: Ints, classes_: Bytes, folds_: npt.NDArray[np.uint32], origins: bool
) -> tuple[Bytes, Ints, Ints]:
    texts = len(offsets) - 1
    room = 3 * (offsets[-1] - offsets[0]) // 2 + 16  # the worst growth: U+023A (2 bytes) to U+2C65 (3 bytes)
    out, bounds = np.empty(room, dtype=np.uint8), np.zeros(texts + 1, dtype=np.int64)
    origin = np.empty(room + texts if origins else 0, dtype=np.int64)
    to = 0
    for text in range(texts):
        at, end, blank = offsets[text], offsets[text + 1], False
        while at < end:
            begin = at
            if data[at] < 0x80:
                code, at = np.int64(data[at]), at + 1
            else:
                code, at = decode(data, at, end)
            if code < len(folds_):
                space = classes_[code] == SPACE
                code = np.int64(folds_[code])
            else:
                space = False
            if space and blank:
                continue
            blank, first = space, to
            if code == 0xFFFD and at - begin == 1:  # a broken byte stays as it is
                out[to], to = data[begin], to + 1
            elif code < 0x80:
                out[to], to = code, to + 1
            elif code < 0x800:
                out[to], out[to + 1], to = 0xC0 | (code >> 6), 0x80 | (code & 0x3F), to + 2
            elif code < 0x10000:
                out[to], out[to + 1], out[to + 2] = 0xE0 | (code >> 12), 0x80 | ((code >> 6) & 0x3F), 0x80 | (code & 0x3F)
                to += 3
            else:
                out[to], out[to + 1] = 0xF0 | (code >> 18), 0x80 | ((code >> 12) & 0x3F)
                out[to + 2], out[to + 3] = 0x80 | ((code >> 6) & 0x3F), 0x80 | (code & 0x3F)
                to += 4
            if origins:
                origin[first + text : to + text] = begin
        if origins:
            origin[to + text] = end
        bounds[text + 1] = to
    return out[:to], bounds, origin[: to + texts] if origins else origin


def strings(data: Bytes, offsets: Ints) -> pa.LargeStringArray:
    """Return bytes and offsets as an Arrow string array, nothing copied."""
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))
