"""Engines: one verb, `map(task, items)`: answers in the order of the items, whoever does the work."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

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
