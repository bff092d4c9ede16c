"""Parquet shards -> tables, schemas and row counts; one that is damaged or gone is named."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import BrokenArtifact

if TYPE_CHECKING:
    import pyarrow as pa


def read_shard(path: Path, columns: list[str] | None = None) -> "pa.Table":
    """Read a Parquet shard, whole or some columns of it; raises `BrokenArtifact` where it is damaged or gone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path, columns=columns, memory_map=True, partitioning=None)
    except (pa.ArrowInvalid, OSError) as error:
        why = " ".join(str(error).split())
        raise BrokenArtifact(f"{path}: cannot be read ({why}). `prep verify` lists what is broken.") from error


def read_schema(path: Path) -> "pa.Schema":
    """Return a Parquet shard's schema; raises `BrokenArtifact` where it is damaged or gone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        why = " ".join(str(error).split())
        raise BrokenArtifact(f"{path}: cannot be read ({why}). `prep verify` lists what is broken.") from error


def parquet_rows(path: Path) -> int:
    """Return a Parquet file's row count by its footer; raises `BrokenArtifact`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except pa.ArrowInvalid as error:
        raise BrokenArtifact(f"{path}: not a whole Parquet file. `prep verify` lists what is broken.") from error
