"""Documents' tokens in files + the row of each document -> whole rows as Arrow lists, in memory that a setting bounds.

A row takes its documents from anywhere, and which ones is known only when all have been encoded. So a shard's tokens wait in a
spill, a folder of three files:

    codes.bin     the tokens of its documents side by side: int32, the id where it is supervised, its complement where not;
                  codes16.bin, int16, where all ids are below `NARROW`: half of what goes to the disk and back
    lengths.npy   tokens of each document
    index.npy     row, start, length and number of each document, in the order of rows; written when all lengths are known

and go the way

    task a shard     with SpillWriter(spill) as writer: writer.write(tokens, ranges)        a batch at a time
    once             rows = shuffled(pack(lengths of all spills, capacity), seed)           see `packing`
                     place(spill, rows of its documents, their lengths)                     for each spill
    task a shard     exchange(spill, sorted_spill)                                          its documents in the order of rows
    task a few rows  gather(sorted_spills, first, stop)                                     a table of whole rows

Each split goes its way alone. Rows that are not packed go it too: the row of a document is then its place in the order of
`length_grouped`, or documents are joined, and what `concatenate` cuts them into is placed by its rows and lengths.

After the exchange the documents of neighbouring rows are neighbours in every spill, so that a task reads one range of each.
`gather` takes spills without it as well and gives the same rows, but it picks documents from all over the files then. From
memory that is no slower; from a disk, 1 GB of tokens in 154 tables took 191 s, with the exchange 10 s and 27 s
(tests/benchmarks/test_packing.py with TOKENS=250 ROWS=819: a table's share of the tokens is that of a large one in 10 GB).

A task holds the rows that it is asked for, 12 bytes a token, or at an exchange `CHUNK` tokens. What it reads is mapped, and
the machine may take that memory back. Codes and lengths outlast a crash of the machine, so that a stage may remember who has
written them; an index and what an exchange writes may not, and are made anew.
"""

import contextlib
import os
from collections.abc import Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.kernels import kernel
from pipeline.artifacts import append, atomic, save
from pipeline.tokens.rows import IGNORED, TOKEN_LISTS, Ints, Rows, Tokens, offsets_of

Int32s = npt.NDArray[np.int32]
PACKED = pa.schema([pa.field(name, TOKEN_LISTS) for name in ("input_ids", "labels", "position_ids")])
Codes = npt.NDArray[np.int32] | npt.NDArray[np.int16]
CODES: dict[npt.DTypeLike, str] = {np.int32: "codes.bin", np.int16: "codes16.bin"}
NARROW = 1 << 15  # where all ids are below, they and their complements are int16
CHUNK = 1 << 24  # tokens that an exchange holds at a time: 64 MB


