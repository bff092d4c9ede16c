"""Losses by step -> one picture: training, validation and sample, what the verdict saw, and four small courses below.

The y axis leaves the first losses or a spike outside rather than flatten all else, and says so.
"""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from pipeline.artifacts import atomic
from trainers.history import Pace, Point, of
from trainers.losses import FEWEST, bounds
from trainers.small_courses import draw_small, small_courses
from trainers.theme import LIGHT, Theme, plain
from trainers.verdict import Finding, Verdict
from trainers.verdict.noise import jitter
from trainers.verdict.stability import SPIKE

Floats = npt.NDArray[np.float64]


SIZE, DPI = (9, 6.6), 120  # 1080 x 792 pixels; the smallest letters are 11 pixels high at a width of 900
FEW = 80  # steps that are each marked with a dot


def smoothed(losses: npt.ArrayLike, tokens: npt.ArrayLike, width: float) -> Floats:
    """Return the mean loss around each step, weighted by supervised tokens and a Gaussian of `width` steps.

    It is centred, so that the course does not lag behind the validation loss. Losses that are no number do not count.

    >>> smoothed([4.0, 4.0, 4.0], [10, 1, 7], width=2).tolist()
    [4.0, 4.0, 4.0]
    """
    reach = int(np.ceil(3 * width))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / width) ** 2)
    values = np.asarray(losses, np.float64)
    weights = np.where(np.isfinite(values), np.asarray(tokens, np.float64), 0.0)
    count = len(weights)
    total = np.convolve(weights * np.where(np.isfinite(values), values, 0.0), kernel)[reach : reach + count]
    seen = np.convolve(weights, kernel)[reach : reach + count]
    course: Floats = np.divide(total, seen, out=np.full(count, np.nan), where=seen > 0)
    return course


def draw(
    points: Sequence[Point], path: Path, title: str, *, paces: Sequence[Pace] = (), verdict: Verdict | None = None
) -> None:
    """Draw the learning curve of a training to a PNG file."""
    with atomic(path) as temporary:
        temporary.write_bytes(png(points, title, paces=paces, verdict=verdict))


def png(
    points: Sequence[Point], title: str, *, paces: Sequence[Pace] = (), verdict: Verdict | None = None, theme: Theme = LIGHT
) -> bytes:
    """Return the picture of a training; the same points are the same bytes."""
    figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained", facecolor=theme.paper)
    courses = small_courses(points, paces)
    rows = figure.add_gridspec(2, 1, height_ratios=[3.6, 1]) if courses else figure.add_gridspec(1, 1)
    _draw_losses(figure.add_subplot(rows[0]), points, verdict, theme)
    if courses:
        below = rows[1].subgridspec(1, len(courses))
        for place, course in enumerate(courses):
            axes = figure.add_subplot(below[place])
            plain(axes, theme)
            draw_small(axes, course, theme.train, theme.ink)
    heading = "\n".join(textwrap.wrap(title, 84)[:2])
    figure.suptitle(heading, x=0.0045, ha="left", fontsize=11.5, fontweight="bold", color=theme.ink, parse_math=False)
    written = io.BytesIO()
    figure.savefig(written, format="png", facecolor=theme.paper)
    return written.getvalue()


def _words(verdict: Verdict | None) -> str:
    if not verdict or not verdict.findings:
        return ""
    said = f"{verdict.headline}. {verdict.findings[0].sentence}"
    return "\n".join(textwrap.wrap(f"{said[:1].upper()}{said[1:]}", 118)[:3])


def _draw_losses(axes: Axes, points: Sequence[Point], verdict: Verdict | None, theme: Theme) -> None:
    plain(axes, theme)
    train, validation, sample = of("train", points), of("validation", points), of("sample", points)
    if train:
        _draw_training(axes, train, theme)
    if sample:
        _draw_evaluations(axes, sample, "sample of training rows", theme.sample, "s")
    if validation:
        _draw_evaluations(axes, validation, "validation", theme.validation, "o")
        _mark_best(axes, validation, theme)
    _limit(axes, points, theme)
    for finding in verdict.findings if verdict else ():
        _show_finding(axes, finding, max((point.step for point in points), default=1), theme)
    axes.set_title(
        _words(verdict), loc="left", x=-0.06, fontsize=10, color=theme.ink, pad=27, linespacing=1.35, parse_math=False
    )
    axes.set_xlabel(f"optimizer step{_seen(points)}", color=theme.ink)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.set_ylabel("loss per supervised token (nats)", color=theme.ink)
    if points:
        legend = axes.legend(
            loc="lower left", bbox_to_anchor=(-0.07, 1.0), ncols=5, frameon=False, labelcolor=theme.ink, fontsize=9,
            columnspacing=1.4, handletextpad=0.5, borderaxespad=0.2,
        )  # fmt: skip
        legend.set_in_layout(False)  # it stands in the title's margin, and shall not narrow the picture


