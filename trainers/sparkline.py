"""Points -> the courses of their losses as lines of block characters, for a terminal."""

import math
from collections.abc import Sequence

import numpy as np

from trainers.history import Point, Split, of
from trainers.losses import bounds

BLOCKS = "▁▂▃▄▅▆▇█"
WIDTH = 48  # characters
NAMES: dict[Split, str] = {"train": "training", "sample": "sample", "validation": "validation"}


def sparklines(points: Sequence[Point]) -> list[str]:
    """Return a line a split, all on one scale, with its first loss before and its last behind; `×`: no number.

    >>> points = [Point(step, 0.1, "train", 3 - step / 10, None, None, step) for step in range(1, 5)]
    >>> sparklines(points)[0].replace("█" * 12, "█").replace("▁" * 12, "▁")
    'training   2.900 █▆▆▆▆▆▆▆▆▆▆▆▆▃▃▃▃▃▃▃▃▃▃▃▃▁ 2.600'
    """
    low, high = bounds(points)
    last = max((point.step for point in points), default=1)
    lines = []
    for split, name in NAMES.items():
        if found := of(split, points):
            drawn = "".join(_block(loss, low, high) for loss in _columns(found, last))
            lines.append(f"{name:<10} {found[0].loss:.3f} {drawn} {found[-1].loss:.3f}")
    return lines


def _columns(points: Sequence[Point], last: int) -> list[float]:
    """Return the mean loss in each column; a column without a point has that of the one before."""
    places = [min(WIDTH - 1, max(0, point.step - 1) * WIDTH // last) for point in points]
    means: list[float] = []
    for column in range(WIDTH):
        losses = [point.loss for place, point in zip(places, points, strict=True) if place == column]
        means.append(float(np.mean(losses)) if losses else means[-1] if means else points[0].loss)
    return means


def _block(loss: float, low: float, high: float) -> str:
    if not math.isfinite(loss):
        return "×"
    share = (loss - low) / (high - low) if high > low else 0.0
    return BLOCKS[min(len(BLOCKS) - 1, max(0, int(share * len(BLOCKS))))]
