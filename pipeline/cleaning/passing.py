"""A batch as the pass before left it -> the batch through a pass, as the next one finds it.

    what was decided behind the pass before: twins go, lines that recur are cut out
    the steps of the pass
    it waits: its documents, their rows, and the keys of the steps behind; or it is finished (see `finishing`)

What a task answered is kept beside what it wrote: the file with its counts comes last.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from pipeline.artifacts import remembered
from pipeline.cleaning import recurring, twins
from pipeline.cleaning.actions import act
from pipeline.cleaning.answers import Answers
from pipeline.cleaning.batches import Batch
from pipeline.cleaning.finishing import finish
from pipeline.cleaning.passage import WRITTEN, Passage, answered, through
from pipeline.cleaning.passes import Cleaning, Pass
from pipeline.cleaning.plan import Step
from pipeline.cleaning.search import Place
from pipeline.cleaning.tables import save, write
from pipeline.timing import timed
from pipeline.writing import HUGE

HUNGRY = {"gopher_repetition": 5, "c4_lines": 6, "repeated_lines": 6}
"""Times a huge document's size: its words, or what is cut (of lines of 30 bytes nearly all: 4.9 and 5.5 times, as measured)."""


def need(batch: Batch, steps: Sequence[Step] = ()) -> int:
    """Return the bytes that a task holds for a batch, as measured: four times its size, for some steps more if it is huge."""
    rows, size = batch.size()
    times = max((HUNGRY.get(step.filter.name, 4) for step in steps), default=4) if size > HUGE else 4
    return (40 << 20) + 600 * rows + times * size


def pass_batch(cleaning: Cleaning, current: Pass, batch: Batch) -> dict[str, Any]:
    """Take a batch through a pass; answer with the counts of its steps, and how many documents are left."""
    path = cleaning.work(current.number) / f"{batch.number:05}.json"
    answer = remembered(path, lambda: _passed(cleaning, current, batch))
    if current.before:
        cleaning.place(current.number - 1, batch.number).documents.unlink(missing_ok=True)
    return answer


def _passed(cleaning: Cleaning, current: Pass, batch: Batch) -> dict[str, Any]:
    answers = Answers(cleaning.answers, batch.name)
    passage = _begun(cleaning, current, batch, answers)
    through(passage, current.steps, cleaning.steps, answers)
    place = cleaning.place(current.number, batch.number)
    _write_down(cleaning, passage, place)
    kept = passage.documents.num_rows
    if current.behind:
        _wait(cleaning, current, passage, place, answers)
    else:
        finish(cleaning, passage, current.number, batch)
    return {"counts": passage.counts, "kept": kept}


def _write_down(cleaning: Cleaning, passage: Passage, place: Place) -> None:
    """Write what was written down in this pass, and let it go: of a huge document it is as large as what was cut."""
    for part in WRITTEN:
        if (written := passage.table(part)).num_rows:
            write(written, place.file(f"{part}.arrow"))
        getattr(passage, part).clear()
    for number, values in passage.measured.items():
        write(values, cleaning.measured(place.number, number))


@timed("read")
def _begun(cleaning: Cleaning, current: Pass, batch: Batch, answers: Answers) -> Passage:
    """Return a batch as the pass before left it, after what was decided behind that pass."""
    if not current.before:
        documents = batch.documents().combine_chunks()
        return Passage(documents, np.arange(documents.num_rows))
    place = cleaning.place(current.number - 1, batch.number)
    passage = Passage(place.table(), np.load(place.file("rows.npy")))
    if current.before[0].filter.kind == "recurring":
        _strip(cleaning, current, passage, batch.number, answers)
    else:
        _drop(current.before, passage, place)
    return passage


def _drop(steps: Sequence[Step], passage: Passage, place: Place) -> None:
    """Let the documents of a batch go that have a twin."""
    stays = np.ones(passage.documents.num_rows, dtype=bool)
    for step in steps:
        rows, entries = twins.entries(step, passage.documents, place)
        stays[rows] = False
        passage.removed.append(entries)
    passage.keep(stays)


def _strip(cleaning: Cleaning, current: Pass, passage: Passage, batch: int, answers: Answers) -> None:
    """Cut out the lines of a batch that recur."""
    step = current.before[0]
    counted = recurring.Count(step, cleaning.work(current.number - 1), cleaning.batches)
    before = passage.documents.num_rows
    found = recurring.spans_of(counted, answered(step, passage, cleaning.steps, answers), passage.documents, batch)
    deed = act(replace(step, bounds=recurring.BOUNDS), passage.documents, found)
    passage.removed, passage.edits = deed.removed, deed.edits
    passage.keep(deed.stays, deed.documents)
    removed = before - passage.documents.num_rows
    passage.counts.append({"step": step.number, "in": before, "removed": removed, "changed": deed.changed})


def _wait(cleaning: Cleaning, current: Pass, passage: Passage, place: Place, answers: Answers) -> None:
    """Write a batch down for the next pass; the disk takes the documents while their keys are made."""
    with ThreadPoolExecutor(1) as disk:
        written = disk.submit(write, passage.documents, place.documents)
        save(passage.rows, place.file("rows.npy"))
        for step in current.behind:
            _write_keys(step, cleaning, passage, place, answers)
        written.result()


@timed("write keys")
def _write_keys(step: Step, cleaning: Cleaning, passage: Passage, place: Place, answers: Answers) -> None:
    answer = answered(step, passage, cleaning.steps, answers)
    if step.filter.kind == "recurring":
        recurring.write_keys(step, answer, passage.documents, place.folder, place.number)
    else:
        twins.write_keys(step, answer, passage.documents, place)
