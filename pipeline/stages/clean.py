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
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.artifacts import Artifact, Draft, Identity, Store, read_schema
from pipeline.cleaning import recurring, twins
from pipeline.cleaning.answers import answers_folder
from pipeline.cleaning.batches import batches, reserved
from pipeline.cleaning.looking import part_of
from pipeline.cleaning.passes import Cleaning, Pass, passes_of
from pipeline.cleaning.passing import need, pass_batch
from pipeline.cleaning.plan import Step, plan
from pipeline.cleaning.search import Search
from pipeline.documents import kind_of
from pipeline.engine.memory import Weighed
from pipeline.errors import RecipeError, TooMuchRemoved
from pipeline.exchange import most_of
from pipeline.run import Run, versions
from pipeline.timing import phase

VERSION = 2  # of what the stage does with the filters' answers; it enters the fingerprint


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
    problems = problems or _misfits(parent, planned)
    if problems:
        raise RecipeError("clean", problems)
    planned = [_resolved(step, run.store) for step in planned]
    recipe = {"version": VERSION, "steps": [step.identity() for step in planned]}
    return planned, Identity("clean", recipe, (parent.ref,))


def _misfits(parent: Artifact, steps: list[Step]) -> list[str]:
    """Return a problem for each step that is not for these documents, and for a column that they may not have."""
    files = parent.files("documents")
    columns = read_schema(files[0]) if files else pa.schema([])
    problems = [f"{parent.ref}: {problem}" for problem in reserved(columns)]
    return problems if not files or kind_of(columns) == "chat" else problems + _of_chats(parent, steps)


def _of_chats(parent: Artifact, steps: list[Step]) -> list[str]:
    """Return a problem for each step that is limited to roles or parts of a conversation."""
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
    for current in passes_of(planned):
        task = Weighed(partial(pass_batch, cleaning, current), partial(need, steps=current.steps))
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


@phase("search")
def _search(cleaning: Cleaning, current: Pass, run: Run) -> list[dict[str, Any]]:
    """Find out, over all shards, what the steps behind a pass must know; answer with the counts of those that remove by it."""
    work = cleaning.work(current.number)
    if current.behind and current.behind[0].filter.kind == "recurring":
        recurring.count(recurring.Count(current.behind[0], work, cleaning.batches), run)
        return []
    counts = []
    own = cleaning.places(current.number)
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
