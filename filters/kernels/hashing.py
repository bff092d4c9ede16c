"""Bytes -> 64-bit hashes, 8 bytes at a time.

    mix, mix_bytes, hash_documents    for hashes that are kept and held against each other among all documents
    stir, stir_bytes                  quicker and coarser, for the look-ups within one document
    load_partly, low_bytes            the last bytes, fewer than 8

`mix` steps from block to block by splitmix64 (Steele, Lea, Flood 2014). One multiplication a block would not do: a flip of a
high bit passes it with probability 1/2, and an equal flip in the next block undoes it.
"""

import numpy as np
import pyarrow as pa

from filters.kernels.arrays import Bytes, Hashes, Ints, Scalar, buffers, read_only
from filters.kernels.compiled import kernel, part
from filters.kernels.instructions import load

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 by the golden ratio, odd
SIGNED_GOLDEN = int(GOLDEN) - (1 << 64)  # the same bits


@part
def avalanche(hash_: Scalar) -> Scalar:
    """Spread every bit of a hash over all of them."""
    hash_ = (hash_ ^ (hash_ >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hash_ = (hash_ ^ (hash_ >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hash_ ^ (hash_ >> np.uint64(31))


@part
def mix(hash_: Scalar, value: Scalar) -> Scalar:
    """Mix a value into a running 64-bit hash, so that no later value is likely to undo what another one did."""
    return avalanche((hash_ ^ np.uint64(value)) + GOLDEN)


@part
def mix_bytes(hash_: Scalar, data: Bytes, at: Scalar, end: Scalar) -> Scalar:
    """Mix bytes into a running hash; their number is not mixed in."""
    while at + 8 <= end:
        hash_, at = mix(hash_, load(data, at)), at + 8
    return mix(hash_, load_partly(data, at) & low_bytes(end - at))


@part
def low_bytes(count: Scalar) -> Scalar:
    """Return the number whose lowest bytes, fewer than 8, are all ones."""
    return (np.uint64(1) << np.uint64(8 * count)) - np.uint64(1)


@part
def load_partly(data: Bytes, at: Scalar) -> Scalar:
    """Return the 8 bytes from a place as a little-endian number, with zeros for those past the end of the data."""
    if at + 8 <= len(data):
        return load(data, at)
    block = np.uint64(0)
    for byte in range(len(data) - at):
        block |= np.uint64(data[at + byte]) << np.uint64(8 * byte)
    return block


def hash_documents(data: Bytes, text_offsets: Ints, offsets: Ints, seed: Scalar, documents: Ints | None = None) -> Hashes:
    """Hash the bytes of each document, with the ends of its texts; `uint64[documents]`, of all or of the ones asked for."""
    chosen = np.arange(len(offsets) - 1) if documents is None else documents
    return _hash_documents(data, text_offsets, read_only(offsets), np.uint64(seed), read_only(chosen))


def hash_texts(texts: pa.LargeStringArray, seed: Scalar) -> Hashes:
    """Hash each of some texts alone, names or ids; `uint64[texts]`.

    >>> one, other, again = hash_texts(pa.array(["a", "b", "a"], pa.large_string()), 7).tolist()
    >>> one == again, one == other
    (True, False)
    """
    data, bounds = buffers(texts)
    return hash_documents(data, bounds, np.arange(len(bounds)), seed)


@kernel
def _hash_documents(data: Bytes, text_offsets: Ints, offsets: Ints, seed: Scalar, documents: Ints) -> Hashes:
    hashes = np.empty(len(documents), dtype=np.uint64)
    for number in range(len(documents)):
        running = seed
        for text in range(offsets[documents[number]], offsets[documents[number] + 1]):
            at, end = text_offsets[text], text_offsets[text + 1]
            running = mix_bytes(mix(running, end - at), data, at, end)
        hashes[number] = avalanche(running)
    return hashes


@part
def stir(hash_: Scalar, value: Scalar) -> Scalar:
    """Stir a value into a running hash; both are signed."""
    hash_ = (hash_ ^ value) * SIGNED_GOLDEN
    return hash_ ^ (hash_ >> 32)


@part
def stir_bytes(data: Bytes, at: Scalar, end: Scalar) -> Scalar:
    """Hash bytes and their number."""
    if end - at <= 16:
        return _stir_few(data, at, end - at)
    running = (end - at) * SIGNED_GOLDEN
    while at + 8 <= end:
        running, at = stir(running, np.int64(load(data, at))), at + 8
    return stir(running, np.int64(load_partly(data, at) & low_bytes(end - at)))


@part
def _stir_few(data: Bytes, begin: Scalar, size: Scalar) -> Scalar:
    """Hash up to 16 bytes, mostly without a branch."""
    if begin + 16 <= len(data):
        low = np.int64(load(data, begin)) & ((1 << 8 * min(size, 7)) - 1 | -(size > 7))
        high = np.int64(load(data, begin + 8)) & ((1 << (8 * max(size - 8, 0) & 63)) - 1 | -(size == 16))
    else:
        low, high = _few(data, begin, min(size, 8)), _few(data, begin + 8, size - 8)
    running = low * SIGNED_GOLDEN ^ size
    return stir(running ^ (running >> 32), high)


@part
def _few(data: Bytes, at: Scalar, size: Scalar) -> Scalar:
    """Return up to eight bytes as a number, the first one lowest."""
    block: Scalar = 0
    for byte in range(size):
        block |= np.int64(data[at + byte]) << 8 * byte
    return block
