"""A shard of documents -> what waits of it until all shards are encoded: tokens in a spill, and what is known of each piece.

A folder for each shard:

    codes.bin, lengths.npy   the tokens (see `packed_rows`); a piece is what stays whole: a document, or a window of one
    pieces.npy               document, window and supervised tokens of each piece; int32[3, pieces]
    ids.arrow                the ids of its documents
    hashes.npy               hashes of id and source of each document; uint64[2, documents]
    near.*.npy, rows.npy     what near duplicates are found by, where some are held out (see `near`); where documents stood
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.artifacts import atomic, save
from pipeline.documents import flat_text, strings_of
from pipeline.tokens import near, split
from pipeline.tokens.packed_rows import Int32s, SpillWriter, spilled
from pipeline.tokens.rows import Ints, Rows, Tokens, predicted, windows

Hashes = npt.NDArray[np.uint64]
Overlong = Literal["auto", "split", "truncate", "drop", "error"]


class ShardWriter:
    """Writes a shard's folder, a batch of documents at a time. Enter it with `with`.

    `narrow` says that all ids are below `packed_rows.NARROW`, `searched` that near duplicates will be.
    """

    def __init__(self, folder: Path, *, narrow: bool, searched: bool) -> None:
        self.folder = folder
        self._spill = SpillWriter(folder, narrow=narrow)
        self._pieces = [np.zeros((3, 0), np.int32)]
        self._ids = [pa.array([], pa.large_string())]
        self._hashes = [np.zeros((2, 0), np.uint64)]
        self._keys = [near.keys(pa.array([], pa.large_string()), np.zeros(1, np.int64))] if searched else []
        self._rows = [np.zeros(0, np.int32)]
        self.documents = 0

    def __enter__(self) -> "ShardWriter":
        self._spill.__enter__()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:  # noqa: ANN401  of the protocol
        self._spill.__exit__(kind, error, trace)
        if kind is not None:
            return
        save(np.concatenate(self._pieces, axis=1), self.folder / "pieces.npy")
        save(np.concatenate(self._hashes, axis=1), self.folder / "hashes.npy")
        if self._keys:
            save(np.concatenate(self._rows), self.folder / "rows.npy")
            near.write_keys(self._keys, self.folder / near.NEAR)
        with atomic(self.folder / "ids.arrow") as temporary, pa.ipc.new_file(temporary, IDS) as file:
            file.write_batch(pa.record_batch([pa.concat_arrays(self._ids)], schema=IDS))

    def write(self, documents: pa.Table, tokens: Tokens, pieces: Rows) -> None:
        """Append documents, their tokens, and the ranges of these that stay whole."""
        self._spill.write(tokens, pieces)
        supervised = predicted(tokens.supervised, pieces.start, pieces.stop)
        self._pieces.append(np.stack([pieces.document + self.documents, pieces.window, supervised]).astype(np.int32))
        ids, sources = (strings_of(documents[name]) for name in ("id", "source"))
        self._ids.append(ids)
        self._hashes.append(np.stack([split.hashed(ids), split.hashed(sources)]))
        self.documents += documents.num_rows

    def write_keys(self, documents: pa.Table, rows: Ints) -> None:
        """Append the keys of documents that stand in these rows of the parent's shard."""
        self._keys.append(near.keys(*flat_text(documents)[:2]))
        self._rows.append(rows.astype(np.int32))


def place_of(documents: Path, folder: Path) -> near.Place:
    """Return what is told of a parent's shard, whose folder here is this, where near duplicates are searched."""
    return near.Place(documents, folder / near.NEAR, folder / "rows.npy")


IDS = pa.schema([pa.field("id", pa.large_string())])


@dataclass(frozen=True)
class Cut:
    """What stays whole of some documents: ranges of their tokens; of each document, how many tokens are lost."""

    pieces: Rows
    lost: Ints


def cut(tokens: Tokens, length: int, overlong: Overlong) -> Cut:
    """Cut documents into pieces of at most `length` tokens: windows, or with `truncate` the first one alone.

    >>> tokens = Tokens(np.arange(5, dtype=np.int32), np.ones(5, bool), np.array([0, 5]))
    >>> cut(tokens, 3, "split").pieces.stop.tolist(), cut(tokens, 3, "truncate").lost.tolist()
    ([3, 5], [2])
    """
    rows = windows(tokens.offsets, np.ones(len(tokens.lengths), dtype=bool), length)
    if overlong != "truncate":
        return Cut(rows, np.zeros(len(tokens.lengths), np.int64))
    first = rows.window == 0
    start = tokens.offsets[:-1]
    kept = np.minimum(tokens.lengths, length)
    pieces = Rows(rows.document[first], rows.window[first], start, start + kept)
    return Cut(pieces, tokens.lengths - kept)


@dataclass(frozen=True)
class Encoded:
    """What all shards' folders hold, shard after shard: how much of it is held here, what it is stays in the files."""

    folders: Sequence[Path]
    documents: Ints  # of each shard
    pieces: Ints  # of each shard
    tokens: int  # of all

    def ids(self, shard: int) -> Hashes:
        """Return hashes of the ids of a shard's documents."""
        ids: Hashes = hashes_of(self.folders[shard])[0]
        return ids

    def sources(self, shard: int) -> Hashes:
        """Return hashes of the sources of a shard's documents."""
        sources: Hashes = hashes_of(self.folders[shard])[1]
        return sources

    def document(self, shard: int) -> Int32s:
        """Return the document of each of a shard's pieces, counted in the shard."""
        return np.asarray(np.load(self.folders[shard] / "pieces.npy")[0])

    def length(self, shard: int) -> Int32s:
        """Return the tokens of each of a shard's pieces."""
        return np.asarray(np.load(self.folders[shard] / "lengths.npy"))


def hashes_of(folder: Path) -> Hashes:
    """Return hashes of id and source of a shard's documents; `uint64[2, documents]`."""
    return np.asarray(np.load(folder / "hashes.npy"))


def gathered(folders: Sequence[Path]) -> Encoded:
    """Look at what all folders hold."""
    sizes = [[np.load(folder / f"{name}.npy", mmap_mode="r").shape[-1] for name in ("hashes", "pieces")] for folder in folders]
    documents, pieces = np.array(sizes, dtype=np.int64).reshape(-1, 2).T
    return Encoded(folders, documents, pieces, sum(map(spilled, folders)))


def ids_of(folder: Path) -> pa.LargeStringArray:
    """Return the ids of a shard's documents, mapped."""
    with pa.memory_map(str(folder / "ids.arrow")) as file:
        return pa.ipc.open_file(file).get_batch(0)["id"]
