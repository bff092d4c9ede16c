"""Arrow's arrays <-> the numpy arrays that kernels read: bytes and offsets, nothing copied."""

import re
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.kernels.compiled import kernel

Array = TypeVar("Array", bound=npt.NDArray[Any])
Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Codes = npt.NDArray[np.uint32]
Values = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Scalar = Any  # in kernels and parts: numba infers the types of scalars


def buffers(texts: pa.LargeStringArray) -> tuple[Bytes, Ints]:
    """Return the bytes and the `int64[n + 1]` offsets of a string array, as views that cannot be written to."""
    _, offsets, data = texts.buffers()
    bytes_ = np.frombuffer(data, dtype=np.uint8) if data and data.size else np.zeros(0, np.uint8)
    ends = np.frombuffer(offsets, dtype=np.int64) if offsets else np.zeros(texts.offset + 1, np.int64)
    return read_only(bytes_), read_only(ends[texts.offset : texts.offset + len(texts) + 1])


def strings(data: Bytes, offsets: Ints) -> pa.LargeStringArray:
    """Return bytes and offsets as an Arrow string array, nothing copied."""
    return pa.LargeStringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(data))


def as_utf8(texts: pa.LargeStringArray) -> pa.LargeStringArray:
    """Return texts with each byte that is no UTF-8, which polars cannot stand, as U+001A; the others stay in place."""
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        raw = texts.cast(pa.large_binary()).to_pylist()
        return pa.array(
            (re.sub("[\udc80-\udcff]", "\x1a", text.decode("utf-8", "surrogateescape")) for text in raw), texts.type
        )
    return texts


def read_only(array: Array) -> Array:
    """Return a view that cannot be written to, for which numba has a type of its own: a kernel given both is compiled twice."""
    view = array.view()
    view.flags.writeable = False
    return view


def documents(texts: pa.LargeStringArray, offsets: Ints) -> tuple[Bytes, Ints]:
    """Return the bytes and the `int64[n + 1]` offsets of whole documents, the texts of each joined by an empty line.

    Nothing is copied where each document is one text.
    """
    data, bounds = buffers(texts)
    if np.array_equal(offsets, np.arange(len(bounds))):
        return data, bounds
    joined, ends = _joined(data, bounds, offsets)
    return read_only(joined), read_only(ends)


@kernel
def _joined(data: Bytes, bounds: Ints, offsets: Ints) -> tuple[Bytes, Ints]:
    out = np.empty(bounds[offsets[-1]] - bounds[offsets[0]] + 2 * (offsets[-1] - offsets[0]), dtype=np.uint8)
    joined, to = np.zeros_like(offsets), 0
    for document in range(len(offsets) - 1):
        for text in range(offsets[document], offsets[document + 1]):
            if text > offsets[document]:
                out[to : to + 2] = np.uint8(10)
                to += 2
            size = bounds[text + 1] - bounds[text]
            out[to : to + size] = data[bounds[text] : bounds[text + 1]]
            to += size
        joined[document + 1] = to
    return out[:to], joined


@kernel
def sum_by_document(values: Ints, offsets: Ints) -> Ints:
    """Add up a number a text to a number a document; `int64[documents]`."""
    sums = np.zeros(len(offsets) - 1, dtype=np.int64)
    for document in range(len(sums)):
        for text in range(offsets[document], offsets[document + 1]):
            sums[document] += values[text]
    return sums
