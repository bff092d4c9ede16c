"""Bytes that mean themselves -> passed over or copied 64 at a time, up to the next byte that means more."""
# ruff: noqa: ANN401, ARG001  numba's and llvmlite's own types and signatures

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic

from filters.kernels import between, lowest_bit, part

Bytes = npt.NDArray[np.uint8]

BLOCK = 64
_BLOCK_OF_BYTES = ir.VectorType(ir.IntType(8), BLOCK)


@intrinsic  # type: ignore[untyped-decorator]
def _copy_block(typing: Any, data: Any, at: Any, out: Any, to: Any) -> tuple[Any, Callable[..., Any]]:
    """Copy `data[at:at + 64]` to `out[to:to + 64]`; nothing is checked."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        places = []
        for array, index in ((0, 1), (2, 3)):
            found = context.make_array(signature.args[array])(context, builder, values[array])
            places.append(builder.bitcast(builder.gep(found.data, [values[index]]), _BLOCK_OF_BYTES.as_pointer()))
        builder.store(builder.load(places[0], align=1), places[1], align=1)
        return context.get_dummy_value()

    return types.void(data, types.int64, out, types.int64), write


@part
def run_end(buf: Bytes, p: int, end: int, first: int, last: int, other: int) -> int:
    """Return the first place from `p` on that holds a byte of `first..last` or `other`, or one not before `end` for none."""
    while p + BLOCK <= end:
        bits = between(buf, p, first, last) | between(buf, p, other, other)
        if bits != 0:
            found: int = p + lowest_bit(bits)
            return found
        p += BLOCK
    while p < end and not first <= buf[p] <= last and buf[p] != other:
        p += 1
    return p


@part
def copy_run(buf: Bytes, p: int, stop: int, one: int, other: int, out: Bytes, o: int) -> int:
    """Copy `buf[p:stop]` to `out` from `o` on, up to one of two bytes; returns the place of that byte, else `stop`.

    `out` needs room for 64 bytes more than are copied.
    """
    while p < stop and p + BLOCK <= len(buf):
        _copy_block(buf, p, out, o)
        size = min(lowest_bit(between(buf, p, one, one) | between(buf, p, other, other)), stop - p)
        p += size
        o += size
        if size < BLOCK:
            return p
    while p < stop and buf[p] != one and buf[p] != other:
        out[o] = buf[p]
        p += 1
        o += 1
    return p


@part
def copy_all(buf: Bytes, p: int, stop: int, out: Bytes, o: int) -> int:
    """Copy `buf[p:stop]` to `out` from `o` on, and return the place behind it; `out` needs room for 64 bytes more."""
    after = o + stop - p
    while p < stop and p + BLOCK <= len(buf):
        _copy_block(buf, p, out, o)
        p += BLOCK
        o += BLOCK
    while p < stop:
        out[o] = buf[p]
        p += 1
        o += 1
    return after
