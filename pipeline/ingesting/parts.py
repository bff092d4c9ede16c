"""Documents and rejections as they come -> parts of a shard's size, and parts -> the shards of an artifact."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.artifacts import atomic, canonical
from pipeline.documents import FULL_MESSAGES, MESSAGES, REJECTED, REMARKS, STRING, Rejection, Remark, kind_of
from pipeline.errors import SourceError, StoreError
from pipeline.ingesting.forming import as_text
from pipeline.sources import Source
from pipeline.timing import timed
from pipeline.writing import write_parquet

SHARD_BYTES = 32 << 20  # documents in memory; a shard is written as soon as it has so many
MOST_REASONS = 1000  # different ones that are counted apart; rejected/ has them all


class Parts:
    """A task's parts while they fill: documents are written whenever they come to a shard's size or change their columns."""

    def __init__(self, work: Path, task: int) -> None:
        self.work, self.task = work, task
        self.tables: list[pa.Table] = []
        self.rejected: list[tuple[str, str, str, bytes]] = []
        self.held, self.rejected_held = 0, 0  # bytes
        self.counts: dict[str, Any] = {"in": 0, "kept": 0, "rejected": 0, "parts": 0, "rejects": 0, "kind": None}
        self.counts["reasons"] = {}
        self.remarks: list[tuple[str, str, bytes, bytes, str]] = []

    def add(self, source: Source, found: pa.Table | Rejection | Remark) -> None:
        """Take documents, a rejection, or a remark, of a source."""
        if isinstance(found, Remark):
            self.remarks.append((source.name, found.text, found.before, found.after, canonical(found.settings or {})))
            return
        if isinstance(found, Rejection):
            self._reject(source, found)
            return
        self.counts["in"] += found.num_rows
        if found.num_rows:
            self._take(source, found, found.nbytes)

    def add_each(self, source: Source, found: pa.Table, sizes: npt.NDArray[np.int64]) -> None:
        """Take documents of a source each, of which this is the first; parts end as if they came one by one, of these bytes."""
        self.counts["in"] += found.num_rows
        while found.num_rows:
            ends = np.cumsum(sizes)
            count = min(int(np.searchsorted(ends, SHARD_BYTES - self.held)) + 1, found.num_rows)
            self._take(source, found.slice(0, count), int(ends[count - 1]))
            found, sizes = found.slice(count), sizes[count:]

    def _take(self, source: Source, found: pa.Table, size: int) -> None:
        if self.tables and self.tables[0].schema != found.schema:
            self._flush()
        kind = kind_of(found.schema)
        if self.counts["kind"] not in (None, kind):
            raise SourceError(mixed(source.path, kind, self.counts["kind"]))
        self.counts["kind"], self.counts["first"] = kind, self.counts.get("first", source.path)
        self.tables.append(found)
        self.held += size
        if self.held >= SHARD_BYTES:
            self._flush()

    def _reject(self, source: Source, found: Rejection) -> None:
        self.counts["in"] += 1
        self.counts["rejected"] += 1
        reasons = self.counts["reasons"]
        reason = found.error if len(found.error) < 80 else found.error[:77] + "..."
        reason = reason if reason in reasons or len(reasons) < MOST_REASONS else "other reasons"
        reasons[reason] = reasons.get(reason, 0) + 1
        self.rejected.append((source.name, found.place, found.error, found.raw))
        self.rejected_held += len(found.raw)
        if self.rejected_held >= SHARD_BYTES or len(self.rejected) >= 100_000:
            self._flush_rejected()

    def close(self) -> dict[str, Any]:
        """Write what is left and return the counts."""
        self._flush()
        self._flush_rejected()
        if self.remarks:
            write_parquet(_table(self.remarks, REMARKS), self.work / f"{self.task:05}.remarks.parquet")
        return self.counts

    @timed("write")
    def _flush(self) -> None:
        if self.tables:
            table = pa.concat_tables(self.tables).combine_chunks()
            self.counts["kept"] += table.num_rows
            self.tables = []
            write_parquet(table, self.work / f"{self.task:05}-{self.counts['parts']:05}.parquet")
            self.counts["parts"] += 1
            self.held = 0

    @timed("write")
    def _flush_rejected(self) -> None:
        if self.rejected:
            path = self.work / f"{self.task:05}-{self.counts['rejects']:05}.rejected.parquet"
            write_parquet(_table(self.rejected, REJECTED), path)
            self.counts["rejects"] += 1
            self.rejected, self.rejected_held = [], 0


def _table(rows: Sequence[tuple[Any, ...]], schema: pa.Schema) -> pa.Table:
    columns = [pa.array(cells, field.type) for cells, field in zip(zip(*rows, strict=True), schema, strict=True)]
    return pa.table(columns, schema=schema)


def mixed(path: str, kind: str, before: str) -> str:
    """Return the message that says that a source's documents are not of the kind of those before."""
    return (
        f"{path} holds {kind} documents, the sources before it {before} documents, and an artifact holds one kind. "
        f"Ingest them apart, each with a --name."
    )


def place(part: Path, path: Path, schema: pa.Schema | None) -> None:
    """Give a part its place in the artifact; with a schema, its rows are cast to it."""
    if schema is not None:
        table = pq.read_table(part)
        columns = [
            _as(table[field.name], field.type) if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
            for field in schema
        ]
        write_parquet(pa.table(columns, schema=schema), path)
        return
    try:
        with atomic(path, durable=False) as temporary:  # the part is on the disk
            temporary.hardlink_to(part)
    except StoreError:  # a file system without hard links, or a full one: copying tells which
        with atomic(path) as temporary:
            shutil.copyfile(part, temporary)


def _as(column: pa.ChunkedArray, type_: pa.DataType) -> pa.ChunkedArray:
    return as_text(column) if type_ == STRING else column.cast(type_)


def unified(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """Return one schema for all parts: a column that some lack is null there; two types of one become text.

    Messages with and without tool calls become `FULL_MESSAGES`.
    """
    fields: dict[str, pa.Field] = {}
    for field in (field for schema in schemas for field in schema):
        known = fields.get(field.name)
        if known is None:
            fields[field.name] = field
        elif known.type != field.type and all(one.type in (MESSAGES, FULL_MESSAGES) for one in (known, field)):
            fields[field.name] = field.with_type(FULL_MESSAGES)
        elif known.type != field.type:
            fields[field.name] = pa.field(field.name, STRING)
    return pa.schema(list(fields.values()))
