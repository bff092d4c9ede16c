"""Keys of all shards' lines -> the keys that too many documents share -> the spans of those lines, to be cut out.

A key counts once a document. Shards write their keys sorted; the keys of all shards are counted range by range, so that no task
holds more than a part of them.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.artifacts import remembered
from pipeline.cleaning.looking import Ints, flattened
from pipeline.cleaning.plan import Step
from pipeline.cleaning.tables import save
from pipeline.documents import flat_text
from pipeline.engine.memory import Weighed
from pipeline.exchange import mapped, most_of
from pipeline.run import Run

Hashes = npt.NDArray[np.uint64]
Int32s = npt.NDArray[np.int32]
RANGES = 16  # of keys, each of which is a task; more where one would hold too much
HELD = 96  # bytes a key, while those of a range are counted
BOUNDS: dict[str, Any] = {
    "action": "strip_line", "min": None, "max": None, "min_per_1000_words": None, "max_per_1000_words": None,
}  # fmt: skip
"""What the stage does about a line that recurs, in the words of a spans step."""


@dataclass(frozen=True)
class Count:
    """The count of one step's keys over all shards."""

    step: Step
    work: Path
    shards: int

    def file(self, name: str) -> Path:
        """Return the path of a file of the count."""
        return self.work / f"{self.step.number}.{name}"

    def keys(self, shard: int) -> Hashes:
        """Return the keys of a shard, mapped."""
        return mapped(self.file(f"{shard:05}.keys.npy"))


def write_keys(step: Step, answer: pa.Table, documents: pa.Table, work: Path, shard: int) -> None:
    """Write a shard's keys, each once a document, sorted."""
    _, offsets, _ = flat_text(documents, step.on)
    document, _, entries = flattened(answer["pieces"], offsets)
    keys = entries.field("key").to_numpy()
    order = np.lexsort((document, keys))
    keys, document = keys[order], document[order]
    first = np.concatenate([[True], (keys[1:] != keys[:-1]) | (document[1:] != document[:-1])]) if len(keys) else order > 0
    save(keys[first], work / f"{step.number}.{shard:05}.keys.npy")


def count(counted: Count, run: Run) -> dict[str, Any]:
    """Find the keys that stand in as many documents as the step says, or more, and the first shard of each; write them down."""

    def work() -> dict[str, Any]:
        most = most_of(run.memory)
        total = sum(len(counted.keys(shard)) for shard in range(counted.shards))
        ranges = max(RANGES, -(-total * HELD // most))
        task = Weighed(partial(_range, counted, ranges), lambda _: 2 * most)
        parts = run.engine.map(task, list(range(ranges)))
        found = list(run.progress.track(f"clean, {counted.step.filter.name}", parts, ranges))
        save(np.concatenate([keys for keys, _ in found]), counted.file("keys.npy"))
        save(np.concatenate([first for _, first in found]), counted.file("first.npy"))
        return {"keys": int(sum(len(keys) for keys, _ in found))}

    return remembered(counted.file("counted.json"), work)


def _range(counted: Count, ranges: int, number: int) -> tuple[Hashes, Int32s]:
    """Count the keys of one range; return those that recur, and the first shard that each stands in."""
    low, high = (np.uint64((bound << 64) // ranges if bound < ranges else (1 << 64) - 1) for bound in (number, number + 1))
    keys, shards = [], []
    for shard in range(counted.shards):
        own = counted.keys(shard)
        end = len(own) if number + 1 == ranges else int(np.searchsorted(own, high))
        keys.append(np.array(own[int(np.searchsorted(own, low)) : end]))
        shards.append(np.full(len(keys[-1]), shard, dtype=np.int32))
    together, shard_of = np.concatenate(keys), np.concatenate(shards)
    order = np.argsort(together, kind="stable")
    distinct, first, times = np.unique(together[order], return_index=True, return_counts=True)
    recur = times >= counted.step.bounds["documents"]
    return distinct[recur], shard_of[order][first[recur]]


def spans_of(counted: Count, answer: pa.Table, documents: pa.Table, shard: int) -> pa.Table:
    """Return, as a spans filter's answer, the lines of a shard that recur; with `keep: first`, not those that stand first."""
    keys, first_shard = mapped(counted.file("keys.npy")), mapped(counted.file("first.npy"))
    _, offsets, _ = flat_text(documents, counted.step.on)
    document, _, entries = flattened(answer["pieces"], offsets)
    own = entries.field("key").to_numpy()
    at = np.minimum(np.searchsorted(keys, own), max(0, len(keys) - 1))
    recur = keys[at] == own if len(keys) else np.zeros(len(own), dtype=bool)
    if counted.step.bounds["keep"] == "first" and len(keys):
        recur &= ~_first_documents(own, document, recur & (first_shard[at] == shard))
    chosen = pa.array(recur)
    kept = entries.filter(chosen)
    label = pa.repeat(pa.scalar("recurring", pa.large_string()), len(kept))
    spans = pa.StructArray.from_arrays(
        [kept.field("text"), kept.field("start"), kept.field("end"), label], names=["text", "start", "end", "label"]
    )
    bounds = np.searchsorted(document[recur], np.arange(documents.num_rows + 1))
    none = pa.nulls(documents.num_rows, pa.large_string())
    return pa.table({"spans": pa.LargeListArray.from_arrays(pa.array(bounds), spans), "failed": none})


def _first_documents(keys: Hashes, document: Ints, here: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Say of each piece whether it stands in the first document of this shard that holds its key."""
    chosen = np.flatnonzero(here)
    _, first, inverse = np.unique(keys[chosen], return_index=True, return_inverse=True)
    standing = np.zeros(len(keys), dtype=bool)
    standing[chosen] = document[chosen] == document[chosen[first]][inverse]
    return standing
