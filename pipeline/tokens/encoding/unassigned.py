"""Texts -> those that hold a character which Unicode has not assigned, or not yet.

Encoders are built with the Unicode of their day: `tokenizers` 0.23 knows version 16, gigatoken 0.10 version 17. They disagree
on what a word is where it holds one of the letters that came in between. The Python that runs knows none of these.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.kernels.compiled import kernel
from filters.kernels.instructions import load
from pipeline.tokens.encoding.hard import bounds, kinds

TWO_BYTES, THREE_BYTES, FOUR_BYTES = 0xC0, 0xE0, 0xF0  # what the first byte of such a character is at least
NOT_ASCII = 0x8080808080808080  # of 8 bytes


@cache
def _table() -> npt.NDArray[np.bool_]:
    return np.equal(kinds(), b"Cn")


def unassigned(texts: pa.Array) -> npt.NDArray[np.bool_]:
    """Say which texts (`large_string`) hold a character that Python's Unicode has not assigned.

    >>> unassigned(pa.array(["a \u6f22", "\U000323b0"], pa.large_string())).tolist()
    [False, True]
    """
    held = np.zeros(len(texts), np.bool_)
    _look(np.frombuffer(texts.buffers()[2] or b"", np.uint8), bounds(texts), _table(), held)
    return held


@kernel
def _look(
    data: npt.NDArray[np.uint8], bounds: npt.NDArray[np.int64], table: npt.NDArray[np.bool_], held: npt.NDArray[np.bool_]
) -> None:
    for text in range(len(bounds) - 1):
        at, stop = bounds[text], bounds[text + 1]
        while at < stop:
            if at + 8 <= stop and not load(data, at) & NOT_ASCII:
                at += 8
                continue
            byte, code = data[at], 0
            if byte < TWO_BYTES:
                at += 1
                continue
            if byte < THREE_BYTES:
                code = (byte & 0x1F) << 6 | data[at + 1] & 0x3F
                at += 2
            elif byte < FOUR_BYTES:
                code = (byte & 0x0F) << 12 | (data[at + 1] & 0x3F) << 6 | data[at + 2] & 0x3F
                at += 3
            else:
                code = (byte & 0x07) << 18 | (data[at + 1] & 0x3F) << 12 | (data[at + 2] & 0x3F) << 6 | data[at + 3] & 0x3F
                at += 4
            held[text] |= code < len(table) and table[code]
