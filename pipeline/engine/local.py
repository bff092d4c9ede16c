"""The local engine: worker processes on this machine; a single worker, or a single item, is done in this process."""

import multiprocessing
import multiprocessing.forkserver
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import TypeVar

from pipeline.errors import WorkerDied

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Local:
    """Runs tasks on this machine's cores; workers that are told a `stage` are born with its code."""

    def __init__(self, workers: int | None = None, stage: str | None = None) -> None:
        self.workers = workers or len(os.sched_getaffinity(0))
        self._pool: ProcessPoolExecutor | None = None
        if self.workers > 1:  # what workers are forked from takes a second to import, as this process does meanwhile
            code = [f"pipeline.stages.{stage}"] if stage else []
            multiprocessing.set_forkserver_preload(["pipeline.engine.preloaded", *code])
            multiprocessing.forkserver.ensure_running()
        from pipeline.engine.lean import lean

        lean()

    def map(self, task: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """Run a task for each item, in order; at most two items a worker are under way, so answers do not pile up."""
        todo = list(items)
        if self.workers == 1 or len(todo) <= 1:
            yield from map(task, todo)
            return
        queue = iter(todo)
        pool = self._started()
        running: deque[Future[Answer]] = deque()
        try:
            running.extend(pool.submit(task, item) for item in islice(queue, 2 * self.workers))
            while running:
                answer = running.popleft().result()
                running.extend(pool.submit(task, item) for item in islice(queue, 1))
                yield answer
        except BrokenProcessPool as error:
            self._pool = None
            raise WorkerDied from error
        finally:
            for future in running:
                future.cancel()
            wait(running)

    def close(self) -> None:
        """End the workers."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("forkserver")
            self._pool = ProcessPoolExecutor(self.workers, mp_context=context, initializer=_start_worker)
        return self._pool


def _start_worker() -> None:
    """Leave Ctrl-C to the driver, and the cores to the other workers; end when the driver does, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_driver, daemon=True).start()
    import pyarrow as pa

    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["POLARS_MAX_THREADS"] = "1"


def _end_with_the_driver() -> None:
    driver = multiprocessing.parent_process()
    if driver is not None:
        driver.join()
        os._exit(1)
