"""Points -> what pictures and tables show of the losses: each split's first, lowest and last, and the range to show."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trainers.history import Point, Split, of

NAMES: dict[Split, str] = {"train": "training, each step", "sample": "training, a sample of rows", "validation": "validation"}

WHOLE = 2.5  # times the height that most losses take: what lies within is shown whole
BEGIN = 0.05  # share of the steps whose losses may lie outside
SHARE, ROOM = 0.1, 4.0  # of the whole height that is shown at least, but no more than so many times what most losses take
FEWEST = 18  # steps; of fewer none is left outside


class Losses(NamedTuple):
    """A split's losses per supervised token, in nats."""

    name: str
    first: float
    lowest: float
    lowest_step: int
    last: float
    points: int


def losses_of(points: Sequence[Point]) -> list[Losses]:
    """Return the losses of the splits that have any; what is no number is left out.

    >>> losses_of([Point(0, 0.0, "validation", 3.0, None, None, 0), Point(9, 1.0, "validation", 2.0, None, None, 9)])
    [Losses(name='validation', first=3.0, lowest=2.0, lowest_step=9, last=2.0, points=2)]
    """
    found = []
    for split, name in NAMES.items():
        known = [point for point in of(split, points) if math.isfinite(point.loss)]
        if known:
            best = min(known, key=lambda point: point.loss)
            found.append(Losses(name, known[0].loss, best.loss, best.step, known[-1].loss, len(known)))
    return found


def bounds(points: Sequence[Point]) -> tuple[float, float]:
    """Return the lowest and the highest loss to show: all, or, where that is far more, what most of the losses take.

    >>> tame = [Point(step, 0.1, "train", 3 - step / 100, None, None, step) for step in range(1, 101)]
    >>> bounds([Point(0, 0.0, "validation", 11.0, None, None, 0), *tame])
    (2.0, 2.94)
    """
    losses = np.array([point.loss for point in points if np.isfinite(point.loss)])
    last = max((point.step for point in points), default=1)
    settled = np.array([p.loss for p in points if np.isfinite(p.loss) and p.step >= BEGIN * last])
    if not len(losses):
        return 0.0, 1.0
    low, high = float(losses.min()), float(losses.max())
    most = float(np.quantile(settled, 0.99, method="lower")) - low if len(settled) else 0.0
    if last < FEWEST or high - low <= WHOLE * most or most <= 0:
        return low, high
    return low, low + max(most, min(SHARE * (high - low), ROOM * most))
