"""Whether a training learns, still does at its end, or remembers rather than learns.

The validation loss decides. Where nothing was held out, the training loss stands in for it as long as no row comes twice.
"""

import math
from collections.abc import Sequence

from trainers.history import Point, mean_loss, of
from trainers.verdict.course import Course, end_slope, ending, training, validation
from trainers.verdict.kinds import Facts, Finding
from trainers.verdict.noise import ENOUGH, MIN_STEPS, critical, level_error, rise
from trainers.verdict.stability import lower

MATERIAL = 0.01  # nats, 1 % of perplexity: a rise or a fall (in 10 % of the run) that is smaller changes nothing for a reader
FLAT = 0.02  # nats: a whole training that gains less has learnt nothing worth its time
SURE = 3.0  # standard errors of a slope: 0.3 % of all flat ends seem to fall or rise
WIDE_GAP = 0.1  # nats, 10 % of perplexity, between validation and rows it was trained on
USUAL_RATE = 1e-4  # learning rates from 1e-4 to 3e-4 are usual for LoRA; the QLoRA paper has 2e-4 (arXiv 2305.14314)


def fitting(points: Sequence[Point], facts: Facts) -> list[Finding]:
    """Find whether a training that did not break overfits, underfits or fits well, or that nothing can be told."""
    held, seen = validation(points, facts), training(points)
    course = held or seen
    if course is None:
        return [_unknown(points)]
    if held and (overfit := _overfit(points, held)):
        return [overfit]
    underfit = _flat(points, course) or _falling(points, course)
    if held is None:
        return [*([underfit] if underfit else []), _unknown(points)]
    return [underfit or _well(points, held, facts)]


def _overfit(points: Sequence[Point], course: Course) -> Finding | None:
    found = rise(course.losses, course.noise)
    bound = critical(len(course.losses)) * found.error
    if found.size < max(MATERIAL, bound):
        return None
    step, loss = int(course.steps[found.lowest]), float(course.losses[found.lowest])
    epoch = next(point.epoch for point in points if point.step == step)
    sentence = (
        f"The validation loss was lowest at step {step:,} (epoch {epoch:.2f}) with {loss:.3f} "
        f"and has risen by {found.size:.3f} nats since; noise would do {bound:.3f}."
    )
    advice = [
        f"Keep the weights of step {step:,}, as `prep train` does; num_epochs: {max(epoch, 0.01):.2g} would do next time."
    ]
    if found.lowest == 0:
        advice.append(f"It was best at its first evaluation: evaluate more often (evals_per_epoch). {lower(points)}.")
    advice.append("More data puts the turn off; a smaller lora_r or more lora_dropout makes it gentler.")
    numbers = {"best_step": step, "best_loss": loss, "rise": found.size, "error": found.error, "noise_bound": bound}
    return Finding("overfit", 0.8, sentence, tuple(advice), _rounded(numbers), (step,))


