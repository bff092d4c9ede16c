"""Rows of pieces that wait in spills -> Arrow shards of whole rows, and the index of what each row holds.

A task writes several shards of rows that stand side by side: what they hold is looked up in all spills at once, which costs
more than their tokens where spills are hundreds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.kernels import kernel
from pipeline.artifacts import atomic
from pipeline.timing import timed
from pipeline.tokens.encoded import ids_of
from pipeline.tokens.packed_rows import PACKED, Held, Int32s, Places, gather, held, places_of, within
from pipeline.tokens.rows import IGNORED, INDEX, Ints

SHARD_TOKENS = 4 << 20  # tokens of a shard of rows: 48 MiB in Arrow
TOGETHER = 16  # shards of rows that a task writes at most: looking up takes it a twentieth of its time then, with 264 spills
TASKS = 64  # of a split at least, where it has so many shards of rows
PIECES = 1 << 19  # of a task at most, each some 200 bytes while it is looked up
COUNTED = {"tokens": "length", "supervised_tokens": "supervised_tokens"}  # sums of the index


@dataclass(frozen=True)
class Split:
    """What the rows of a split are made of: the folders of the spills, one a shard of documents, and of the spills' indexes."""

    draft: Path
    name: str
    spills: Path
    indexes: Path
    artifacts: Sequence[tuple[str, int]]  # refs, and how many shards each has

    def each(self, folder: Path) -> list[Path]:
        """Return the folders of all shards below one."""
        return [folder / f"{number:05}" for number in range(sum(shards for _, shards in self.artifacts))]


@dataclass(frozen=True)
class RowShard:
    """Some rows of a split, its shard `number`, that of the index being `index`."""

    split: Split
    number: int
    index: int
    first: int
    stop: int

    @property
    def files(self) -> tuple[Path, Path]:
        """Return the files of its rows and of their index."""
        tokens = self.split.draft / "tokens" / self.split.name / f"{self.number:05}.arrow"
        return tokens, self.split.draft / "index" / f"{self.index:05}.parquet"


def cut(split: Split, rows: int, length: int, before: int) -> list[RowShard]:
    """Cut a split's rows, of `length` tokens each, into shards; `before` files of the index are those of other splits."""
    step = max(1, SHARD_TOKENS // length)
    firsts = enumerate(range(0, rows, step))
    return [RowShard(split, number, before + number, first, min(first + step, rows)) for number, first in firsts]


def tasks(shards: Sequence[RowShard], pieces: int) -> list[Sequence[RowShard]]:
    """Give each task shards that stand side by side, `pieces` being those of them all."""
    together = min(TOGETHER, len(shards) // TASKS, PIECES * len(shards) // max(1, pieces))
    return [shards[first : first + max(1, together)] for first in range(0, len(shards), max(1, together))]


def write(shards: Sequence[RowShard]) -> dict[str, int]:
    """Write shards of rows that stand side by side, and their indexes, which the draft is to seal; return the counts of all."""
    split, first = shards[0].split, shards[0].first
    with timed("pack"):
        places = places_of(split.each(split.indexes), first, shards[-1].stop)
        found = held(places)
        known = _known(split, found)
    counts = [_written(shard, within(places, shard.first, shard.stop), found, known) for shard in shards]
    return {name: sum(count[name] for count in counts) for name in ("rows", *COUNTED)}


def _written(shard: RowShard, places: Sequence[Places], found: Held, known: pa.Table) -> dict[str, int]:
    with timed("pack"):
        rows = gather(shard.split.each(shard.split.spills), shard.first, shard.stop, places)
    tokens, lines = shard.files
    with timed("write", rows.nbytes), atomic(tokens, durable=False) as temporary, pa.ipc.new_stream(temporary, PACKED) as file:
        file.write_table(rows)
    first, stop = np.searchsorted(found.row, [shard.first, shard.stop]).tolist()
    supervised = _supervised(rows["labels"].combine_chunks().values.to_numpy(), found.length[first:stop])
    index = known.slice(first, stop - first).append_column(INDEX.field("supervised_tokens"), pa.array(supervised))
    with atomic(lines, durable=False) as temporary:
        pq.write_table(index, temporary, compression="zstd")
    counts = {name: int(pc.sum(index[column]).as_py() or 0) for name, column in COUNTED.items()}
    return {"rows": rows.num_rows, **counts}


def _known(split: Split, found: Held) -> pa.Table:
    """Return the index of what rows hold, but for its last column, which is counted in the rows."""
    ids, window = _pieces(split.each(split.draft / "work" / "encoded"), found)
    artifacts = np.repeat(np.arange(len(split.artifacts)), [shards for _, shards in split.artifacts])
    columns = [
        pa.repeat(pa.scalar(split.name, pa.string()), len(found.row)),
        pa.array(found.row),
        ids,
        pa.array([ref for ref, _ in split.artifacts], pa.string()).take(pa.array(artifacts[found.spill])),
        pa.array(window),
        pa.array(found.length.astype(np.int32)),
    ]
    return pa.Table.from_arrays(columns, schema=pa.schema(list(INDEX)[:-1]))


@kernel
def _supervised(labels: Int32s, lengths: Ints) -> Int32s:
    """Count the labels that are not passed over, of each of some pieces that lie side by side."""
    counts, at = np.zeros(len(lengths), np.int32), 0
    for piece in range(len(lengths)):
        for label in labels[at : at + lengths[piece]]:
            counts[piece] += label != IGNORED
        at += lengths[piece]
    return counts


def _pieces(encoded: Sequence[Path], found: Held) -> tuple[pa.LargeStringArray, npt.NDArray[np.int32]]:
    """Return the ids of pieces' documents, and which window of its document each is."""
    order, parts = np.argsort(found.spill, kind="stable"), [pa.array([], pa.large_string())]
    windows = np.zeros(len(found.row), np.int32)
    bounds = np.searchsorted(found.spill[order], np.arange(len(encoded) + 1)).tolist()
    for folder, (first, last) in zip(encoded, pairwise(bounds), strict=True):
        if first < last:
            own = order[first:last]
            document, windows[own] = np.load(folder / "pieces.npy", mmap_mode="r")[:2, found.number[own]]
            parts.append(ids_of(folder).take(pa.array(document)))
    return pa.concat_arrays(parts).take(pa.array(np.argsort(order))), windows
