"""Checkpoints: the Trainer's own folders, each vouched for by a list of its files, so that a damaged one is passed over.

checkpoint-40/          adapter or model, optimizer, scheduler, random states, as transformers' Trainer writes them
  whole.json            written last: every file with its size and checksum, and the number of points by then
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.artifacts import atomic
from trainers.stream import Stream

WHOLE = "whole.json"


def place_of(folder: Path, step: int) -> Path:
    """Return where the checkpoint of a step lies.

    >>> place_of(Path("trainer"), 40).as_posix()
    'trainer/checkpoint-40'
    """
    return folder / f"checkpoint-{step}"


def vouch(checkpoint: Path, stream: Stream) -> None:
    """Write down every file of a checkpoint that has just been written, and how much was told by then; raises `StoreError`."""
    with atomic(checkpoint / WHOLE) as temporary:
        temporary.write_text(json.dumps(_content(checkpoint, stream)))


def is_whole(checkpoint: Path, stream: Stream) -> bool:
    """Say whether a checkpoint and the stream up to it hold what was vouched for, the checkpoint byte for byte."""
    try:
        return bool(json.loads((checkpoint / WHOLE).read_bytes()) == _content(checkpoint, stream))
    except (OSError, ValueError):
        return False


def steps_of(folder: Path) -> list[int]:
    """Return the steps that have a checkpoint, damaged ones too, in order."""
    return sorted(map(_step, folder.glob("checkpoint-*")))


def last_whole(folder: Path, stream: Stream, say: Callable[[str], None]) -> int:
    """Return the step of the newest checkpoint to go on from, 0 where there is none; damaged ones after it are removed."""
    for step in reversed(steps_of(folder)):
        if is_whole(place_of(folder, step), stream):
            return step
        say(f"the checkpoint of step {step} is unfinished or damaged, so it is passed over")
        shutil.rmtree(place_of(folder, step))
    return 0


def prune(folder: Path, best: int) -> None:
    """Remove all checkpoints but the last two and that of the best step."""
    for step in steps_of(folder)[:-2]:
        if step != best:
            shutil.rmtree(place_of(folder, step))


def _content(checkpoint: Path, stream: Stream) -> dict[str, Any]:
    paths = [path for path in sorted(checkpoint.rglob("*")) if path.is_file() and WHOLE not in path.name]
    files = {path.relative_to(checkpoint).as_posix(): [path.stat().st_size, _sha256(path)] for path in paths}
    return {"points": stream.count(_step(checkpoint)), "files": files}


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
