"""`prep train --launcher accelerate` -> the same command in several processes, and one line where one of them fails.

    the command      starts `accelerate launch ... -m pipeline.cli train ...`, waits, and says what went wrong
    each process     joins the others (`trainers.ranks`); what it fails with it leaves in a file, and says nothing

Where a user calls `accelerate launch -m pipeline.cli` or `torchrun -m pipeline.cli` himself, each process says it.
"""

import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, NoReturn

import click

from pipeline.cli.group import Stop
from pipeline.errors import UsageError
from trainers import ranks

WORDS = "PREP_LAST_WORDS"  # the folder in which processes that were started here leave what they failed with
MODULE = "pipeline.cli"


class LastWords(NamedTuple):
    """What a process failed with; `of_another`: it broke off since another one was gone."""

    message: str
    exit_code: int
    of_another: bool


class Repeatable(click.Command):
    """A command that knows the words it was called with."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the words, and read them."""
        ctx.meta[MODULE] = [*args]
        return super().parse_args(ctx, args)


def launch(ctx: click.Context, processes: int | None) -> None:
    """Run a command again in several processes, and wait for them; raises `Stop`, `UsageError`, `KeyboardInterrupt`."""
    from trainers.settings import require

    require()
    count = _count(processes)
    command = [str(ctx.info_name), *ctx.meta[MODULE]]
    with tempfile.TemporaryDirectory() as folder, _environment(folder), _no_logs():
        _launch(count, command, Path(folder))


def _count(processes: int | None) -> int:
    import torch

    count = processes or torch.cuda.device_count()
    if count < 2:
        raise UsageError(
            f"--launcher: {count or 'no'} CUDA card here, so there is nothing to share. Name --processes 2 or more."
        )
    return count


def _launch(count: int, command: Sequence[str], folder: Path) -> None:
    from accelerate.commands.config.config_args import default_config_file
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    port = [] if Path(default_config_file).is_file() else ["--main_process_port", "0"]  # 0: any that is free
    words = ["--multi_gpu", "--num_processes", str(count), *port, "--module", MODULE, *command]
    try:
        launch_command(launch_command_parser().parse_args(words))
    except ChildFailedError as error:
        codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
        raise Stop(*what_failed(_left_in(folder), codes, count)) from error
    except SignalException as error:
        raise KeyboardInterrupt from error


def what_failed(words: Mapping[int, LastWords], codes: Mapping[int, int], count: int) -> tuple[str, int]:
    """Return the line and the exit code for processes that failed, by what they left and by the codes that they ended with.

    >>> broken = LastWords("Connection closed by peer", 1, of_another=True)
    >>> what_failed({0: LastWords("the training split is empty", 1, False), 1: broken}, {0: 1, 1: 1}, count=2)
    ('the training split is empty', 1)
    >>> what_failed({0: broken}, {0: 1, 1: -9}, count=2)[0].partition(".")[0]
    'process 1 of 2 (counted from 0) was ended by SIGKILL, as a machine does whose memory is full'
    """
    told = [words[rank] for rank in sorted(words) if not words[rank].of_another]
    if told:
        return told[0].message, told[0].exit_code
    again = "Checkpoints are kept: run the same command again to go on from the last."
    for rank, code in sorted(codes.items(), key=lambda item: item[1] == -signal.SIGTERM):  # last: those left over
        if code < 0:
            full = ", as a machine does whose memory is full" if -code == signal.SIGKILL else ""
            return f"process {rank} of {count} (counted from 0) was ended by {signal.Signals(-code).name}{full}. {again}", 1
    return f"a process of {count} ended without a word. {again}", 1


def _left_in(folder: Path) -> dict[int, LastWords]:
    return {int(path.stem): LastWords(*json.loads(path.read_text(encoding="utf-8"))) for path in folder.glob("*.json")}


@contextlib.contextmanager
def _environment(folder: str) -> Iterator[None]:
    """Let the processes import this very code, whatever lies in the folder they are started in; say where to leave words."""
    home = str(Path(__file__).parent.parent.parent)
    paths = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    changes = {WORDS: folder, "PYTHONPATH": paths, "PYTHONSAFEPATH": "1"}
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def _no_logs() -> Iterator[None]:
    """Keep torch's launcher from telling of each process that it ends."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def as_rank(main: click.Command) -> NoReturn:
    """Run `prep` as one of several processes; what it fails with is left to the command that started it, or said."""
    if WORDS in os.environ:
        threading.Thread(target=_end_with, args=[os.getppid()], daemon=True).start()
    try:
        main(prog_name="prep", standalone_mode=False)
    except click.ClickException as error:
        _tell(error)
        sys.exit(error.exit_code)
    sys.exit(0)


def _tell(error: click.ClickException) -> None:
    of_another = ranks.is_loss_of_another(error.__cause__)
    if folder := os.environ.get(WORDS):
        place = Path(folder) / f"{ranks.rank()}.json"
        place.write_text(json.dumps(LastWords(error.format_message(), error.exit_code, of_another)), encoding="utf-8")
    elif ranks.is_first():
        error.show()
    elif not of_another:
        click.echo(f"Error: process {ranks.rank()} of {ranks.count()}: {error.format_message()}", err=True)


def _end_with(parent: int) -> None:
    """End when the process that started this one is gone, however it went: a training goes on nowhere unseen."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
