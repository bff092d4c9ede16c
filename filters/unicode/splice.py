"""Texts, and new bytes for some places -> texts."""

import numpy as np

from filters.kernels import Bytes, Ints, Scalar, kernel, part


@kernel
def splice(
    data: Bytes,
    offsets: Ints,
    starts: Ints,
    ends: Ints,
    new: Bytes,
    bounds: Ints,
) -> tuple[Bytes, Ints]:
    """Put `new[bounds[k]:bounds[k + 1]]` in the place of `data[starts[k]:ends[k]]`; returns all texts' bytes and offsets."""
    size = offsets[-1] - offsets[0] + bounds[-1] - bounds[0]
    for change in range(len(starts)):
        size -= ends[change] - starts[change]
    out, moved = np.empty(size, dtype=np.uint8), np.zeros(len(offsets), dtype=np.int64)
    at, to, text = offsets[0], 0, 0
    for change in range(len(starts) + 1):
        start = starts[change] if change < len(starts) else offsets[-1]
        while text < len(offsets) and offsets[text] <= start:
            moved[text], text = to + offsets[text] - at, text + 1
        to = _copy(data, at, start, out, to)
        if change < len(starts):
            to, at = _copy(new, bounds[change], bounds[change + 1], out, to), ends[change]
    return out, moved


@part
def _copy(data: Bytes, start: Scalar, end: Scalar, out: Bytes, to: Scalar) -> Scalar:
    """Copy bytes; returns the place behind them."""
    for byte in range(np.uint64(end - start)):  # places without a sign: else each one is checked for being counted from the end
        out[np.uint64(to) + byte] = data[np.uint64(start) + byte]
    return to + end - start
