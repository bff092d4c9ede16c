"""Tables and arrays that a run writes for itself, read back without copying."""

from pathlib import Path

import pyarrow as pa

from pipeline.artifacts import atomic
from pipeline.artifacts import save as save


def write(table: pa.Table, path: Path) -> None:
    """Write a table; raises `StoreError` where the disk refuses."""
    with atomic(path) as temporary, pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def read(path: Path) -> pa.Table:
    """Read a table that `write` wrote, memory-mapped."""
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
