"""Points and paces -> two files of JSON lines, written as they come, and back: a training that was killed goes on with them."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.artifacts import atomic
from trainers.failures import writing
from trainers.history import Pace, Point


class Stream:
    """What a training has told so far, in a folder: `points.jsonl` and `paces.jsonl`; not `kept`, it is only read there."""

    def __init__(self, folder: Path, *, kept: bool = True) -> None:
        self._kept = kept
        self._files = {Point: folder / "points.jsonl", Pace: folder / "paces.jsonl"}
        self.points: list[Point] = [Point(*line) for line in _lines(self._files[Point])]
        self.paces: list[Pace] = [Pace(*line) for line in _lines(self._files[Pace])]

    def add(self, told: Point | Pace) -> None:
        """Keep one more, on the disk too; raises `StoreError`."""
        (self.points if isinstance(told, Point) else self.paces).append(told)  # type: ignore[arg-type]
        if not self._kept:
            return
        path = self._files[type(told)]
        with writing(path), path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")

    def count(self, step: int) -> int:
        """Count the points up to a step."""
        return sum(point.step <= step for point in self.points)

    def cut(self, step: int) -> None:
        """Forget what came after a step: it is trained again."""
        self.points = [point for point in self.points if point.step <= step]
        self.paces = [pace for pace in self.paces if pace.step <= step]
        for kind, told in ((Point, self.points), (Pace, self.paces)) if self._kept else ():
            with atomic(self._files[kind]) as temporary:
                temporary.write_text("".join(json.dumps(one) + "\n" for one in told), encoding="utf-8")

    def settle(self) -> None:
        """Wait until all of it is on the disk, whatever becomes of the machine."""
        for path in self._files.values() if self._kept else ():
            if path.exists():
                with path.open("rb") as file:
                    os.fsync(file.fileno())


def _lines(path: Path) -> Iterator[list[Any]]:
    """Yield a file's lines up to the first that is torn, as a run that was killed leaves its last."""
    if not path.exists():
        return
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            told = json.loads(line)
        except ValueError:
            return
        if not line.endswith(b"\n"):
            return
        yield told
