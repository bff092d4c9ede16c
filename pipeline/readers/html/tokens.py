"""A page's markup as bytes -> its tags in order: which element, where the tag begins and ends, and what the element is called.

    <p class=x>One</p>   -> tag p 0:11, key "p class x"; tag -p 14:18

Comments, and what elements like `script` hold, are passed over. Where a quote, a comment or such an element is never closed,
the text behind it is not lost: the quote is none, the comment ends with the next `>`, the element is taken for an empty one.
"""

import numpy as np
from numpy.typing import NDArray

from filters.kernels.compiled import kernel, part
from pipeline.readers.html.tags import HASHES, IS_RAW, NAMES, NOTHING, OF_HASH, PRIME, SLOTS, UNKNOWN, hashed

Bytes = NDArray[np.uint8]
Longs = NDArray[np.int64]

LT, GT, SLASH, EQUALS, QUOTE, APOSTROPHE, BANG, DASH, QUESTION = map(ord, "<>/=\"'!-?")
HEARD = {name: number for number, name in enumerate(("class", "id", "itemprop", "role", "style", "hidden", "aria-hidden"), 1)}
HEARD_HASHES = np.array([hashed(name.encode()) for name in HEARD], np.uint64)
PRIME_64, SLOTS_64 = np.uint64(PRIME), np.uint64(SLOTS)
AT, KEYED, NO_QUOTE, NO_APOSTROPHE, NO_COMMENT = range(5)  # of the kernel's state
NEVER_CLOSED = 8  # from here on, one for each element
STATE = NEVER_CLOSED + len(NAMES)


@kernel
def tags_of(
    data: Bytes, tags: NDArray[np.int16], begins: Longs, ends: Longs, key_ends: Longs, keys: Bytes, state: Longs
) -> int:
    """Fill in the tags' numbers (negative: an end tag; 0: a comment), begins, ends and the ends of their keys; return how many.

    A key holds, for each of the attributes in `HEARD`, its number, its value and a zero byte. `state` is zeros.
    """
    count = 0
    at = _next(data, LT, 0)
    while at < len(data) - 1:
        head = data[at + 1]
        name = at + 1 + (head == SLASH)
        if name < len(data) and _is_letter(data[name]):
            tags[count] = _tag(data, name, state)
            _attributes(data, state, keys, head == SLASH)
            if head == SLASH:
                tags[count] = -tags[count]
            elif IS_RAW[tags[count]]:
                _pass_raw(data, tags[count], name, state)
        elif head == BANG or head == QUESTION or head == SLASH:
            tags[count] = NOTHING
            _pass_comment(data, at, state)
        else:
            at = _next(data, LT, at + 1)
            continue
        begins[count], ends[count], key_ends[count] = at, state[AT], state[KEYED]
        count += 1
        at = _next(data, LT, state[AT])
    return count


@part
def _next(data: Bytes, byte: int, at: int) -> int:
    while at < len(data) and data[at] != byte:
        at += 1
    return at


@part
def _is_letter(byte: int) -> bool:
    return 97 <= byte | 32 <= 122


@part
def _is_space(byte: int) -> bool:
    return byte == 32 or 9 <= byte <= 13


@part
def _hash_name(data: Bytes, at: int, state: Longs, stop: int) -> np.uint64:
    """Return the hash of the name at `at` in small letters, and step behind it; it ends at a space, /, > or `stop`."""
    number = np.uint64(0)
    while at < len(data):
        byte = data[at]
        if _is_space(byte) or byte == SLASH or byte == GT or byte == stop:
            break
        if 65 <= byte <= 90:
            byte |= 32
        number = (number * PRIME_64) ^ np.uint64(byte)
        at += 1
    state[AT] = at
    return number


@part
def _tag(data: Bytes, at: int, state: Longs) -> int:
    number = _hash_name(data, at, state, GT)
    slot = np.int64(number % SLOTS_64)
    while OF_HASH[slot]:
        if HASHES[slot] == number:
            return int(OF_HASH[slot])
        slot = (slot + 1) % SLOTS
    return UNKNOWN


