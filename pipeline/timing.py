"""What is done, by name -> how long it took: kept where somebody has asked for it, and nowhere else.

    timed, timed_each   within a task: added up by name, for `measured`, which takes a task's time
    phase, stage        in the driver: told to whoever listens (`pipeline.trace`)

Where nobody has asked, each is a look at one variable.
"""

import contextlib
import os
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Thing = TypeVar("Thing")
FORGET_PEAK = Path("/proc/self/clear_refs")  # proc(5): "5" sets the peak of resident memory back to what is resident now


@dataclass
class Sum:
    """What was done under one name: when it began first (seconds from the task's start), how long, over how many bytes."""

    first: float
    seconds: float = 0.0
    bytes: int = 0
    calls: int = 0


class Record(NamedTuple):
    """A task's time: its number in its map, who did it and when; seconds, but `peak` in bytes."""

    number: int
    node: str
    worker: int
    start: float
    seconds: float
    cpu: float
    peak: int
    sums: dict[str, Sum]


class Measured(NamedTuple, Generic[Answer]):
    """A task's answer, and its time."""

    answer: Answer
    record: Record


class Listens(Protocol):
    """Whom the driver tells what it does."""

    def phase(self, name: str, start: float, seconds: float) -> None:
        """Take a phase that has ended; `start` is in seconds since 1970."""
        ...

    def stage(self, name: str) -> None:
        """Take it that a stage begins to make an artifact."""
        ...


@dataclass
class _Watch:
    """The times of one task; what is done within something else counts for itself alone."""

    start: float = field(default_factory=time.perf_counter)
    sums: dict[str, Sum] = field(default_factory=dict)
    within: float = 0.0  # seconds of what was done within what is being done

    @contextlib.contextmanager
    def on(self, name: str, size: int) -> Iterator[None]:
        begin, (outer, self.within) = time.perf_counter(), (self.within, 0.0)
        known = self.sums.setdefault(name, Sum(begin - self.start))
        try:
            yield
        finally:
            took = time.perf_counter() - begin
            known.seconds += took - self.within
            known.bytes += size
            known.calls += 1
            self.within = outer + took


class _Here(threading.local):
    watch: _Watch | None = None


_here = _Here()
_listeners: list[Listens] = []


@contextlib.contextmanager
def timed(name: str, size: int = 0) -> Iterator[None]:
    """Add the time of a block, or of a function that this decorates, to a name; `size` is of what it works on, in bytes."""
    if (watch := _here.watch) is None:
        yield
        return
    with watch.on(name, size):
        yield


def timed_each(name: str, things: Iterator[Thing], size: Callable[[Thing], int]) -> Iterator[Thing]:
    """Pass things on, and add the time that it takes to come by each to a name.

    >>> list(timed_each("letters", iter("ab"), len))
    ['a', 'b']
    """
    if _here.watch is None:
        yield from things
        return
    while True:
        with timed(name):
            thing = next(things, things)
        if thing is things:
            return
        found: Any = thing
        _here.watch.sums[name].bytes += size(found)
        yield found


@dataclass(frozen=True)
class Timed(Generic[Item, Answer]):
    """A task whose answer comes with its time. It pickles where the task does."""

    task: Callable[[Item], Answer]

    def __call__(self, numbered: tuple[int, Item]) -> Measured[Answer]:
        """Do the task for an item that has a number."""
        number, item = numbered
        with contextlib.suppress(OSError):  # without it the peak is that of the process so far
            FORGET_PEAK.write_text("5")
        start, cpu = time.time(), time.process_time()
        outer, _here.watch = _here.watch, (watch := _Watch())
        try:
            answer = self.task(item)
        finally:
            _here.watch = outer
        seconds, cpu = time.perf_counter() - watch.start, time.process_time() - cpu
        worker = threading.get_native_id()
        return Measured(answer, Record(number, socket.gethostname(), worker, start, seconds, cpu, peak_memory(), watch.sums))


def peak_memory() -> int:
    """Return the most resident memory of this process, in bytes.

    >>> peak_memory() > 1 << 20
    True
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


@contextlib.contextmanager
def phase(name: str) -> Iterator[None]:
    """Tell of a block of the driver's, or of a function that this decorates."""
    if not _listeners:
        yield
        return
    start, begin = time.time(), time.perf_counter()
    try:
        yield
    finally:
        for listener in _listeners:
            listener.phase(name, start, time.perf_counter() - begin)


def stage(name: str) -> None:
    """Tell that a stage begins to make an artifact; or, without a name, that there is none to make."""
    for listener in _listeners:
        listener.stage(name)


@contextlib.contextmanager
def listening(listener: Listens) -> Iterator[None]:
    """Have somebody told of phases and stages of this process, and of no child of it."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


os.register_at_fork(after_in_child=_listeners.clear)
