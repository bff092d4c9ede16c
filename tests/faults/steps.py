"""A run of `prep` whose nth step on the disk is its last one, or from which on the disk refuses every step.

A step is whatever changes the store's folder by Python's own calls: a file opened for writing, a rename, a removal, a folder
made or removed, a time set. They are counted by an audit hook (PEP 578) in a process of its own, in which all tasks run. Arrow
opens the files that it writes by itself; those stand between two steps, for each is written under a temporary name and renamed.
How its writes fail is tried by a limit on a file's size.
"""

import contextlib
import errno
import io
import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

Fault = Literal["kill", "refuse", "small files"]

PATHS = {"os.rename": (0, 1), "os.remove": (0,), "os.rmdir": (0,), "os.mkdir": (0,), "os.utime": (0,), "os.truncate": (0,)}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Outcome(NamedTuple):
    """How a run ended: its exit code (-9: killed), the steps it came to, what it said on stderr."""

    code: int
    steps: int
    said: str


def run(arguments: Sequence[str], store: Path, fault: Fault | None = None, at: int = 0) -> Outcome:
    """Run `prep` on a store; with a fault it is killed or refused at step `at`, or may write `at` bytes a file."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        ["pipeline.cli", "pipeline.flow", "pipeline.stages.ingest", "pipeline.stages.clean", "pipeline.stages.tokenize"]
    )
    receive, send = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(list(arguments), store, fault, at, str(Path.cwd()), send))
    child.start()
    send.close()
    told: tuple[int, str] = (at, "")
    with contextlib.suppress(EOFError):
        told = receive.recv()
    child.join()
    return Outcome(child.exitcode or 0, *told)


def _child(arguments: list[str], store: Path, fault: Fault | None, at: int, folder: str, send: Any) -> None:
    os.chdir(folder)
    root, count, told = os.fspath(store), [0], io.StringIO()

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if not _changes(event, args, root):
            return
        count[0] += 1
        if fault == "kill" and count[0] == at:
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "refuse" and count[0] >= at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(args[0]))

    from pipeline.cli import main

    sys.stderr, sys.stdout = told, io.StringIO()
    if fault == "small files":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (at, at))
    sys.addaudithook(hook)
    code = 0
    try:
        main([*arguments, "--store", root, "--workers", "1", "--quiet"])
    except SystemExit as ended:
        code = int(ended.code or 0)
    send.send((count[0], told.getvalue()))
    send.close()
    os._exit(code)


def _changes(event: str, args: tuple[Any, ...], root: str) -> bool:
    if event == "open":
        path, mode, flags = args
        writes = bool(flags & WRITING) if mode is None else any(letter in mode for letter in "wax+")
        return writes and isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path).startswith(root)
    return any(os.fsdecode(args[place]).startswith(root) for place in PATHS.get(event, ()) if not isinstance(args[place], int))
