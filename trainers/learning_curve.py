"""Losses by step -> one picture: each training step, their smoothed course, and the validation loss."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainers.history import Point, of

Floats = npt.NDArray[np.float64]

STEP, SMOOTH, VALIDATION, INK = "#b8cce0", "#1f5f99", "#c8501e", "#333333"


def smoothed(losses: Sequence[float], tokens: npt.ArrayLike, width: float) -> Floats:
    """Return the mean loss around each step, weighted by supervised tokens and a Gaussian of `width` steps.

    It is centred, so that the course does not lag behind the validation loss.

    >>> smoothed([4.0, 4.0, 4.0], [10, 1, 7], width=2).tolist()
    [4.0, 4.0, 4.0]
    """
    reach = int(np.ceil(3 * width))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    weights = np.asarray(tokens, np.float64)
    count = len(weights)
    total = np.convolve(weights * np.asarray(losses), kernel)[reach : reach + count]
    course: Floats = total / np.convolve(weights, kernel)[reach : reach + count]
    return course


def draw(points: Sequence[Point], path: Path, title: str) -> None:
    """Draw the learning curve of a training to a PNG file."""
    figure = Figure(figsize=(9, 5.4), dpi=120, layout="constrained")
    axes = figure.add_subplot()
    _draw_training(axes, of("train", points))
    if validation := of("validation", points):
        _draw_validation(axes, validation)
    axes.set_title(title, loc="left", fontsize=12, color=INK)
    axes.set_xlabel(f"optimizer step ({points[-1].tokens:,} supervised tokens in all)")
    axes.set_ylabel("loss per supervised token (nats)")
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, format="png")


def _draw_training(axes: Axes, points: Sequence[Point]) -> None:
    steps, losses = [point.step for point in points], [point.loss for point in points]
    tokens = np.diff([0, *(point.tokens for point in points)])
    course = smoothed(losses, tokens, width=max(1.0, len(points) / 50))
    axes.plot(steps, losses, color=STEP, linewidth=0.9, marker="o", markersize=2, label="training, each step")
    axes.plot(steps, course, color=SMOOTH, linewidth=2, label="training, smoothed")


def _draw_validation(axes: Axes, points: Sequence[Point]) -> None:
    best = min(points, key=lambda point: point.loss)
    axes.plot(
        [point.step for point in points],
        [point.loss for point in points],
        color=VALIDATION,
        linewidth=1.4,
        marker="o",
        markersize=4.5,
        label=f"validation, lowest {best.loss:.3f} at step {best.step}",
    )
    axes.plot(best.step, best.loss, marker="o", markersize=11, markerfacecolor="none", color=VALIDATION)
