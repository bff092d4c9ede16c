"""A command -> how long it takes, and the most memory that it and all processes below it hold together."""

import contextlib
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

EVERY = 0.05  # seconds between two looks


class Used(NamedTuple):
    """What a command has used: `peak` is the largest sum of the proportional set sizes (PSS) of its processes, in bytes."""

    seconds: float
    peak: int


def measured(command: Sequence[str]) -> Used:
    """Run a command; raises `CalledProcessError` where it fails."""
    start, peak = time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            peak = max(peak, sum(pss(one) for one in below(process.pid)))
            time.sleep(EVERY)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Used(time.perf_counter() - start, peak)


def below(root: int) -> list[int]:
    """Return a process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for one in found:
        found += children.get(one, [])
    return found


def pss(process: int) -> int:
    """Return a process' proportional set size in bytes; nothing of one that has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) << 10
    return 0
