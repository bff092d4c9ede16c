"""How a training goes: points (losses by step, equal on every run), paces (seconds by step, which are not), their tables."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import pyarrow as pa

Split = Literal["train", "sample", "validation"]
"""`sample`: a fixed part of the training rows, evaluated as the validation rows are: without dropout, with weights at rest."""


class Point(NamedTuple):
    """A split's loss per supervised token, in nats, at an optimizer step; only training has a learning rate and a norm."""

    step: int
    epoch: float
    split: Split
    loss: float
    learning_rate: float | None
    grad_norm: float | None
    tokens: int
    """Supervised tokens trained on so far."""


class Pace(NamedTuple):
    """How long an optimizer step took, evaluation apart, the tokens in its rows, padding apart, and the memory it needed."""

    step: int
    seconds: float
    tokens: int
    memory: int
    """Bytes that were needed at most so far: allocated on the card; without one, resident."""


POINTS = pa.schema(
    [
        pa.field("step", pa.int64(), nullable=False),
        pa.field("epoch", pa.float64(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("loss", pa.float64(), nullable=False),
        pa.field("learning_rate", pa.float64()),
        pa.field("grad_norm", pa.float64()),
        pa.field("tokens", pa.int64(), nullable=False),
    ]
)
PACES = pa.schema(
    [
        pa.field("step", pa.int64(), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("tokens_per_second", pa.float64(), nullable=False),
        pa.field("memory", pa.int64(), nullable=False),
    ]
)


def metrics(points: Sequence[Point]) -> pa.Table:
    """Return points as a table of schema `POINTS`."""
    return pa.Table.from_pylist([point._asdict() for point in points], schema=POINTS)


def speed(paces: Sequence[Pace]) -> pa.Table:
    """Return paces as a table of schema `PACES`.

    >>> speed([Pace(step=1, seconds=0.5, tokens=100, memory=2**30)])["tokens_per_second"].to_pylist()
    [200.0]
    """
    rows = [{**pace._asdict(), "tokens_per_second": pace.tokens / pace.seconds} for pace in paces]
    return pa.Table.from_pylist(rows, schema=PACES)


def of(split: Split, points: Sequence[Point]) -> list[Point]:
    """Return the points of a split."""
    return [point for point in points if point.split == split]


def best(points: Sequence[Point]) -> Point | None:
    """Return the evaluation with the lowest validation loss after a step of training, the first of equals; None without one.

    >>> best([Point(step, 0.0, "validation", loss, None, None, 0) for step, loss in enumerate([2.0, 4.0, 3.0, 5.0])]).step
    2
    """
    return min((point for point in of("validation", points) if point.step), key=lambda point: point.loss, default=None)


def evaluations_since_best(points: Sequence[Point]) -> int:
    """Count the evaluations since the lowest validation loss, that before training among them.

    >>> losses = enumerate([4.0, 2.0, 3.0])
    >>> evaluations_since_best([Point(step, 0.0, "validation", loss, None, None, 0) for step, loss in losses])
    1
    """
    losses = [point.loss for point in of("validation", points)]
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


def since_evaluation(points: Sequence[Point]) -> float | None:
    """Return the training loss between the last evaluation and the one before it; None where no step lies between them.

    >>> first, second = Point(1, 0.1, "train", 4.0, 1e-4, 1.0, 30), Point(2, 0.2, "train", 2.0, 1e-4, 1.0, 40)
    >>> since_evaluation([first, first._replace(split="validation"), second, second._replace(split="validation")])
    2.0
    """
    ends = [place for place, point in enumerate(points) if point.split == "validation"][-2:]
    between = of("train", points[ends[0] if len(ends) > 1 else 0 : ends[-1]])
    before = points[ends[0]].tokens if len(ends) > 1 else 0
    return mean_loss(between, before) if between else None


def mean_loss(points: Sequence[Point], before: int) -> float:
    """Return the loss per supervised token over training points, the first of which had seen `before` tokens when it began.

    >>> steps = [Point(1, 0.1, "train", 4.0, 1e-4, 1.0, 30), Point(2, 0.2, "train", 2.0, 1e-4, 1.0, 40)]
    >>> mean_loss(steps, before=0)
    3.5
    """
    total, seen = 0.0, before
    for point in points:
        total, seen = total + point.loss * (point.tokens - seen), point.tokens
    return total / (seen - before)
