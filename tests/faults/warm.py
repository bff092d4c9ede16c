"""Imported by the process that disturbed runs are forked from: whatever takes time in the beginning is done once.

Kernels are loaded by a run of `clean` over a few texts. What has threads that do not outlive a fork is only imported: polars,
and the tokenizers.
"""

import tempfile

import pyarrow as pa
import pyarrow.parquet as pq

import pipeline.cli
import pipeline.engine.preloaded
import pipeline.flow
import pipeline.stages.tokenize
from filters.kernels.characters import folds
from filters.slop import words
from pipeline.artifacts import Identity, Store, atomic
from pipeline.cleaning import batches
from pipeline.documents import schema
from pipeline.engine.local import Local
from pipeline.run import Run
from pipeline.stages import ingest
from pipeline.stages.clean import clean
from pipeline.tokens import shards
from pipeline.tokens.encoding.unassigned import unassigned

STEPS = [
    "unicode",
    "pii",
    {"word_count": {"min": 1}},
    {"recurring_lines": {"documents": 2}},
    "exact_duplicates",
    "near_duplicates",
]

ingest.TASK_SOURCES = 3  # so that few files are several tasks, and several shards
pipeline.stages.tokenize.UNSORTED = 0  # so that what waits is sorted, as large data are
shards.SHARD_TOKENS = 2048
batches.MANY = 1

with tempfile.TemporaryDirectory() as folder:
    store = Store(folder)
    texts = [f"Page {number}\nThe cafÃ© was closed – the dog saw {number} cats; ring 030 1234567." for number in range(4)]
    with store.draft(Identity("ingest", {}), "warm") as draft:
        with atomic(draft.path / "documents" / "00000.parquet") as temporary:
            pq.write_table(pa.table([texts, texts, texts], schema("text")), temporary)
        parent = draft.publish({"in": 4, "kept": 4}, versions={}, run={})
    clean(parent, "warm", Run(store, Local(1)), steps=STEPS)
folds()
words.table()
unassigned(pa.array(texts, pa.large_string()))
