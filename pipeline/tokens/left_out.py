"""How often documents are taken -> the ledger's entries for those that a mix takes not once."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.documents import ledger
from pipeline.run import Run
from pipeline.tokens.copies import Copies, Flags, times_of
from pipeline.tokens.encoded import hashes_of, ids_of
from pipeline.tokens.parents import Shard, reading
from pipeline.writing import write_parquet


class Left(NamedTuple):
    """A shard of documents, and what says which of them are taken."""

    shard: Shard
    encoded: Path
    removed: Path
    held: Flags
    epochs: float


def write(copies: Copies, shards: Sequence[Shard], removed: Path, run: Run) -> int:
    """Write into the ledger which documents the mix leaves out; return their number. `removed` is the ledger's folder."""
    tasks = [
        Left(shard, folder, removed / f"{shard.number:05}.parquet", copies.held_of(at), float(copies.epochs[at]))
        for at, (shard, folder) in enumerate(zip(shards, copies.encoded.folders, strict=True))
    ]
    return sum(run.progress.track("tokenize, mix", run.engine.map(_leave_out, tasks), len(tasks)))


def _leave_out(left: Left) -> int:
    documents = np.flatnonzero(~left.held & (times_of(hashes_of(left.encoded)[0], left.epochs) == 0))
    if not len(documents):
        return 0
    gone = pq.read_table(left.removed)
    if "mix" in gone["filter"].to_pylist():  # a run that was killed has written them
        return len(documents)
    ids = ids_of(left.encoded).take(pa.array(documents))
    with reading(left.shard.path):
        table = pq.read_table(left.shard.path).replace_schema_metadata()
    left_out = table.filter(pc.is_in(table["id"], ids))
    write_parquet(pa.concat_tables([gone, ledger(left_out, "mix", measure="epochs", bound="its share")]), left.removed)
    return len(documents)
