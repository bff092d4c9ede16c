"""Numbers and lengths -> orders that are the same on every machine: shuffled, grouped by length, joined end to end.

Nothing here draws from a generator of numpy's, whose stream may change with its version. A shuffled order sorts numbers by the
numbers that SplitMix64 draws for them; it is written out in integers, and no two draws of one seed are equal, so that any sort
gives the same order. A number's draw does not depend on how many there are: with more rows, the old ones keep their order.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from filters.kernels import GOLDEN, Hashes, Ints, Scalar, avalanche, kernel

Int32s = npt.NDArray[np.int32]

MEGA_BATCHES = 50  # batches that are sorted together, as in transformers' LengthGroupedSampler, and ...
AT_A_TIME = 256  # such groups: a hundred thousand documents
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
    tokens = np.asarray(lengths)
    order = permutation(len(tokens), seed)
    group = batch * max(1, min(MEGA_BATCHES, len(tokens) // (batch * FEWEST_MEGA)))
    for first in range(0, len(order), group * AT_A_TIME):
        some = order[first : first + group * AT_A_TIME]
        order[first : first + len(some)] = some[np.lexsort((-tokens[some], np.arange(len(some)) // group))]
    if len(order):
        longest = int(tokens[order].argmax())
        order[[0, longest]] = order[[longest, 0]]
    return order


def inverse(order: Ints) -> Int32s:
    """Return the place of each number in an order of fewer than 2^31.

    >>> inverse(np.array([2, 0, 1])).tolist()
    [1, 2, 0]
    """
    places = np.empty(len(order), dtype=np.int32)
    places[order] = np.arange(len(order), dtype=np.int32)
    return places


class Pieces(NamedTuple):
    """Ranges of documents' tokens that lie end to end: `int64[pieces]` row, document, start and stop in the flat arrays."""

    row: Ints
    document: Ints
    start: Ints
    stop: Ints


@kernel
def end_to_end(lengths: Int32s, order: Ints) -> Ints:
    """Return where each document begins among the tokens of all, when they are joined in an order; `int64[documents]`."""
    starts, total = np.empty(len(order), dtype=np.int64), 0
    for document in order:
        starts[document] = total
        total += lengths[document]
    return starts


def concatenate(lengths: npt.ArrayLike, capacity: int, starts: Ints | None = None) -> Pieces:
    """Join documents, with the separators that they end in, and cut every `capacity` tokens; the last row is short.

    They lie in order, or begin where `starts` says. No token is lost and none is added; a document without a token has no
    piece.

    >>> pieces = concatenate([3, 4, 2], 5)
    >>> pieces.row.tolist(), pieces.document.tolist(), pieces.start.tolist(), pieces.stop.tolist()
    ([0, 0, 1, 1], [0, 1, 1, 2], [0, 3, 5, 7], [3, 5, 7, 9])
    """
    tokens = np.asarray(lengths, dtype=np.int64)
    begin = np.cumsum(tokens) - tokens if starts is None else starts
    first, last = begin // capacity, (begin + tokens - 1) // capacity
    counts = np.where(tokens > 0, last - first + 1, 0)
    document = np.repeat(np.arange(len(tokens)), counts)
    row = first[document] + np.arange(len(document)) - np.repeat(np.cumsum(counts) - counts, counts)
    start = np.maximum(begin[document], row * capacity)
    return Pieces(row, document, start, np.minimum((begin + tokens)[document], (row + 1) * capacity))
