"""A batch behind its last pass -> its shards of the artifact: documents/, removed/, rejected/, edits/ and measures/."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pyarrow as pa

from pipeline.cleaning.batches import Batch
from pipeline.cleaning.passage import WRITTEN, Passage, measured
from pipeline.cleaning.passes import Cleaning
from pipeline.cleaning.tables import read
from pipeline.engine.memory import release
from pipeline.timing import timed
from pipeline.writing import HUGE, write_parquet

WRITERS = 8  # of small files, each of which waits for the disk


@timed("write")
def finish(cleaning: Cleaning, passage: Passage, last: int, batch: Batch) -> None:
    """Write what stays, and what was written down in all passes in the order of the steps, shard by shard.

    What is huge is packed alone, documents first, and these are given back before what was cut out of them is packed: `passage`
    is without them then.
    """
    ledgers = _ledgers(cleaning, passage, last, batch)
    if max(table.nbytes for table in (passage.documents, *ledgers.values())) > HUGE:
        _write({"documents": passage.documents}, cleaning.draft, batch, 1)
        passage.documents = passage.documents.schema.empty_table()
        release()
        _write(ledgers, cleaning.draft, batch, 1)
    else:
        _write({"documents": passage.documents, **ledgers}, cleaning.draft, batch, 2 if len(batch.files) == 1 else WRITERS)


def _ledgers(cleaning: Cleaning, passage: Passage, last: int, batch: Batch) -> dict[str, pa.Table]:
    """Return what was written down of a batch in all passes, mapped, and what was measured of it."""
    tables = {}
    for part in WRITTEN:
        files = [cleaning.place(number, batch.number).file(f"{part}.arrow") for number in range(last + 1)]
        tables[part] = pa.concat_tables([passage.table(part), *(read(file) for file in files if file.exists())])
    if any(step.filter.kind == "measure" for step in cleaning.steps):
        known = partial(cleaning.measured, batch.number)
        tables["measures"] = measured(cleaning.steps, lambda step: read(known(step)), batch.documents(["id"]))
    return tables


def _write(tables: dict[str, pa.Table], draft: Path, batch: Batch, writers: int) -> None:
    """Write the parts of a batch's shards, but for ledgers with no rows: some are packed while the disk takes others."""
    written = [
        (own, draft / part / f"{shard:05}.parquet")
        for part, table in tables.items()
        for shard, own in batch.apart(table)
        if own.num_rows or part not in ("rejected", "edits")
    ]
    with ThreadPoolExecutor(writers) as disk:
        list(disk.map(lambda one: write_parquet(*one), written))
