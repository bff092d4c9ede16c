"""Cut cells -> the bytes and the numbers that the database holds, a column at a time, by compiled kernels."""

import numpy as np
import numpy.typing as npt

from filters.kernels import kernel
from pipeline.readers.sql_dump.escapes import (
    DIGIT,
    bare,
    bits,
    bytea,
    copy,
    doubled,
    hexadecimal,
    mysql,
    postgres,
    replaced,
    unistr,
)
from pipeline.readers.sql_dump.signs import (
    BACKSLASHES,
    BARE,
    BITS,
    COPY_FIELD,
    DOUBLED,
    E_STRING,
    HEX,
    NULL,
    PLAIN,
    REPLACE,
    UNISTR,
    Bytes,
    Places,
)

TEXT, BINARY, BYTEA = 0, 1, 2


@kernel
def _cell(buf: Bytes, p: int, stop: int, kind: int, form: int, out: Bytes, o: int) -> int:
    if kind == PLAIN:
        return copy(buf, p, stop, out, o)
    if kind == BARE:
        return bare(buf, p, stop, out, o) if form == TEXT else -1
    if kind == DOUBLED:
        return doubled(buf, p, stop, out, o)
    if kind == BACKSLASHES:
        return mysql(buf, p, stop, out, o)
    if kind in (COPY_FIELD, E_STRING):
        return postgres(buf, p, stop, out, o, kind == COPY_FIELD)
    if kind == HEX:
        return hexadecimal(buf, p, stop, out, o)
    if kind == BITS:
        return copy(buf, p, stop, out, o) if form == TEXT else bits(buf, p, stop, out, o)
    if kind == REPLACE:
        return replaced(buf, p, stop, out, o)
    return unistr(buf, p, stop, out, o) if kind == UNISTR else -1


@kernel
def decode_bytes(
    buf: Bytes,
    starts: Places,
    stops: Places,
    kinds: Bytes,
    form: int,
    out: Bytes,
    offsets: Places,
    valid: npt.NDArray[np.bool_],
    bad: npt.NDArray[np.bool_],
) -> None:
    """Write a column's cells one behind the other to `out`, with their `offsets` (`int64[rows + 1]`).

    `valid` gets which are not NULL, `bad` which cannot be read. `form` is TEXT, BINARY or BYTEA (whose strings are bytes in
    hex, or escaped). `out` needs the length of the cells in the dump, and `ROOM` more.
    """
    o = 0
    for row in range(len(starts)):
        offsets[row] = o
        valid[row] = kinds[row] != NULL
        if not valid[row]:
            continue
        if kinds[row] == PLAIN and form != BYTEA:
            o = copy(buf, starts[row], stops[row], out, o)
            continue
        after = _cell(buf, starts[row], stops[row], kinds[row], form, out, o)
        if form == BYTEA and after >= 0:
            after = bytea(out, o, after)
        if after < 0:
            bad[row], valid[row] = True, False
        else:
            o = after
    offsets[len(starts)] = o


@kernel
def decode_integers(
    buf: Bytes,
    starts: Places,
    stops: Places,
    kinds: Bytes,
    signed: bool,
    out: npt.NDArray[np.uint64],
    valid: npt.NDArray[np.bool_],
    bad: npt.NDArray[np.bool_],
) -> None:
    """Write a column of integers to `out`, as the 64 bits of an `int64` (`signed`) or a `uint64`.

    `valid` gets which are not NULL, `bad` which are no such integer.
    """
    for row in range(len(starts)):
        valid[row] = kinds[row] != NULL
        out[row] = 0
        if not valid[row]:
            continue
        p, stop, kind = starts[row], stops[row], kinds[row]
        minus = p < stop and buf[p] == ord("-")
        p += 1 if minus else 0
        fits = p < stop and stop - p <= 255 and kind in (BARE, PLAIN)
        ceiling = np.uint64(0xFFFFFFFFFFFFFFFF)
        if signed:
            ceiling = np.uint64(0x8000000000000000) if minus else np.uint64(0x7FFFFFFFFFFFFFFF)
        elif minus:
            ceiling = np.uint64(0)
        short = stop - p <= 18 and ceiling != 0
        value = np.uint64(0)
        while p < stop and fits:
            digit = np.uint64(DIGIT[buf[p]])
            fits = digit <= np.uint64(9) and (short or value <= (ceiling - digit) // np.uint64(10))
            value = value * np.uint64(10) + digit
            p += 1
        bad[row], valid[row] = not fits, fits
        if fits:
            out[row] = ~value + np.uint64(1) if minus else value
