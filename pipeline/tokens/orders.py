"""Numbers and lengths -> orders that are the same on every machine: shuffled, grouped by length, joined end to end.

Nothing here draws from a generator of numpy's, whose stream may change with its version. A shuffled order sorts numbers by the
numbers that SplitMix64 draws for them; it is written out in integers, and no two draws of one seed are equal, so that any sort
gives the same order. A number's draw does not depend on how many there are: with more rows, the old ones keep their order.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.kernels import GOLDEN, Hashes, Ints, Scalar, avalanche, kernel

MEGA_BATCHES = 50  # batches that are sorted together, as in transformers' LengthGroupedSampler, and ...
FEWEST_MEGA = 4  # ... of fewer documents so many that there are at least 4 such groups


def permutation(count: int, seed: int) -> Ints:
    """Return the numbers 0 to count - 1 in an order drawn from a seed, `int64[count]`.

    The draws are those of SplitMix64 (Steele, Lea, Flood 2014) whose state begins at `seed`.

    >>> permutation(5, seed=0).tolist()
    [2, 4, 1, 0, 3]
    """
    return np.argsort(draws(count, seed)).astype(np.int64, copy=False)


def draws(count: int, seed: int) -> Hashes:
    """Return the first numbers that SplitMix64 draws from a seed, no two of them equal; `uint64[count]`."""
    return _draws(count, np.uint64(seed % 2**64))


@kernel
def _draws(count: int, state: Scalar) -> Hashes:
    numbers = np.empty(count, dtype=np.uint64)
    for at in range(count):
        state += GOLDEN
        numbers[at] = avalanche(state)
    return numbers


def length_grouped(lengths: npt.ArrayLike, batch: int, seed: int) -> Ints:
    """Return the documents in an order whose batches hold documents of like length, for rows that are not packed.

    Shuffled documents are cut into groups of up to 50 batches, and each group is sorted, the longest first; of one length, in
    their shuffled order. The longest document of all stands first: memory that does not suffice shows at once.

    >>> length_grouped([5, 1, 9, 2, 7, 3, 8, 4], batch=2, seed=0).tolist()
    [2, 4, 6, 5, 7, 1, 0, 3]
    """
    tokens = np.asarray(lengths, dtype=np.int64)
    order = permutation(len(tokens), seed)
    group = batch * max(1, min(MEGA_BATCHES, len(tokens) // (batch * FEWEST_MEGA)))
    grouped: Ints = order[np.lexsort((-tokens[order], np.arange(len(order)) // group))]
    if len(grouped):
        longest = int(tokens[grouped].argmax())
        grouped[[0, longest]] = grouped[[longest, 0]]
    return grouped


class Pieces(NamedTuple):
    """Ranges of documents' tokens that lie end to end: `int64[pieces]` row, document, start and stop in the flat arrays."""

    row: Ints
    document: Ints
    start: Ints
    stop: Ints


def concatenate(lengths: npt.ArrayLike, capacity: int) -> Pieces:
    """Join documents in order, with the separators that they end in, and cut every `capacity` tokens; the last row is short.

    No token is lost and none is added; a document without a token has no piece.

    >>> pieces = concatenate([3, 4, 2], 5)
    >>> pieces.row.tolist(), pieces.document.tolist(), pieces.start.tolist(), pieces.stop.tolist()
    ([0, 0, 1, 1], [0, 1, 1, 2], [0, 3, 5, 7], [3, 5, 7, 9])
    """
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    bounds = np.union1d(np.arange(0, offsets[-1], capacity), offsets)
    start, stop = bounds[:-1], bounds[1:]
    return Pieces(start // capacity, np.searchsorted(offsets, start, side="right") - 1, start, stop)
