"""Exact duplicates: text -> one hash of the whole document."""

import numpy as np

from filters import kernels
from filters.kinds import Offsets, Sets, Texts, duplicates

KEY_SEED, CHECK_SEED = 0x243F6A8885A308D3, 0x13198A2E03707344  # digits of pi: two independent hashes, 128 bits together


def _hashes(texts: Texts, offsets: Offsets, seed: int, normalize: bool) -> kernels.Hashes:
    data, text_offsets = kernels.buffers(texts)
    if normalize:
        data, text_offsets, _ = kernels.fold(data, text_offsets)
    return kernels.hash_documents(data, text_offsets, offsets, np.uint64(seed))


def whole(texts: Texts, offsets: Offsets, *, normalize: bool = False) -> Sets:
    """Give each document a set of one: a second hash of its bytes, so that equal means equal in 128 bits."""
    hashes = _hashes(texts, offsets, CHECK_SEED, normalize)
    return Sets(hashes, np.arange(len(hashes) + 1, dtype=np.int64))


@duplicates(version=3, sets=whole)
def exact_duplicates(texts: Texts, offsets: Offsets, *, normalize: bool = False) -> kernels.Hashes:
    """Find documents that are the same byte for byte; with `normalize`, but for case, white space and typographic quotes.

    >>> import pyarrow as pa
    >>> keys = exact_duplicates(pa.array(["a b", "A  b", "a b"], pa.large_string()), np.arange(4), normalize=True)
    >>> bool(keys[0, 0] == keys[1, 0] == keys[2, 0])
    True
    """
    return _hashes(texts, offsets, KEY_SEED, normalize)[:, None]
