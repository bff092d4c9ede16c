"""All documents' tokens, waiting -> the rows of a split in Arrow shards, and the index of what they hold.

First it is settled how often each piece is taken, and its row (see `layout`). Then comes a task for each shard of documents, if
these have many tokens, which puts them in the order of rows; and a task for some rows at a time, which writes an Arrow shard
and its part of the index (see `shards`).
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.artifacts import Draft
from pipeline.engine.memory import release
from pipeline.run import Run
from pipeline.timing import phase, timed
from pipeline.tokens import layout, shards
from pipeline.tokens.copies import Copies
from pipeline.tokens.layout import Wanted
from pipeline.tokens.packed_rows import exchange


@dataclass(frozen=True)
class Rows:
    """What the rows of all splits are made of."""

    draft: Draft
    copies: Copies
    wanted: Wanted
    artifacts: Sequence[tuple[str, int]]  # refs, and how many shards each has
    sort: bool  # by row what waits, before it is read row by row


def write(rows: Rows, split: str, before: int, run: Run) -> tuple[dict[str, Any], int]:
    """Write the rows of a split, `before` files of the index being those of others; return its counts, and how many it has."""
    length, work = rows.wanted.sequence_length, rows.draft.work / split
    count, pieces = _placed(rows, split, work / "places")
    spills, indexes = [_sorted(rows, split, work, run)] * 2 if rows.sort else (_encoded(rows), work / "places")
    parts = shards.cut(shards.Split(rows.draft.path, split, spills, indexes, rows.artifacts), count, length, before)
    tasks = shards.tasks(parts, pieces)
    answers = run.progress.track(f"tokenize, {split}: writing", run.engine.map(shards.write, tasks), len(tasks))
    total = {"rows": 0, "tokens": 0, "supervised_tokens": 0}
    for task, answer in zip(tasks, answers, strict=True):
        total = {name: total[name] + answer[name] for name in total}
        for file in [file for shard in task for file in shard.files]:
            rows.draft.seal(file)
    shutil.rmtree(work)
    filled = total["tokens"] / (total["rows"] * length) if total["rows"] else 0.0
    return {"split": split, **total, "filled": round(filled, 4)}, len(parts)


@phase("place pieces")
def _placed(rows: Rows, split: str, to: Path) -> tuple[int, int]:
    """Say where each piece goes; return how many rows and pieces. What that takes is given back before tasks begin."""
    taken = layout.taken(rows.copies, rows.wanted, held_out=split == "validation")
    layout.place_all(taken, to)
    count = taken.rows, len(taken.to)
    del taken
    release()
    return count


def _encoded(rows: Rows) -> Path:
    return rows.draft.work / "encoded"


def _sorted(rows: Rows, split: str, work: Path, run: Run) -> Path:
    """Have all spills written anew in the order of rows; return the folder that they are in."""
    names = [folder.name for folder in rows.copies.encoded.folders]
    moves = [(_encoded(rows) / name, work / "places" / name, work / "sorted" / name) for name in names]
    list(run.progress.track(f"tokenize, {split}: sorting", run.engine.map(_sort, moves), len(moves)))
    return work / "sorted"


@timed("pack")
def _sort(move: tuple[Path, Path, Path]) -> None:
    spill, places, to = move
    exchange(spill, to, index=places)
