"""The local engine: worker processes on this machine; a single worker, or a single item, is done in this process.

So is all there is to do where that is little, unless somebody has asked for workers (see `little`). Where memory is bounded, as
many tasks run at a time as have room (see `memory`).
"""

import contextlib
import multiprocessing
import multiprocessing.forkserver
import os
import signal
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from typing import Any, TypeVar

from pipeline.engine.cores import one_core
from pipeline.engine.cycles import settle
from pipeline.engine.memory import TWO, Admission, done_and_released, in_words, needs, processes, room, thrifty
from pipeline.engine.order import in_order
from pipeline.errors import WorkerDied

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Local:
    """Runs tasks on this machine's cores; workers are born with the code of the `stages` that are told.

    Of a bound on `memory` that a task cannot keep, the first time, `tell` is told.
    """

    def __init__(
        self,
        workers: int | None = None,
        stages: Sequence[str] = (),
        memory: int | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        self.workers = 1 if memory and memory < TWO else workers or len(os.sched_getaffinity(0))
        self._asked, self._alone = workers is not None, False
        self._memory, self._tell = memory, tell
        if memory:
            thrifty()
        self._pool: ProcessPoolExecutor | None = None
        self._code = [f"pipeline.stages.{stage}" for stage in stages]

    def expect(self, *, little: bool) -> None:
        """Make ready for all that there will be to do: what workers are forked from takes a second to import."""
        self._alone = little and not self._asked
        if self._code and self.workers > 1 and not little:
            self._preload()
            multiprocessing.forkserver.ensure_running()  # it imports while this process does
        _lean()

    def map(self, task: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """Run a task for each item, in order; at most two items a worker are under way, so answers do not pile up."""
        _lean()
        todo = list(items)
        weights = needs(task, todo) if self._memory else [0] * len(todo)
        workers = self._workers_for(weights)
        done = partial(done_and_released, task) if self._memory else task
        if workers == 1 or self._alone or len(todo) <= 1:
            yield from map(done, todo)
            return
        most = Admission(weights, workers, room(self._memory, workers) if self._memory else 0)
        pool = self._started()
        try:
            with contextlib.closing(in_order(lambda item: pool.submit(done, item), todo, most, _end)) as answers:
                for most.done, answer in enumerate(answers, 1):
                    yield answer
        except KeyboardInterrupt:
            _kill(pool)
            raise
        except BrokenProcessPool as error:
            self._pool = None
            raise WorkerDied from error

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _workers_for(self, weights: Sequence[int]) -> int:
        """Return how many workers memory leaves for some tasks; tell of one that it does not leave enough for."""
        largest = max(weights, default=0)
        if self._memory is None or not largest:
            return self.workers
        if largest > room(self._memory, 1) and self._tell:
            self._tell(
                f"--memory {in_words(self._memory)} cannot be kept: a task takes some {in_words(largest)} beside prep itself. "
                f"It runs alone; a smaller shard or document would need less."
            )
            self._tell = None
        workers = processes(self._memory, weights, self.workers)
        if workers == 1:
            self.close()  # the driver needs what they hold
        return workers

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._preload()
            context = multiprocessing.get_context("forkserver")
            self._pool = ProcessPoolExecutor(self.workers, mp_context=context, initializer=_start_worker)
        return self._pool

    def _preload(self) -> None:
        multiprocessing.set_forkserver_preload(["pipeline.engine.preloaded", *self._code])


def _lean() -> None:
    from pipeline.engine.lean import lean  # numba and pyarrow: what workers are forked from is to begin first

    lean()


def _kill(pool: ProcessPoolExecutor) -> None:
    """End the workers, whatever they are at: Ctrl-C waits for no shard."""
    for process in list(pool._processes.values()):
        process.kill()


def _end(running: Collection[Future[Any]], hurry: bool) -> None:
    for future in running:
        future.cancel()
    if not hurry:
        wait(running)


def _start_worker() -> None:
    """Leave Ctrl-C to the driver, and the cores to the other workers; end when the driver does, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_driver, daemon=True).start()
    one_core()
    settle()


def _end_with_the_driver() -> None:
    driver = multiprocessing.parent_process()
    if driver is not None:
        driver.join()
        os._exit(1)
