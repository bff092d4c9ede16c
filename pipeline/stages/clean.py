"""Clean: documents -> the documents to keep, and a ledger of those removed, each with the reason.

The steps of a recipe are cut into passes at the steps for which shards wait for one another:

    pass 0    a batch of shards through its steps, then the keys of the duplicates steps behind them
    search    keys of all shards -> candidates -> exact similarity -> twins (see `cleaning.twins`, `cleaning.recurring`)
    pass 1    drop the twins, the steps up to the next such step, its keys
    ...
    the last  write documents/, removed/, edits/, rejected/ and measures/

Between passes a batch waits in `work/<pass>/` of the draft. Every task keeps its answer there, so a run that was killed goes on
where it stood.
"""

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.artifacts import Artifact, Draft, Identity, Store, read_schema, remembered
from pipeline.cleaning import recurring, twins
from pipeline.cleaning.actions import act
from pipeline.cleaning.answers import Answers, answers_folder
from pipeline.cleaning.batches import Batch, batches
from pipeline.cleaning.looking import part_of
from pipeline.cleaning.passage import WRITTEN, Passage, answered, measured, through
from pipeline.cleaning.plan import Step, plan
from pipeline.cleaning.search import Place, Search
from pipeline.cleaning.tables import read, save, write
from pipeline.documents import kind_of
from pipeline.engine.memory import Weighed
from pipeline.errors import RecipeError, TooMuchRemoved
from pipeline.exchange import most_of
from pipeline.run import Run, versions
from pipeline.timing import phase, timed
from pipeline.writing import HUGE, write_parquet

VERSION = 2  # of what the stage does with the filters' answers; it enters the fingerprint
WAITING = ("duplicates", "recurring")
WRITERS = 8  # of small files, each of which waits for the disk
HUNGRY = {"gopher_repetition": 5, "c4_lines": 7, "repeated_lines": 7}  # a huge document's size: its words, or what is cut


@dataclass(frozen=True)
class Pass:
    """Steps that a batch goes through alone, between those before and behind them for which shards wait for one another."""

    number: int
    before: list[Step]
    steps: list[Step]
    behind: list[Step]


@dataclass(frozen=True)
class Cleaning:
    """One run of the stage: its steps, where it works, and how many batches of shards there are."""

    steps: list[Step]
    draft: Path
    answers: Path
    batches: int

    def work(self, number: int) -> Path:
        """Return the folder in which batches wait behind a pass."""
        return self.draft / "work" / str(number)

    def place(self, number: int, batch: int) -> Place:
        """Return where a batch waits behind a pass."""
        return Place(self.work(number), batch)

    def measured(self, batch: int, step: int) -> Path:
        """Return the file of what a step measured of a batch."""
        return self.draft / "work" / "measured" / f"{batch:05}.{step}.arrow"


def clean(parent: Artifact, name: str, run: Run, *, steps: Sequence[Any]) -> Artifact:
    """Clean an artifact's documents by the steps of a recipe.

    Raises `RecipeError` with every problem of the steps, `TooMuchRemoved` where a step goes beyond its `max_removed`.
    """
    planned, identity = _planned(parent, run, steps)
    if known := run.answered(identity, name):
        return known
    with run.store.draft(identity, name) as draft:
        return _cleaned(parent, planned, draft, run)


@contextmanager
def trial(parent: Artifact, run: Run, *, steps: Sequence[Any]) -> Iterator[Artifact]:
    """Clean as `clean` would, in a place that is gone afterwards; guards stop nothing. What is measured is kept for `clean`."""
    planned, identity = _planned(parent, run, steps)
    planned = [_unguarded(step) for step in planned]
    with tempfile.TemporaryDirectory(prefix="prep-") as folder, Store(folder).draft(identity, "trial") as draft:
        yield _cleaned(parent, planned, draft, run)


def _unguarded(step: Step) -> Step:
    bounds = {**step.bounds, "max_cluster": None} if "max_cluster" in step.bounds else step.bounds
    return replace(step, max_removed=None, bounds=bounds)


def _planned(parent: Artifact, run: Run, steps: Sequence[Any]) -> tuple[list[Step], Identity]:
    planned, problems = plan(steps)
    problems = problems or _of_chats(parent, planned)
    if problems:
        raise RecipeError("clean", problems)
    planned = [_resolved(step, run.store) for step in planned]
    recipe = {"version": VERSION, "steps": [step.identity() for step in planned]}
    return planned, Identity("clean", recipe, (parent.ref,))