def _seen(points: Sequence[Point]) -> str:
    if not points:
        return ""
    epochs = points[-1].epoch
    return f" ({points[-1].tokens:,} supervised tokens in {epochs:.3g} epoch{'' if epochs == 1 else 's'})"


def _draw_training(axes: Axes, points: Sequence[Point], theme: Theme) -> None:
    steps, losses = [point.step for point in points], np.array([point.loss for point in points])
    width = max(1.0, len(points) / 50)
    tokens = np.where(_spikes(losses, width), 0, np.diff([0, *(point.tokens for point in points)]))
    dots: dict[str, Any] = {"marker": "o", "markersize": 3} if len(points) <= FEW else {}
    alone = "o" if len(points) == 1 else None
    axes.plot(steps, losses, color=theme.step, linewidth=0.9, label="each step", **dots)
    axes.plot(
        steps, smoothed(losses, tokens, width), color=theme.train, linewidth=2.2, label="training, smoothed", marker=alone
    )


def _spikes(losses: Floats, width: float) -> npt.NDArray[np.bool_]:
    """Say which losses are so far off the median around them that they would bend the smoothed course."""
    if len(losses) < FEWEST or not np.isfinite(losses).all():
        return np.zeros(len(losses), bool)
    reach = max(2, round(width))
    around = np.lib.stride_tricks.sliding_window_view(np.pad(losses, reach, mode="reflect"), 2 * reach + 1)
    off: npt.NDArray[np.bool_] = np.abs(losses - np.median(around, axis=1)) > SPIKE * jitter(losses)
    return off


def _draw_evaluations(axes: Axes, points: Sequence[Point], label: str, color: str, marker: str) -> None:
    steps, losses = [point.step for point in points], [point.loss for point in points]
    size = 4.5 if len(points) <= FEW else 2.0
    axes.plot(steps, losses, color=color, linewidth=1.6, marker=marker, markersize=size, label=label)


def _mark_best(axes: Axes, points: Sequence[Point], theme: Theme) -> None:
    known = [point for point in points if np.isfinite(point.loss)]
    if known:
        best = min(known, key=lambda point: point.loss)
        axes.plot(
            best.step, best.loss, linestyle="none", marker="o", markersize=12, markeredgewidth=1.6, markerfacecolor="none",
            color=theme.validation, label=f"lowest, {best.loss:.3f} at step {best.step:,}", zorder=5,
        )  # fmt: skip


def _limit(axes: Axes, points: Sequence[Point], theme: Theme) -> None:
    """Set the height of the picture, and mark what lies above it."""
    low, high = bounds(points)
    room = (high - low) or max(abs(high), 1.0) * 0.1
    top = high + 0.16 * room
    axes.set_ylim(low - 0.06 * room, top)
    last = max((point.step for point in points), default=1)
    axes.set_xlim(-0.015 * last if last > 1 else 0, 1.015 * last if last > 1 else 2)
    if above := [point for point in points if np.isfinite(point.loss) and point.loss > top]:
        steps = [point.step for point in above]
        axes.plot(steps, [top] * len(above), "^", color=theme.faint, markersize=5, clip_on=False)
        highest = max(point.loss for point in above)
        _write(axes, last, f"▲ above the scale, up to {highest:.3g}", theme, height=0.915)
    for step in {point.step for point in points if not np.isfinite(point.loss)}:
        axes.axvline(step, color=theme.seen, linewidth=2)


def _show_finding(axes: Axes, finding: Finding, last: int, theme: Theme) -> None:
    """Show where the verdict saw what it says: a span for what lasts, a line for what happened."""
    if finding.name in ("overfit", "underfit") and finding.steps:
        start = finding.steps[0]
        axes.axvspan(start, last, color=theme.seen, alpha=0.13, linewidth=0)
        _write(axes, (start + last) / 2, finding.name, theme)
    if finding.name == "unstable":
        for step in finding.steps[:20]:
            axes.axvline(step, color=theme.seen, linewidth=1.2, linestyle=(0, (4, 3)), zorder=1)
        _write(axes, finding.steps[0], finding.name, theme)


def _write(axes: Axes, step: float, word: str, theme: Theme, height: float = 0.975) -> None:
    left, right = axes.get_xlim()
    share = (step - left) / (right - left)
    side = "left" if share < 0.1 else "right" if share > 0.9 else "center"
    paper = {"facecolor": theme.paper, "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
    axes.text(
        step, height, f" {word} ", transform=axes.get_xaxis_transform(), ha=side, va="top", in_layout=False,
        fontsize=9.5, style="italic", color=theme.ink, bbox=paper,
    )  # fmt: skip
