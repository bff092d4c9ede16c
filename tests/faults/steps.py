"""A run of `prep` whose nth step on the disk is its last one, or from which on the disk refuses every step.

A step is whatever changes the store's folder by Python's own calls: a file opened for writing, a rename, a removal, a folder
made or removed, a time set. They are counted by an audit hook (PEP 578) in the processes that a fault is for: the driver, its
workers, or all of them, which then die at once, as with their machine. Arrow opens the files that it writes by itself; those
stand between two steps, for each is written under a temporary name and renamed. How its writes fail is tried by a limit on a
file's size.
"""

import contextlib
import errno
import functools
import io
import multiprocessing
import multiprocessing.forkserver
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple
from unittest import mock

Fault = Literal["kill", "refuse", "small files"]
Who = Literal["driver", "worker", "both"]

PATHS = {"os.rename": (0, 1), "os.remove": (0,), "os.rmdir": (0,), "os.mkdir": (0,), "os.utime": (0,), "os.truncate": (0,)}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


SERVER = multiprocessing.forkserver.ForkServer()  # one of its own: others may have begun without what is warm
SERVER.set_forkserver_preload(["tests.faults.warm"])


class Outcome(NamedTuple):
    """How a run ended: its exit code (-9: killed), the steps it came to, what it said on stderr."""

    code: int
    steps: int
    said: str


@dataclass(frozen=True)
class Disturbed:
    """What is to befall the steps in a store: steps are counted by the bytes of a file that all processes append to."""

    root: str
    count: str
    fault: Fault | None
    at: int
    who: Who

    def watch(self) -> None:
        """Count the steps of this process from now on, and let happen what is to happen."""
        sys.addaudithook(functools.partial(self._step, os.open(self.count, os.O_WRONLY | os.O_APPEND)))

    def _step(self, counter: int, event: str, args: tuple[Any, ...]) -> None:
        if not _changes(event, args, self.root):
            return
        os.write(counter, b".")
        if self.fault is None or os.fstat(counter).st_size < self.at:
            return
        if self.fault == "kill" and self.who == "both":
            os.killpg(0, signal.SIGKILL)
        if self.fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.fault == "refuse":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(args[0]))


def run(
    arguments: Sequence[str], store: Path, fault: Fault | None = None, at: int = 0, *, workers: int = 1, who: Who = "driver"
) -> Outcome:
    """Run `prep` on a store; with a fault it is killed or refused at step `at`, or may write `at` bytes a file."""
    context = multiprocessing.get_context("forkserver")
    receive, send = context.Pipe(duplex=False)
    with tempfile.NamedTemporaryFile() as count:
        disturbed = Disturbed(os.fspath(store), count.name, fault, at, who)
        child = context.Process(target=_child, args=(list(arguments), disturbed, workers, str(Path.cwd()), send))
        with mock.patch.object(multiprocessing.forkserver, "connect_to_new_process", SERVER.connect_to_new_process):
            child.start()
        send.close()
        said = ""
        with contextlib.suppress(EOFError):
            said = receive.recv()
        child.join()
        return Outcome(child.exitcode or 0, Path(count.name).stat().st_size, said)


def _child(arguments: list[str], disturbed: Disturbed, workers: int, folder: str, send: Any) -> None:
    from pipeline.cli import main
    from pipeline.engine import local

    os.chdir(folder)
    os.setpgid(0, 0)
    for server in (multiprocessing.forkserver, multiprocessing.forkserver._forkserver):
        server.ensure_running = lambda: None  # workers come from where this process comes from
    local._start_worker = functools.partial(_worker, disturbed, os.getpid())  # type: ignore[assignment]
    told = io.StringIO()
    sys.stderr, sys.stdout = told, io.StringIO()
    if disturbed.fault == "small files":
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (disturbed.at, disturbed.at))
    if disturbed.who != "worker":
        disturbed.watch()
    code = 0
    try:
        main([*arguments, "--store", disturbed.root, "--workers", str(workers), "--quiet"])
    except SystemExit as ended:
        code = int(ended.code or 0)
    send.send(told.getvalue())
    send.close()
    os._exit(code)


def _worker(disturbed: Disturbed, driver: int) -> None:
    """Start a worker of the group of the driver's processes."""
    from pipeline.engine import local

    with contextlib.suppress(OSError):  # the driver is dead, and this worker will be
        os.setpgid(0, driver)
    local._start_worker()
    if disturbed.who != "driver":
        disturbed.watch()


def _changes(event: str, args: tuple[Any, ...], root: str) -> bool:
    if event == "open":
        path, mode, flags = args
        writes = bool(flags & WRITING) if mode is None else any(letter in mode for letter in "wax+")
        return writes and isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path).startswith(root)
    return any(os.fsdecode(args[place]).startswith(root) for place in PATHS.get(event, ()) if not isinstance(args[place], int))
