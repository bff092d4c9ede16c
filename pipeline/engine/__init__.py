"""Engines: one verb, `map(task, items)`: answers in the order of the items, whoever does the work.

Reading order:

    order      items -> answers in order, of which only so many are under way: the loop that engines share
    memory     a bound on memory, and what tasks take -> how many of them may be under way
    little     what a run is given -> whether workers are worth their start
    cycles, lean   a process -> one that imports less, and walks through what it has imported less often
    local      worker processes on this machine
    node       what a task finds on another machine: the same folder, the same store, the same code, one core
    executor   whatever has `submit`, as concurrent.futures knows it
    ray, dask, slurm   clusters
    choice     the name of an engine, and what it is told -> the engine
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar, runtime_checkable

ENGINES = ("local", "ray", "dask", "slurm")

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Engine(Protocol):
    """Who does the work."""

    @property
    def workers(self) -> int:
        """How many tasks run at a time."""
        ...

    def map(self, task: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """Run a task for each item; answers come in the order of the items. Task, item and answer must pickle."""
        ...


@runtime_checkable
class Expects(Protocol):
    """An engine that can make ready while its first tasks are made out."""

    def expect(self, *, little: bool) -> None:
        """Learn that there will be tasks, and whether all that they are given is little."""
        ...
