"""The name of an engine, and what it is told -> the engine."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, Protocol

from pipeline.engine import Engine
from pipeline.engine.local import Local
from pipeline.errors import UsageError


class Closes(Engine, Protocol):
    """An engine that is closed in the end."""

    def close(self) -> None:
        """End the workers, or leave the cluster."""
        ...


def engine(
    name: str, store: Path, *, workers: int | None = None, address: str | None = None, options: Sequence[str] = (),
    stages: Sequence[str] = (), memory: int | None = None, tell: Callable[[str], None] | None = None,
) -> AbstractContextManager[Any]:  # fmt: skip
    """Return an engine, to be entered with `with`; raises `UsageError` for what it cannot be told, or where it cannot be used.

    `options` are `key=value` pairs; `stages` are those that will be run, so that their code can be made ready.
    `memory` bounds the processes of the local engine, in bytes; `tell` is told where it cannot be kept.
    """
    if address and name not in ("ray", "dask"):
        raise UsageError(f"--address is for a cluster of ray or dask, and --engine is {name}. Take it out.")
    if options and name != "slurm":
        raise UsageError(f"--engine-options are for slurm, and --engine is {name}. Take them out.")
    if memory and name != "local":
        raise UsageError(f"--memory bounds the processes of this machine, and --engine is {name}. Take it out.")
    return closing(
        Local(workers, stages, memory, tell) if name == "local" else _cluster(name, store, workers, address, options)
    )


def _cluster(name: str, store: Path, workers: int | None, address: str | None, options: Sequence[str]) -> Closes:
    if name == "ray":
        from pipeline.engine.ray import Ray

        return Ray(store, workers, address)
    if name == "dask":
        from pipeline.engine.dask import Dask

        return Dask(store, workers, address)
    from pipeline.engine.slurm import Slurm

    return Slurm(store, workers, _pairs(options))


def _pairs(options: Sequence[str]) -> dict[str, str]:
    wrong = [option for option in options if "=" not in option]
    if wrong:
        raise UsageError(f"--engine-options {wrong[0]} is no key=value pair.")
    return dict(option.split("=", 1) for option in options)
