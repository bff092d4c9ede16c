"""Instructions of the processor that numba has no words for: 8 or 64 bytes at a time, bits of a 64-bit number.

load                    8 bytes as a number
between, copy_folded    64 bytes held against a range, or copied in lower case with blanks for white space
lowest_bit, bits_in     of a 64-bit number
"""
# ruff: noqa: ANN401, ARG001  numba's and llvmlite's own types and signatures
# mypy: disable-error-code="import-untyped"

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

Code = tuple[Any, Callable[..., Any]]  # a signature and what writes its instructions

BYTE, WIDE = ir.IntType(8), ir.IntType(64)
BLOCK = ir.VectorType(BYTE, 64)


@intrinsic
def load(typing: Any, data: Any, at: Any) -> Code:
    """Return `data[at:at + 8]` as a little-endian number; all 8 bytes must be there, which nothing checks."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _read(context, builder, signature, values, WIDE)

    return types.uint64(data, types.int64), write


@intrinsic
def between(typing: Any, data: Any, at: Any, first: Any, last: Any) -> Code:
    """Return 64 bits: bit i says whether byte `data[at + i]` lies in `first..last`; all 64 bytes must be there, unchecked."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        low, high = (builder.trunc(value, BYTE) for value in values[2:])
        spread = ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64)
        least, span = (
            builder.shuffle_vector(
                builder.insert_element(ir.Constant(BLOCK, None), value, ir.Constant(WIDE, 0)), BLOCK(None), spread
            )
            for value in (low, builder.sub(high, low))
        )
        block = _read(context, builder, signature, values, BLOCK)
        return builder.bitcast(builder.icmp_unsigned("<=", builder.sub(block, least), span), WIDE)

    return types.uint64(data, types.int64, types.int64, types.int64), write


@intrinsic
def copy_folded(typing: Any, data: Any, at: Any, out: Any, to: Any) -> Code:
    """Copy `data[at:at + 64]` to `out[to:to + 64]` in lower case, with blanks for ASCII white space; nothing is checked."""

    def among(builder: Any, block: Any, first: int, many: int) -> Any:
        spread = (ir.Constant(BLOCK, [value] * 64) for value in (first, many))
        return builder.icmp_unsigned("<", builder.sub(block, next(spread)), next(spread))

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        blanks = ir.Constant(BLOCK, [0x20] * 64)
        block = _read(context, builder, signature, values, BLOCK)
        lower = builder.select(among(builder, block, ord("A"), 26), builder.or_(block, blanks), block)
        space = builder.or_(among(builder, block, 0x09, 5), among(builder, block, 0x1C, 4))
        array = context.make_array(signature.args[2])(context, builder, values[2])
        place = builder.bitcast(builder.gep(array.data, [values[3]]), BLOCK.as_pointer())
        builder.store(builder.select(space, blanks, lower), place, align=1)
        return context.get_dummy_value()

    return types.void(data, types.int64, out, types.int64), write


def _read(context: Any, builder: Any, signature: Any, values: Any, kind: Any) -> Any:
    array = context.make_array(signature.args[0])(context, builder, values[0])
    place = builder.bitcast(builder.gep(array.data, [values[1]]), kind.as_pointer())
    return builder.load(place, align=1)


@intrinsic
def lowest_bit(typing: Any, bits: Any) -> Code:
    """Return the place of the lowest bit that is set in a `uint64`, 64 for none."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.cttz(values[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), write


@intrinsic
def bits_in(typing: Any, bits: Any) -> Code:
    """Return how many bits of a `uint64` are set."""

    def write(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.ctpop(values[0])

    return types.int64(types.uint64), write
