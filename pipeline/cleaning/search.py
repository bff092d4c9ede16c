"""The search for duplicates over all shards: what its tasks do, each of which holds only a part of the sets at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters import clusters
from pipeline.artifacts import read_shard
from pipeline.cleaning.looking import part_of
from pipeline.cleaning.plan import Step
from pipeline.cleaning.tables import read, save
from pipeline.documents import flat_text
from pipeline.run import Run

Ints = npt.NDArray[np.int64]
MOST_SETS = 16 << 20  # hashes that a task holds at a time: 128 MiB


@dataclass(frozen=True)
class Place:
    """A shard that takes part in the search: its documents, and the folder and name of what the search writes for it."""

    documents: Path
    folder: Path
    shard: int
    ref: str = ""

    def file(self, name: str) -> Path:
        """Return the path of a file of this shard."""
        return self.folder / f"{self.shard:05}.{name}"

    def table(self, columns: list[str] | None = None) -> pa.Table:
        """Return the shard's documents: those of another artifact, or those that wait in this run."""
        if self.ref:
            return read_shard(self.documents, columns)
        return read(self.documents).select(columns) if columns else read(self.documents)


@dataclass(frozen=True)
class Search:
    """One duplicates step over all shards: those of other artifacts first."""

    step: Step
    places: list[Place]
    others: int
    work: Path

    @property
    def threshold(self) -> float:
        """Return the least similarity of duplicates."""
        return float(self.step.settings.get("threshold", 1.0))

    def gathered(self, kind: str) -> npt.NDArray[Any]:
        """Return one number a document, of all shards."""
        return np.concatenate([np.load(place.file(f"{kind}-{self.step.number}.npy")) for place in self.places])

    def starts(self) -> Ints:
        """Return where each shard's documents begin among all."""
        sizes = [np.load(place.file(f"eligible-{self.step.number}.npy"), mmap_mode="r").size for place in self.places]
        return np.cumsum([0, *sizes]).astype(np.int64)

    def file(self, name: str) -> Path:
        """Return the path of a file of the search."""
        return self.work / f"{self.step.number}.{name}"

    def map(self, run: Run, task: Any, items: Sequence[Any]) -> list[Any]:  # noqa: ANN401
        """Have a task done for each item, and say how far it is."""
        label = f"clean, {self.step.filter.name}"
        return list(run.progress.track(label, run.engine.map(partial(task, self), items), len(items)))


def buckets(search: Search, bands: list[int]) -> None:
    """Group all documents by their keys in some bands; write the buckets of each band, and the documents in any."""
    eligible = np.load(search.file("eligible.npy"))
    own = search.starts()[search.others]
    found = [np.zeros(0, dtype=np.int64)]
    for band in bands:
        keys = [np.load(place.file(f"keys-{search.step.number}.npy"), mmap_mode="r")[band] for place in search.places]
        shared = clusters.buckets(np.concatenate(keys)[:, None], eligible, own)
        save(shared.members, search.file(f"members-{band}.npy"), durable=False)
        save(shared.offsets, search.file(f"bounds-{band}.npy"), durable=False)
        found.append(shared.members)
    save(np.unique(np.concatenate(found)), search.file(f"candidates-{bands[0]}.npy"), durable=False)


def sets(search: Search, item: tuple[int, tuple[int, int]]) -> Ints:
    """Make the sets of a shard's candidates; return their sizes."""
    number, (first, last) = item
    place, step = search.places[number], search.step
    if step.filter.sets is None:
        raise TypeError(f"{step.filter.name} finds no duplicates")
    rows = np.load(search.file("candidates.npy"))[first:last] - search.starts()[number]
    texts, offsets, _ = flat_text(place.table().take(pa.array(rows)), step.on, part_of(step), calls=True)
    found = step.filter.sets(texts, offsets, **step.settings)
    save(found.hashes, place.file(f"hashes-{step.number}.npy"), durable=False)
    return np.diff(found.offsets)


def chunks(sizes: Ints, most: int) -> Iterator[tuple[int, int]]:
    """Cut a row of things into runs whose sizes add up to `most` at the most, or that hold one thing."""
    first, total = 0, 0
    for at, size in enumerate(sizes.tolist()):
        if total and total + size > most:
            yield first, at
            first, total = at, 0
        total += size
    if first < len(sizes):
        yield first, len(sizes)


def twins(search: Search, item: tuple[int, int]) -> tuple[Ints, npt.NDArray[np.float64]]:
    """Choose the survivors among some candidates that stand in order of rank; return each one's twin and the similarity."""
    first, last = item
    order = np.load(search.file("order.npy"), mmap_mode="r")[first:last]
    bounds = np.load(search.file("bounds.npy"), mmap_mode="r")
    sizes = bounds[order + 1] - bounds[order]
    own = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    held = np.empty(own[-1], dtype=np.int64)
    clusters.gather(np.asarray(np.load(search.file("buckets.npy"), mmap_mode="r")), np.asarray(bounds[order]), sizes, held, own)
    numbered = np.unique(held, return_inverse=True)[1].astype(np.int64)
    hashes, offsets = _sets_of(search, np.asarray(order))
    fixed = np.asarray(order < np.searchsorted(np.load(search.file("candidates.npy")), search.starts()[search.others]))
    twin, similarity = clusters.survivors(numbered, own, hashes, offsets, search.threshold, fixed)
    return np.where(twin >= 0, order[twin], -1), similarity


def _sets_of(search: Search, order: Ints) -> tuple[npt.NDArray[np.uint64], Ints]:
    """Read the sets of some candidates, in their order: into memory, or where that is too much into a file."""
    all_offsets = np.load(search.file("offsets.npy"), mmap_mode="r")
    sizes = np.asarray(all_offsets[order + 1] - all_offsets[order])
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    hashes: npt.NDArray[np.uint64] = np.empty(offsets[-1] if offsets[-1] <= MOST_SETS else 0, dtype=np.uint64)
    if offsets[-1] > MOST_SETS:
        path = search.file(f"sets-{order[0]}")
        hashes = np.asarray(np.memmap(path, mode="w+", dtype=np.uint64, shape=(int(offsets[-1]),)))
    starts = np.searchsorted(np.load(search.file("candidates.npy")), search.starts())
    sorted_ = np.argsort(order, kind="stable")
    for number, (first, last) in enumerate(pairwise(np.searchsorted(order[sorted_], starts).tolist())):
        if first < last:
            kept = np.asarray(np.load(search.places[number].file(f"hashes-{search.step.number}.npy"), mmap_mode="r"))
            chosen = sorted_[first:last]
            clusters.gather(
                kept, all_offsets[order[chosen]] - all_offsets[starts[number]], sizes[chosen], hashes, offsets[chosen]
            )
    return hashes, offsets
