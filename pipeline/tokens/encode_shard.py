"""A shard of documents -> its tokens, which wait for those of all shards, and its part of the ledger: what a task does."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.artifacts import remembered
from pipeline.documents import EDITS, ledger_schema
from pipeline.engine.memory import kept
from pipeline.timing import timed
from pipeline.tokens.encoded import ShardWriter
from pipeline.tokens.encoding.encoder import Choice, Encoder
from pipeline.tokens.packed_rows import NARROW
from pipeline.tokens.parents import Shard, batches, columns_of
from pipeline.tokens.sifting import FILTERS, Bounds, sifted, truncated
from pipeline.tokens.tokenizer import reopened
from pipeline.writing import HUGE, shard_size, write_parquet


@dataclass(frozen=True)
class Plan:
    """What every task of a run knows; the tokenizer lies in the draft."""

    draft: Path
    bounds: Bounds
    near: bool
    choice: Choice

    def folder(self, shard: int) -> Path:
        """Return where a shard's tokens wait."""
        return self.draft / "work" / "encoded" / f"{shard:05}"

    def answer(self, shard: int) -> Path:
        """Return the file of what a shard's task answered: written last."""
        return self.draft / "work" / f"{shard:05}.json"


@kept
def encoder_of(folder: Path, choice: Choice) -> Encoder:
    """Return the encoder of a draft's tokenizer; a worker makes it once."""
    return Encoder(reopened(folder), choice)


def need(shard: Shard) -> int:
    """Return the bytes that a task holds for a shard, as measured; the encoder is most of what stands in front."""
    rows, size = shard_size(shard.path)
    huge = 32 if shard.kind == "chat" else 7  # of a conversation each message is an object
    return (100 << 20) + 600 * rows + (huge if size > HUGE else 4) * size


def encode_shard(plan: Plan, shard: Shard) -> dict[str, Any]:
    """Write a shard's tokens and ledger; answer with how many documents each filter removed, and what truncation took."""
    return remembered(plan.answer(shard.number), lambda: _encoded(plan, shard))


def _encoded(plan: Plan, shard: Shard) -> dict[str, Any]:
    encoder = encoder_of(plan.draft / "tokenizer", plan.choice)
    columns = columns_of(shard.path)
    removed, edits = [ledger_schema(columns).empty_table()], [EDITS.empty_table()]
    lost = Counter({"documents": 0, "tokens": 0, "supervised_tokens": 0})
    narrow = encoder.all_below(NARROW)
    with ShardWriter(plan.folder(shard.number), narrow=narrow, searched=plan.near) as writer:
        read = 0
        for documents in batches(shard.path):
            with timed("encode", documents.nbytes):
                batch = sifted(plan.bounds, encoder, documents)
            removed += batch.removed
            with timed("write", batch.tokens.ids.nbytes):
                writer.write(batch.documents, batch.tokens, batch.pieces.pieces)
            if plan.near:
                with timed("near keys", batch.documents.nbytes):
                    writer.write_keys(batch.documents, read + batch.rows)
            read += documents.num_rows
            edits.append(truncated(batch, lost))
    entries = pa.concat_tables(removed)
    write_parquet(entries, plan.draft / "removed" / f"{shard.number:05}.parquet")
    if lost["documents"]:
        write_parquet(pa.concat_tables(edits), plan.draft / "edits" / f"{shard.number:05}.parquet")
    by_filter = Counter(entries["filter"].to_pylist())
    return {"removed": {filter_: by_filter[filter_] for filter_ in FILTERS}, "truncated": dict(lost)}
