"""The flags that mean the same in every command, and the printing of what a stage made."""

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.engine import ENGINES

if TYPE_CHECKING:
    from pipeline.artifacts import Artifact

Command = Callable[..., Any]
PARALLEL = {  # the stages that a command hands to workers
    "ingest": ("ingest",),
    "clean": ("clean",),
    "plan": ("clean",),
    "tokenize": ("tokenize",),
    "run": ("ingest", "clean", "tokenize"),
}


def store_option(command: Command) -> Command:
    """Add `--store`, for commands that only look."""
    return click.option(
        "--store",
        envvar="PREP_STORE",
        default="data/artifacts",
        show_default=True,
        show_envvar=True,
        help="Folder of artifacts.",
    )(command)


def stage_options(command: Command) -> Command:
    """Add the flags that mean the same in every stage, and hand them on as a `Run`."""

    @functools.wraps(command)
    def with_run(store: str, quiet: bool, **given: Any) -> None:  # noqa: ANN401
        from pipeline.artifacts import Store
        from pipeline.engine.choice import engine
        from pipeline.progress import Terminal
        from pipeline.run import Run

        os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # it tells those without torch that they lack it
        opened = Store(store)
        told = {key: given.pop(key) for key in ("workers", "address")}
        told |= {"options": given.pop("engine_options"), "stages": PARALLEL.get(command.__name__, ())}
        with engine(given.pop("engine"), Path(store), **told) as chosen:
            command(run=Run(opened, chosen, Terminal(quiet=quiet)), **given)

    options = [
        click.option("--name", help="The artifact's name; by default the first source's, or the parent's."),
        click.option("--config", type=click.Path(exists=True, dir_okay=False), help="A recipe; the stage takes its section."),
        click.option("--workers", type=click.IntRange(min=1), help="Tasks at a time; by default one a core."),
        click.option("--engine", type=click.Choice(ENGINES), default="local", show_default=True, help="Who does the work."),
        click.option("--address", help="The cluster: ray's host:port, ray://host:port or auto; dask's tcp://host:port."),
        click.option("--engine-options", multiple=True, metavar="KEY=VALUE", help="Slurm's: partition=cpu, timeout_min=60 ..."),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        click.option("--quiet", "-q", is_flag=True, help="No progress, no remarks."),
    ]
    for option in reversed(options):
        with_run = option(with_run)
    return store_option(with_run)


def given_flags(**flags: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the flags that were given."""
    return {name: value for name, value in flags.items() if value is not None and value != ()}


def tell(artifacts: "Sequence[Artifact]", *, as_json: bool) -> None:
    """Print what a stage made."""
    from pipeline.progress import facts, result, say_json

    if as_json:
        say_json(facts(artifacts[0]) if len(artifacts) == 1 else [facts(artifact) for artifact in artifacts])
        return
    for artifact in artifacts:
        click.echo("\n".join(result(artifact)))
