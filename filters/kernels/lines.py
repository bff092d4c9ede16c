r"""Lines: text -> where each ends.

line_bounds, breaks_line    by the line breaks of Python's `str.splitlines`
newline, newlines           by `\n` alone
"""

import numpy as np

from filters.kernels.arrays import Bytes, Ints, Scalar
from filters.kernels.characters import decode
from filters.kernels.compiled import kernel, part
from filters.kernels.hashing import load_partly, stir
from filters.kernels.instructions import between, lowest_bit


@part
def breaks_line(code: Scalar) -> bool:
    """Say whether a code point is a line break, or the first of the two of `\\r\\n`."""
    return bool(0x0A <= code <= 0x0D or 0x1C <= code <= 0x1E or code == 0x85 or code == 0x2028 or code == 0x2029)


@kernel
def line_bounds(data: Bytes, offsets: Ints) -> tuple[Ints, Ints, Ints]:
    """Part texts into lines: `int64[n + 1]` offsets of the texts in them, the byte at which each stops, that behind its break.

    Bytes are those of the buffer. An empty text has no line, and a line break at the end begins none.
    """
    room = len(offsets)
    for at in range(offsets[0], offsets[-1]):
        room += data[at] <= 0x1E or data[at] == 0xC2 or data[at] == 0xE2
    stops, ends = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    bounds, found = np.zeros(len(offsets), dtype=np.int64), 0
    for text in range(len(offsets) - 1):
        at, begin, end = offsets[text], offsets[text], offsets[text + 1]
        while at < end:
            if at + 64 <= end:  # a line break is a control character, or begins with one of two bytes
                special = between(data, at, 0, 0x1E) | between(data, at, 0xC2, 0xC2) | between(data, at, 0xE2, 0xE2)
                if not special:
                    at += 64
                    continue
                at += lowest_bit(special)
            here = at
            code, at = decode(data, at, end)
            if breaks_line(code):
                at += code == 0x0D and at < end and data[at] == 0x0A
                stops[found], ends[found] = here, at
                found, begin = found + 1, at
        if begin < end:
            stops[found], ends[found] = end, end
            found += 1
        bounds[text + 1] = found
    return bounds, stops[:found], ends[:found]


@part
def newlines(data: Bytes, begin: Scalar, end: Scalar) -> Scalar:
    """Count the newlines."""
    count = 0
    for byte in data[begin:end]:
        count += byte == 10
    return count


@part
def newline(data: Bytes, begin: Scalar, end: Scalar) -> tuple[Scalar, Scalar]:
    """Return where the next newline is, or the end, and a hash of the bytes before it (see `stir`)."""
    running, at = 0, begin
    while at <= end:
        size, block = min(8, end - at), np.int64(load_partly(data, at))
        lowest = _lowest_newline(block)
        if lowest != 0:
            size = min(size, ((lowest - 1) & 0x0101010101010101) * 0x0101010101010101 >> 56)
        if size < 8:
            running = stir(running, block & ((1 << 8 * size) - 1))
            at += size
            break
        running, at = stir(running, block), at + 8
    return at, running ^ (at - begin)


@part
def _lowest_newline(block: Scalar) -> Scalar:
    """Return the lowest bit of the lowest newline among eight bytes, found by the borrow that only a zero byte needs, or 0."""
    zeros = block ^ 0x0A0A0A0A0A0A0A0A
    borrows = (zeros - 0x0101010101010101) & ~zeros & -0x7F7F7F7F7F7F7F80
    return (borrows & -borrows) >> 7 & 0x0101010101010101
