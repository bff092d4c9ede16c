"""Turns as they come -> all turns of some threads at a time.

They are held until they have 64 MiB; then, and whenever they have so many again, each thread's go to one of 64 files that its
hash chooses. So memory holds a 64th of a large table, and what comes out depends on the rows alone.
"""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa

from pipeline.documents import STRING
from pipeline.ingesting.threads.turns import THREAD

MOST_HELD = 64 << 20  # bytes
PARTS = 64
SEED = 0x452821E638D01377  # digits of pi


class Spill:
    """Turns, held or in files of a folder of its own below `work`; enter it with `with`."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._folder: Path | None = None
        self._held: list[pa.Table] = []
        self._size, self._flushes = 0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder)

    def add(self, turns: pa.Table) -> None:
        """Take a batch of turns."""
        self._held.append(turns)
        self._size += turns.nbytes
        if self._size >= MOST_HELD:
            self._flush()

    def parts(self) -> Iterator[pa.Table]:
        """Return all turns, those of a thread together and in the order they came in."""
        if self._folder is None:
            yield from [_joined(self._held)] if self._held else []
            return
        self._flush()
        for number in range(PARTS):
            files = sorted(self._folder.glob(f"{number:02}-*.arrow"))
            if files:
                yield _joined([pa.ipc.open_file(pa.memory_map(str(file))).read_all() for file in files])

    def _flush(self) -> None:
        if not self._held:
            return
        self._folder = self._folder or Path(tempfile.mkdtemp(prefix="threads-", dir=self._work))
        held = _joined(self._held)
        part = _parts_of(held[THREAD].combine_chunks())
        order, ends = np.argsort(part, kind="stable"), np.cumsum(np.bincount(part, minlength=PARTS))
        held = held.take(pa.array(order))
        for number, end in enumerate(ends.tolist()):
            start = int(ends[number - 1]) if number else 0
            if end > start:
                path = self._folder / f"{number:02}-{self._flushes:05}.arrow"
                with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, held.schema) as writer:
                    writer.write_table(held.slice(start, end - start))
        self._held, self._size, self._flushes = [], 0, self._flushes + 1


def _joined(tables: list[pa.Table]) -> pa.Table:
    """Put tables behind one another; a column that some lack is NULL there."""
    return pa.concat_tables(tables, promote_options="default").combine_chunks()


def _parts_of(threads: pa.LargeStringArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    from filters import kernels

    hashes = kernels.hash_texts(pa.concat_arrays([threads.cast(STRING)]), SEED)
    return (hashes % np.uint64(PARTS)).astype(np.int64)
