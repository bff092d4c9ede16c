"""Tables -> numbered Parquet or Arrow shards with the names of the hub: `train-00000-of-00002.parquet`.

How many shards there are is known when the last one is closed, so they get their names then. `save_to_disk` makes what
`datasets.load_from_disk` opens.
"""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.tokens.files import state

SHARD_BYTES = 500_000_000  # of a shard in memory: the default of `datasets.save_to_disk` and of the hub's uploads


class Shards:
    """Writes tables to shards as they come. Enter it with `with`; `files` are there on leaving, none if no row came."""

    def __init__(self, folder: Path, stem: str, suffix: Literal["arrow", "parquet"], schema: pa.Schema) -> None:
        self._folder, self._stem, self._suffix, self._schema = folder, stem, suffix, schema
        self._open = contextlib.ExitStack()
        self._writer: Any = None
        self._bytes = 0
        self._waiting: list[Path] = []
        self.files: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.__exit__(kind, error, trace)
        if kind is None:
            self.files = [
                path.rename(path.with_name(f"{self._stem}-{number:05}-of-{len(self._waiting):05}.{self._suffix}"))
                for number, path in enumerate(self._waiting)
            ]

    def write(self, table: pa.Table) -> None:
        """Append a table."""
        if not table.num_rows:
            return
        if self._writer is None or self._bytes > SHARD_BYTES:
            self._next()
        self._writer.write_table(table)
        self._bytes += table.nbytes

    def _next(self) -> None:
        self._open.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._waiting.append(self._folder / f"{self._stem}-{len(self._waiting):05}.tmp")
        self._bytes = 0
        new = pa.ipc.new_stream if self._suffix == "arrow" else pq.ParquetWriter
        options = {} if self._suffix == "arrow" else {"compression": "zstd"}
        self._writer = self._open.enter_context(new(self._waiting[-1], self._schema, **options))


def rows_in(files: Iterable[Path]) -> int:
    """Count the rows that stand in shards on the disk."""
    return sum(
        pq.read_metadata(path).num_rows if path.suffix == ".parquet" else sum(batch.num_rows for batch in _batches(path))
        for path in files
    )


def columns_in(path: Path, name: str) -> Iterator[pa.Array]:
    """Yield the pieces of a column of a shard on the disk."""
    if path.suffix == ".arrow":
        yield from (batch.column(name) for batch in _batches(path))
        return
    with pq.ParquetFile(path) as file:
        yield from (batch.column(name) for batch in file.iter_batches(columns=[name]))


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
        yield from stream


def save_to_disk(folder: Path, splits: Mapping[str, list[Path]], schema: pa.Schema, fingerprint: str) -> None:
    """Write what makes folders of Arrow shards, one a split, a `DatasetDict` that `datasets.load_from_disk` opens."""
    from datasets import Features

    _write_json(folder / "dataset_dict.json", {"splits": list(splits)})
    features = Features.from_arrow_schema(schema).to_dict()
    for split, files in splits.items():
        _write_json(folder / split / "dataset_info.json", {"features": features})
        _write_json(folder / split / "state.json", state(split, [file.name for file in files], fingerprint))


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
