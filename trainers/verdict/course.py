"""Points -> the course of losses that decides how a training fits, and how noisy it is.

It is that of validation. Its noise is what its own evaluations jitter by, or, of fewer than six, what the training steps jitter
by, which is more; never less than what so few tokens leave open. Without validation the training steps, in blocks, stand in.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from trainers.history import Point, of
from trainers.verdict.kinds import Facts
from trainers.verdict.noise import ENOUGH, MIN_STEPS, Floats, Slope, blocks, change_error, jitter, slope

END = 1 / 3  # of the run whose slope counts as its end
MIN_EVALUATIONS = 3  # after the first step


class Course(NamedTuple):
    """The losses that decide: whose, at which steps, their noise; `first` is from before the first step."""

    split: str
    steps: Floats
    spent: Floats
    """The share of all learning rates that was spent by then: near the end of a cosine a flat loss says little of the rows."""
    losses: Floats
    noise: float
    first: float | None
    last_step: int


def validation(points: Sequence[Point], facts: Facts) -> Course | None:
    """Return the evaluations after the first step; None where they, or the steps, are too few to tell their noise."""
    found = of("validation", points)
    after = [point for point in found if point.step > 0]
    noise = _noise(points, [point.loss for point in after], facts)
    if noise is None:
        return None
    first = found[0].loss if found[0].step == 0 else None
    steps, losses = np.array([[point.step, point.loss] for point in after]).T
    return Course("validation", steps, _spent(points, steps), losses, noise, first, max(point.step for point in points))


def _spent(points: Sequence[Point], steps: Floats) -> Floats:
    """Return which share of all learning rates was spent by some steps; of all steps where no rate is known."""
    train = of("train", points)
    rates = np.array([point.learning_rate or 0.0 for point in train])
    rates = rates if rates.sum() > 0 else np.ones(len(train))
    if not len(rates):
        rates, train = np.ones(1), [points[-1]._replace(step=int(steps.max()))]
    spent: Floats = np.interp(steps, [0, *(point.step for point in train)], [0, *(np.cumsum(rates) / rates.sum())])
    return spent


def _noise(points: Sequence[Point], losses: Sequence[float], facts: Facts) -> float | None:
    """Return the standard deviation of one evaluation around its course, or None where nothing tells it."""
    train = [point.loss for point in of("train", points)]
    if len(losses) < MIN_EVALUATIONS or (len(losses) < ENOUGH and len(train) < MIN_STEPS):
        return None
    jumps = jitter(losses if len(losses) >= ENOUGH else train)
    return max(jumps, change_error(min(losses), facts.validation_tokens))


def training(points: Sequence[Point]) -> Course | None:
    """Return the training losses in blocks."""
    train = of("train", points)
    if len(train) < MIN_STEPS:
        return None
    losses = blocks(np.array([point.loss for point in train]), np.diff([0.0, *(point.tokens for point in train)]))
    ends = np.linspace(0, train[-1].step, len(losses) + 1)
    middles = (ends[1:] + ends[:-1]) / 2
    return Course("training", middles, _spent(points, middles), losses, jitter(losses), None, train[-1].step)


def end_slope(course: Course) -> Slope:
    """Return the slope over the last third of the learning rates that were spent, over three losses at least."""
    count = ending(course)
    return slope(course.spent[-count:], course.losses[-count:], course.noise)


def ending(course: Course) -> int:
    """Return how many of the losses are the end."""
    return max(3, int((course.spent > 1 - END).sum()))
