"""Answers of filters, kept between runs: where only a bound has changed, nothing is looked at again.

A filter's answer depends on the filter, its settings and a document's text alone. The text is that of the parent's row, as the
steps before have altered it; so the place of an answer is a hash of those steps and the filter:

    <store>/answers/<code version>/<parent's fingerprint>/<hash>/<batch>.arrow      `row` (in the batch) and the answer

Whoever deletes the folder loses time and nothing else.
"""

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.artifacts import Artifact, Store, canonical
from pipeline.cleaning.picking import taken
from pipeline.cleaning.plan import Step
from pipeline.cleaning.tables import read, write
from pipeline.code_version import code_version

Ints = npt.NDArray[np.int64]


def answers_folder(store: Store, parent: Artifact) -> Path:
    """Return where the answers about an artifact's documents are kept; those of other code are removed."""
    root = store.root / "answers"
    for other in root.glob("*"):
        if other.name != code_version():
            shutil.rmtree(other, ignore_errors=True)
    return root / code_version() / parent.manifest.fingerprint


def place_of(steps: Sequence[Step], step: Step) -> str:
    """Return 16 hex digits for what a step's filter sees: the steps before it that alter texts, and the filter itself.

    What recurs depends on which documents there are, so behind such a step all steps before it count.
    """
    waited = max((earlier.number for earlier in steps[: step.number] if earlier.filter.kind == "recurring"), default=-1)
    before = [earlier.identity() for earlier in steps[: step.number] if earlier.alters or earlier.number <= waited]
    return hashlib.sha256(canonical([before, step.looks()]).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Answers:
    """The answers about the documents of one batch, by its name."""

    folder: Path
    batch: str

    def of(self, place: str, rows: Ints, answer: Callable[[Ints | None], pa.Table]) -> pa.Table:
        """Return the answers about rows, in their order.

        `answer(positions)` gives those about some of the rows, by their position in `rows` (None: all of them), where they are
        not known yet.
        """
        path = self.folder / place / f"{self.batch}.arrow"
        known = _known(path)
        if known is None:
            fresh = answer(None)
            write(fresh.append_column("row", pa.array(rows)), path)
            return fresh
        at = np.full(max(int(known["row"].to_numpy().max(initial=-1)), int(rows.max(initial=-1))) + 1, -1, dtype=np.int64)
        at[known["row"].to_numpy()] = np.arange(known.num_rows)
        missing = np.flatnonzero(at[rows] < 0)
        if len(missing):
            fresh = answer(missing).append_column("row", pa.array(rows[missing]))
            at[rows[missing]] = known.num_rows + np.arange(len(missing))
            known = pa.concat_tables([known, fresh.cast(known.schema)])
            write(known, path)
        return taken(known, at[rows]).drop_columns("row")


def _known(path: Path) -> pa.Table | None:
    """Return the table that is kept, or None where there is none, or none that is whole."""
    try:
        return read(path)
    except (OSError, pa.ArrowInvalid):
        return None
