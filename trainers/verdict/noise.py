"""Losses that jitter -> what can be told of them: how noisy they are, whether they rose, how fast they fall.

All bounds are for independent Gaussian noise around a course that changes slowly.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

KEPT = 0.75  # share of the squared second differences that count: the steep begin of a training and its spikes do not
KEPT_MEAN = 0.3703  # mean of the lower 75 % of squared standard normal numbers (400,000 draws)
SECOND_DIFFERENCE = 6.0  # variance of x[i-1] - 2 x[i] + x[i+1] for independent numbers of variance 1
ENOUGH = 6  # losses: fewer give no second differences to speak of
BLOCKS, BLOCK = 20, 3  # training steps are judged in so many blocks at most, of so many steps at least
MIN_STEPS = ENOUGH * BLOCK
# Standard errors are these times loss / sqrt(supervised tokens). Measured on 256 validation pages of 127 tokens each while a
# Llama of 1 M parameters learnt 300 others for 400 steps: 3.0 to 7.5 for the loss, which differs more between pages than
# within one (tokens alone would give 0.5 to 1.0), and 0.9 to 1.3 for its change between two evaluations.
LEVEL_SCATTER, CHANGE_SCATTER = 3.0, 1.1


class Rise(NamedTuple):
    """How far losses end above their lowest: the lowest one's position, the rise, its standard error."""

    lowest: int
    size: float
    error: float


class Slope(NamedTuple):
    """A fall is negative; in nats over the whole run."""

    size: float
    error: float


def jitter(losses: npt.ArrayLike) -> float:
    """Return the standard deviation of losses around their course, by their second differences, the largest quarter left out.

    >>> round(jitter(np.random.default_rng(1).normal(2.0, 0.1, 1000)), 2)
    0.1
    """
    squares = np.sort(np.diff(np.asarray(losses, np.float64), 2) ** 2)
    kept = squares[: math.ceil(KEPT * len(squares))]
    return math.sqrt(kept.mean() / KEPT_MEAN / SECOND_DIFFERENCE)


def critical(count: int) -> float:
    """Return how many standard errors a rise among `count` losses must have: noise alone does that in 1 % of all runs at most.

    The curve lies on or above the 99th percentiles that 20,000 runs of pure noise gave for 6, 7, 10, 14, 24, 40 and 100 losses
    (5.8, 4.4, 4.3, 4.2, 3.6, 3.4, 3.4), the noise being estimated from the same losses.

    >>> critical(6), critical(100)
    (5.8, 3.45)
    """
    return round(3.3 + 15 / count, 4)


def rise(losses: npt.ArrayLike, noise: float) -> Rise:
    """Return how far the last fifth of the losses lies above the lowest fifth.

    >>> rise([3.0, 2.0, 2.25, 2.5], noise=0.0)
    Rise(lowest=1, size=0.5, error=0.0)
    """
    values = np.asarray(losses, np.float64)
    width = max(1, len(values) // 5)
    means = np.convolve(values, np.ones(width) / width, "valid")
    start = int(means.argmin())
    lowest = start + int(values[start : start + width].argmin())
    return Rise(lowest, float(means[-1] - means[start]), noise * math.sqrt(2 / width))


def slope(places: npt.ArrayLike, losses: npt.ArrayLike, noise: float) -> Slope:
    """Return the least-squares slope of losses at places of the run, 0 its begin and 1 its end.

    >>> slope([0.8, 0.9, 1.0], [2.2, 2.1, 2.0], noise=0.0)
    Slope(size=-1.0, error=0.0)
    """
    x = np.asarray(places, np.float64)
    x = x - x.mean()
    spread = float(x @ x)
    size = float(x @ np.asarray(losses, np.float64)) / spread
    return Slope(round(size, 9), noise / math.sqrt(spread))


def blocks(losses: Floats, tokens: Floats) -> Floats:
    """Return the losses per token of neighbouring steps, taken together into at most 20 blocks.

    >>> blocks(np.array([1.0, 2.0, 9.0, 4.0, 4.0, 4.0]), np.array([2.0, 1.0, 0.0, 5.0, 5.0, 5.0])).round(2).tolist()
    [1.33, 4.0]
    """
    count = min(BLOCKS, len(losses) // BLOCK)
    parts = zip(np.array_split(losses, count), np.array_split(np.maximum(tokens, 1e-9), count), strict=True)
    return np.array([float(np.average(part, weights=weights)) for part, weights in parts])


def level_error(loss: float, tokens: int) -> float:
    """Return the standard error, in nats, of a mean loss over tokens that stand for others of their kind.

    >>> level_error(2.0, 10_000)
    0.06
    """
    return LEVEL_SCATTER * loss / math.sqrt(tokens) if tokens else math.nan


def change_error(loss: float, tokens: int) -> float:
    """Return the standard deviation, in nats, that one evaluation's mean over so many tokens adds to a change of the loss.

    >>> round(change_error(2.0, 20_000), 4)
    0.011
    """
    return CHANGE_SCATTER * loss / math.sqrt(2 * tokens) if tokens else 0.0


def finite(values: Sequence[float]) -> bool:
    """Say whether all values are numbers."""
    return bool(np.isfinite(np.asarray(values, np.float64)).all())