def _of_chats(parent: Artifact, steps: list[Step]) -> list[str]:
    """Return a problem for each step that is limited to roles or parts of a conversation where the documents are texts."""
    files = parent.files("documents")
    if not files or kind_of(read_schema(files[0])) == "chat":
        return []
    limited = {"on": [step for step in steps if step.on], "key": [step for step in steps if part_of(step) != "conversation"]}
    return [
        f"step {step.number + 1}, {step.filter.name}: {name!r} is for conversations, {parent.ref} holds texts. Take it out."
        for name, found in limited.items()
        for step in found
    ]


def _resolved(step: Step, store: Store) -> Step:
    """Return a step that names other artifacts by their whole refs."""
    if not step.bounds.get("against"):
        return step
    return replace(step, bounds={**step.bounds, "against": [store.find(ref).ref for ref in step.bounds["against"]]})


def _cleaned(parent: Artifact, planned: list[Step], draft: Draft, run: Run) -> Artifact:
    parts = batches(parent)
    cleaning = Cleaning(planned, draft.path, answers_folder(run.store, parent), len(parts))
    counts: list[dict[str, Any]] = [_count(step) for step in planned]
    kept = 0
    for current in _passes(planned):
        task = Weighed(partial(_pass_batch, cleaning, current), partial(_need, steps=current.steps))
        label = f"clean, pass {current.number + 1}"
        answers = list(run.progress.track(label, run.engine.map(task, parts), len(parts)))
        _add(counts, [count for answer in answers for count in answer["counts"]])
        _add(counts, _search(cleaning, current, run))
        _guard(planned, counts)
        kept = sum(answer["kept"] for answer in answers)
    removed, rejected = (sum(count.get(key, 0) for count in counts) for key in ("removed", "rejected"))
    return draft.publish(
        {"in": parent.manifest.rows["kept"], "kept": kept, "removed": removed, "rejected": rejected},
        counts=counts,
        versions=versions("pyarrow", "numba", "polars", "ftfy", "regex"),
        run=run.facts(),
    )


def _passes(steps: list[Step]) -> list[Pass]:
    """Cut steps at those for which shards wait; duplicates steps that follow one another are one such point."""
    passes: list[Pass] = []
    before: list[Step] = []
    alone: list[Step] = []
    for _, group in groupby(steps, key=lambda step: step.filter.kind if step.filter.kind == "duplicates" else step.number):
        run = list(group)
        if run[0].filter.kind in WAITING:
            passes.append(Pass(len(passes), before, alone, run))
            before, alone = run, []
        else:
            alone = [*alone, *run]
    return [*passes, Pass(len(passes), before, alone, [])]


def _need(batch: Batch, steps: Sequence[Step] = ()) -> int:
    """Return the bytes that a task holds for a batch, as measured: four times its size, for some steps more if it is huge."""
    rows, size = batch.size()
    times = max((HUNGRY.get(step.filter.name, 4) for step in steps), default=4) if size > HUGE else 4
    return (40 << 20) + 600 * rows + times * size


def _pass_batch(cleaning: Cleaning, current: Pass, batch: Batch) -> dict[str, Any]:
    path = cleaning.work(current.number) / f"{batch.number:05}.json"
    answer = remembered(path, lambda: _through(cleaning, current, batch))
    if current.before:
        cleaning.place(current.number - 1, batch.number).documents.unlink(missing_ok=True)
    return answer


def _through(cleaning: Cleaning, current: Pass, batch: Batch) -> dict[str, Any]:
    """Take a batch through a pass; answer with the counts of its steps."""
    answers = Answers(cleaning.answers, batch.name)
    passage = _waiting(cleaning, current, batch, answers)
    through(passage, current.steps, cleaning.steps, answers)
    place = cleaning.place(current.number, batch.number)
    for part in WRITTEN:
        if (written := passage.table(part)).num_rows:
            write(written, place.file(f"{part}.arrow"))
    for number, values in passage.measured.items():
        write(values, cleaning.measured(batch.number, number))
    if current.behind:
        with ThreadPoolExecutor(1) as disk:  # it takes the documents while their keys are made
            written = disk.submit(write, passage.documents, place.documents)
            save(passage.rows, place.file("rows.npy"))
            for step in current.behind:
                _write_keys(step, cleaning, passage, place, answers)
            written.result()
    else:
        _finish(cleaning, passage, current.number, batch)
    return {"counts": passage.counts, "kept": passage.documents.num_rows}


