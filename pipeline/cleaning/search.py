"""The search for duplicates over all shards: what its tasks do, each of which holds only a part of the sets at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters import clusters
from pipeline.artifacts import read_shard, save
from pipeline.cleaning.looking import part_of
from pipeline.cleaning.plan import Step
from pipeline.cleaning.tables import read
from pipeline.documents import flat_text
from pipeline.engine.memory import Weighed
from pipeline.exchange import MOST, Exchange, parts
from pipeline.run import Run

Ints = npt.NDArray[np.int64]


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
    most: int = MOST  # bytes that a task holds

    @property
    def threshold(self) -> float:
        """Return the least similarity of duplicates."""
        return float(self.step.settings.get("threshold", 1.0))

    def gathered(self, kind: str) -> npt.NDArray[Any]:
        """Return one number a document, of all shards."""
        return np.concatenate([np.load(place.file(f"{kind}-{self.step.number}.npy")) for place in self.places])

    @cached_property
    def exchange(self) -> Exchange:
        """Return what brings documents together that share a key."""
        keys, sets = (
            tuple(place.file(f"{name}-{self.step.number}.npy") for place in self.places) for name in ("keys", "hashes")
        )
        whole = Exchange(keys, sets, self.work, str(self.step.number), most=self.most)
        return replace(whole, first=int(whole.starts()[self.others]))

    def starts(self) -> Ints:
        """Return where each shard's documents begin among all."""
        return self.exchange.starts()

    def file(self, name: str) -> Path:
        """Return the path of a file of the search."""
        return self.work / f"{self.step.number}.{name}"

    def map(self, run: Run, task: Any, items: Sequence[Any]) -> list[Any]:  # noqa: ANN401
        """Have a task done for each item, and say how far it is."""
        label = f"clean, {self.step.filter.name}"
        return list(run.progress.track(label, run.engine.map(Weighed(task, self.exchange.need), items), len(items)))


def sets(search: Search, item: tuple[int, tuple[int, int]]) -> Ints:
    """Make the sets of a shard's candidates; return their sizes."""
    number, (first, last) = item
    place, step = search.places[number], search.step
    if step.filter.sets is None:
        raise TypeError(f"{step.filter.name} finds no duplicates")
    rows = search.exchange.candidates()[first:last] - search.starts()[number]
    texts, offsets, _ = flat_text(place.table().take(pa.array(rows)), step.on, part_of(step), calls=True)
    found = step.filter.sets(texts, offsets, **step.settings)
    save(found.hashes, place.file(f"hashes-{step.number}.npy"), durable=False)
    return np.diff(found.offsets)


def twins(search: Search, item: tuple[int, int]) -> tuple[Ints, npt.NDArray[np.float64]]:
    """Choose the survivors among some candidates that stand in order of rank; return each one's twin and the similarity."""
    own = parts.part(search.exchange, *item)
    fixed = own.candidates < np.searchsorted(search.exchange.candidates(), search.exchange.first)
    twin, similarity = clusters.survivors(own.buckets, own.bounds, own.hashes, own.offsets, search.threshold, fixed)
    return np.where(twin >= 0, own.candidates[twin], -1), similarity
