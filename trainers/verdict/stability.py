"""What shakes a training: losses that are no number, a training loss that rises and stays up, spikes, growing gradients."""

import math
from collections.abc import Sequence

import numpy as np

from trainers.history import Point, of
from trainers.verdict.kinds import Finding
from trainers.verdict.noise import MIN_STEPS, Floats, blocks, critical, finite, jitter, rise

DIVERGED = 0.1  # nats: a training loss that ends 10 % of perplexity above its lowest fifth, on shuffled rows
# One batch of hard rows is no spike, and heavy tails give such losses now and then. So a spike must be followed by a second
# high loss, too, or shake the gradient.
SPIKE, SPIKE_SHARE, SHAKEN = 8.0, 0.1, 5.0
WORSE = 1.2  # times its first loss that a training loss ends at; flat losses of very uneven rows stay below that
BEFORE = 15  # steps whose median a loss is compared with
GREW = 10.0  # times its median that the gradient's norm has in the last tenth of the steps


def unstable(points: Sequence[Point]) -> list[Finding]:
    """Find what shook a training, the worst of it only.

    >>> steps = [Point(step, 0.1, "train", loss, 1e-4, 1.0, 90 * step) for step, loss in enumerate([3.0, 2.9, math.nan], 1)]
    >>> unstable(steps)[0].sentence
    'The training loss is no number (nan) at step 3; it was 2.900 before.'
    """
    train = of("train", points)
    if broken := _broken(points):
        return [broken]
    if len(train) < MIN_STEPS:
        return []
    spikes = spikes_of(train)
    found = _diverged(train, spikes) or _spiked(train, spikes) or _grown(train)
    return [found] if found else []


def lower(points: Sequence[Point]) -> str:
    """Say what learning rate to try instead of a training's highest."""
    rates = [point.learning_rate for point in points if point.learning_rate]
    return f"Lower learning_rate from {max(rates):.1e} to about {max(rates) / 3:.1e}" if rates else "Lower learning_rate"


def _broken(points: Sequence[Point]) -> Finding | None:
    """Find the first loss or gradient that is no number."""
    for place, point in enumerate(points):
        for what, value in (("loss", point.loss), ("gradient's norm", point.grad_norm)):
            if value is not None and not math.isfinite(value):
                before = [known.loss for known in points[:place] if known.split == point.split]
                was = f"; it was {before[-1]:.3f} before" if before and what == "loss" else ""
                sentence = f"The {_SPLITS[point.split]} {what} is no number ({value}) at step {point.step}{was}."
                advice = (
                    f"{lower(points)}, lengthen warmup_ratio, and train again: weights after step {point.step} are lost.",
                )
                return Finding("unstable", 1.0, sentence, advice, {"step": point.step}, (point.step,), fatal=True)
    return None


_SPLITS = {"train": "training", "validation": "validation", "sample": "training sample's"}


def spikes_of(train: Sequence[Point]) -> list[int]:
    """Return the positions of the steps where a spike begins: far above the steps before, and followed or felt."""
    losses = np.array([point.loss for point in train])
    norms = np.array([math.nan if point.grad_norm is None else point.grad_norm for point in train])
    noise = jitter(losses)
    before = _trailing_median(losses)
    high = (losses - before > SPIKE * noise) & (losses > (1 + SPIKE_SHARE) * before)
    followed = high & np.append(losses[1:] - before[:-1] > SPIKE / 2 * noise, False)
    felt = high & (norms > SHAKEN * np.nanmedian(norms)) if finite(norms.tolist()) else np.zeros(len(losses), bool)
    found = np.flatnonzero(followed | felt)
    return [int(place) for place, gap in zip(found, np.diff(found, prepend=-BEFORE), strict=True) if gap >= BEFORE]


def _trailing_median(losses: Floats) -> Floats:
    """Return the median of the 15 steps before each; infinite, so that nothing is high, where there are fewer than 8."""
    padded = np.concatenate([np.full(BEFORE, np.inf), losses[:-1]])
    medians: Floats = np.median(np.lib.stride_tricks.sliding_window_view(padded, BEFORE), axis=1)
    return medians


def _diverged(train: Sequence[Point], spikes: Sequence[int]) -> Finding | None:
    """Find a training loss that ends above its lowest: rows are shuffled, so only the weights can have done that."""
    tokens = np.diff([0, *(point.tokens for point in train)]).astype(np.float64)
    means = blocks(np.array([point.loss for point in train]), tokens)
    found = rise(means, jitter(means))
    if found.size < max(DIVERGED, critical(len(means)) * found.error):
        return _worse(train, means)
    lowest = train[min(len(train) - 1, found.lowest * len(train) // len(means))].step
    begins = [train[place].step for place in spikes if train[place].step >= lowest]
    where = f"after a spike at step {begins[0]}" if begins else f"from about step {lowest} on"
    sentence = (
        f"Diverged: the training loss rose by {found.size:.2f} nats {where} and stayed up "
        f"(noise would do {found.error * critical(len(means)):.2f})."
    )
    advice = (
        f"{lower(train)}, and lengthen warmup_ratio.",
        f"Of this training keep only what it was before step {begins[0] if begins else lowest}.",
    )
    numbers = {"rise": round(found.size, 6), "error": round(found.error, 6), "step": begins[0] if begins else lowest}
    return Finding("unstable", 0.9, sentence, advice, numbers, (int(numbers["step"]),), fatal=True)


def _worse(train: Sequence[Point], means: Floats) -> Finding | None:
    """Find a training loss whose last fifth lies, in each block, far above its first step."""
    first, low = train[0].loss, float(means[-max(1, len(means) // 5) :].min())
    if low < WORSE * first:
        return None
    sentence = f"Diverged: the training loss began at {first:.2f} and ends at {low:.2f} or more."
    numbers = {"first_loss": round(first, 6), "last_loss": round(low, 6)}
    return Finding(
        "unstable", 0.9, sentence, (f"{lower(train)}, and lengthen warmup_ratio.",), numbers, (train[0].step,), fatal=True
    )


def _spiked(train: Sequence[Point], spikes: Sequence[int]) -> Finding | None:
    if not spikes:
        return None
    highest = max(spikes, key=lambda place: train[place].loss)
    steps = tuple(train[place].step for place in spikes)
    listed = ", ".join(map(str, steps[:5])) + (f" and {len(steps) - 5} more" if len(steps) > 5 else "")
    sentence = (
        f"{len(steps)} {'spike' if len(steps) == 1 else 'spikes'} of the training loss, at step {listed}, "
        f"up to {train[highest].loss:.2f}, from which it came back."
    )
    advice = f"{lower(train)} or max_grad_norm if it comes again; look at the rows of those steps."
    return Finding(
        "unstable", 0.3, sentence, (advice,), {"spikes": len(steps), "highest": round(train[highest].loss, 6)}, steps
    )


def _grown(train: Sequence[Point]) -> Finding | None:
    norms = [point.grad_norm for point in train if point.grad_norm is not None]
    if len(norms) < len(train):
        return None
    usual, last = float(np.median(norms)), float(np.median(norms[-max(3, len(norms) // 10) :]))
    if last < GREW * usual:
        return None
    sentence = f"The gradient's norm ends at {last:.2g}, {last / usual:.0f} times its median of {usual:.2g}."
    return Finding("unstable", 0.3, sentence, (f"{lower(train)}.",), {"grad_norm": last, "median": usual}, (train[-1].step,))
