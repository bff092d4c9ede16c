"""Ray: a cluster's nodes do the tasks, or workers on this machine where there is none.

At the first map, and not before, it connects to an address, or starts a cluster on this machine. Each node is asked what it
has; where one has no `prep`, or another one, this one is sent along. Tasks ask for one core each. What a dead worker or node
had under way is done again elsewhere: a task writes under a temporary name and renames, so that twice done is done.
"""

import contextlib
import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import pipeline
from pipeline.code_version import code_version
from pipeline.configs_folder import configs_folder
from pipeline.engine.executor import ensure, package
from pipeline.engine.node import Facts, Ground, answer_of, asked, done, ground, unfit
from pipeline.engine.order import in_order
from pipeline.errors import UsageError, WorkerDied

Item = TypeVar("Item")
Answer = TypeVar("Answer")

TRIES = 3  # more, of a task whose worker or node has died
PATIENCE = 10.0  # seconds for an address to answer
WELCOME = 60.0  # seconds for a cluster to let this machine in: what Ray gives up by itself, it gives up in 35
START = 180.0  # seconds for nodes to start a worker each: a machine that is busy takes many
OWN_MEMORY = 256 << 20  # bytes for answers of a cluster on this machine: shards go to the store, so that answers are small
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # what is told of dead workers: it would stand on stdout, among answers in JSON
}
# what is no Ray cluster is given up in half a minute: Ray itself takes 14
IMPATIENT = {"RAY_NUM_REDIS_GET_RETRIES": "2", "RAY_py_gcs_connect_timeout_s": "5"}


class Under(NamedTuple):
    """A task under way."""

    ray: Any
    reference: Any

    def result(self) -> Any:  # noqa: ANN401  any answer
        """Wait for the answer; raises `WorkerDied` where all tries have failed."""
        errors = self.ray.exceptions
        try:
            return self.ray.get(self.reference)
        except errors.RayTaskError as error:
            if isinstance(error.cause, errors.RayError):  # what it was given is lost with the node that held it
                raise WorkerDied from error
            raise error.cause from error
        except errors.RayError as error:
            raise WorkerDied from error


