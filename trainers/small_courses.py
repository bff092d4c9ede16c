"""Points and paces -> what the small pictures below the learning curve show: learning rate, gradient, speed, memory."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator, NullLocator, StrMethodFormatter

from trainers.history import Pace, Point, of

GIB = 1 << 30
WIDE = 20.0  # times its median that a gradient's norm must reach for a logarithmic axis


class SmallCourse(NamedTuple):
    """A course by step, and the words above it."""

    title: str
    steps: list[int]
    values: list[float]
    logarithmic: bool = False


def small_courses(points: Sequence[Point], paces: Sequence[Pace]) -> list[SmallCourse]:
    """Return the courses that there are values of.

    >>> [course.title for course in small_courses([], [Pace(1, 0.5, 100, 3 << 30)])]
    ['speed: median 200 tokens/s', 'memory: peak 3.00 GiB']
    """
    rates = [(point.step, point.learning_rate) for point in of("train", points) if point.learning_rate is not None]
    norms = [(point.step, point.grad_norm) for point in of("train", points) if point.grad_norm is not None]
    norms = [(step, norm) for step, norm in norms if np.isfinite(norm) and norm > 0]
    speeds = [(pace.step, pace.tokens / pace.seconds) for pace in paces if pace.seconds > 0]
    memory = [(pace.step, pace.memory / GIB) for pace in paces if pace.memory > 0]
    found = [
        _course(f"learning rate: peak {max(rate for _, rate in rates):.2g}", rates) if rates else None,
        _course(f"gradient norm: median {_median(norms):.2g}", norms, wide=True) if norms else None,
        _course(f"speed: median {_median(speeds):,.0f} tokens/s", speeds) if speeds else None,
        _course(f"memory: peak {max(size for _, size in memory):.2f} GiB", memory) if memory else None,
    ]
    return [course for course in found if course]


def _course(title: str, values: Sequence[tuple[int, float]], *, wide: bool = False) -> SmallCourse:
    steps, numbers = [step for step, _ in values], [value for _, value in values]
    return SmallCourse(title, steps, numbers, wide and max(numbers) > WIDE * _median(values))


def _median(values: Sequence[tuple[int, float]]) -> float:
    return float(np.median([value for _, value in values]))


def draw_small(axes: Axes, course: SmallCourse, color: str, ink: str) -> None:
    """Draw a course with its words above it; the axis begins at 0 where it is not logarithmic."""
    marked = "o" if len(course.steps) <= 5 else None
    axes.plot(course.steps, course.values, color=color, linewidth=1.2, marker=marked, markersize=3)
    axes.set_title(course.title, loc="left", fontsize=9, color=ink)
    axes.tick_params(labelsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    if len(course.steps) == 1:
        axes.set_xlim(course.steps[0] - 1, course.steps[0] + 1)
    if course.logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        return
    axes.set_ylim(0, max(course.values) * 1.12 or 1)
    axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(EngFormatter(sep="") if max(course.values) >= 1000 else FuncFormatter(_short))


def _short(value: float, _: object) -> str:
    return f"{value:.1e}".replace(".0e", "e").replace("e-0", "e-") if 0 < abs(value) < 1e-3 else f"{value:g}"
