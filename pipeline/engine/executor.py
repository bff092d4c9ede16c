"""Anything that has `submit`, as the executors of concurrent.futures do -> an engine."""

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import BrokenExecutor
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol, TypeVar

from pipeline.engine.node import Ground, answer_of, done
from pipeline.engine.order import in_order
from pipeline.errors import UsageError, WorkerDied

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Submits(Protocol):
    """What takes a call and gives something to wait for."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Any:  # noqa: ANN401  a future, or something like it
        """Have a function called elsewhere."""
        ...


class Executor:
    """Runs tasks by an executor, at most two a worker under way; what a task raises comes as it is."""

    deaths: tuple[type[Exception], ...] = (BrokenExecutor,)

    def __init__(self, executor: Submits, workers: int, common: Ground) -> None:
        self._executor, self._workers, self._common = executor, workers, common

    @property
    def workers(self) -> int:
        """How many tasks run at a time."""
        return self._workers

    def map(self, task: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """Run a task for each item, in order; raises `WorkerDied` where a worker has ended without an answer."""

        def submit(item: Item) -> Any:  # noqa: ANN401  a future, or something like it
            return self._executor.submit(done, self._common, task, item)

        try:
            with contextlib.closing(in_order(submit, items, self._most, self._end)) as outcomes:
                yield from map(answer_of, outcomes)
        except self.deaths as error:
            raise WorkerDied from error

    def close(self) -> None:
        """Take back the mark in the store."""
        self._common.remove()

    def _most(self) -> int:
        return 2 * self.workers

    def _end(self, running: Collection[Any], hurry: bool) -> None:
        """Call off what is under way; without hurry, let it end: its answers are kept for the next run."""
        for one in running:
            if hurry:
                one.cancel()
            else:
                with contextlib.suppress(Exception):  # the first error is on its way already
                    one.exception()


def package(name: str, engine: str) -> Any:  # noqa: ANN401  a module that may not be installed
    """Import a package that only an engine needs; raises `UsageError` where it is not installed.

    >>> package("json", "none").__name__
    'json'
    """
    ensure(name, engine)
    return import_module(name)


def ensure(name: str, engine: str) -> None:
    """Raise `UsageError` where a package that an engine needs is not installed, without importing it.

    >>> ensure("no_such_package", "ray")
    Traceback (most recent call last):
    pipeline.errors.UsageError: --engine ray needs the package no_such_package. Install it: pip install 'prep[ray]'.
    """
    if find_spec(name) is None:
        raise UsageError(f"--engine {engine} needs the package {name}. Install it: pip install 'prep[{engine}]'.")
