"""A batch's way through the steps between two points where shards wait for one another.

What it carries from pass to pass: the documents that are still there, the row of the batch that each one was, and what was
written down on the way (ledger, edits, rejected, measured values, counts).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.cleaning.actions import act, edits, edits_schema, rejected_schema
from pipeline.cleaning.answers import Answers, place_of
from pipeline.cleaning.bounds import bounded
from pipeline.cleaning.looking import flattened, look
from pipeline.cleaning.picking import chosen, taken
from pipeline.cleaning.plan import Step
from pipeline.documents import flat_text, ledger_schema, with_texts
from pipeline.engine.memory import release
from pipeline.timing import timed
from pipeline.writing import HUGE

Ints = npt.NDArray[np.int64]
WRITTEN = ("removed", "rejected", "edits")


@dataclass
class Passage:
    """A batch on its way: `documents`, `rows` (`int64[documents]`) and what was written down."""

    documents: pa.Table
    rows: Ints
    removed: list[pa.Table] = field(default_factory=list)
    rejected: list[pa.Table] = field(default_factory=list)
    edits: list[pa.Table] = field(default_factory=list)
    measured: dict[int, pa.Table] = field(default_factory=dict)
    counts: list[dict[str, Any]] = field(default_factory=list)

    def keep(self, stays: npt.NDArray[np.bool_], documents: pa.Table | None = None) -> None:
        """Let some of the documents stay: as they are, or as they are given."""
        if not stays.all():
            self.rows = self.rows[stays]
        if documents is not None:
            self.documents = documents
        else:
            self.documents = chosen(self.documents, stays)

    def table(self, part: str) -> pa.Table:
        """Return what was written down in this pass: a part of the artifact."""
        empty = {
            "removed": ledger_schema(self.documents.schema),
            "rejected": rejected_schema(self.documents.schema),
            "edits": edits_schema(self.documents.schema),
        }[part].empty_table()
        return pa.concat_tables([empty, *getattr(self, part)])


def through(passage: Passage, steps: Sequence[Step], plan: Sequence[Step], answers: Answers) -> None:
    """Take a batch through steps; `plan` are all steps of the recipe."""
    _tidy(passage)
    for step in steps:
        before, rejected = passage.documents.num_rows, sum(table.num_rows for table in passage.rejected)
        answer = answered(step, passage, plan, answers)
        with timed(step.filter.name):
            changed = _apply(step, passage, answer)
        del answer
        _tidy(passage)
        rejected = sum(table.num_rows for table in passage.rejected) - rejected
        removed = before - passage.documents.num_rows - rejected
        count = {"step": step.number, "in": before, "removed": removed}
        more = {"changed": changed, "rejected": rejected}
        passage.counts.append(count | {key: value for key, value in more.items() if value})


def _tidy(passage: Passage) -> None:
    """Give back what was made of a huge document and is gone: Arrow would keep it, once or twice the size of the text."""
    if passage.documents.nbytes > HUGE:
        release()


def answered(step: Step, passage: Passage, plan: Sequence[Step], answers: Answers) -> pa.Table:
    """Return what a step's filter says of the documents, from what is kept or by looking."""

    def answer(positions: Ints | None) -> pa.Table:
        return look(step, passage.documents if positions is None else taken(passage.documents, positions))

    with timed(step.filter.name, passage.documents.nbytes):
        return answers.of(place_of(plan, step), passage.rows, answer)


def _apply(step: Step, passage: Passage, answer: pa.Table) -> int:
    """Let the stage act on what the filter said; return how many documents it changed."""
    if step.filter.kind == "rewrite":
        return _rewrite(step, passage, answer)
    if step.filter.kind == "measure":
        verdict = bounded(step, passage.documents, answer)
        passage.removed.append(verdict.removed)
        passage.measured[step.number] = answer.append_column("row", pa.array(passage.rows))
        passage.keep(verdict.stays)
        return 0
    deed = act(step, passage.documents, answer)
    passage.removed += deed.removed
    passage.rejected += deed.rejected
    passage.edits += deed.edits
    passage.keep(deed.stays, deed.documents)
    return deed.changed


def _rewrite(step: Step, passage: Passage, answer: pa.Table) -> int:
    texts, offsets, _ = flat_text(passage.documents, step.on)
    document, text, entries = flattened(answer["changes"], offsets)
    if not len(text):
        return 0
    mask = np.zeros(len(texts), dtype=bool)
    mask[text] = True
    after = entries.field("after") if mask.all() else pc.replace_with_mask(texts, pa.array(mask), entries.field("after"))
    passage.documents = with_texts(passage.documents, after, step.on)
    changed = np.unique(document)
    passage.edits.append(edits(passage.documents, changed, step.filter.name, "rewrite"))
    return len(changed)


def measured(steps: Sequence[Step], table: Callable[[int], pa.Table], ids: pa.Table) -> pa.Table:
    """Return what was measured of a batch: the ids, and a column a measure, null where a document was gone before."""
    columns: dict[str, pa.Array] = dict(zip(ids.column_names, ids.columns, strict=True))
    for step in steps:
        if step.filter.kind == "measure":
            known = table(step.number)
            at = np.full(ids.num_rows, -1, dtype=np.int64)
            at[known["row"].to_numpy()] = np.arange(known.num_rows)
            place = pa.array(at, mask=at < 0)
            for name in known.column_names[:-1]:
                columns[unused(name, columns)] = known[name].take(place)
    return pa.table(columns)


def unused(name: str, taken: dict[str, pa.Array]) -> str:
    """Return a column's name, numbered where it is taken.

    >>> unused("words", {"words": None})
    'words_2'
    """
    numbered = [name, *(f"{name}_{number}" for number in range(2, len(taken) + 3))]
    return next(own for own in numbered if own not in taken)
