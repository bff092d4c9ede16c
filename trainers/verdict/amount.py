"""Whether there is enough to learn from, and enough to judge by."""

import math
from collections.abc import Sequence

from trainers.history import Point, of
from trainers.verdict.kinds import Facts, Finding
from trainers.verdict.noise import MIN_STEPS, level_error

MIB = 1 << 20
MIN_TEXT = 10 * MIB  # the bound of this project's brief for a training on text
COARSE = 0.05  # nats: a validation loss known to 5 % of perplexity tells a good training from a fair one no more


def too_little(points: Sequence[Point], facts: Facts) -> list[Finding]:
    """Find fewer than 10 MiB of text, fewer steps than can be judged, or a validation split too small to measure a loss.

    >>> too_little([], Facts(supervised_tokens=1000, text_bytes=3 * MIB))[0].sentence
    'Trained on 3.0 MiB of text, below 10 MiB; 0 steps are too few to tell a course from noise (18 would do).'
    """
    steps = len(of("train", points))
    found = [_text(facts), _steps(steps, facts), _validation(points, facts)]
    reasons = [reason for reason in found if reason]
    if not reasons:
        return []
    sentence = "; ".join(words for words, _, _ in reasons)
    numbers: dict[str, float] = {name: value for _, _, measured in reasons for name, value in measured.items()}
    return [Finding("too little data", 0.4, f"{sentence[:1].upper()}{sentence[1:]}.", tuple(a for _, a, _ in reasons), numbers)]


Reason = tuple[str, str, dict[str, float]]  # what is too little, what to do, the numbers


def _text(facts: Facts) -> Reason | None:
    if facts.text_bytes is None or facts.text_bytes >= MIN_TEXT:
        return None
    size = facts.text_bytes / MIB
    advice = (
        "Ingest more text: so little is learnt by heart sooner than understood, and fits a change of style, not of knowledge."
    )
    return f"trained on {size:.1f} MiB of text, below 10 MiB", advice, {"text_bytes": facts.text_bytes}


def _steps(steps: int, facts: Facts) -> Reason | None:
    if steps >= MIN_STEPS:
        return None
    planned = f" of {facts.steps}" if facts.steps > steps else ""
    made = f"{steps}{planned} {'step is' if steps == 1 else 'steps are'}"
    words = f"{made} too few to tell a course from noise ({MIN_STEPS} would do)"
    return words, "Make more steps of the same rows: lower gradient_accumulation_steps, or raise num_epochs.", {"steps": steps}


def _validation(points: Sequence[Point], facts: Facts) -> Reason | None:
    losses = [point.loss for point in of("validation", points) if math.isfinite(point.loss)]
    if not losses or not facts.validation_tokens:
        return None
    error = level_error(min(losses), facts.validation_tokens)
    if error <= COARSE:
        return None
    needed = math.ceil(facts.validation_tokens * (error / COARSE) ** 2 / 1000) * 1000
    words = f"{facts.validation_tokens:,} supervised tokens give the validation loss to ±{error:.2f} only"
    advice = f"Hold out about {needed:,} supervised tokens: raise `prep tokenize --validation`."
    return words, advice, {"validation_tokens": facts.validation_tokens, "validation_error": round(error, 6)}
