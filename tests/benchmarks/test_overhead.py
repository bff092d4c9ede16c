"""What the local engine costs beside its tasks, and how long a run on ten documents takes.

The engine's map is held against a bare pool of processes, and a single worker against a plain loop, over the same 200 tasks of
the clean stage, in turns; the best of each counts. Figures are printed, and asserted with room for a busy machine.
"""

import multiprocessing
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.cleaning.plan import plan
from pipeline.documents import schema
from pipeline.engine.cores import one_core
from pipeline.engine.local import Local
from pipeline.engine.memory import Weighed
from pipeline.stages.clean import Cleaning, Pass, _need, _pass_shard

TASKS, DOCUMENTS, WORDS, ROUNDS = 200, 200, 300, 3
STEPS = ["unicode", "slop", {"word_count": {"min": 1}}, "exact_duplicates"]
AT_MOST = 0.05
MOST_SECONDS, CORES = 2, 2  # of a machine that has nothing else to do: what its processors work is not changed by others
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


def timed(run: Callable[[Any, Any], Iterable[Any]], folder: Path, shards: list[Path]) -> float:
    """Return how long all tasks take, with nothing done yet."""
    shutil.rmtree(folder, ignore_errors=True)
    steps, _ = plan(STEPS)
    cleaning = Cleaning(steps, folder / "draft", folder / "answers", len(shards))
    task = partial(_pass_shard, cleaning, Pass(0, [], steps[:3], steps[3:]))
    start = time.perf_counter()
    assert len(list(run(task, list(enumerate(shards))))) == TASKS
    return time.perf_counter() - start


def loop(task, items):
    return [task(item) for item in items]


@pytest.mark.parametrize(("workers", "memory"), [(1, None), (2, None), (2, 2 * 10**9)])
def test_the_engine_adds_at_most_a_twentieth(shards, tmp_path, workers, memory):
    engine = Local(workers, memory=memory)
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=one_core) as pool:
        bare = loop if workers == 1 else pool.map
        best = {"bare": 1e9, "engine": 1e9}
        for _ in range(ROUNDS):
            best["bare"] = min(best["bare"], timed(bare, tmp_path, shards))
            best["engine"] = min(
                best["engine"], timed(lambda task, items: engine.map(Weighed(task, _need), items), tmp_path, shards)
            )
    engine.close()
    share = best["engine"] / best["bare"] - 1
    print(f"\n{workers} workers, memory {memory}: bare {best['bare']:.2f} s, engine {best['engine']:.2f} s, {share:+.1%}")
    assert share <= 3 * AT_MOST


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
    assert min(processor[1:]) < MOST_SECONDS * CORES
