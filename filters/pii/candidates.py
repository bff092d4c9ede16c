"""Candidates: text -> the few places that a closer look is worth, found in one pass over its bytes.

Nothing here decides: a candidate is a place where the cheap signs of a kind stand (an `@` between letters, four numbers with
dots between, digits that pass Luhn's check, the prefix of a key). The walk forward or back from a place is bounded, so the
pass is linear in the bytes whatever they are.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.kernels import Bytes, Ints, Scalar, kernel, part
from filters.pii.keys import KEYS
from filters.pii.phones import CALLS

Heads = npt.NDArray[np.int16]

EMAIL, IPV4, IPV6, INTERNATIONAL, NATIONAL, CARD, IBAN, PREFIX = range(8)
PREFIXES = sorted({key.prefix for key in KEYS} | set(CALLS), key=lambda prefix: (prefix[:2], -len(prefix), prefix))
HIGH, DIGIT, UPPER, LOWER = 1, 2, 3, 4
KINDS = np.zeros(256, dtype=np.uint8)
KINDS[0x80:] = HIGH
KINDS[ord("0") : ord("9") + 1], KINDS[ord("A") : ord("Z") + 1], KINDS[ord("a") : ord("z") + 1] = DIGIT, UPPER, LOWER
KINDS[ord("_")] = LOWER  # a word goes on behind it
ATOM = (KINDS > 0) | np.isin(np.arange(256), list(b"+-'&%~"))  # what may stand before the @ of an address
GAP = np.isin(np.arange(256), list(b" -./()\xc2\xa0"))  # what may stand between the digits of a phone number
TEXT = np.frombuffer(b"".join(PREFIXES), dtype=np.uint8)
BOUNDS = np.cumsum([0, *map(len, PREFIXES)])
CALL = np.array([prefix in CALLS for prefix in PREFIXES])  # prefixes that mean something with a number behind them only
REACH = 24  # bytes from such a word to the number


class Candidates(NamedTuple):
    """Places worth a closer look: the text, the byte in `data`, and what may stand there (`PREFIX + i`: `PREFIXES[i]`)."""

    row: Ints
    at: Ints
    sign: Ints


def candidates(data: Bytes, offsets: Ints) -> Candidates:
    """Return the candidates of texts given as bytes and `int64[n + 1]` offsets, by text and byte."""
    out = np.empty((1024 + (offsets[-1] - offsets[0]) // 1024, 3), dtype=np.int64)
    found = _scan(data, offsets, _heads(), out)
    if found > len(out):
        out = np.empty((found, 3), dtype=np.int64)
        _scan(data, offsets, _heads(), out)
    return Candidates(*out[:found].T)


@cache
def _heads() -> Heads:
    """Return `int16[65536]`: for two bytes, one more than the number of the first prefix that begins so; 0 if none does."""
    heads = np.zeros(1 << 16, dtype=np.int16)
    for number, prefix in reversed(list(enumerate(PREFIXES))):
        heads[prefix[0] << 8 | prefix[1]] = number + 1
    return heads


@kernel
def _scan(data: Bytes, offsets: Ints, heads: Heads, out: Ints) -> int:
    """Write the candidates that there is room for, and return how many there are.

    An array that grew inside of the loop would make it five times slower.
    """
    found = 0
    for row in range(len(offsets) - 1):
        first, end = offsets[row], offsets[row + 1]
        at = first
        while at + 1 < end:
            byte, sign = data[at], -1
            if byte == 64:  # @
                sign = EMAIL if at > first and ATOM[data[at - 1]] and _is_host(data, at + 1, end) else -1
            else:
                if KINDS[byte] == DIGIT or KINDS[byte] == UPPER or byte == 43 or byte == 40:  # + (
                    sign = _sign(data, at, end)
                head = heads[np.int64(byte) << 8 | data[at + 1]]
                if sign < 0 and head:
                    sign = _prefix(data, at, end, head - 1)
            if sign >= 0:
                if found < len(out):
                    out[found, 0], out[found, 1], out[found, 2] = row, at, sign
                found += 1
            at += 1
            if KINDS[byte] >= DIGIT:
                while at < end and KINDS[data[at]] >= DIGIT:
                    at += 1
    return found


@part
def _is_host(data: Bytes, at: Scalar, end: Scalar) -> Scalar:
    """Tell whether a bracket stands here, or letters, digits, dashes and dots with two bytes or more behind the last dot."""
    if data[at] == 91:  # [
        return True
    byte, last, label, dots = at, min(end, at + 256), 0, 0
    while byte < last and (KINDS[data[byte]] or data[byte] == 45 or (data[byte] == 46 and byte > at)):
        if data[byte] == 46 and (byte + 1 == last or not KINDS[data[byte + 1]]):
            break
        label = 0 if data[byte] == 46 else label + 1
        dots += data[byte] == 46
        byte += 1
    return (dots > 0 and label > 1) or dots >= 3


@part
def _sign(data: Bytes, at: Scalar, end: Scalar) -> Scalar:
    """Tell what may begin at a digit, a capital, a plus sign or a bracket that no word goes on in; -1 for nothing."""
    if KINDS[data[at]] == DIGIT:
        return _number(data, at, end)
    if KINDS[data[at]] == UPPER:
        return IBAN if _iban(data, at, end) else -1
    if KINDS[data[at + 1]] != DIGIT:
        return -1
    digits, groups = _digits(data, at + 1, end)
    if data[at] == 43:
        return INTERNATIONAL if digits >= 8 and data[at + 1] != 48 else -1
    return NATIONAL if digits >= 9 and groups >= 2 else -1


@part
def _digits(data: Bytes, at: Scalar, end: Scalar) -> tuple[Scalar, Scalar]:
    """Return how many digits follow with at most three bytes between two, 18 at most, and how many groups they form."""
    digits, groups, gap = 0, 0, 1
    while at < end and digits < 18:
        if KINDS[data[at]] == DIGIT:
            digits, groups, gap = digits + 1, groups + (gap > 0), 0
        elif GAP[data[at]] and gap < 3:
            gap += 1
        else:
            break
        at += 1
    return digits, groups


@part
def _number(data: Bytes, at: Scalar, end: Scalar) -> Scalar:
    """Tell what a number that begins here may be."""
    lengths, dots, byte = 0, 0, at  # lengths: of the groups between dots and dashes, a decimal digit each
    while byte < end and byte < at + 16:
        if KINDS[data[byte]] == DIGIT:
            lengths += 1
        elif (data[byte] == 46 or data[byte] == 45) and lengths % 10:  # . -
            lengths, dots = 10 * lengths, dots + (data[byte] == 46)
        else:
            break
        byte += 1
    if dots >= 3 and _is_quad(lengths // 10 if lengths % 10 == 0 else lengths):
        return IPV4
    if 50 <= data[at] <= 51 and _colons(data, at, end):
        return IPV6
    if data[at] >= 50 and (lengths == 334 or lengths == 3340):
        return NATIONAL
    if data[at] == 48 and at + 1 < end and 49 <= data[at + 1] <= 57:
        digits, groups = _digits(data, at, end)
        return NATIONAL if digits >= 9 and groups >= 2 else -1
    return CARD if 50 <= data[at] <= 54 and _luhn(data, at, end) else -1


@part
def _is_quad(lengths: Scalar) -> Scalar:
    """Tell whether four groups have one to three digits each."""
    if not 1111 <= lengths <= 3333:
        return False
    while lengths:
        if not 1 <= lengths % 10 <= 3:
            return False
        lengths //= 10
    return True


@part
def _colons(data: Bytes, at: Scalar, end: Scalar) -> Scalar:
    """Tell whether four hexadecimal digits and a colon stand here: every assigned public IPv6 address begins so (2000::/3)."""
    if at + 5 >= end or data[at + 4] != 58:
        return False
    for byte in range(at, at + 4):
        small = data[byte] | 32
        if KINDS[data[byte]] != DIGIT and not 97 <= small <= 102:
            return False
    return True


@part
def _luhn(data: Bytes, at: Scalar, end: Scalar) -> Scalar:
    """Tell whether 13 to 19 digits, in groups of four or more with one blank or dash between, pass Luhn's check."""
    odd, even = np.int64(0), np.int64(0)  # sums with every other digit doubled, the last or the one before it not
    digits, group = 0, 0
    while at < end and digits < 20:
        if KINDS[data[at]] == DIGIT:
            digit = np.int64(data[at]) - 48
            odd, even = even + digit, odd + 2 * digit - 9 * (digit > 4)
            digits, group = digits + 1, group + 1
        elif (data[at] == 32 or data[at] == 45) and group >= 4 and digits < 19:
            if at + 1 == end or KINDS[data[at + 1]] != DIGIT or digits >= 13:
                break
            group = 0
        else:
            break
        at += 1
    return 13 <= digits <= 19 and odd % 10 == 0


