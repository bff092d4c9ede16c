"""A task -> its answer on any machine: in the folder that `prep` was called in, with the same store, the same code, one core.

Tasks write shards into the store and read sources from where they lie, so every machine must see both under the same path: that
of a network file system. A mark that the driver leaves in the store proves it. Each node that is there from the start is asked
for it before any work begins, and a process on any other looks for it before its first task.
"""

import fcntl
import os
import secrets
import socket
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pipeline.artifacts import refusals
from pipeline.code_version import LIBRARIES, code_version
from pipeline.engine.cores import one_core
from pipeline.errors import StoreError

MARK = ".mark-"
JOBS = ".jobs-"  # jobs' files, named as the mark of their driver is
_locks: dict[str, int] = {}  # of the marks that this process has left: what is not locked is a dead driver's

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Ground:
    """What all machines have in common: the folder that `prep` was called in, and the store, with a mark in it."""

    folder: str
    mark: str

    def remove(self) -> None:
        """Take the mark away."""
        Path(self.mark).unlink(missing_ok=True)
        if (lock := _locks.pop(self.mark, None)) is not None:
            os.close(lock)


class Failed(NamedTuple):
    """What stands for the answer of a task that raised an error."""

    error: Exception


class Facts(NamedTuple):
    """What a node says of itself."""

    node: str
    folder: bool
    mark: bool
    code: str | None
    versions: dict[str, str | None]


def ground(store: Path) -> Ground:
    """Leave a mark in a store that nodes are to see, locked as long as this process lives.

    Raises `StoreError` where it cannot be written.
    """
    mark = store.absolute() / f"{MARK}{secrets.token_hex(8)}"
    with refusals(mark):
        mark.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(mark, os.O_CREAT | os.O_RDWR, 0o666)
        fcntl.flock(lock, fcntl.LOCK_EX)
    _locks[str(mark)] = lock
    return Ground(str(Path.cwd()), str(mark))


def done(common: Ground, task: Callable[[Item], Answer], item: Item) -> Answer | Failed:
    """Do a task on a node; what it raises comes back as a value, so that the driver raises it as it is, whatever carries it.

    What carries errors would wrap them, and take them for a node's failure that is to be tried again.
    """
    try:
        _settle(common)
        return task(item)
    except Exception as error:
        error.add_note(f"on {socket.gethostname()}: {traceback.format_exc()}")
        return Failed(error)


def answer_of(outcome: Answer | Failed) -> Answer:
    """Return a task's answer, or raise what the task has raised."""
    if isinstance(outcome, Failed):
        raise outcome.error
    return outcome


@lru_cache(maxsize=1)
def _settle(common: Ground) -> None:
    """Make a process ready for tasks, once."""
    folder, mark = Path(common.folder), Path(common.mark)
    if problem := _unseen(common, socket.gethostname(), folder.is_dir(), mark.exists()):
        raise StoreError(problem)
    os.chdir(folder)
    one_core()


def asked(common: Ground, libraries: Sequence[str] = LIBRARIES) -> Callable[[], tuple[Any, ...]]:
    """Return a function that answers with a node's `Facts`; it travels whole, for a node may not have this code."""
    folder, mark, names = common.folder, common.mark, tuple(libraries)

    def facts() -> tuple[Any, ...]:
        import socket
        from importlib.metadata import distributions
        from pathlib import Path

        installed = {found.metadata["Name"].lower(): found.version for found in distributions()}
        try:
            from pipeline.code_version import code_version

            code = code_version()
        except ImportError:
            code = None
        seen = Path(folder).is_dir(), Path(mark).exists()
        return (socket.gethostname(), *seen, code, {name: installed.get(name) for name in names})

    return facts


def unfit(common: Ground, facts: Facts) -> str | None:
    """Say what a node lacks, and what to do about it; None where it can do tasks."""
    if problem := _unseen(common, facts.node, facts.folder, facts.mark):
        return problem
    pairs = {name: (there, version(name)) for name, there in facts.versions.items()}
    other = [f"{name} {there or 'is missing'} ({here} here)" for name, (there, here) in pairs.items() if there != here]
    if other:
        return f"node {facts.node}: {', '.join(other)}. Install the same versions on every node: other ones write other bytes."
    if facts.code != code_version():
        return f"node {facts.node} has another prep than this machine. Install the same one on every node."
    return None


def _unseen(common: Ground, node: str, folder: bool, mark: bool) -> str | None:
    if not folder:
        return f"node {node} has no folder {common.folder}. Run prep in a folder that every node sees under the same path."
    if not mark:
        return (
            f"node {node} does not see the store {Path(common.mark).parent}. "
            f"Choose one with --store that every node sees under the same path, on a network file system."
        )
    return None
