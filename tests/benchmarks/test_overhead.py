"""What the local engine costs beside its tasks, and how long a run on ten documents takes.

The engine's own cost is the work of all processors, the driver's and the workers', at tasks that do nothing; it is held against
as many tasks of the clean stage. What an engine does to the tasks themselves is printed: the same tasks by a bare pool of
processes, or a plain loop, in turns.
"""

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.cleaning.batches import Batch
from pipeline.cleaning.passes import Cleaning, Pass
from pipeline.cleaning.passing import need, pass_batch
from pipeline.cleaning.plan import plan
from pipeline.documents import schema
from pipeline.engine.cores import one_core
from pipeline.engine.local import Local
from pipeline.engine.memory import Weighed

TASKS, DOCUMENTS, WORDS, ROUNDS = 200, 200, 300, 5
STEPS = ["unicode", "slop", {"word_count": {"min": 1}}, "exact_duplicates"]
AT_MOST = 0.05
MOST_SECONDS = 2  # what processors work changes less than the clock by what else the machine does
PREP = [sys.executable, "-c", "from pipeline.cli import main; main()"]


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> list[Path]:
    """Write one small shard a task."""
    folder = tmp_path_factory.mktemp("shards")
    texts = [" ".join(f"w{(number * 7919 + word * 104729) % 50021}" for word in range(WORDS)) for number in range(DOCUMENTS)]
    names = [f"d{number}" for number in range(DOCUMENTS)]
    table = pa.table([pa.array(cells, pa.large_string()) for cells in (names, texts, names)], schema=schema("text"))
    files = [folder / f"{number:05}.parquet" for number in range(TASKS)]
    for file in files:
        pq.write_table(table, file)
    return files


class Spent(NamedTuple):
    """What a run took: seconds of processors, and by the clock."""

    processors: float
    clock: float


def of_processors(processes: Iterable[int]) -> float:
    """Return the seconds that this process and some others have worked, all their threads together (Linux)."""
    threads = (thread for process in (os.getpid(), *processes) for thread in Path(f"/proc/{process}/task").iterdir())
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def spent(run: Callable[[Any, Any], Iterable[Any]], processes: Collection[int], folder: Path, shards: list[Path]) -> Spent:
    """Return how long all tasks take, with nothing done yet, and what this process and some others work at them."""
    shutil.rmtree(folder, ignore_errors=True)
    steps, _ = plan(STEPS)
    cleaning = Cleaning(steps, folder / "draft", folder / "answers", len(shards))
    task = partial(pass_batch, cleaning, Pass(0, [], steps[:3], steps[3:]))
    start, before = time.perf_counter(), of_processors(processes)
    assert len(list(run(task, [Batch(number, number, (shard,)) for number, shard in enumerate(shards)]))) == TASKS
    return Spent(of_processors(processes) - before, time.perf_counter() - start)


def loop(task, items):
    return [task(item) for item in items]


@pytest.mark.parametrize(("workers", "memory"), [(1, None), (2, None), (2, 2 * 10**9)])
def test_the_engine_costs_at_most_a_twentieth_of_200_tasks(shards, tmp_path, workers, memory):
    engine = Local(workers, memory=memory)
    found: dict[str, list[Spent]] = {"bare": [], "engine": []}
    with ProcessPoolExecutor(workers, mp_context=get_context("forkserver"), initializer=one_core) as pool:
        pools = [pool, engine._started()] if workers > 1 else []
        for own in pools:
            list(own.map(abs, range(TASKS)))  # now all of its workers are there
        processes = [process for own in pools for process in own._processes]
        before = of_processors(processes)
        list(engine.map(Weighed(abs, lambda _: 1 << 20), range(TASKS * ROUNDS)))
        cost = (of_processors(processes) - before) / ROUNDS
        for _ in range(ROUNDS):
            found["bare"].append(spent(pool.map if workers > 1 else loop, processes, tmp_path, shards))
            ours = spent(lambda task, items: engine.map(Weighed(task, need), items), processes, tmp_path, shards)
            found["engine"].append(ours)
    engine.close()
    share = cost / min(found["bare"]).processors
    print(f"\n{workers} workers, memory {memory}: {cost:.3f} s, {share:.2%} of {TASKS} tasks; the tasks: {found}")
    assert share <= AT_MOST


def test_a_run_on_ten_documents_ends_in_two_seconds(tmp_path):
    (tmp_path / "ten.jsonl").write_text("".join(f'{{"text": "Document number {number} is short."}}\n' for number in range(10)))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"ingest: {{sources: [{tmp_path / 'ten.jsonl'}]}}\n"
        "clean: [unicode, slop, {word_count: {min: 1}}, exact_duplicates, near_duplicates]\n"
        "tokenize: {train_tokenizer: true, vocab_size: 300}\n"
    )
    walls, processor = [], []
    for number in range(ROUNDS + 1):  # the first one compiles
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*PREP, "run", str(recipe), "--quiet", "--store", str(tmp_path / str(number))], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        walls.append(time.perf_counter() - start)
        processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(f"\nten documents: {min(walls[1:]):.2f} s, of processors {min(processor[1:]):.2f} s")
    assert min(processor[1:]) < MOST_SECONDS
