"""A message of protocol buffers -> its fields, by number (https://protobuf.dev/programming-guides/encoding).

Enough to read a small file without the library: numbers as they lie, bytes for strings and for messages inside a message.
"""

import struct
from collections.abc import Iterator

VARINT, EIGHT_BYTES, COUNTED, FOUR_BYTES = 0, 1, 2, 5  # wire types that are in use
LONGEST = 10  # bytes of a varint


class Malformed(Exception):  # noqa: N818  the name says the error
    """Bytes that are no message of protocol buffers, or a part of one."""


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    r"""Yield each field's number and value, in order; raises `Malformed`.

    >>> list(fields(b"\x08\x96\x01\x12\x02hi"))
    [(1, 150), (2, b'hi')]
    """
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value, at = _value(data, at, tag & 7)
        yield tag >> 3, value


def floating(four: int | bytes) -> float:
    r"""Return the number that a field of four bytes holds.

    >>> floating(b"\x00\x00\x80?")
    1.0
    """
    if not isinstance(four, bytes) or len(four) != 4:
        raise Malformed("a number is not in four bytes")
    return float(struct.unpack("<f", four)[0])


def _value(data: bytes, at: int, wire_type: int) -> tuple[int | bytes, int]:
    if wire_type == VARINT:
        return _varint(data, at)
    if wire_type == COUNTED:
        size, at = _varint(data, at)
    elif wire_type in (EIGHT_BYTES, FOUR_BYTES):
        size = 8 if wire_type == EIGHT_BYTES else 4
    else:
        raise Malformed(f"wire type {wire_type} at byte {at}")
    if at + size > len(data):
        raise Malformed(f"it ends at byte {len(data)}, inside a field")
    return data[at : at + size], at + size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for place, byte in enumerate(data[at : at + LONGEST]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, at + place + 1
    raise Malformed(f"no number at byte {at}")
