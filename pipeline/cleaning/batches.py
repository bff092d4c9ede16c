"""Shards of an artifact -> batches: what a task takes at a time, one shard, or small ones that stand side by side.

A file costs a task some milliseconds, however little is in it, so of a thousand small shards a task takes dozens. What is in
which batch follows from the shards alone: not from workers or memory, or a run that goes on after a crash would go on wrongly.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.artifacts import Artifact, read_shard
from pipeline.exchange.parts import chunks
from pipeline.writing import shard_size

SHARD = "shard of the batch"  # the column, behind all others, that says which of several shards a document is in
SMALL = 1 << 20  # bytes of a file: a larger one is not looked into, and stands alone
MOST = 4 << 20  # bytes of a batch's columns
MANY = 64  # shards in a batch
LOOKS = 8  # files whose footers are read at a time: in a bucket they are fetched


@dataclass(frozen=True)
class Batch:
    """Shards that stand side by side: the number of the batch, that of the first shard, and the files."""

    number: int
    first: int
    files: Sequence[Path]

    @property
    def name(self) -> str:
        """Return what its answers are kept under: the name of its shard, or those of the first and the last."""
        return "-".join(dict.fromkeys(file.stem for file in (self.files[0], self.files[-1])))

    def size(self) -> tuple[int, int]:
        """Return the rows of all its shards, and the bytes of their columns."""
        rows, sizes = zip(*map(shard_size, self.files), strict=True)
        return sum(rows), sum(sizes)

    def documents(self, columns: list[str] | None = None) -> pa.Table:
        """Return the documents of all its shards; where these are several, with the column that says which."""
        tables = [read_shard(file, columns) for file in self.files]
        if len(tables) == 1:
            return tables[0]
        shards = np.repeat(np.arange(len(tables), dtype=np.int32), [table.num_rows for table in tables])
        return pa.concat_tables(tables).append_column(SHARD, pa.array(shards))

    def apart(self, table: pa.Table) -> Iterator[tuple[int, pa.Table]]:
        """Yield the number of each shard, and its rows of a table, which are its documents or what was said of them."""
        if len(self.files) == 1:
            yield self.first, table
            return
        shards, rest = table[SHARD].to_numpy(), table.drop_columns(SHARD)
        order = np.argsort(shards, kind="stable")
        bounds = np.searchsorted(shards[order], np.arange(len(self.files) + 1))
        rest = rest.take(pa.array(order)) if (np.diff(order) < 0).any() else rest
        for place in range(len(self.files)):
            first, last = bounds[place : place + 2]
            yield self.first + place, rest.slice(first, last - first)


def reserved(documents: pa.Schema) -> list[str]:
    """Return a problem where documents have a column of their own that would be taken for the one that says which shard.

    >>> reserved(pa.schema([("id", pa.string()), ("shard", pa.string())]))
    []
    """
    if SHARD not in documents.names:
        return []
    return [f"clean keeps the column name {SHARD!r} for itself. Rename it in the source, or leave it out of keep_columns."]


def batches(artifact: Artifact) -> list[Batch]:
    """Return the batches of an artifact's documents."""
    files = artifact.files("documents")
    cut = chunks(_sizes(artifact), MOST)
    return [Batch(number, first, tuple(files[first:last])) for number, (first, last) in enumerate(cut)]


def _sizes(artifact: Artifact) -> npt.NDArray[np.int64]:
    """Return the bytes of each shard's columns, at least those that keep a batch to `MANY`; of a large file `MOST`."""
    parts = [entry for entry in artifact.manifest.files if entry["path"].startswith("documents/")]
    packed = np.array([entry["bytes"] for entry in parts], dtype=np.int64)
    small, files = np.flatnonzero(packed < SMALL), artifact.files("documents")
    sizes = np.full(len(packed), MOST)
    with ThreadPoolExecutor(LOOKS) as pool:
        sizes[small] = [size for _, size in pool.map(shard_size, [files[place] for place in small])]
    least: npt.NDArray[np.int64] = np.maximum(sizes, MOST // MANY)
    return least
