"""A run -> its timeline, in the trace event format that Perfetto and chrome://tracing open, and a profile by step.

    a stage, and the driver's phases in it     on the row of the driver
    a task, and what it did by name in it      on the row of its worker, below its node

What a task did many times in turns, such as reading and forming rows, is one event of their sum. Times travel with the answers
of tasks, so that every engine brings them; each event is a line, written when it is known, and a timeline that was cut off by
a kill opens as it is. The same command on the same file goes on with it, as the run goes on with its shards.

The format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU (JSON Array Format).
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipeline.artifacts import STAGES, refusals
from pipeline.errors import UsageError, without_passwords
from pipeline.timing import Record, Sum, listening

Event = dict[str, Any]
DRIVER = 1  # the driver's `pid`; nodes are 2, 3, ...
NODE = "node "  # before the name of one
ALONE = "train"  # the stage that the driver does without tasks, so that its phases are its steps
PUBLISH = "publish"  # the phase that is the last one of a stage
OPENING = "[\n"
BEGIN, DONE = "prep", "done"  # the first event's name, and that of the last one of a run that came to its end
COLUMNS = ("artifact", "step", "seconds", "share", "MB", "MB/s", "calls")


class Trace:
    """Writes a timeline while a run goes on, and adds up its profile. Enter it with `with`."""

    def __init__(self, path: Path, command: Sequence[str]) -> None:
        self.path, self._command = path, [without_passwords(word) for word in command]
        self._nodes: dict[str, int] = {}
        self._rows: set[tuple[int, int]] = set()
        self._sums: dict[tuple[str, str], Sum] = {}
        self._artifact, self._label = "", ""
        self._begun = time.time()

    def __enter__(self) -> Self:
        kept = self._earlier()
        with refusals(self.path):
            self._file = self.path.open("w", encoding="utf-8", buffering=1)
            self._file.write(OPENING)
        self._nodes = {name.removeprefix(NODE): pid for name, pid in _processes(kept) if pid != DRIVER}
        self._origin = float(kept[0]["args"]["started"]) if kept else self._begun
        begin = {"started": self._begun, "command": self._command, "pid": os.getpid()}
        for event in [*kept, {"name": BEGIN, "ph": "i", "s": "g", **self._at(DRIVER, os.getpid(), self._begun), "args": begin}]:
            self._write(event)
        self._name_driver()
        self._listening = listening(self)
        self._listening.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._listening.__exit__(None, None, None)
        self._end_stage()
        name = (
            DONE if kind is None else "interrupted" if kind is KeyboardInterrupt else f"failed: {without_passwords(str(error))}"
        )
        last = {"name": name, "ph": "i", "s": "g", **self._at(DRIVER, os.getpid(), time.time())}
        with self._file:
            self._file.write(json.dumps(last, ensure_ascii=False) + "\n]\n")

    def _earlier(self) -> list[Event]:
        """Return the events of the same command's run before, if it did not come to its end; raises `UsageError`."""
        if not self.path.exists() or self.path.stat().st_size <= len(OPENING):
            return []
        found = []
        with self.path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                with contextlib.suppress(ValueError):  # the brackets, and a line that was cut off
                    found.append(json.loads(line.rstrip(",\n")))
        if not found or not isinstance(found[0], dict) or found[0].get("name") != BEGIN:
            raise UsageError(
                f"--trace {self.path}: the file is there, and is no timeline of prep. Name another one; "
                f"--trace without a name stands last."
            )
        return found if found[-1]["name"] != DONE and found[0]["args"]["command"] == self._command else []

    def phase(self, name: str, start: float, seconds: float) -> None:
        """Take a phase of the driver; `start` is in seconds since 1970."""
        self._span(name, self._stage, DRIVER, os.getpid(), start, seconds)
        if self._stage == ALONE:
            self._add(name, Sum(0.0, seconds, calls=1))
        if name == PUBLISH:
            self._end_stage()

    def stage(self, name: str) -> None:
        """Take it that a stage begins to make an artifact; the one before has ended."""
        self._end_stage()
        self._artifact, self._begun = name, time.time()

    @contextlib.contextmanager
    def during(self, label: str) -> Iterator[None]:
        """Take a block as a phase of the driver; the tasks that are done in it have its label."""
        before, self._label = self._label, label
        start = time.time()
        try:
            yield
        finally:
            self._span(label, self._stage, DRIVER, os.getpid(), start, time.time() - start)
            self._label = before

    def task(self, record: Record, function: str) -> None:
        """Take a task's time, whose label is that of the phase, else its function's name."""
        label, pid = self._label or function, self._node(record.node)
        if (pid, record.worker) not in self._rows:
            self._rows.add((pid, record.worker))
            self._name("thread_name", pid, record.worker, f"worker {record.worker}")
        args = {
            "stage": self._stage, "artifact": self._artifact, "shard": record.number, "node": record.node,
            "worker": record.worker, "cpu_seconds": round(record.cpu, 6), "peak_rss_bytes": record.peak,
        }  # fmt: skip
        self._span(label, self._stage, pid, record.worker, record.start, record.seconds, args)
        for name, start, sum_ in _side_by_side(record.sums):
            known = {"bytes": sum_.bytes, "calls": sum_.calls}
            self._span(name, "step", pid, record.worker, record.start + start, sum_.seconds, known)
            self._add(name, sum_)
        rest = record.seconds - sum(sum_.seconds for sum_ in record.sums.values())
        self._add("besides" if record.sums else label.partition(", ")[2] or label, Sum(0.0, rest, calls=1))

    def profile(self, artifact: str | None = None) -> list[dict[str, Any]]:
        """Return for each step, of all artifacts or of one (`clean/web`): seconds of all workers, MB and MB/s, calls."""
        artifacts = list(dict.fromkeys(of for of, _ in self._sums)) if artifact is None else [artifact]
        return [row for of in artifacts for row in self._of(of)]

    def _of(self, artifact: str) -> list[dict[str, Any]]:
        sums = {step: sum_ for (of, step), sum_ in self._sums.items() if of == artifact}
        total = sum(sum_.seconds for sum_ in sums.values())
        return [
            {
                "artifact": artifact, "step": step, "seconds": round(sum_.seconds, 3),
                "share": round(sum_.seconds / total, 3) if total else 0.0, "MB": round(sum_.bytes / 1e6, 2),
                "MB/s": round(sum_.bytes / 1e6 / sum_.seconds, 1) if sum_.bytes and sum_.seconds else None, "calls": sum_.calls,
            }
            for step, sum_ in sorted(sums.items(), key=lambda entry: -entry[1].seconds)
        ]  # fmt: skip

    @property
    def _stage(self) -> str:
        """Return the stage that a label names, else the one that makes an artifact."""
        head = self._label.partition(",")[0]
        return head if head in STAGES else self._artifact.partition("/")[0]

    def _add(self, step: str, sum_: Sum) -> None:
        artifact = self._artifact if self._artifact.startswith(f"{self._stage}/") else self._stage
        known = self._sums.setdefault((artifact, step), Sum(0.0))
        known.seconds += sum_.seconds
        known.bytes += sum_.bytes
        known.calls += sum_.calls

    def _end_stage(self) -> None:
        if self._artifact:
            start, seconds = self._begun, time.time() - self._begun
            self._span(self._artifact, "stage", DRIVER, os.getpid(), start, seconds)
            self._artifact = ""

    def _node(self, name: str) -> int:
        if name not in self._nodes:
            self._nodes[name] = DRIVER + 1 + len(self._nodes)
            self._name("process_name", self._nodes[name], 0, f"{NODE}{name}")
        return self._nodes[name]

    def _name_driver(self) -> None:
        self._name("process_name", DRIVER, os.getpid(), "prep")
        self._name("thread_name", DRIVER, os.getpid(), f"driver {os.getpid()}")

    def _name(self, what: str, pid: int, tid: int, name: str) -> None:
        self._write({"name": what, "ph": "M", "pid": pid, "tid": tid, "args": {"name": name}})

    def _span(
        self, name: str, kind: str, pid: int, tid: int, start: float, seconds: float, args: dict[str, Any] | None = None
    ) -> None:
        event = {"name": name, "cat": kind, "ph": "X", **self._at(pid, tid, start), "dur": _micros(seconds)}
        self._write(event | ({"args": args} if args else {}))

    def _at(self, pid: int, tid: int, moment: float) -> Event:
        return {"pid": pid, "tid": tid, "ts": _micros(moment - self._origin)}

    def _write(self, event: Event) -> None:
        if self._file.closed:  # what an error has left standing ends when the run has ended
            return
        self._file.write(json.dumps(event, ensure_ascii=False) + ",\n")


def _processes(events: Sequence[Event]) -> Iterator[tuple[str, int]]:
    return ((event["args"]["name"], event["pid"]) for event in events if event["name"] == "process_name")


def _micros(seconds: float) -> float:
    """Return microseconds to a tenth, as many as a clock tells apart.

    >>> _micros(0.00123456)
    1234.6
    """
    return round(max(0.0, seconds) * 1e6, 1)


def _side_by_side(sums: dict[str, Sum]) -> Iterator[tuple[str, float, Sum]]:
    """Give for each name where its sum can be drawn: not before it began first, nor before the one that began before has ended.

    Whatever began behind a moment was done behind it, so that no sum ends after its task.

    >>> sums = {"read": Sum(0.0, 3.0), "form": Sum(1.0, 2.0), "write": Sum(9.0, 1.0)}
    >>> [(name, start) for name, start, _ in _side_by_side(sums)]
    [('read', 0.0), ('form', 3.0), ('write', 9.0)]
    """
    end = 0.0
    for name, sum_ in sorted(sums.items(), key=lambda entry: entry[1].first):
        start = max(end, sum_.first)
        yield name, start, sum_
        end = start + sum_.seconds
