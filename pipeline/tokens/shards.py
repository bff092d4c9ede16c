"""Rows of pieces that wait in spills -> Arrow shards of whole rows, and the index of what each row holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.artifacts import atomic
from pipeline.tokens.encoded import ids_of
from pipeline.tokens.packed_rows import PACKED, gather, held
from pipeline.tokens.rows import IGNORED, INDEX

SHARD_TOKENS = 4 << 20  # tokens of a shard of rows: 48 MiB in Arrow


@dataclass(frozen=True)
class RowShard:
    """Some rows of a split, and the spills that hold their tokens in the order of rows."""

    draft: Path
    split: str
    number: int  # of the shard in its split
    index: int  # of the shard among all
    first: int
    stop: int
    spills: Sequence[Path]
    encoded: Sequence[Path]
    artifacts: Sequence[str]


def write(shard: RowShard) -> dict[str, Any]:
    """Write a shard of rows and its index; return the counts."""
    rows = gather(shard.spills, shard.first, shard.stop)
    with (
        atomic(shard.draft / "tokens" / shard.split / f"{shard.number:05}.arrow") as temporary,
        pa.ipc.new_stream(temporary, PACKED) as file,
    ):
        file.write_table(rows)
    index = _index(shard, rows)
    with atomic(shard.draft / "index" / f"{shard.index:05}.parquet") as temporary:
        pq.write_table(index, temporary, compression="zstd")
    tokens = len(rows["input_ids"].combine_chunks().flatten())
    supervised = int(pc.sum(index["supervised_tokens"]).as_py() or 0)
    return {"rows": rows.num_rows, "tokens": tokens, "supervised_tokens": supervised}


def _index(shard: RowShard, rows: pa.Table) -> pa.Table:
    found = held(shard.spills, shard.first, shard.stop)
    ids, artifacts = _documents(shard, found.spill, found.number)
    window = np.zeros(len(found.row), np.int32)
    for spill, folder in enumerate(shard.encoded):
        own = found.spill == spill
        window[own] = np.load(folder / "pieces.npy", mmap_mode="r")[1][found.number[own]]
    starts, length = _pieces(rows)
    labels = rows["labels"].combine_chunks().flatten().to_numpy() != IGNORED
    supervised = np.add.reduceat(labels, starts, dtype=np.int32) if len(starts) else np.zeros(0, np.int32)
    columns = [
        pa.repeat(pa.scalar(shard.split, pa.string()), len(found.row)),
        pa.array(found.row),
        ids,
        artifacts,
        pa.array(window),
        pa.array(length.astype(np.int32)),
        pa.array(supervised),
    ]
    return pa.Table.from_arrays(columns, schema=INDEX)


def _pieces(rows: pa.Table) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return where the pieces of all rows begin in their tokens, and their lengths: positions count from 0 in each."""
    positions = rows["position_ids"].combine_chunks().flatten().to_numpy()
    starts = np.flatnonzero(positions == 0)
    return starts, np.diff(np.append(starts, len(positions)))


def _documents(
    shard: RowShard, spill: np.ndarray[Any, Any], number: np.ndarray[Any, Any]
) -> tuple[pa.LargeStringArray, pa.StringArray]:
    """Return the ids of pieces' documents, and the artifacts that these came from."""
    parts, places = [pa.array([], pa.large_string())], [np.zeros(0, np.int64)]
    for which, folder in enumerate(shard.encoded):
        own = np.flatnonzero(spill == which)
        if len(own):
            document = np.load(folder / "pieces.npy", mmap_mode="r")[0][number[own]]
            parts.append(ids_of(folder).take(pa.array(document)))
            places.append(own)
    order = np.argsort(np.concatenate(places), kind="stable")
    return pa.concat_arrays(parts).take(pa.array(order)), pa.array(shard.artifacts, pa.string()).take(pa.array(spill))
