"""Clean: documents -> the documents to keep, and a ledger of those removed, each with the reason.

The steps of a recipe are cut into passes at every duplicates step, the only place where shards wait for one another:

    pass 0    a shard through the steps before the first duplicates step, then its bucket keys
    decide    keys of all shards -> candidates -> exact similarity -> twins (see `filters.clusters`)
    pass 1    drop the twins, the steps up to the next duplicates step, its keys
    ...
    the last  write documents/ and removed/

Between passes a shard waits in `work/<pass>/` of the draft. Every task keeps its answer there, so a run that was killed goes on
where it stood.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from filters import clusters
from pipeline.artifacts import Artifact, Identity, atomic, read_shard, remembered
from pipeline.documents import ledger_schema
from pipeline.errors import RecipeError
from pipeline.run import Run, versions
from pipeline.steps import Step, apply, keys, plan, sets, twin_entries

VERSION = 1  # of what the stage does with the filters' answers; it enters the fingerprint


@dataclass(frozen=True)
class Pass:
    """Steps that a shard goes through alone, between the duplicates step before them and the one behind them."""

    number: int
    before: Step | None
    steps: list[Step]
    behind: Step | None


def clean(parent: Artifact, name: str, run: Run, *, steps: Sequence[Any]) -> Artifact:
    """Clean an artifact's documents by the steps of a recipe.

    Raises `RecipeError` with every problem of the steps.
    """
    planned, problems = plan(steps)
    if problems:
        raise RecipeError("clean", problems)
    recipe = {"version": VERSION, "steps": [step.identity() for step in planned]}
    identity = Identity("clean", recipe, (parent.ref,))
    if known := run.answered(identity, name):
        return known
    with run.store.draft(identity, name) as draft:
        shards = parent.files("documents")
        answers: list[dict[str, Any]] = []
        for current in _passes(planned):
            task = partial(_pass_shard, current, draft.path)
            label = f"clean, pass {current.number + 1}"
            answers += run.progress.track(label, run.engine.map(task, list(enumerate(shards))), len(shards))
            if current.behind is not None:
                answers.append(_decide(current.number, current.behind, draft.path, len(shards), run))
        counts = _counts(planned, answers)
        kept = sum(answer.get("kept", 0) for answer in answers)
        removed = sum(count["removed"] for count in counts)
        return draft.publish(
            {"in": parent.manifest.rows["kept"], "kept": kept, "removed": removed},
            counts=counts,
            versions=versions("pyarrow", "numba", "polars", "ftfy"),
            run=run.facts(),
        )


def _passes(steps: list[Step]) -> list[Pass]:
    passes: list[Pass] = []
    before: Step | None = None
    alone: list[Step] = []
    for step in steps:
        if step.filter.kind == "duplicates":
            passes.append(Pass(len(passes), before, alone, step))
            before, alone = step, []
        else:
            alone.append(step)
    return [*passes, Pass(len(passes), before, alone, None)]


def _pass_shard(current: Pass, draft: Path, item: tuple[int, Path]) -> dict[str, Any]:
    shard, parent = item
    return remembered(_work(draft, current.number, shard, "json"), lambda: _through(current, draft, shard, parent))


def _through(current: Pass, draft: Path, shard: int, parent: Path) -> dict[str, Any]:
    """Take a shard through a pass; answer with the counts of its steps."""
    documents, gone = _waiting(current, draft, shard, parent)
    removed, counts = [gone] if gone is not None else [], []
    for step in current.steps:
        before = documents.num_rows
        outcome = apply(step, documents)
        documents, changed = outcome.documents, outcome.changed
        removed += outcome.removed
        counts.append({"step": step.number, "in": before, "removed": before - documents.num_rows, "changed": changed})
    ledger = pa.concat_tables([ledger_schema(documents.schema).empty_table(), *removed])
    if current.behind is None:
        _finish(documents, ledger, current.number, draft, shard)
        return {"counts": counts, "kept": documents.num_rows}
    _write_arrow(documents, _work(draft, current.number, shard, "documents.arrow"))
    _write_arrow(ledger, _work(draft, current.number, shard, "removed.arrow"))
    bucket_keys, eligible, length = keys(current.behind, documents)
    for kind, array in (("keys", bucket_keys), ("eligible", eligible), ("length", length)):
        _write_array(array, _work(draft, current.number, shard, f"{kind}.npy"))
    return {"counts": counts}


def _waiting(current: Pass, draft: Path, shard: int, parent: Path) -> tuple[pa.Table, pa.Table | None]:
    """Return a shard as the pass before left it, without the duplicates, and the ledger's rows for those."""
    if current.before is None:
        return read_shard(parent), None
    documents = _read_arrow(_work(draft, current.number - 1, shard, "documents.arrow"))
    twins = _read_arrow(_work(draft, current.number - 1, shard, "twins.arrow"))
    stays = np.ones(documents.num_rows, dtype=bool)
    stays[twins["row"].to_numpy()] = False
    gone = documents.take(twins["row"])
    entries = twin_entries(current.before, gone, twins["twin"].combine_chunks(), twins["similarity"].to_numpy())
    return documents.filter(pa.array(stays)), entries


def _finish(documents: pa.Table, ledger: pa.Table, last: int, draft: Path, shard: int) -> None:
    """Write what stays, and the ledger of all passes in the order of the steps."""
    with atomic(draft / "documents" / f"{shard:05}.parquet") as temporary:
        pq.write_table(documents, temporary, compression="zstd")
    earlier = [_read_arrow(_work(draft, number, shard, "removed.arrow")) for number in range(last)]
    with atomic(draft / "removed" / f"{shard:05}.parquet") as temporary:
        pq.write_table(pa.concat_tables([*earlier, ledger]), temporary, compression="zstd")


