"""Slurm, by submitit: each task is a job. Its nodes run this machine's Python from the same folder."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from pipeline.engine.executor import Executor, package
from pipeline.engine.node import JOBS, MARK, ground
from pipeline.errors import UsageError

SHARED = ("timeout_min", "mem_gb", "cpus_per_task", "name", "gpus_per_node", "nodes", "tasks_per_node", "stderr_to_stdout")


class Slurm(Executor):
    """Runs tasks as jobs, `workers` at a time. Options are those of `sbatch`, such as `partition`, or submitit's shared ones.

    `cluster: local` runs the jobs on this machine, to try things out.
    """

    def __init__(self, store: Path, workers: int | None = None, options: Mapping[str, str] | None = None) -> None:
        submitit = package("submitit", "slurm")
        if workers is None:
            raise UsageError("how many jobs at a time? Give --workers.")
        given = dict(options or {})
        cluster = given.pop("cluster", "slurm")
        named = {key if key in SHARED else f"slurm_{key}": _number(value) for key, value in given.items()}
        common = ground(store)
        self._jobs = Path(common.mark.replace(MARK, JOBS))
        self.deaths = (*Executor.deaths, submitit.core.utils.UncompletedJobError, submitit.core.utils.FailedJobError)
        try:
            executor = submitit.AutoExecutor(self._jobs, cluster=cluster)
            executor.update_parameters(**named)
        except (RuntimeError, NameError, ValueError, AssertionError) as error:
            common.remove()
            why = " ".join(str(error).split())
            raise UsageError(f"Slurm cannot be used: {why}") from error
        super().__init__(executor, workers, common)

    def close(self) -> None:
        """Remove the jobs' files and the mark."""
        shutil.rmtree(self._jobs, ignore_errors=True)
        super().close()

    def _most(self) -> int:
        return self.workers


def _number(value: str) -> int | str:
    return int(value) if value.isdecimal() else value
