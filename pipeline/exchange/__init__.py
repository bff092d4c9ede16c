"""Bucket keys of all shards -> parts of the documents that are to be compared with one another, each a task of bounded size.

The clean stage looks for duplicates this way, and tokenize for documents that must not be parted. Nothing that grows with the
documents is held whole but two bytes a document and some numbers a candidate; the rest lies in files that are mapped.

Reading order:

    buckets    keys, band by band and range by range  -> documents that share a key, and the candidates: those in any bucket
    order      buckets of all bands                   -> candidates, those connected together; the buckets of each
    parts      the sets of the candidates             -> what a task compares
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from filters.kernels import read_only

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

MOST = 256 << 20  # bytes that a task or a round holds


def most_of(memory: int | None) -> int:
    """Return the bytes that a task of an exchange may hold in a run whose processes may hold so many together.

    >>> most_of(None), most_of(800_000_000)
    (268435456, 100000000)
    """
    return MOST if memory is None else min(MOST, memory // 8)


@dataclass(frozen=True)
class Exchange:
    """Shards whose documents are compared.

    `keys` are files of `uint64[bands, documents]`, one a shard; `sets` those that the sets of its candidates are in, side by
    side. `folder` and `name` say where the exchange keeps what it writes.
    """

    keys: tuple[Path, ...]
    sets: tuple[Path, ...]
    folder: Path
    name: str
    first: int = 0  # buckets that hold no document from here on are of no use
    most: int = MOST

    @property
    def bands(self) -> int:
        """Return the number of bands."""
        return int(np.load(self.keys[0], mmap_mode="r").shape[0])

    def need(self, item: object) -> int:  # noqa: ARG002  the same for each
        """Return the bytes that a task of the exchange holds at most, whatever it is about."""
        return 2 * self.most

    def starts(self) -> Ints:
        """Return where each shard's documents begin among all; `int64[shards + 1]`."""
        sizes = [np.load(file, mmap_mode="r").shape[1] for file in self.keys]
        return np.cumsum([0, *sizes]).astype(np.int64)

    def file(self, name: str) -> Path:
        """Return the path of a file of the exchange."""
        return self.folder / f"{self.name}.{name}"

    def eligible(self) -> Flags:
        """Return which documents take part; `bool[documents]`, mapped."""
        return mapped(self.file("eligible.npy"))

    def candidates(self) -> Ints:
        """Return the documents that share a key with another one, mapped."""
        return mapped(self.file("candidates.npy"))


def mapped(file: Path) -> npt.NDArray[Any]:
    """Return an array that was saved, mapped."""
    return np.asarray(np.load(file, mmap_mode="r"))


def numbers(file: Path) -> Ints:
    """Return numbers that were written one behind the other, mapped; an empty file cannot be."""
    return np.asarray(np.memmap(file, np.int64, "r")) if file.stat().st_size else read_only(np.zeros(0, np.int64))