def _decide(number: int, step: Step, draft: Path, shards: int, run: Run) -> dict[str, Any]:
    """Find, over all shards, the documents that go for a twin; write them down shard by shard."""

    def decide() -> dict[str, Any]:
        def gathered(kind: str) -> npt.NDArray[Any]:
            return np.concatenate([np.load(_work(draft, number, shard, f"{kind}.npy")) for shard in range(shards)])

        starts = np.cumsum([0, *(len(np.load(_work(draft, number, shard, "eligible.npy"))) for shard in range(shards))])
        found = clusters.buckets(gathered("keys"), gathered("eligible"))
        candidates = np.unique(found.members)
        slots, hashes, offsets = _sets(number, step, draft, starts, candidates, run)
        rank = np.arange(starts[-1])
        if step.bounds["keep"] == "longest":
            rank = np.empty_like(rank)
            rank[np.argsort(-gathered("length"), kind="stable")] = np.arange(len(rank))
        threshold = step.settings.get("threshold", 1.0)
        twin, similarity = clusters.twins(found, slots, hashes, offsets, threshold=threshold, rank=rank)
        _write_twins(number, draft, starts, twin, similarity)
        removed = int((twin >= 0).sum())
        return {"counts": [{"step": step.number, "in": int(starts[-1]), "removed": removed, "candidates": len(candidates)}]}

    return remembered(draft / "work" / str(number) / "decided.json", decide)


def _sets(
    number: int, step: Step, draft: Path, starts: npt.NDArray[np.int64], candidates: npt.NDArray[np.int64], run: Run
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Have the sets of all candidates made; return each document's slot in them, and the sets behind one another."""
    bounds = np.searchsorted(candidates, starts)
    pairs = enumerate(pairwise(bounds))
    items = [(shard, candidates[first:last] - starts[shard]) for shard, (first, last) in pairs]
    answers = run.engine.map(partial(_shard_sets, number, step, draft), items)
    list(run.progress.track(f"clean, {step.filter.name}", answers, len(items)))
    slots = np.full(starts[-1], -1, dtype=np.int64)
    slots[candidates] = np.arange(len(candidates))
    hashes = [np.load(_work(draft, number, shard, "hashes.npy"), mmap_mode="r") for shard in range(len(items))]
    sizes = [np.load(_work(draft, number, shard, "sizes.npy")) for shard in range(len(items))]
    return slots, np.concatenate(hashes), np.cumsum(np.concatenate([[0], *sizes])).astype(np.int64)


def _shard_sets(number: int, step: Step, draft: Path, item: tuple[int, npt.NDArray[np.int64]]) -> dict[str, Any]:
    shard, rows = item

    def make() -> dict[str, Any]:
        documents = _read_arrow(_work(draft, number, shard, "documents.arrow")).take(pa.array(rows))
        hashes, offsets = sets(step, documents)
        _write_array(hashes, _work(draft, number, shard, "hashes.npy"))
        _write_array(np.diff(offsets), _work(draft, number, shard, "sizes.npy"))
        return {"sets": len(rows)}

    return remembered(_work(draft, number, shard, "sets.json"), make)


def _write_twins(
    number: int, draft: Path, starts: npt.NDArray[np.int64], twin: npt.NDArray[np.int64], similarity: npt.NDArray[np.float64]
) -> None:
    """Write for each shard the rows that go, with the id of the twin that stays."""
    gone = np.flatnonzero(twin >= 0)
    wanted = np.unique(twin[gone])
    bounds = np.searchsorted(wanted, starts)
    ids = [
        _read_arrow(_work(draft, number, shard, "documents.arrow"))["id"].take(pa.array(wanted[first:last] - starts[shard]))
        for shard, (first, last) in enumerate(pairwise(bounds))
    ]
    names = pa.chunked_array([chunk for column in ids for chunk in column.chunks], pa.large_string())
    twins = names.take(pa.array(np.searchsorted(wanted, twin[gone])))
    bounds = np.searchsorted(gone, starts)
    for shard, (first, last) in enumerate(pairwise(bounds)):
        row = pa.array(gone[first:last] - starts[shard])
        own = pa.table({"row": row, "twin": twins[first:last], "similarity": similarity[gone[first:last]]})
        _write_arrow(own, _work(draft, number, shard, "twins.arrow"))


def _counts(steps: list[Step], answers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add up what the shards counted, step by step."""
    totals: list[dict[str, Any]] = [
        {"step": step.number, "filter": step.filter.name, "in": 0, "removed": 0} | ({"lists": step.lists} if step.lists else {})
        for step in steps
    ]
    for count in (count for answer in answers for count in answer["counts"]):
        total = totals[count["step"]]
        for key in count.keys() - {"step"}:
            total[key] = total.get(key, 0) + count[key]
    return totals


def _work(draft: Path, number: int, shard: int, ending: str) -> Path:
    return draft / "work" / str(number) / f"{shard:05}.{ending}"


def _write_arrow(table: pa.Table, path: Path) -> None:
    with atomic(path) as temporary, pa.OSFile(str(temporary), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


def _read_arrow(path: Path) -> pa.Table:
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def _write_array(array: npt.NDArray[Any], path: Path) -> None:
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.save(file, array)
