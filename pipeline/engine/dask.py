"""Dask: the workers of a scheduler do the tasks. They have `prep` installed, the same one as this machine."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from pipeline.engine.executor import Executor, package
from pipeline.engine.node import Facts, asked, ground, unfit
from pipeline.errors import UsageError

PATIENCE = 10  # seconds for a scheduler to answer
TRIES = 3  # more, of a task whose worker has died


class Dask(Executor):
    """Runs tasks on the workers of a Dask scheduler; raises `UsageError` where it or a worker cannot be used."""

    def __init__(self, store: Path, workers: int | None = None, address: str | None = None) -> None:
        distributed = package("distributed", "dask")
        if not address:
            raise UsageError("where is the scheduler? Give --address tcp://host:8786.")
        try:
            self._client = distributed.Client(address, timeout=PATIENCE)
        except (OSError, ValueError) as error:
            raise UsageError(f"no Dask scheduler answers at {address} ({error}). Give --address tcp://host:8786.") from error
        super().__init__(self._client.get_executor(retries=TRIES), workers or 0, ground(store))
        self.deaths = (*Executor.deaths, distributed.KilledWorker)
        try:
            self._ensure_fit(address)
        except BaseException:
            self.close()
            raise

    @property
    def workers(self) -> int:
        """The bound that was given, else the threads of all workers as they are now."""
        return self._workers or self._threads()

    def close(self) -> None:
        """Leave the scheduler."""
        self._client.close()
        super().close()

    def _threads(self) -> int:
        return sum(self._client.nthreads().values())

    def _most(self) -> int:
        return self._workers if self._workers and self._workers < self._threads() else 2 * max(1, self.workers)

    def _ensure_fit(self, address: str) -> None:
        nodes: Collection[Any] = self._client.run(asked(self._common)).values()
        if not nodes and not self._workers:
            raise UsageError(f"the Dask scheduler at {address} has no workers. Start one: dask worker {address}.")
        if problems := [problem for problem in (unfit(self._common, Facts(*facts)) for facts in nodes) if problem]:
            raise UsageError(problems[0])
