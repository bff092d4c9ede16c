"""What a run may hold, and what its tasks take -> how many of them may be under way.

A run's memory is the sum of the proportional set sizes (PSS) of its processes. Of a bound a part goes to the processes
themselves, and the rest to tasks; a stage says what a task takes for an item:

    engine.map(Weighed(task, need), items)      an engine that has no bound takes it for the task that it is

Shards are cut by sizes that never change, for they are part of an artifact's bytes. So a small bound makes fewer tasks run at a
time, and one that is smaller than what a single task takes cannot be kept.
"""

import contextlib
import ctypes
import os
import re
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar

from pipeline.errors import UsageError

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Given = ParamSpec("Given")
Made = TypeVar("Made")

DRIVER, PARENT, WORKER = 170 << 20, 100 << 20, 70 << 20  # measured: the driver, what workers are forked from, an idle worker
LEAST = 500 * 10**6  # a shard of 32 MiB through clean, by the driver alone: 490 MB, as measured
TWO = DRIVER + PARENT + 2 * (WORKER + (240 << 20))  # below this the driver works alone: two workers have no room for a shard
LARGE = 1 << 20  # bytes of a block that goes back to the system as soon as it is free
MMAP_THRESHOLD = -3  # of mallopt, in malloc.h
SPARE = 16 << 20  # bytes that a process may keep of what its tasks leave behind
UNITS = {"": 1, **{letter: 1000**power for power, letter in enumerate("KMGT", 1)}}
UNITS |= {f"{letter}I": 1024**power for power, letter in enumerate("KMGT", 1)}


def bytes_of(size: str) -> int:
    """Return a size in bytes; raises `UsageError` for what is none, or too little for any run.

    >>> bytes_of("2GB"), bytes_of("1.5GiB"), bytes_of("800 mb")
    (2000000000, 1610612736, 800000000)
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]I?)?B?\s*", size.upper())
    if found is None:
        raise UsageError(f"--memory {size} is no size. Write it like 2GB, 1.5GiB or 800MB.")
    whole = int(float(found[1]) * UNITS[found[2] or ""])
    if whole < LEAST:
        raise UsageError(f"--memory {size} is too little: a shard takes {in_words(LEAST)}. Give more, like 2GB.")
    return whole


def in_words(size: int) -> str:
    """Return a size as a person would say it.

    >>> in_words(2_000_000_000), in_words(350_000_000)
    ('2.0 GB', '350 MB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 10**9 else f"{size / 1e6:.0f} MB"


@dataclass(frozen=True)
class Weighed(Generic[Item, Answer]):
    """A task, and the bytes that it holds at most for an item; it goes to a worker as the task alone."""

    task: Callable[[Item], Answer]
    need: Callable[[Item], int]

    def __call__(self, item: Item) -> Answer:
        """Do the task."""
        return self.task(item)

    def __reduce__(self) -> tuple[Any, ...]:
        return _same, (self.task,)


def _same(task: Callable[[Item], Answer]) -> Callable[[Item], Answer]:
    return task


def needs(task: Callable[[Item], Any], items: Sequence[Item]) -> list[int]:
    """Return the bytes that a task holds for each item; nothing where it does not say.

    >>> needs(Weighed(str, lambda number: number * 10), [1, 2]), needs(str, [1, 2])
    ([10, 20], [0, 0])
    """
    return [task.need(item) for item in items] if isinstance(task, Weighed) else [0] * len(items)


@dataclass
class Admission:
    """Says how many tasks may be under way, of which the first `done` have ended; `room` is for all that run at a time."""

    needs: Sequence[int]
    workers: int
    room: int
    done: int = 0

    def __call__(self) -> int:
        """Return how many: two a worker, as far as those that can run at a time have room; always one.

        >>> Admission([5, 5, 5, 5, 5], 2, 10)(), Admission([5, 9, 1, 1], 2, 10)(), Admission([2, 3, 5], 1, 3)()
        (4, 1, 2)
        """
        most = 2 * self.workers
        if sum(self.needs[self.done : self.done + most]) > self.room:
            for ahead in range(2, most + 1):
                if sum(sorted(self.needs[self.done : self.done + ahead])[-self.workers :]) > self.room:
                    return ahead - 1
        return most


def processes(memory: int, needs: Sequence[int], workers: int) -> int:
    """Return how many workers there is room for beside the driver, each with a task of usual size; 1: the driver alone.

    >>> processes(2_000_000_000, [300 << 20] * 9, 4), processes(600_000_000, [300 << 20] * 9, 4)
    (4, 1)
    """
    usual = sorted(needs)[len(needs) // 2]
    return max(1, min(workers, (memory - DRIVER - PARENT) // (WORKER + usual)))


def room(memory: int, workers: int) -> int:
    """Return the bytes that are left for tasks beside the processes; one worker is the driver itself."""
    return memory - DRIVER - (PARENT + workers * WORKER if workers > 1 else 0)


def kept(make: Callable[Given, Made]) -> Callable[Given, Made]:
    """Keep what a function makes for the tasks of one map: it goes in a bounded run when the process is given another task.

    >>> kept(list)("ab") is kept(list)("ab"), (made := kept(list))("ab") is made("ab")
    (False, True)
    """
    cached = lru_cache(maxsize=2)(make)
    _Process.kept.append(cached.cache_clear)
    return cached  # type: ignore[return-value]  # it takes what the function takes


def done_and_released(task: Callable[[Item], Answer], item: Item) -> Answer:
    """Do a task; give the memory that it leaves behind back to the system, for the next one may be done elsewhere."""
    own = getattr(task, "func", task)
    if own is not _Process.task:
        for forget in _Process.kept:
            forget()
        _Process.task = own
    answer = task(item)
    release()
    return answer


def thrifty() -> None:
    """Let this process, and those that it starts from here on, give a large block back to the system as soon as it is free.

    An allocator keeps such blocks for the next one, and cuts them up meanwhile, so that a worker grows with the tasks it has
    done: one that tokenizes shards of 38 MB held 390 MB at most in its eighth, and 340 this way, with no more work. Arrow's own
    allocator is left as it is: without it a worker holds 280 MB, and ingest takes 40 % more work.
    """
    os.environ.setdefault("MALLOC_MMAP_THRESHOLD_", str(LARGE))
    with contextlib.suppress(AttributeError):  # only glibc's allocator is told so
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, LARGE)


class _Process:
    settled = 0  # bytes that this process held when it last gave memory back
    task: object = None  # that it has done last
    kept: ClassVar[list[Callable[[], None]]] = []


def release() -> None:
    """Give free memory back to the system, where this process holds `SPARE` more than when it last did.

    After each task of 10 ms it would cost a tenth of them.
    """
    import pyarrow as pa

    held = resident()
    if held and held < _Process.settled + SPARE:
        return
    pa.default_memory_pool().release_unused()
    with contextlib.suppress(AttributeError):  # only glibc keeps what it could give back
        ctypes.CDLL(None).malloc_trim(0)
    _Process.settled = resident()


def resident() -> int:
    """Return the bytes of this process that are in memory; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except FileNotFoundError:
        return 0
