"""Characters: UTF-8 -> code points and back, and one table look-up a code point for what it is and what it is folded to.

decode, utf8, before    code points forward and backward
classes, folds          is it part of a word, what is it folded to
categories              Unicode's general categories, of which tables are made
"""

import unicodedata
from collections.abc import Iterable
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.kernels.arrays import Bytes, Codes, Scalar
from filters.kernels.compiled import part

OTHER, WORD, IDEOGRAPH, SPACE = 0, 1, 2, 3
TABLE = 0x32400  # past the last assigned letter (CJK extension H); what lies beyond is no part of a word
BROKEN = 0xFFFD  # what a byte that begins no character is decoded to
QUOTES = {"‘": "'", "’": "'", "‚": "'", "‛": "'", "′": "'", "ʼ": "'", "“": '"', "”": '"', "„": '"', "‟": '"', "″": '"'}
IDEOGRAPHS = ((0x3041, 0x30FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, TABLE))


@cache
def classes() -> Bytes:
    """Return `uint8[TABLE]`: what each code point is: part of a word, a word by itself, white space, or other.

    Letters, numbers and marks make words (so an accent or a vowel sign does not cut one); the marks that dress symbols up,
    enclosing ones and the selectors of text or emoji style, do not.
    """
    table = np.zeros(TABLE, dtype=np.uint8)
    groups = categories().astype("S1")
    table[((groups == b"L") | (groups == b"N") | (groups == b"M")) & (categories() != b"Me")] = WORD
    table[0xFE0E:0xFE10] = OTHER
    for first, last in IDEOGRAPHS:
        block = table[first : last + 1]
        block[block == WORD] = IDEOGRAPH
    table[[code for code in range(0x3001) if chr(code).isspace()]] = SPACE
    return table


@cache
def categories() -> npt.NDArray[np.bytes_]:
    """Return `S2[TABLE]`: the general category of each code point, such as `b"Lu"`."""
    return categories_of(range(TABLE))


def categories_of(codes: Iterable[int]) -> npt.NDArray[np.bytes_]:
    """Return the general category of some code points.

    >>> categories_of(map(ord, "a1"))
    array([b'Ll', b'Nd'], dtype='|S2')
    """
    return np.frombuffer("".join(map(unicodedata.category, map(chr, codes))).encode(), dtype="S2")


@cache
def folds() -> Codes:
    """Return `uint32[TABLE]`: the code point each one is folded to: its lower case, a straight quote, a blank."""
    codes = np.arange(TABLE, dtype="<u4")
    valid = codes[(codes < 0xD800) | (codes > 0xDFFF)]
    every = pa.array([valid.tobytes().decode("utf-32-le")], pa.large_string())
    codes[valid] = np.frombuffer(pc.utf8_lower(every)[0].as_py().encode("utf-32-le"), dtype="<u4")  # one for each, always
    for quote, straight in QUOTES.items():
        codes[ord(quote)] = ord(straight)
    codes[classes() == SPACE] = ord(" ")
    return codes


@part
def decode(data: Bytes, at: Scalar, end: Scalar) -> tuple[Scalar, Scalar]:
    """Return the code point at a byte of UTF-8 and the byte after it; a byte that begins no valid one is U+FFFD by itself.

    Valid is what Unicode's table 3-7 has: neither cut off, nor longer than need be, nor a surrogate, nor beyond U+10FFFF.
    """
    first = np.int64(data[at])
    if first < 0x80:
        return first, at + 1
    more = np.int64(first >= 0xE0) + np.int64(first >= 0xF0)  # bytes besides the second
    if first >= 0xC2 and at + 1 + more < end:
        second = np.int64(data[at + 1]) ^ 0x80  # what is left of a byte that goes on is below 0x40
        if more == 0 and second < 0x40:
            return ((first & 0x1F) << 6) | second, at + 2
        if more == 1:
            third = np.int64(data[at + 2]) ^ 0x80
            code = ((first & 0x0F) << 12) | (second << 6) | third
            if second | third < 0x40 and code >= 0x800 and code & 0xF800 != 0xD800:
                return code, at + 3
        if more == 2 and first < 0xF5:
            third, fourth = np.int64(data[at + 2]) ^ 0x80, np.int64(data[at + 3]) ^ 0x80
            code = ((first & 0x07) << 18) | (second << 12) | (third << 6) | fourth
            if second | third | fourth < 0x40 and 0x10000 <= code <= 0x10FFFF:
                return code, at + 4
    return BROKEN, at + 1


@part
def before(data: Bytes, begin: Scalar, end: Scalar) -> Scalar:
    """Return where the last code point of the bytes from `begin` to `end` begins; there must be one."""
    at = end - 1
    while at > begin and data[at] & 0xC0 == 0x80:
        at -= 1
    return at


@part
def characters(data: Bytes, begin: Scalar, end: Scalar) -> Scalar:
    """Count the code points of UTF-8: the bytes that begin one."""
    count = 0
    for byte in data[begin:end]:
        count += byte & 0xC0 != 0x80
    return count


@part
def utf8(code: Scalar) -> tuple[Scalar, Scalar]:
    """Return the UTF-8 of a code point as a little-endian number, and its bits."""
    last = 0x80 | (code & 0x3F)
    if code < 0x80:
        return np.uint64(code), 8
    if code < 0x800:
        return np.uint64(0xC0 | (code >> 6) | last << 8), 16
    middle = 0x80 | ((code >> 6) & 0x3F)
    if code < 0x10000:
        return np.uint64(0xE0 | (code >> 12) | middle << 8 | last << 16), 24
    return np.uint64(0xF0 | (code >> 18) | (0x80 | ((code >> 12) & 0x3F)) << 8 | middle << 16 | last << 24), 32
