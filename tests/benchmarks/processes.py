"""A command -> how long it takes and works, and the most memory that it and all processes below it hold together."""

import contextlib
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

EVERY = 0.05  # seconds between two looks


class Used(NamedTuple):
    """What a command has used.

    `peak` is the largest sum of the proportional set sizes (PSS) of its processes, in bytes; `processors` are the seconds that
    all of them have worked, as far as was seen before they ended.
    """

    seconds: float
    peak: int
    processors: float


def measured(command: Sequence[str]) -> Used:
    """Run a command; raises `CalledProcessError` where it fails."""
    start, peak = time.perf_counter(), 0
    worked: dict[int, float] = {}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            processes = below(process.pid)
            peak = max(peak, sum(map(pss, processes)))
            worked |= {one: seconds for one in processes if (seconds := work(one))}
            time.sleep(EVERY)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Used(time.perf_counter() - start, peak, sum(worked.values()))


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


def work(process: int) -> float:
    """Return the seconds that a process has worked, all its threads together; nothing of one that has ended."""
    with contextlib.suppress(OSError):
        user, system = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return 0.0
