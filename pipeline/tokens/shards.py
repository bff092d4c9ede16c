"""Rows of pieces that wait in spills -> Arrow shards of whole rows, and the index of what each row holds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.kernels import kernel
from pipeline.artifacts import atomic
from pipeline.timing import timed
from pipeline.tokens.encoded import ids_of
from pipeline.tokens.packed_rows import PACKED, Held, Int32s, gather, held, places_of
from pipeline.tokens.rows import IGNORED, INDEX, Ints

SHARD_TOKENS = 4 << 20  # tokens of a shard of rows: 48 MiB in Arrow
COUNTED = {"tokens": "length", "supervised_tokens": "supervised_tokens"}  # sums of the index


@dataclass(frozen=True)
class RowShard:
    """Some rows of a split; the folder of the spills that hold their tokens, one a shard, and that of the spills' indexes."""

    draft: Path
    split: str
    number: int  # of the shard in its split
    index: int  # of the shard among all
    first: int
    stop: int
    spills: Path
    indexes: Path
    artifacts: Sequence[tuple[str, int]]  # refs, and how many shards each has

    def each(self, folder: Path) -> list[Path]:
        """Return the folders of all shards below one."""
        return [folder / f"{number:05}" for number in range(sum(shards for _, shards in self.artifacts))]

    @property
    def files(self) -> tuple[Path, Path]:
        """Return the files of its rows and of their index."""
        tokens = self.draft / "tokens" / self.split / f"{self.number:05}.arrow"
        return tokens, self.draft / "index" / f"{self.index:05}.parquet"

    def cut(self, step: int) -> "list[RowShard]":
        """Return shards of so many rows each; the last may have fewer."""
        firsts = range(self.first, self.stop, step)
        return [
            replace(
                self,
                number=self.number + place,
                index=self.index + place,
                first=first,
                stop=min(first + step, self.stop),
            )
            for place, first in enumerate(firsts)
        ]


def write(shard: RowShard) -> dict[str, Any]:
    """Write a shard of rows and its index, which the draft is to seal; return the counts."""
    with timed("pack"):
        places = places_of(shard.each(shard.indexes), shard.first, shard.stop)
        rows = gather(shard.each(shard.spills), shard.first, shard.stop, places)
    tokens, lines = shard.files
    with timed("write", rows.nbytes), atomic(tokens, durable=False) as temporary, pa.ipc.new_stream(temporary, PACKED) as file:
        file.write_table(rows)
    index = _index(shard, rows, held(places))
    with atomic(lines, durable=False) as temporary:
        pq.write_table(index, temporary, compression="zstd")
    counts = {name: int(pc.sum(index[column]).as_py() or 0) for name, column in COUNTED.items()}
    return {"rows": rows.num_rows, **counts}


def _index(shard: RowShard, rows: pa.Table, found: Held) -> pa.Table:
    ids, window = _pieces(shard.each(shard.draft / "work" / "encoded"), found)
    artifacts = np.repeat(np.arange(len(shard.artifacts)), [shards for _, shards in shard.artifacts])
    supervised = _supervised(rows["labels"].combine_chunks().values.to_numpy(), found.length)
    columns = [
        pa.repeat(pa.scalar(shard.split, pa.string()), len(found.row)),
        pa.array(found.row),
        ids,
        pa.array([ref for ref, _ in shard.artifacts], pa.string()).take(pa.array(artifacts[found.spill])),
        pa.array(window),
        pa.array(found.length.astype(np.int32)),
        pa.array(supervised),
    ]
    return pa.Table.from_arrays(columns, schema=INDEX)


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
