"""The flags that mean the same in every command, and the printing of what a stage made."""

import functools
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from pipeline.artifacts import Artifact

Command = Callable[..., Any]


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
    def with_run(store: str, workers: int | None, engine: str, quiet: bool, **given: Any) -> None:  # noqa: ARG001, ANN401
        from pipeline.artifacts import Store
        from pipeline.engine.local import Local
        from pipeline.progress import Terminal
        from pipeline.run import Run

        os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # it tells those without torch that they lack it
        stage = command.__name__ if command.__name__ in ("ingest", "clean", "tokenize") else None
        local = Local(workers, stage)
        try:
            command(run=Run(Store(store), local, Terminal(quiet=quiet)), **given)
        finally:
            local.close()

    options = [
        click.option("--name", help="The artifact's name; by default the first source's, or the parent's."),
        click.option("--config", type=click.Path(exists=True, dir_okay=False), help="A recipe; the stage takes its section."),
        click.option("--workers", type=click.IntRange(min=1), help="Worker processes; by default one a core."),
        click.option("--engine", type=click.Choice(["local"]), default="local", show_default=True, help="Who does the work."),
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
