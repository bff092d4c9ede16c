"""How a training goes: points (losses by step, equal on every run), paces (seconds by step, which are not), their tables."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import pyarrow as pa

Split = Literal["train", "validation"]


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
    """How long an optimizer step took, evaluation apart, and the tokens in its rows, padding apart."""

    step: int
    seconds: float
    tokens: int


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
    ]
)


def metrics(points: Sequence[Point]) -> pa.Table:
    """Return points as a table of schema `POINTS`."""
    return pa.Table.from_pylist([point._asdict() for point in points], schema=POINTS)


def speed(paces: Sequence[Pace]) -> pa.Table:
    """Return paces as a table of schema `PACES`.

    >>> speed([Pace(step=1, seconds=0.5, tokens=100)])["tokens_per_second"].to_pylist()
    [200.0]
    """
    rows = [{**pace._asdict(), "tokens_per_second": pace.tokens / pace.seconds} for pace in paces]
    return pa.Table.from_pylist(rows, schema=PACES)


def of(split: Split, points: Sequence[Point]) -> list[Point]:
    """Return the points of a split."""
    return [point for point in points if point.split == split]


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
