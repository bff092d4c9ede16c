"""Documents' ids side by side in one array: laid down, framed, chosen, exchanged and compared without a loop over documents."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from filters.kernels.compiled import kernel

Ints = npt.NDArray[np.int64]
Number = TypeVar("Number", bound=np.generic)
NONE = -1  # no id


class Ids(NamedTuple):
    """Documents' ids side by side: `int32[tokens]` ids and `int64[documents + 1]` offsets, where each document begins."""

    ids: npt.NDArray[np.int32]
    offsets: Ints


class Frame(NamedTuple):
    """What stands around every text: the ids before it, the ids behind it, and the id that ends it if it is not there yet."""

    before: Sequence[int]
    after: Sequence[int]
    end: int | None


def flat(lists: Sequence[Sequence[int]]) -> Ids:
    """Lay lists of ids side by side.

    >>> flat([[5, 6], [], [7]]).offsets.tolist()
    [0, 2, 2, 3]
    """
    lengths = np.fromiter(map(len, lists), np.int64, len(lists))
    ids = np.fromiter(chain.from_iterable(lists), np.int32, int(lengths.sum()))
    return Ids(ids, offsets_of(lengths))


def framed(documents: Ids, frame: Frame) -> Ids:
    """Put the frame around every document; the end of text stands where it is not the last id already.

    >>> framed(flat([[5], [6, 2], []]), Frame([1], [], 2)).ids.tolist()
    [1, 5, 2, 1, 6, 2, 1, 2]
    """
    ids, begins = _framed(*documents, _int32(frame.before), _int32(frame.after), NONE if frame.end is None else frame.end)
    return Ids(ids, begins)


def _int32(ids: Sequence[int]) -> npt.NDArray[np.int32]:
    return np.array(ids, np.int32)


@kernel
def _framed(
    ids: npt.NDArray[np.int32], offsets: Ints, before: npt.NDArray[np.int32], after: npt.NDArray[np.int32], end: int
) -> tuple[npt.NDArray[np.int32], Ints]:
    documents, to = len(offsets) - 1, 0
    found = np.empty(len(ids) + documents * (len(before) + len(after) + 1), np.int32)
    begins = np.zeros(documents + 1, np.int64)
    for document in range(documents):
        for part in (before, ids[offsets[document] : offsets[document + 1]], after):
            found[to : to + len(part)] = part
            to += len(part)
        if end != NONE and (to == begins[document] or found[to - 1] != end):
            found[to] = end
            to += 1
        begins[document + 1] = to
    return found[:to], begins


def offsets_of(lengths: Ints) -> Ints:
    """Return where each of some neighbours begins, and where the last one ends.

    >>> offsets_of(np.array([2, 3])).tolist()
    [0, 2, 5]
    """
    offsets: Ints = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return offsets


def rows_of(values: npt.NDArray[Number], offsets: Ints, which: Ints) -> tuple[npt.NDArray[Number], Ints]:
    """Return the values of the chosen documents, and where each of these begins."""
    lengths = np.diff(offsets)
    flags = np.zeros(len(lengths), np.bool_)
    flags[which] = True
    return values[np.repeat(flags, lengths)], offsets_of(lengths[flags])


def chosen(documents: Ids, which: Ints) -> Ids:
    """Return the ids of the chosen documents alone.

    >>> chosen(flat([[5, 6], [7]]), np.array([1])).ids.tolist()
    [7]
    """
    return Ids(*rows_of(documents.ids, documents.offsets, which))


def replaced(documents: Ids, which: Ints, others: Ids) -> Ids:
    """Return the documents with the ids of some of them replaced.

    >>> both = replaced(flat([[5, 6], [7]]), np.array([0]), flat([[1]]))
    >>> both.ids.tolist(), both.offsets.tolist()
    ([1, 7], [0, 1, 2])
    """
    lengths = np.diff(documents.offsets)
    lengths[which] = np.diff(others.offsets)
    ids = exchanged(documents.ids, documents.offsets, which, others.ids, others.offsets)
    return Ids(ids, offsets_of(lengths))


def exchanged(
    values: npt.NDArray[Number], offsets: Ints, which: Ints, others: npt.NDArray[Number], other_offsets: Ints
) -> npt.NDArray[Number]:
    """Return values of documents side by side, those of some documents exchanged for others.

    >>> exchanged(np.array([5, 6, 7]), np.array([0, 2, 3]), np.array([1]), np.array([8, 9]), np.array([0, 2])).tolist()
    [5, 6, 8, 9]
    """
    lengths, starts = np.diff(offsets), np.full(len(offsets) - 1, -1, np.int64)
    lengths[which], starts[which] = np.diff(other_offsets), other_offsets[:-1]
    result = np.empty((int(lengths.sum()), *values.shape[1:]), values.dtype)
    _exchange(values, offsets, np.ascontiguousarray(others), starts, lengths, result)
    return result


@kernel
def _exchange(
    values: npt.NDArray[Number],
    offsets: Ints,
    others: npt.NDArray[Number],
    starts: Ints,
    lengths: Ints,
    result: npt.NDArray[Number],
) -> None:
    """Copy documents: from the others where one `starts` there, else its own values."""
    to = 0
    for document in range(len(lengths)):
        stop = to + lengths[document]
        if starts[document] < 0:
            result[to:stop] = values[offsets[document] : offsets[document + 1]]
        else:
            result[to:stop] = others[starts[document] : starts[document] + lengths[document]]
        to = stop


def first_difference(ids: Ids, expected: Ids) -> int | None:
    """Return the first document whose ids differ, None where all are the same."""
    shortest = min(len(ids.ids), len(expected.ids))
    differ = np.flatnonzero(ids.ids[:shortest] != expected.ids[:shortest])
    token = differ[0] if len(differ) else shortest
    if len(ids.ids) == len(expected.ids) == token and np.array_equal(ids.offsets, expected.offsets):
        return None
    by_token = np.searchsorted(expected.offsets, token, side="right") - 1
    by_length = np.flatnonzero(ids.offsets != expected.offsets)[:1] - 1
    return int(min(by_token, len(expected.offsets) - 2, *by_length))
