"""How `prep` talks: progress bars and tables on a terminal, a line a minute elsewhere, JSON where a machine reads.

Answers go to stdout; progress and remarks go to stderr. Rich, which draws, is imported where there is something to draw.
"""

import json
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, TypeVar

from pipeline.artifacts import Artifact
from pipeline.run import Note

if TYPE_CHECKING:
    from rich.console import Console

Answer = TypeVar("Answer")
EVERY = 60.0  # seconds between two lines where there is no terminal


class Terminal:
    """Shows a bar while a stage works, or says once a minute how far it is where there is no terminal; both on stderr.

    Enter it with `with`, for the minutes.
    """

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._far = ""
        self._begun = time.monotonic()
        self._ended = threading.Event()
        self._clock = threading.Thread(target=self._tell, daemon=True)

    @cached_property
    def _console(self) -> "Console":
        from rich.console import Console

        return Console(stderr=True, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        if not self.quiet and not self._console.is_terminal:
            self._clock.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._clock.is_alive():
            self._clock.join()

    def _tell(self) -> None:
        while not self._ended.wait(EVERY):
            self.say(f"{self._far or 'working'} ({spell(time.monotonic() - self._begun)})")

    def track(self, label: str, answers: Iterator[Answer], total: int) -> Iterator[Answer]:
        """Pass the answers on; draw how many of them have come."""
        if self.quiet or not self._console.is_terminal:
            yield from self._counted(label, answers, total)
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(*columns, console=self._console, transient=True) as bars:
            task = bars.add_task(label, total=total, note="")
            for answer in answers:
                bars.update(task, advance=1, note=_noted(answer))
                yield answer

    def _counted(self, label: str, answers: Iterator[Answer], total: int) -> Iterator[Answer]:
        self._far = f"{label}: 0 of {total}"
        for count, answer in enumerate(answers, 1):
            self._far = ", ".join(filter(None, (f"{label}: {count} of {total}", _noted(answer))))
            yield answer
        self._far = f"{label}: done, {total} of {total}"

    def say(self, line: str) -> None:
        """Say a line."""
        if not self.quiet:
            self._console.print(line, markup=False)


def _noted(answer: object) -> str:
    return answer if isinstance(answer, Note) else ""


def spell(seconds: float) -> str:
    """Say a time.

    >>> spell(65), spell(3725)
    ('1:05', '1:02:05')
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def facts(artifact: Artifact) -> dict[str, Any]:
    """Return what a machine wants to know of an artifact."""
    manifest = artifact.manifest
    return {
        "ref": artifact.ref,
        "path": artifact.place,
        "rows": manifest.rows,
        "counts": manifest.counts,
        "seconds": manifest.run.get("seconds"),
    }


def result(artifact: Artifact) -> list[str]:
    """Say in lines what an artifact holds and what went.

    The first line is the ref and the rows, then a line for each filter or reason, then the folder.
    """
    manifest = artifact.manifest
    rows = ", ".join(f"{count} {name}" for name, count in manifest.rows.items() if name != "in" and (count or name == "kept"))
    lines = [f"{artifact.ref}  {manifest.rows['in']} rows: {rows}  ({manifest.run.get('seconds', 0):.1f} s)"]
    lines += [f"  {in_words(count)}" for count in manifest.counts]
    return [*lines, f"  {artifact.place}"]


def in_words(count: dict[str, Any]) -> str:
    """Say one entry of a manifest's counts.

    >>> in_words({"step": 1, "filter": "slop", "in": 15, "removed": 1, "changed": 0})
    'slop: 1 of 15 removed'
    >>> in_words({"reason": "the text is NULL", "rejected": 4})
    '4 rejected: the text is NULL'
    """
    if "reason" in count:
        return f"{count['rejected']} rejected: {count['reason']}"
    if "filter" in count:
        of = f" of {count['in']}" if "in" in count else ""
        changed = f", {count['changed']} changed" if count.get("changed") else ""
        rejected = f", {count['rejected']} rejected" if count.get("rejected") else ""
        recall = f", estimated recall at the threshold {count['recall']:.1%}" if "recall" in count else ""
        return f"{count['filter']}: {count['removed']}{of} removed{changed}{rejected}{recall}"
    head, *rest = (f"{value}" if position == 0 else f"{key} {value}" for position, (key, value) in enumerate(count.items()))
    return f"{head}: {', '.join(rest)}".replace("_", " ")


def say_json(value: object) -> None:
    """Print a value as JSON."""
    sys.stdout.write(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def say_line(value: object) -> None:
    """Print a value as one line of JSON."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table: drawn on a terminal, tab-separated elsewhere."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        for row in [columns, *rows]:
            sys.stdout.write("\t".join(str(cell) for cell in row) + "\n")
        return
    drawn = Table(*columns, box=None, header_style="bold")
    for row in rows:
        drawn.add_row(*(str(cell) for cell in row))
    console.print(drawn)
