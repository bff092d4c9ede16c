"""Lengths of documents -> the row of each document: as few rows of at most `capacity` tokens as best fit finds.

What must stay whole is called a document here; a window of a longer one counts as one. All documents of a split are packed at
once, by best-fit-decreasing: the longest document first, each into the row with the least space that still holds it. Lengths
are integers up to the capacity, so the rows stand in a queue for each number of tokens that they have left, and a bit for each
queue says whether anything waits there. No step looks at rows one by one: n documents take O(n + capacity² / 64) steps, and 8
bytes a document beside their lengths and the answer.

Among documents of one length the one that stands first is placed first. Among rows with the same space left, which no later
step can tell apart, the one that has waited there longest is taken. So the answer is fixed by the lengths and their order, and
how many documents of each length a row holds by the lengths alone.

    lengths = ...                                 of all documents of a split, shard after shard
    rows = shuffled(pack(lengths, 2048), seed)    the row of each document

Within a row, documents stand in the order in which they came. When they are isolated the model cannot tell; and where a trainer
does not isolate them, a row that runs from long to short would be a habit to learn. It also makes the row of each document all
there is to know: a stable sort by row is the order of the tokens. Rows are shuffled, because packing leaves the long documents
in the first ones.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from filters.kernels import Hashes, Scalar, kernel, lowest_bit, part
from pipeline.tokens.orders import inverse, permutation

Int32s = npt.NDArray[np.int32]


def pack(lengths: npt.ArrayLike, capacity: int) -> Int32s:
    """Return the row of each document, `int32[documents]`; rows are numbered from 0 in the order in which they are opened.

    `lengths` are tokens, each 1 to `capacity`, of fewer than 2^31 documents. Raises `ValueError` for another length.

    >>> pack([3, 7, 5, 4, 6], 10).tolist()
    [0, 0, 2, 1, 1]
    """
    given = np.asarray(lengths)
    outside = (given < 1) | (given > capacity)
    if outside.any():
        first = int(outside.argmax())
        raise ValueError(
            f"document {first} has {given[first]} tokens, and a row holds 1 to {capacity}. Cut it into windows first."
        )
    tokens = np.ascontiguousarray(given, dtype=np.int32)
    rows: Int32s = _best_fit(tokens, _longest_first(tokens, capacity), capacity)
    return rows


def shuffled(rows: npt.NDArray[np.integer[Any]], seed: int) -> Int32s:
    """Return rows numbered anew, in an order drawn from a seed (see `permutation`); the same documents share a row.

    >>> shuffled(np.array([0, 0, 1, 2], np.int32), seed=1).tolist()
    [0, 0, 1, 2]
    """
    number = inverse(permutation(int(rows.max()) + 1 if len(rows) else 0, seed))
    renumbered: Int32s = _renumbered(rows, number)
    return renumbered


@kernel
def _renumbered(rows: npt.NDArray[np.integer[Any]], number: Int32s) -> Int32s:
    """Return the new number of each row: numpy would make an `int64` of each place."""
    renumbered = np.empty(len(rows), dtype=np.int32)
    for document in range(len(rows)):
        renumbered[document] = number[rows[document]]
    return renumbered


def fewest_rows(lengths: npt.ArrayLike, capacity: int) -> int:
    """Return a number of rows that no packing can do without: what the tokens fill, cut up at will.

    >>> fewest_rows([3, 7, 5, 4, 6], 10)
    3
    """
    return -(-int(np.sum(lengths, dtype=np.int64)) // capacity)


@kernel
def _longest_first(lengths: Int32s, capacity: int) -> Int32s:
    """Return the documents, the longest first, those of one length in their order: a counting sort."""
    begin = np.zeros(capacity + 2, dtype=np.int64)
    for length in lengths:
        begin[capacity - length + 1] += 1
    begin = np.cumsum(begin)
    order = np.empty(len(lengths), dtype=np.int32)
    for document in range(len(lengths)):
        place = capacity - lengths[document]
        order[begin[place]] = document
        begin[place] += 1
    return order


@kernel
def _best_fit(lengths: Int32s, order: Int32s, capacity: int) -> Int32s:
    """Place documents, the longest first, each into the row with the least space that holds it, or into a new one.

    Rows with s tokens left are a queue: from `first[s]` by `following` to `last[s]`; bit s of `waiting` says that it is not
    empty. Documents of one length find no space smaller than the one before them did, but for what that one left.
    """
    row_of, following = np.empty(len(order), dtype=np.int32), np.empty(len(order), dtype=np.int32)
    first, last = np.empty(capacity + 1, dtype=np.int32), np.empty(capacity + 1, dtype=np.int32)
    waiting = np.zeros((capacity >> 6) + 1, dtype=np.uint64)
    rows, before, at = 0, np.int64(0), np.int64(0)
    for document in order:
        length = np.int64(lengths[document])
        space = _least(waiting, at if length == before else length)
        if space < 0:
            space, row, rows = np.int64(capacity), np.int64(rows), rows + 1
        else:
            row = np.int64(first[space])
            if row == last[space]:
                waiting[space >> 6] ^= np.uint64(1) << np.uint64(space & 63)
            first[space] = following[row]
        row_of[document] = row
        left = space - length
        if waiting[left >> 6] >> np.uint64(left & 63) & np.uint64(1):
            following[last[left]] = row
        else:
            first[left] = row
            waiting[left >> 6] |= np.uint64(left > 0) << np.uint64(left & 63)
        last[left] = row
        before, at = length, (left if left >= length else space)
    return row_of


@part
def _least(bits: Hashes, at: Scalar) -> Scalar:
    """Return the lowest place from `at` on whose bit is set, -1 for none."""
    block = bits[at >> 6] >> np.uint64(at & 63)
    if block:
        return at + lowest_bit(block)
    for word in range((at >> 6) + 1, len(bits)):
        if bits[word]:
            return (word << 6) + lowest_bit(bits[word])
    return np.int64(-1)
