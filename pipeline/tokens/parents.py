"""The parents' shards of documents, read a batch at a time; one that is damaged or gone is named."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.artifacts import Artifact
from pipeline.documents import Kind, kind_of
from pipeline.errors import BrokenArtifact

BATCH = 1024  # documents encoded at a time: enough to keep the encoder's threads busy, small beside a shard


class Shard(NamedTuple):
    """A parent's shard of documents."""

    number: int
    path: Path
    artifact: str
    kind: Kind


def shards_of(parents: Sequence[Artifact]) -> list[Shard]:
    """Return the shards of all parents, one parent after the other; raises `BrokenArtifact`."""
    files = [(path, parent.ref) for parent in parents for path in parent.files("documents")]
    return [Shard(number, path, ref, kind_of(columns_of(path))) for number, (path, ref) in enumerate(files)]


def batches(path: Path) -> Iterator[pa.Table]:
    """Read a shard, some documents at a time; raises `BrokenArtifact`."""
    with reading(path), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(BATCH):
            yield pa.Table.from_batches([batch])


def columns_of(path: Path) -> pa.Schema:
    """Return a shard's schema; raises `BrokenArtifact`."""
    with reading(path):
        return pq.read_schema(path).remove_metadata()


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name the shard that is damaged or gone; raises `BrokenArtifact`."""
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        why = " ".join(str(error).split())
        raise BrokenArtifact(f"{path}: cannot be read ({why}). `prep verify` lists what is broken.") from error
