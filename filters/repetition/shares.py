"""Keys of a huge document -> shares that are looked up one after the other, so that the table of one stays in the cache.

The keys stay where they are. They are sorted by share in blocks of `BLOCK`, so that a place takes two bytes.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.kernels import Ints, Scalar, kernel, part
from filters.kernels.hashing import stir

BLOCK = 1 << 16
MOST = 1 << 11  # shares


class Shares(NamedTuple):
    """Shares of about `size` keys each: their places in each block, and in `bounds` where those of a share begin there."""

    order: npt.NDArray[np.uint16]
    bounds: npt.NDArray[np.int32]
    size: int


@kernel
def roomy_shares(keys: Scalar, size: int) -> Shares:
    """Return room for the shares of so many keys; what is not used takes no memory."""
    return Shares(np.empty(keys, np.uint16), np.empty((keys // BLOCK + 1) * (MOST + 1), np.int32), size)


@part
def parted(shares: Shares, keys: Ints, found: Scalar) -> Scalar:
    """Part keys into shares, if they are too many for one; return how many shares there are, a power of two."""
    many = 1
    while many < MOST and found > many * shares.size:
        many *= 2
    for block in range((found - 1) // BLOCK + 1 if many > 1 else 0):
        _sort(shares, keys, block, min(BLOCK, found - block * BLOCK), many)
    return many


@part
def _sort(shares: Shares, keys: Ints, block: Scalar, size: Scalar, many: Scalar) -> None:
    """Sort the keys of a block by share, those of a share in their order (counting sort)."""
    begin, to = block * BLOCK, block * (many + 1)
    shares.bounds[to : to + many + 1] = 0
    for at in range(begin, begin + size):
        shares.bounds[to + _share(keys[at], many)] += 1
    for share in range(many):
        shares.bounds[to + share + 1] += shares.bounds[to + share]
    for back in range(1, size + 1):
        at = begin + size - back
        bound = to + _share(keys[at], many)
        shares.bounds[bound] -= 1
        shares.order[begin + shares.bounds[bound]] = at - begin


@part
def members(shares: Shares, block: Scalar, share: Scalar, many: Scalar) -> tuple[Scalar, Scalar]:
    """Return from where to where in `order` the places of a share's keys in a block stand."""
    bound, begin = block * (many + 1) + share, block * BLOCK
    return begin + np.int64(shares.bounds[bound]), begin + np.int64(shares.bounds[bound + 1])


@part
def _share(key: Scalar, many: Scalar) -> Scalar:
    """Return the share that a key belongs to, of a power of two."""
    return (stir(key, 1) >> 20) & (many - 1)