def _flat(points: Sequence[Point], course: Course) -> Finding | None:
    """Find a loss that has hardly fallen since the beginning."""
    width = max(1, len(course.losses) // 5)
    begin = float(course.losses[:width].mean()) if course.first is None else course.first
    fall = begin - float(course.losses[-width:].mean())
    bound = max(FLAT, SURE * course.noise * (2 / width) ** 0.5)
    if fall >= bound:
        return None
    sentence = (
        f"The {course.split} loss is flat: {begin:.3f} at the beginning, {begin - fall:.3f} at the end "
        f"(a fall below {bound:.3f} is noise or nothing)."
    )
    numbers = {"first_loss": begin, "fall": fall, "bound": bound}
    return Finding("underfit", 0.7, sentence, _flat_advice(points), _rounded(numbers), (0, course.last_step))


def _flat_advice(points: Sequence[Point]) -> tuple[str, ...]:
    rates = [point.learning_rate for point in points if point.learning_rate]
    if rates and max(rates) < USUAL_RATE:
        return (f"Raise learning_rate: {max(rates):.1e} is little, 1e-4 to 3e-4 are usual for LoRA.",)
    return (
        "Look at what is supervised: `prep show` of the tokenize artifact. The base model may know such text already.",
        "Raise learning_rate or lora_r.",
    )


def _falling(points: Sequence[Point], course: Course) -> Finding | None:
    """Find a loss that still falls in the last third of the run; a training loss only where no row has come twice."""
    if course.split == "training" and max(point.epoch for point in points) > 1:
        return None
    found = end_slope(course)
    tenth = -found.size / 10
    if tenth < MATERIAL or -found.size < SURE * found.error:
        return None
    hundred = -found.size * 100 / course.last_step
    sentence = (
        f"The {course.split} loss still falls at the end: by {tenth:.3f} ± {found.error / 10:.3f} nats in 10 % of the run "
        f"({_short(hundred)} in 100 steps at the mean learning rate); it ends at {course.losses[-1]:.3f}."
    )
    numbers = {"fall_per_tenth": tenth, "fall_per_100_steps": hundred, "error": found.error / 10}
    begin = int(course.steps[-ending(course)])
    return Finding("underfit", 0.6, sentence, (_more(points),), _rounded(numbers), (begin, course.last_step))


def _more(points: Sequence[Point]) -> str:
    epochs = max(point.epoch for point in points)
    return (
        f"Train longer: num_epochs {max(epochs, 0.01):.2g} -> {2 * max(epochs, 0.01):.2g}, and watch the validation loss, "
        f"or bring more data of the kind. A higher learning_rate gets there in fewer steps."
    )


def _well(points: Sequence[Point], course: Course, facts: Facts) -> Finding:
    end = float(course.losses[-1])
    begin = course.losses[0] if course.first is None else course.first
    low = int(course.losses.argmin())
    end_fall = end_slope(course)
    settled = -end_fall.size + SURE * end_fall.error < 10 * MATERIAL
    told = (
        "has settled"
        if settled
        else f"falls at its end by {-end_fall.size / 10:.3f} ± {end_fall.error / 10:.3f} in 10 % of the run"
    )
    sentence = f"The validation loss fell from {begin:.3f} to {end:.3f} and {told}."
    numbers = {"first_loss": float(begin), "last_loss": end, "best_loss": float(course.losses[low]), "noise": course.noise}
    gap, words, more = _gap(points, course, facts)
    more_epochs = (
        "further epochs of the same rows would add little" if settled else "noise hides whether more epochs would help"
    )
    advice = [f"Nothing needs to change; {more_epochs}."]
    if gap > WIDE_GAP:
        advice.append("The gap says that rows are being remembered: more data would help, more epochs would not.")
    numbers |= more
    return Finding("well-fit", 0.1, f"{sentence} {words}", tuple(advice), _rounded(numbers), (int(course.steps[low]),))


def _gap(points: Sequence[Point], course: Course, facts: Facts) -> tuple[float, str, dict[str, float]]:
    """Return by how much validation lies above the sample of training rows, or the last steps; in words and numbers, too."""
    end, sample = float(course.losses[-1]), of("sample", points)
    if sample:
        gap = end - sample[-1].loss
        errors = [level_error(end, tokens) for tokens in (facts.validation_tokens, facts.sample_tokens)]
        error = math.hypot(*errors)
        known = f" ± {error:.3f}" if math.isfinite(error) else ""
        words = f"It lies {gap:.3f}{known} nats above a sample of the training rows, evaluated the same way."
        return gap, words, {"gap": gap, **({"gap_error": error} if known else {})}
    train = of("train", points)
    if len(train) < MIN_STEPS:
        return 0.0, "There is no training loss to compare it with.", {}
    last = max(MIN_STEPS // ENOUGH, len(train) // 10)
    before = train[-last - 1].tokens
    gap = end - mean_loss(train[-last:], before)
    return (
        gap,
        f"It lies {gap:.3f} nats above the last {last} training steps (with dropout, each before its update).",
        {"gap": gap},
    )


def _unknown(points: Sequence[Point]) -> Finding:
    evaluations = sum(point.step > 0 for point in of("validation", points))
    if evaluations == 0:
        sentence = "There is no validation loss, so whether it overfits cannot be told."
        advice = "Hold rows out: `prep tokenize --validation 0.05`."
    else:
        sentence = (
            f"{evaluations} evaluations after the first step are not enough to tell a turn from noise ({ENOUGH} would do)."
        )
        advice = "Raise evals_per_epoch."
    return Finding("not enough evaluations", 0.2, sentence, (advice,), {"evaluations": evaluations})


def _short(value: float) -> str:
    return f"{value:.3f}" if value < 10 else f"{value:.0f}"


def _rounded(numbers: dict[str, float]) -> dict[str, float]:
    """Round to 6 digits, so that the last bits of a sum, which differ from machine to machine, are not told."""
    return {name: float(f"{value:.6g}") for name, value in numbers.items()}
