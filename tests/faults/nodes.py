"""A recipe -> whether it makes the same bytes with any number of workers, and on a cluster whose nodes are killed.

    python -m tests.faults.nodes RECIPE --work /tmp/nodes [--workers 1 2 4] [--nodes 3]

Every map of the stages over two items or more costs the cluster a node, with all that was under way on it: the first task to
end kills it, before it has answered. Another node joins for each that has died. Prints a line for each engine; exits with 1
where a file of an artifact differs.
"""

import argparse
import contextlib
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.artifacts import Store
from pipeline.engine import Engine
from pipeline.engine.local import Local
from pipeline.engine.ray import Ray
from pipeline.flow import run_recipe
from pipeline.recipe import load
from pipeline.run import Run

NODE: dict[str, Any] = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_log_monitor": False}
SOON = {"_system_config": {"health_check_period_ms": 500, "health_check_failure_threshold": 2}}  # seconds until a node is dead

Bytes = list[tuple[str, str, str]]


@dataclass
class Deadly:
    """A Ray engine that loses a node in each map; `deaths` are the names of the tasks that cost one."""

    engine: Ray
    cluster: Any
    folder: Path
    deaths: list[str] = field(default_factory=list)

    @property
    def workers(self) -> int:
        """How many tasks run at a time."""
        return self.engine.workers

    def map(self, task: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        """Run a task for each item on the cluster; where there are several, a node dies."""
        todo = list(items)
        mark = self.folder / f"{len(list(self.folder.iterdir()))}"
        yield from self.engine.map(partial(dying, mark, task) if len(todo) > 1 else task, todo)
        if mark.exists():
            self.deaths.append(mark.read_text())
            self.cluster.add_node(**NODE)


def dying(mark: Path, task: Callable[[Any], Any], item: Any) -> Any:
    """Do a task; who is the first to end kills the node, and itself."""
    answer = task(item)
    with contextlib.suppress(FileExistsError), mark.open("x") as file:
        whole = getattr(task, "task", task)
        own = getattr(whole, "func", whole)
        file.write(getattr(own, "__name__", type(own).__name__))
        file.flush()
        for process in (os.getppid(), os.getpid()):
            os.kill(process, signal.SIGKILL)
    return answer


def made(recipe: Path, store: Path, engine: Engine) -> Bytes:
    """Run a recipe; return what each file of its artifacts holds."""
    artifacts = list(run_recipe(load(recipe), Run(Store(store), engine)))
    wrong = [line for artifact in artifacts for line in artifact.verify()]
    assert not wrong, wrong
    found = [(artifact.ref, entry["path"], entry["sha256"]) for artifact in artifacts for entry in artifact.manifest.files]
    shutil.rmtree(store)
    return found


def on_this_machine(recipe: Path, work: Path, workers: Sequence[int]) -> Iterator[tuple[str, Bytes]]:
    """Run a recipe with some workers."""
    for count in workers:
        engine = Local(count)
        yield f"local, {count} workers", made(recipe, work / "store", engine)
        engine.close()


def on_a_cluster(recipe: Path, work: Path, nodes: int) -> Iterator[tuple[str, Bytes]]:
    """Run a recipe on nodes of a core each, which die."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 0, "include_dashboard": False, **SOON})
    for _ in range(nodes):
        cluster.add_node(wait=False, **NODE)
    cluster.wait_for_nodes()
    (work / "marks").mkdir()
    engine = Deadly(Ray(work / "store", address=cluster.address), cluster, work / "marks")
    found = made(recipe, work / "store", engine)
    yield f"ray, {nodes} nodes; killed in {', '.join(engine.deaths)}", found
    engine.engine.close()
    cluster.shutdown()


def main() -> int:
    """Run, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="a folder for stores, which are removed")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--nodes", type=int, default=3)
    given = parser.parse_args()
    given.work.mkdir(parents=True)
    expected: Bytes = []
    differing = False
    start = time.perf_counter()
    for run in (on_this_machine(given.recipe, given.work, given.workers), on_a_cluster(given.recipe, given.work, given.nodes)):
        for name, found in run:
            expected = expected or found
            differing |= found != expected
            same = "the same" if found == expected else "OTHER BYTES"
            print(f"{time.perf_counter() - start:7.1f} s  {len(found)} files {same}: {name}", flush=True)
            start = time.perf_counter()
    shutil.rmtree(given.work)
    return int(differing)


if __name__ == "__main__":
    sys.exit(main())
