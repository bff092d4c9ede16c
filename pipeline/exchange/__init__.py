"""Bucket keys of all shards -> parts of the documents that are to be compared with one another, each a task of bounded size.

The clean stage looks for duplicates this way, and tokenize for documents that must not be parted. Nothing that grows with the
documents is held whole but some four bytes a document and sixteen a candidate; the rest lies in files that are mapped. Numbers
of documents have four bytes, so there are fewer than 2^31.

Reading order:

    buckets    keys, band by band and range by range  -> documents that share a key, and the candidates: those in any bucket
    order      buckets of all bands                   -> candidates, those connected together; the buckets of each
    parts      the sets of the candidates             -> what a task compares: groups, or two blocks of one that is large
    runs       buckets of large groups                -> what a task connects: those who share a bucket, whatever their block
    crowds     a bucket of thousands                  -> smaller ones that hold the same pairs of alike documents
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from filters.kernels import read_only
from pipeline.artifacts import atomic, save
from pipeline.errors import UsageError

Ints = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
Hashes = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

MOST = 256 << 20  # bytes that a task or a round holds
MANY = 2**31 - 1  # documents: their numbers are int32


def most_of(memory: int | None) -> int:
    """Return the bytes that a task of an exchange may hold in a run whose processes may hold so many together.

    >>> most_of(None), most_of(800_000_000)
    (268435456, 50000000)
    """
    return MOST if memory is None else min(MOST, memory // 16)


@dataclass(frozen=True)
class Exchange:
    """Shards whose documents are compared; which ones lies in a file, so that a task is as small as it would be with few.

    `folder` and `name` say where the exchange keeps what it writes.
    """

    folder: Path
    name: str
    first: int = 0  # buckets that hold no document from here on are of no use
    most: int = MOST

    def need(self, item: object) -> int:  # noqa: ARG002  the same for each
        """Return the bytes that a task of the exchange holds at most, whatever it is about."""
        return 2 * self.most

    def keys(self) -> list[Path]:
        """Return the files of the shards' keys: `uint64[bands, documents]`."""
        return self._files("keys")

    def sets(self) -> list[Path]:
        """Return the files that the sets of the shards' candidates are in, side by side."""
        return self._files("sets")

    def _files(self, name: str) -> list[Path]:
        return [Path(file) for file in json.loads(self.file(f"{name}.json").read_text())]

    def starts(self) -> Ints:
        """Return where each shard's documents begin among all; `int64[shards + 1]`."""
        return np.asarray(np.load(self.file("starts.npy")))

    def bands(self) -> int:
        """Return the number of bands."""
        return int(np.load(self.keys()[0], mmap_mode="r").shape[0])

    def file(self, name: str) -> Path:
        """Return the path of a file of the exchange."""
        return self.folder / f"{self.name}.{name}"

    def eligible(self) -> Flags:
        """Return which documents take part; `bool[documents]`, mapped."""
        return mapped(self.file("eligible.npy"))

    def candidates(self) -> Int32s:
        """Return the documents that share a key with another one, mapped."""
        return mapped(self.file("candidates.npy"))

    def candidates_before(self, documents: Ints | int) -> Ints:
        """Return how many candidates stand before each of some documents."""
        return np.searchsorted(self.candidates(), np.asarray(documents, dtype=np.int32))


def begun(exchange: Exchange, keys: Sequence[Path], sets: Sequence[Path]) -> Exchange:
    """Write down which shards an exchange is about; return it. Raises `UsageError` for more documents than it has numbers."""
    sizes = [np.load(file, mmap_mode="r").shape[1] for file in keys]
    if sum(sizes) > MANY:
        raise UsageError(
            f"{sum(sizes):,} documents are too many for one search of duplicates. Ingest them as several artifacts of at most "
            f"{MANY:,}, and clean each `against` those before it."
        )
    save(np.cumsum([0, *sizes]).astype(np.int64), exchange.file("starts.npy"), durable=False)
    for name, files in (("keys", keys), ("sets", sets)):
        with atomic(exchange.file(f"{name}.json"), durable=False) as temporary:
            temporary.write_text(json.dumps([str(file) for file in files]))
    return exchange


def mapped(file: Path) -> npt.NDArray[Any]:
    """Return an array that was saved, mapped."""
    return np.asarray(np.load(file, mmap_mode="r"))


def numbers(file: Path, kind: type[np.integer[Any]] = np.int64) -> npt.NDArray[Any]:
    """Return numbers that were written one behind the other, mapped; an empty file cannot be."""
    return np.asarray(np.memmap(file, kind, "r")) if file.stat().st_size else read_only(np.zeros(0, kind))