class Ray:
    """Runs tasks on a Ray cluster."""

    def __init__(self, store: Path, workers: int | None = None, address: str | None = None) -> None:
        ensure("ray", "ray")
        self._store, self._bound = store, workers
        self._address = address or os.environ.get("RAY_ADDRESS") or "local"
        self._ray: Any = None
        self._common: Ground | None = None
        self._own = False

    @property
    def workers(self) -> int:
        """The bound that was given, else the cluster's cores as they are now: nodes may come and go."""
        return self._bound or self._cores()

    def map(self, task: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """Run a task for each item, in order, at most two a core under way.

        Raises what a task has raised, as it is; `WorkerDied` where workers have died too often; at the first call `UsageError`
        for a cluster that cannot be used.
        """
        ray, common = self._connected()
        remote = ray.remote(done).options(num_cpus=1, max_retries=TRIES)
        carried = ray.put(task)

        def submit(item: Item) -> Under:
            return Under(ray, remote.remote(common, carried, item))

        with contextlib.closing(in_order(submit, items, self._most, self._end)) as outcomes:
            yield from map(answer_of, outcomes)

    def close(self) -> None:
        """Leave the cluster, or end the one that was started; a connection that was there before stays."""
        if self._ray is not None and self._own:
            self._ray.shutdown()
        self._ray, self._own = None, False
        if self._common is not None:
            self._common.remove()
            self._common = None

    def _cores(self) -> int:
        ray, _ = self._connected()
        return int(ray.cluster_resources().get("CPU", 0))

    def _most(self) -> int:
        """Return how many tasks may be under way: two a core, so that none waits for the next; a bound is a bound."""
        cores = self._cores()
        return self._bound if self._bound and self._bound < cores else 2 * max(1, self.workers)

    def _end(self, running: Collection[Under], hurry: bool) -> None:
        """Call off what is under way; without hurry, let it end: its answers are kept for the next run."""
        references = [one.reference for one in running]
        if self._ray is None:  # closed already: an error has kept the loop standing until now
            return
        if hurry:
            for reference in references:
                self._ray.cancel(reference)
        elif references:
            self._ray.wait(references, num_returns=len(references))

    def _connected(self) -> tuple[Any, Ground]:
        """Return Ray and the common ground; the first time, connect and see that every node can do tasks."""
        if self._ray is None or self._common is None:
            self._common = self._common or ground(self._store)
            try:
                ray = _quiet(self._address)
                if not ray.is_initialized():
                    _connect(ray, self._address, self._bound)
                    self._own = True
                self._ray = ray
                self._settle(self._common)
            except BaseException:
                self.close()
                raise
        return self._ray, self._common

    def _settle(self, common: Ground) -> None:
        """See that there are cores, and that the nodes can do tasks; send `prep` to those that have another one, or none."""
        if not self._bound and not self._cores():
            raise UsageError(
                f"the Ray cluster at {self._address} has no core for tasks. Add a node that has, or give --workers N where it "
                f"starts nodes as they are needed."
            )
        if self._address == "local":
            return
        nodes = _asked(self._ray, common)
        if self._own and any(facts.code != code_version() for facts in nodes):
            with tempfile.TemporaryDirectory(prefix="prep-") as folder:
                self._ray.shutdown()
                _connect(self._ray, self._address, self._bound, shipped(Path(folder)))
                nodes = _asked(self._ray, common)
        if problems := [problem for problem in (unfit(common, facts) for facts in nodes) if problem]:
            raise UsageError(problems[0])


def _quiet(address: str) -> Any:  # noqa: ANN401  the module
    """Import Ray, told to keep its notices to itself, and to give up in time; one that is started here may take its time."""
    for name, value in (QUIET | (IMPATIENT if address != "local" else {})).items():
        os.environ.setdefault(name, value)
    return package("ray", "ray")


def _connect(ray: Any, address: str, workers: int | None, code: Path | None = None) -> None:  # noqa: ANN401  the module
    """Connect to a cluster, or start one, and send code along; raises `UsageError` where none answers."""
    if address not in ("local", "auto"):
        _ensure_heard(address)
    own: dict[str, Any] = {}
    if address == "local":
        cores = workers or len(os.sched_getaffinity(0))
        own = {"num_cpus": cores, "include_dashboard": False, "object_store_memory": OWN_MEMORY}
    environment = {"working_dir": str(code)} if code else None
    try:
        with _in_time(START if address == "local" else WELCOME), warnings.catch_warnings(action="ignore"):
            ray.init(address, logging_level=logging.ERROR, log_to_driver=False, runtime_env=environment, **own)
    except (OSError, RuntimeError, ValueError, ImportError, ray.exceptions.RayError) as error:
        why = str(error).strip().partition("\n")[0]
        raise UsageError(
            f"no Ray cluster could be used at {address} ({why}). `ray status` says what runs. Where it asks for "
            f"a token, set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN."
        ) from error


@contextlib.contextmanager
def _in_time(seconds: float) -> Iterator[None]:
    """Raise `TimeoutError` in a block that takes longer, and again each second, for what waits may try on.

    Signals are the main thread's business; in another one there is no bound.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def late(*_: object) -> None:
        raise TimeoutError(f"no answer in {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _ensure_heard(address: str) -> None:
    """Raise `UsageError` where nobody listens: Ray itself would try for minutes."""
    parts = urlsplit(address if "://" in address else f"//{address}")
    try:
        host, port = parts.hostname or "", parts.port or 10001
        socket.create_connection((host, port), timeout=PATIENCE).close()
    except (OSError, ValueError) as error:
        raise UsageError(
            f"nobody answers at {address} ({error}). Give --address host:port of the head node, ray://host:10001, or auto."
        ) from error


def _asked(ray: Any, common: Ground) -> Sequence[Facts]:  # noqa: ANN401  the module
    """Ask each node that has cores what it has."""
    strategies = package("ray.util.scheduling_strategies", "ray")
    remote = ray.remote(asked(common))
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    answers = [
        remote.options(num_cpus=0, scheduling_strategy=strategies.NodeAffinitySchedulingStrategy(node, soft=False)).remote()
        for node in nodes
    ]
    try:
        return [Facts(*facts) for facts in ray.get(answers, timeout=START)]
    except ray.exceptions.RayError as error:
        why = str(error).strip().partition("\n")[0]
        raise UsageError(f"a node of the Ray cluster starts no worker ({why}). `ray status` says what runs.") from error


def shipped(folder: Path) -> Path:
    """Copy this code and its configuration into a folder, as a checkout has them; what Ray sends is named by its content."""
    root = Path(pipeline.__file__).parent.parent
    skipped = shutil.ignore_patterns("__pycache__")
    for name in ("pipeline", "filters", "trainers"):
        shutil.copytree(root / name, folder / name, ignore=skipped)
    if not configs_folder().is_relative_to(root / "pipeline"):
        shutil.copytree(configs_folder(), folder / "configs", ignore=skipped)
    return folder
