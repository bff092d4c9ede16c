"""The flags that mean the same in every command, and the printing of what a stage made."""

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.engine import ENGINES

if TYPE_CHECKING:
    from pipeline.artifacts import Artifact
    from pipeline.run import Run
    from pipeline.trace import Trace

Command = Callable[..., Any]
TRACE = "trace.json"
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
        help="Folder of artifacts, or a bucket: s3://bucket/prefix.",
    )(command)


def stage_options(command: Command) -> Command:
    """Add the flags that mean the same in every stage, and hand them on as a `Run`."""

    @functools.wraps(command)
    def with_run(store: str, quiet: bool, **given: Any) -> None:  # noqa: ANN401
        from pipeline.artifacts import Store
        from pipeline.cli.interrupts import interruptible
        from pipeline.engine.choice import engine
        from pipeline.engine.memory import bytes_of
        from pipeline.progress import Terminal
        from pipeline.run import Run

        os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # it tells those without torch that they lack it
        os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # it looks through all packages for one
        opened = Store(store)
        told = {key: given.pop(key) for key in ("workers", "address")}
        if not _on_this_machine(given["engine"], told["address"]):
            opened.ensure_shared()
        told |= {"options": given.pop("engine_options"), "stages": PARALLEL.get(command.__name__, ())}
        trace, said = given.pop("trace"), given.pop("memory")
        memory = said and bytes_of(said)
        with (
            interruptible(),
            Terminal(quiet=quiet) as terminal,
            engine(given.pop("engine"), opened.root, **told, memory=memory, tell=terminal.say) as chosen,
            _traced(Run(opened, chosen, terminal, memory), trace, as_json=given["as_json"]) as run,
        ):
            command(run=run, **given)

    options = [
        click.option("--name", help="The artifact's name; by default the first source's, or the parent's."),
        click.option("--config", type=click.Path(exists=True, dir_okay=False), help="A recipe; the stage takes its section."),
        click.option("--workers", type=click.IntRange(min=1), help="Tasks at a time; by default one a core."),
        click.option("--memory", metavar="SIZE", help="What all processes may hold together: 2GB; by default no bound."),
        click.option("--engine", type=click.Choice(ENGINES), default="local", show_default=True, help="Who does the work."),
        click.option("--address", help="The cluster: ray's host:port, ray://host:port or auto; dask's tcp://host:port."),
        click.option("--engine-options", multiple=True, metavar="KEY=VALUE", help="Slurm's: partition=cpu, timeout_min=60 ..."),
        click.option(
            "--trace",
            type=click.Path(dir_okay=False),
            is_flag=False,
            flag_value=TRACE,
            metavar="[FILE]",
            help=f"Write a timeline for Perfetto to this file ({TRACE}), and tell the seconds of each step.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        click.option("--quiet", "-q", is_flag=True, help="No progress, no remarks."),
    ]
    for option in reversed(options):
        with_run = option(with_run)
    return store_option(with_run)


@contextlib.contextmanager
def _traced(run: "Run", path: str | None, *, as_json: bool) -> "Iterator[Run]":
    """Give a run whose timeline is written to a file, where one is named; print its profile in the end."""
    if path is None:
        yield run
        return
    from pipeline.progress import table
    from pipeline.trace import COLUMNS, Trace
    from pipeline.traced import Traced, Watched

    with Trace(Path(path), sys.argv[1:]) as trace:
        click.get_current_context().obj = trace
        yield replace(run, engine=Traced(run.engine, trace), progress=Watched(run.progress, trace))
    if not as_json:
        table(COLUMNS, [["" if row[name] is None else row[name] for name in COLUMNS] for row in trace.profile()])
    run.progress.say(f"timeline: {path}; https://ui.perfetto.dev opens it")


def _on_this_machine(engine: str, address: str | None) -> bool:
    """Tell whether all workers are here: the local engine's, or those of a Ray cluster that is started for this run."""
    return engine == "local" or (engine == "ray" and (address or os.environ.get("RAY_ADDRESS") or "local") == "local")


def given_flags(**flags: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the flags that were given."""
    return {name: value for name, value in flags.items() if value is not None and value != ()}


def tell(artifacts: "Sequence[Artifact]", *, as_json: bool) -> None:
    """Print what a stage made."""
    from pipeline.progress import facts, result, say_json

    if as_json:
        told = [facts(artifact) | _profile(artifact) for artifact in artifacts]
        say_json(told[0] if len(told) == 1 else told)
        return
    for artifact in artifacts:
        click.echo("\n".join(result(artifact)))


def _profile(artifact: "Artifact") -> dict[str, Any]:
    """Return what a traced run knows of the making of an artifact."""
    trace: Trace | None = click.get_current_context().obj
    if trace is None:
        return {}
    manifest = artifact.manifest
    return {"profile": trace.profile(f"{manifest.stage}/{manifest.name}")}
