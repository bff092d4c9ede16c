"""Rows of a live database -> a file on this disk and their hash, in one pass and bounded memory.

A database may change between two readings, and a server takes no second one for granted: so what was hashed is kept as an
Arrow stream, which the tasks read, and is removed when they are done.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.artifacts import refusals
from pipeline.errors import SourceError
from pipeline.readers.live_database import mysql, postgresql
from pipeline.readers.live_database.address import LiveSource
from pipeline.readers.live_database.answers import BINARY, KINDS, Answer

ASK = {"postgresql": postgresql.ask, "mysql": mysql.ask}


def spooled(source: LiveSource, path: Path, *, table: str | None, query: str | None) -> LiveSource:
    """Write the rows of a table or query to a file and return the source that has them there.

    The hash is over the names, types and cells alone, however they are batched.
    """
    with answer(source, table, query) as asked:
        schema = pa.schema([pa.field(name, BINARY) for name in asked.columns], metadata=_written(asked))
        digest = Digest(asked)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema, options=_packed()) as stream:
            for batch in asked.batches:
                digest.update(batch)
                stream.write_table(batch.cast(schema))
    return replace(source, address=None, spool=str(path), digest=digest.hexdigest(), size=digest.size)


@contextmanager
def answer(source: LiveSource, table: str | None, query: str | None) -> Iterator[Answer]:
    """Give the rows of a table or query, from the disk where they are there, else from the server."""
    if source.address is None:
        with pa.OSFile(source.spool) as file, pa.ipc.open_stream(file) as stream:
            yield _read(stream)
        return
    if table and query:
        raise SourceError(f"{source.path}: choose a table or a query, not both.")
    with ASK[source.address.dialect](source.address, table, query) as asked:
        yield asked


def _packed() -> pa.ipc.IpcWriteOptions:
    return pa.ipc.IpcWriteOptions(compression="lz4")


def _written(asked: Answer) -> dict[str, str]:
    kinds = [str(kind) for kind in asked.columns.values()]
    return {"label": asked.label, "kinds": json.dumps(kinds), "keys": json.dumps(list(asked.keys))}


def _read(stream: pa.ipc.RecordBatchStreamReader) -> Answer:
    said = {name.decode(): text.decode() for name, text in stream.schema.metadata.items()}
    columns = {name: KINDS[kind] for name, kind in zip(stream.schema.names, json.loads(said["kinds"]), strict=True)}
    return Answer(said["label"], columns, json.loads(said["keys"]), (pa.Table.from_batches([batch]) for batch in stream))


class Digest:
    """A hash of rows that come in batches: for each column, of the lengths of its cells (-1 for NULL) and of their bytes.

    `size` is how many bytes all cells have.
    """

    def __init__(self, asked: Answer) -> None:
        self.head = [asked.label, list(asked.keys), [[name, str(kind)] for name, kind in asked.columns.items()]]
        self.size = 0
        self.parts = [(hashlib.sha256(), hashlib.sha256()) for _ in asked.columns]

    def update(self, batch: pa.Table) -> None:
        """Take a batch of large_binary columns."""
        for column, (lengths, cells) in zip(batch.columns, self.parts, strict=True):
            for chunk in column.chunks:
                _valid, places, data = chunk.buffers()
                offsets = np.frombuffer(places, np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
                null = chunk.is_null().to_numpy(zero_copy_only=False)
                lengths.update(np.where(null, -1, np.diff(offsets)).tobytes())
                if data is not None:
                    cells.update(memoryview(data)[offsets[0] : offsets[-1]])
                self.size += int(offsets[-1] - offsets[0])

    def hexdigest(self) -> str:
        """Return the SHA-256 of it all, in hex."""
        parts = [[lengths.hexdigest(), cells.hexdigest()] for lengths, cells in self.parts]
        return hashlib.sha256(json.dumps([self.head, parts]).encode()).hexdigest()


@contextmanager
def scratch(root: Path) -> Iterator[Path]:
    """Give a folder below `root` that is removed in the end, and remove those that killed runs have left there."""
    with refusals(root):
        root.mkdir(parents=True, exist_ok=True)
    with refusals(root), _locked(root):
        for left in root.glob(".live-*"):
            with contextlib.suppress(BlockingIOError), _locked(left, fcntl.LOCK_NB):
                shutil.rmtree(left)
        folder = Path(tempfile.mkdtemp(prefix=".live-", dir=root))
        lock = os.open(folder, os.O_RDONLY)
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        os.close(lock)


@contextmanager
def _locked(folder: Path, how: int = 0) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | how)
        yield
    finally:
        os.close(lock)