@part
def _iban(data: Bytes, at: Scalar, end: Scalar) -> Scalar:
    """Tell whether two capitals, two digits and at least eleven capitals or digits stand here, with single blanks between."""
    if at + 15 > end or KINDS[data[at + 1]] != UPPER or KINDS[data[at + 2]] != DIGIT or KINDS[data[at + 3]] != DIGIT:
        return False
    signs, at = 4, at + 4
    while at < end and signs < 15:
        if KINDS[data[at]] == DIGIT or KINDS[data[at]] == UPPER:
            signs += 1
        elif data[at] != 32 or data[at - 1] == 32:
            return False
        at += 1
    return signs == 15


@part
def _prefix(data: Bytes, at: Scalar, end: Scalar, number: Scalar) -> Scalar:
    """Return `PREFIX` plus the number of the first prefix, from one on, that stands here; or -1."""
    while number < len(CALL) and TEXT[BOUNDS[number]] == data[at] and TEXT[BOUNDS[number] + 1] == data[at + 1]:
        head, length = BOUNDS[number], BOUNDS[number + 1] - BOUNDS[number]
        same = 2
        while same < length and at + same < end and TEXT[head + same] == data[at + same]:
            same += 1
        if same == length and (not CALL[number] or _number_follows(data, at + length, end)):
            return PREFIX + number
        number += 1
    return -1


@part
def _number_follows(data: Bytes, at: Scalar, end: Scalar) -> Scalar:
    """Tell whether seven digits or more follow within reach, as close together as in a phone number."""
    last = min(end, at + REACH)
    while at < last and KINDS[data[at]] != DIGIT:
        at += 1
    digits, _ = _digits(data, at, end)
    return digits >= 7