class SpillWriter:
    """Writes a shard's documents as they come. Enter it with `with`; the lengths are written last.

    `narrow` says that all ids are below `NARROW`.
    """

    def __init__(self, spill: Path, *, narrow: bool) -> None:
        self._spill, self._kind = spill, np.int16 if narrow else np.int32
        self._files = contextlib.ExitStack()
        self._lengths = [np.zeros(0, np.int32)]

    def __enter__(self) -> Self:
        temporary = self._files.enter_context(atomic(self._spill / CODES[self._kind]))
        self._codes = self._files.enter_context(temporary.open("wb"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._files.__exit__(kind, error, trace)
        if kind is None:
            save(np.concatenate(self._lengths), self._spill / "lengths.npy")

    def write(self, tokens: Tokens, ranges: Rows) -> None:
        """Append ranges of a batch's tokens, each a document that stays whole."""
        append(codes(tokens, ranges).astype(self._kind, copy=False), self._codes)
        self._lengths.append((ranges.stop - ranges.start).astype(np.int32))


Numbers = npt.NDArray[np.integer[Any]]


class Places(NamedTuple):
    """Documents in the order of their rows, and of one row as they came; `int64[documents]` each.

    `start` counts among the codes; `number` is the document's among all of the spill.
    """

    row: Ints
    start: Ints
    length: Ints
    number: Ints


def place(to: Path, rows: Numbers, lengths: Numbers, starts: Numbers | None = None, numbers: Numbers | None = None) -> None:
    """Write an index of a spill into a folder: the row of each of its documents, or of pieces or copies of them.

    Without `starts` they lie side by side; without `numbers` they are counted.
    """
    starts = offsets_of(lengths.astype(np.int64))[:-1] if starts is None else starts
    numbers = np.arange(len(rows)) if numbers is None else numbers
    order = np.argsort(rows, kind="stable")
    index = np.stack([column[order].astype(np.int64) for column in (rows, starts, lengths, numbers)])
    save(index, to / "index.npy", durable=False)


def exchange(spill: Path, to: Path, chunk: int = CHUNK, index: Path | None = None) -> None:
    """Write a spill anew, its documents in the order of their rows; `chunk` tokens, or one document, are held at a time.

    `index` is the folder of an index that is not the spill's own: of one split of several.
    """
    codes, (row, start, length, number) = _codes(spill), np.load((index or spill) / "index.npy")
    offsets = offsets_of(length)
    with atomic(to / CODES[codes.dtype.type], durable=False) as temporary, temporary.open("wb") as file:
        at = 0
        while at < len(row):
            stop = max(at + 1, int(np.searchsorted(offsets, offsets[at] + chunk, side="right")) - 1)
            append(_moved(codes, start[at:stop], length[at:stop]), file)
            at = stop
    save(np.stack([row, offsets[:-1], length, number]), to / "index.npy", durable=False)


def gather(spills: Sequence[Path], first: int, stop: int, places: Sequence[Places] | None = None) -> pa.Table:
    """Return the rows from `first` on and before `stop`: lists `input_ids`, `labels` and `position_ids`, without padding.

    `places` says what these rows take of each spill, where that is not told by the spills' own indexes.

    In a row the documents of an earlier spill stand before those of a later one. A label is the token's id, or -100 where it is
    not supervised and at each document's first token, which nothing predicts; positions count from 0 in each document. The rows
    hold fewer than 2^31 tokens in all.
    """
    parts = places_of(spills, first, stop) if places is None else places
    lengths = np.zeros(stop - first, dtype=np.int64)
    for part in parts:
        np.add.at(lengths, part.row - first, part.length)
    offsets = offsets_of(lengths)
    free, columns = offsets[:-1].copy(), np.empty((3, offsets[-1]), dtype=np.int32)
    for spill, part in zip(spills, parts, strict=True):
        if len(part.row):
            _lay(_codes(spill), part.row - first, part.start, part.length, free, *columns)
    begins = pa.array(offsets.astype(np.int32))
    lists = [pa.ListArray.from_arrays(begins, pa.array(values), type=TOKEN_LISTS) for values in columns]
    return pa.Table.from_arrays(lists, schema=PACKED)


class Held(NamedTuple):
    """What stands in rows, in its order: `int64[documents]` row, place of the spill, number in the spill, and length."""

    row: Ints
    spill: Ints
    number: Ints
    length: Ints


def held(places: Sequence[Places]) -> Held:
    """Return which documents rows hold that take these of each spill."""
    spill = np.repeat(np.arange(len(places)), [len(part.row) for part in places])
    row, _, length, number = np.concatenate([np.zeros((4, 0), np.int64), *(np.stack(part) for part in places)], axis=1)
    order = np.argsort(row, kind="stable")
    return Held(row[order], spill[order], number[order], length[order])


def places_of(indexes: Sequence[Path], first: int, stop: int) -> list[Places]:
    """Return what the rows from `first` on and before `stop` take of each spill, by the indexes in these folders."""
    return [_places(np.load(folder / "index.npy", mmap_mode="r"), first, stop) for folder in indexes]


def within(places: Sequence[Places], first: int, stop: int) -> list[Places]:
    """Return what the rows from `first` on and before `stop` take, of what more rows do."""
    bounds = [slice(*np.searchsorted(part.row, [first, stop])) for part in places]
    return [Places(*(column[own] for column in part)) for part, own in zip(places, bounds, strict=True)]


def _places(index: Ints, first: int, stop: int) -> Places:
    return Places(*np.array(index[:, slice(*np.searchsorted(index[0], [first, stop]))]))


def spilled(spill: Path) -> int:
    """Return how many tokens are in a spill."""
    file, kind = _file(spill)
    return file.stat().st_size // np.dtype(kind).itemsize


def _codes(spill: Path) -> Codes:
    """Map the codes of a spill by the system's call, a fifth of the cost of NumPy's own; an empty file cannot be mapped."""
    path, kind = _file(spill)
    with path.open("rb") as file:
        return np.frombuffer(mmap(file.fileno(), 0, access=ACCESS_READ) if os.fstat(file.fileno()).st_size else b"", kind)


def _file(spill: Path) -> tuple[Path, npt.DTypeLike]:
    """Return the file of a spill's codes, and their type."""
    return next((spill / name, kind) for kind, name in CODES.items() if (spill / name).exists())


def codes(tokens: Tokens, ranges: Rows) -> Int32s:
    """Return ranges of tokens side by side as codes, `int32`: the id where it is supervised, its complement where not.

    >>> two = Tokens(np.array([7, 8, 9], np.int32), np.array([False, True, True]), np.array([0, 3]))
    >>> codes(two, Rows(*np.array([[0, 0], [0, 1], [0, 1], [2, 3]]))).tolist()
    [-8, 8, 8, 9]
    """
    side_by_side = len(ranges.start) > 0 and bool((ranges.start[1:] == ranges.stop[:-1]).all())
    if side_by_side and tokens.supervised.all():  # as texts are that need no window which overlaps
        return tokens.ids[ranges.start[0] : ranges.stop[-1]]
    return _folded(tokens.ids, tokens.supervised, ranges.start, ranges.stop)


@kernel
def _folded(ids: Int32s, supervised: npt.NDArray[np.bool_], start: Ints, stop: Ints) -> Int32s:
    codes, to = np.empty((stop - start).sum(), dtype=np.int32), 0
    for number in range(len(start)):
        for at in range(start[number], stop[number]):
            codes[to] = ids[at] if supervised[at] else ~ids[at]
            to += 1
    return codes


@kernel
def _moved(codes: Codes, start: Ints, length: Ints) -> Codes:
    """Return documents side by side."""
    out, to = np.empty(length.sum(), dtype=codes.dtype), 0
    for document in range(len(start)):
        out[to : to + length[document]] = codes[start[document] : start[document] + length[document]]
        to += length[document]
    return out


@kernel
def _lay(
    codes: Codes, row: Ints, start: Ints, length: Ints, free: Ints, input_ids: Int32s, labels: Int32s, position_ids: Int32s
) -> None:
    """Lay documents into their rows, each at the place from which its row is still `free`."""
    for document in range(len(row)):
        count, to = length[document], free[row[document]]
        free[row[document]] += count
        own = codes[start[document] : start[document] + count]  # of a slice no place is below 0: the loop is vectorised
        ids, targets, positions = input_ids[to : to + count], labels[to : to + count], position_ids[to : to + count]
        for place in range(count):
            code = own[place]
            ids[place] = code ^ (code >> 31)
            targets[place] = code if code >= 0 else IGNORED
            positions[place] = place
        labels[to] = IGNORED