@part
def _attributes(data: Bytes, state: Longs, keys: Bytes, closing: bool) -> None:
    """Step behind a tag's `>`, and write its key."""
    while state[AT] < len(data):
        byte = data[state[AT]]
        if byte == GT:
            state[AT] += 1
            return
        if _is_space(byte) or byte == SLASH:
            state[AT] += 1
            continue
        begin = state[AT]
        number = _hash_name(data, begin, state, EQUALS)
        if state[AT] == begin:  # a name may begin with =
            state[AT] += 1
        heard = 0
        if not closing:
            for which in range(len(HEARD_HASHES)):
                if HEARD_HASHES[which] == number:
                    heard = which + 1
        _value(data, state, keys, heard)


@part
def _value(data: Bytes, state: Longs, keys: Bytes, heard: int) -> None:
    begin = end = state[AT]
    at = _behind_spaces(data, begin)
    if at < len(data) and data[at] == EQUALS:
        begin = _behind_spaces(data, at + 1)
        end = _quoted_end(data, begin, state)
        if end >= 0:
            begin += 1
            state[AT] = end + 1
        else:
            end = begin
            while end < len(data) and not _is_space(data[end]) and data[end] != GT:
                end += 1
            state[AT] = end
    if heard:
        _write_key(data, begin, end, heard, state, keys)


@part
def _behind_spaces(data: Bytes, at: int) -> int:
    while at < len(data) and _is_space(data[at]):
        at += 1
    return at


@part
def _quoted_end(data: Bytes, at: int, state: Longs) -> int:
    """Return where the quoted value at `at` ends; -1 where it is not quoted, or its quote not closed."""
    quote = data[at] if at < len(data) else 0
    which = NO_QUOTE if quote == QUOTE else NO_APOSTROPHE
    if (quote != QUOTE and quote != APOSTROPHE) or state[which]:
        return -1
    end = _next(data, quote, at + 1)
    if end < len(data):
        return end
    state[which] = 1
    return -1


@part
def _write_key(data: Bytes, begin: int, end: int, heard: int, state: Longs, keys: Bytes) -> None:
    at = state[KEYED]
    keys[at] = heard
    for place in range(begin, end):
        at += 1
        keys[at] = data[place]
    keys[at + 1] = 0
    state[KEYED] = at + 2


@part
def _pass_comment(data: Bytes, at: int, state: Longs) -> None:
    """Step behind a comment, a doctype or an instruction."""
    is_comment = at + 3 < len(data) and data[at + 1] == BANG and data[at + 2] == DASH and data[at + 3] == DASH
    if is_comment and not state[NO_COMMENT]:
        end = at + 2  # <!--> is a comment, too
        while end + 2 < len(data) and not (data[end] == DASH and data[end + 1] == DASH and data[end + 2] == GT):
            end += 1
        if end + 2 < len(data):
            state[AT] = end + 3
            return
        state[NO_COMMENT] = 1
    state[AT] = min(_next(data, GT, at) + 1, len(data))


@part
def _pass_raw(data: Bytes, tag: int, name: int, state: Longs) -> None:
    """Step behind the end tag of an element whose content is no markup, where it has one."""
    size = 0
    while name + size < len(data) and _is_letter(data[name + size]):
        size += 1
    at = state[AT]
    while not state[NEVER_CLOSED + tag]:
        at = _next(data, LT, at)
        if at + 2 + size >= len(data):
            state[NEVER_CLOSED + tag] = 1
        elif data[at + 1] == SLASH and _is_same(data, name, at + 2, size):
            state[AT] = min(_next(data, GT, at) + 1, len(data))
            return
        at += 1


@part
def _is_same(data: Bytes, one: int, other: int, size: int) -> bool:
    for place in range(size):
        if data[one + place] | 32 != data[other + place] | 32:
            return False
    return not _is_letter(data[other + size])
