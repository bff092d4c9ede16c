"""An engine and whom a stage tells how far it is -> the same, from which a timeline learns what is done."""

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from pipeline.engine import Engine
from pipeline.engine.memory import Weighed
from pipeline.run import Progress
from pipeline.timing import Measured, Timed
from pipeline.trace import Trace

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Traced:
    """An engine whose tasks' times are told."""

    engine: Engine
    trace: Trace

    @property
    def workers(self) -> int:
        """How many tasks run at a time."""
        return self.engine.workers

    def map(self, task: Callable[[Item], Answer], items: Iterable[Item]) -> Generator[Answer, None, None]:
        """Run a task for each item, in order, as the engine does."""
        bare = task.task if isinstance(task, Weighed) else task
        function = getattr(getattr(bare, "func", bare), "__name__", "task").strip("_")
        timed: Callable[[tuple[int, Item]], Measured[Answer]] = Timed(bare)
        if isinstance(task, Weighed):
            timed = Weighed(timed, lambda numbered: task.need(numbered[1]))
        answers: Any = self.engine.map(timed, list(enumerate(items)))
        with contextlib.closing(answers):
            for answer, record in answers:
                self.trace.task(record, function)
                yield answer


@dataclass(frozen=True)
class Watched:
    """Progress whose labels a timeline learns."""

    progress: Progress
    trace: Trace

    def track(self, label: str, answers: Iterator[Answer], total: int) -> Iterator[Answer]:
        """Pass the answers on, and show how many of them have come."""
        with self.trace.during(label):
            yield from self.progress.track(label, answers, total)

    def say(self, line: str) -> None:
        """Tell the user something."""
        self.progress.say(line)