@timed("write keys")
def _write_keys(step: Step, cleaning: Cleaning, passage: Passage, place: Place, answers: Answers) -> None:
    answer = answered(step, passage, cleaning.steps, answers)
    if step.filter.kind == "recurring":
        recurring.write_keys(step, answer, passage.documents, place.folder, place.number)
    else:
        twins.write_keys(step, answer, passage.documents, place)


@timed("read")
def _waiting(cleaning: Cleaning, current: Pass, batch: Batch, answers: Answers) -> Passage:
    """Return a batch as the pass before left it, after what was decided behind that pass."""
    if not current.before:
        documents = batch.documents().combine_chunks()
        return Passage(documents, np.arange(documents.num_rows))
    place = cleaning.place(current.number - 1, batch.number)
    passage = Passage(place.table(), np.load(place.file("rows.npy")))
    if current.before[0].filter.kind == "recurring":
        _strip(cleaning, current, passage, batch.number, answers)
        return passage
    stays = np.ones(passage.documents.num_rows, dtype=bool)
    for step in current.before:
        rows, entries = twins.entries(step, passage.documents, place)
        stays[rows] = False
        passage.removed.append(entries)
    passage.keep(stays)
    return passage


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


@phase("search")
def _search(cleaning: Cleaning, current: Pass, run: Run) -> list[dict[str, Any]]:
    """Find out, over all shards, what the steps behind a pass must know; answer with the counts of those that remove by it."""
    work = cleaning.work(current.number)
    if current.behind and current.behind[0].filter.kind == "recurring":
        recurring.count(recurring.Count(current.behind[0], work, cleaning.batches), run)
        return []
    counts = []
    own = [cleaning.place(current.number, batch) for batch in range(cleaning.batches)]
    gone = np.zeros(
        sum(len(np.load(place.file("rows.npy"), mmap_mode="r")) for place in own) if current.behind else 0, dtype=bool
    )
    for step in current.behind:
        others = [run.store.find(ref) for ref in step.bounds["against"]]
        places = twins.foreign(step, others, work / f"against-{step.number}", run) if others else []
        search = Search(step, [*places, *own], len(places), work, most_of(run.memory))
        counts.append(twins.find(search, gone, run))
        gone = gone | twins.gone(search)
    return counts


@timed("write")
def _finish(cleaning: Cleaning, passage: Passage, last: int, batch: Batch) -> None:
    """Write what stays, and what was written down in all passes in the order of the steps, shard by shard."""
    tables = {"documents": passage.documents}
    for part in WRITTEN:
        files = [cleaning.place(number, batch.number).file(f"{part}.arrow") for number in range(last + 1)]
        empty = passage.table(part).slice(0, 0)
        tables[part] = pa.concat_tables([empty, *(read(file) for file in files if file.exists())])
    if any(step.filter.kind == "measure" for step in cleaning.steps):
        known = partial(cleaning.measured, batch.number)
        tables["measures"] = measured(cleaning.steps, lambda step: read(known(step)), batch.documents(["id"]))
    _write_shards(tables, cleaning.draft, batch)


def _write_shards(tables: dict[str, pa.Table], draft: Path, batch: Batch) -> None:
    """Write the parts of a batch's shards, but for ledgers with no rows: some are packed while the disk takes others."""
    written = [
        (own, draft / part / f"{shard:05}.parquet")
        for part, table in tables.items()
        for shard, own in batch.apart(table)
        if own.num_rows or part not in ("rejected", "edits")
    ]
    with ThreadPoolExecutor(2 if len(batch.files) == 1 else WRITERS) as disk:
        list(disk.map(lambda one: write_parquet(*one), written))


def _count(step: Step) -> dict[str, Any]:
    own: dict[str, Any] = {"step": step.number, "filter": step.filter.name, "in": 0, "removed": 0}
    return own | ({"lists": step.lists} if step.lists else {})


def _add(totals: list[dict[str, Any]], counts: list[dict[str, Any]]) -> None:
    """Add what the shards counted, step by step."""
    for count in counts:
        total = totals[count["step"]]
        for key in [key for key in count if key != "step"]:
            total[key] = total.get(key, 0) + count[key]


def _guard(steps: list[Step], counts: list[dict[str, Any]]) -> None:
    """Stop where a step has removed a larger share than it may."""
    for step, count in zip(steps, counts, strict=True):
        if step.max_removed is not None and count["removed"] > step.max_removed * count["in"]:
            raise TooMuchRemoved(step.filter.name, count["removed"], count["in"], step.max_removed)
