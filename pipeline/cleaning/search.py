"""The search for duplicates over all shards: what its tasks do, each of which holds only a part of the sets at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.artifacts import save
from pipeline.cleaning.batches import Batch
from pipeline.cleaning.looking import part_of
from pipeline.cleaning.plan import Step
from pipeline.cleaning.tables import read
from pipeline.documents import flat_text
from pipeline.engine.memory import Weighed
from pipeline.exchange import MOST, Exchange, begun
from pipeline.run import Run

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Place:
    """A batch that takes part in the search: the folder and number of what is written for it; of another artifact, itself."""

    folder: Path
    number: int
    foreign: Batch | None = None
    ref: str = ""  # of the other artifact

    def file(self, name: str) -> Path:
        """Return the path of a file of this batch."""
        return self.folder / f"{self.number:05}.{name}"

    @property
    def documents(self) -> Path:
        """Return the file of the documents that wait in this run."""
        return self.file("documents.arrow")

    def table(self, columns: list[str] | None = None) -> pa.Table:
        """Return the batch's documents: those of another artifact, or those that wait in this run."""
        if self.foreign:
            return self.foreign.documents(columns)
        return read(self.documents).select(columns) if columns else read(self.documents)


@dataclass(frozen=True)
class Search:
    """One duplicates step over all batches: those of other artifacts first."""

    step: Step
    places: list[Place]
    others: int
    work: Path
    most: int = MOST  # bytes that a task holds
    first: int = 0  # document of this run

    @property
    def threshold(self) -> float:
        """Return the least similarity of duplicates."""
        return float(self.step.settings.get("threshold", 1.0))

    def gathered(self, kind: str) -> npt.NDArray[Any]:
        """Return one number a document, of all batches."""
        return np.concatenate([np.load(place.file(f"{kind}-{self.step.number}.npy")) for place in self.places])

    @property
    def exchange(self) -> Exchange:
        """Return what brings documents together that share a key."""
        return Exchange(self.work, str(self.step.number), self.first, self.most)

    def begin(self) -> "Search":
        """Write down which shards the exchange is about; return the search that knows where those of this run begin."""
        keys, sets = ([place.file(f"{name}-{self.step.number}.npy") for place in self.places] for name in ("keys", "hashes"))
        exchange = begun(self.exchange, keys, sets)
        return replace(self, first=int(exchange.starts()[self.others]))

    def file(self, name: str) -> Path:
        """Return the path of a file of the search."""
        return self.work / f"{self.step.number}.{name}"

    def map(self, run: Run, task: Any, items: Sequence[Any]) -> Iterator[Any]:  # noqa: ANN401
        """Have a task done for each item, and say how far it is."""
        label = f"clean, {self.step.filter.name}"
        return run.progress.track(label, run.engine.map(Weighed(task, self.exchange.need), items), len(items))


def sets(step: Step, exchange: Exchange, item: tuple[Place, tuple[int, int], int]) -> Ints:
    """Make the sets of a shard's candidates; return their sizes. The shard's documents begin at some number among all."""
    place, (first, last), start = item
    if step.filter.sets is None:
        raise TypeError(f"{step.filter.name} finds no duplicates")
    rows = exchange.candidates()[first:last].astype(np.int64) - start
    texts, offsets, _ = flat_text(place.table().take(pa.array(rows)), step.on, part_of(step), calls=True)
    found = step.filter.sets(texts, offsets, **step.settings)
    save(found.hashes, place.file(f"hashes-{step.number}.npy"), durable=False)
    return np.diff(found.offsets)
