"""Planted histories, each of which must be told right."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.history import Pace, Point
from trainers.verdict import Facts, Finding, Verdict, reopened, verdict, written
from trainers.verdict.amount import MIB
from trainers.verdict.noise import critical, jitter, rise

PLENTY = Facts(supervised_tokens=5_000_000, validation_tokens=200_000, sample_tokens=200_000, text_bytes=40 * MIB)


def history(course, validation=None, *, steps=200, noise=0.05, epochs=1.0, evaluations=20, jumps=0.003, seed=0, sample=None):
    """Training points along `course(share of the run)`, evaluations along `validation(share)`, both with Gaussian noise."""
    rng = np.random.default_rng(seed)
    points = []
    if validation:
        points.append(Point(0, 0.0, "validation", validation(0.0), None, None, 0))
    every = max(1, steps // evaluations)
    for step in range(1, steps + 1):
        share = step / steps
        loss = course(share) + rng.normal(0, noise)
        points.append(Point(step, epochs * share, "train", loss, 2e-4 * (1 - share / 2), 1.0, 1000 * step))
        for split, known, spread in (("validation", validation, jumps), ("sample", sample, jumps)):
            if known and step % every == 0:
                points.append(Point(step, epochs * share, split, known(share) + rng.normal(0, spread), None, None, 1000 * step))
    return points


def learnt(start=3.0, end=2.0, pace=8):
    return lambda share: end + (start - end) * math.exp(-pace * share)


def turning(at, climb, start=3.0, end=2.0):
    return lambda share: learnt(start, end, 4 / at)(share) + climb * max(0.0, share - at)


def names(points, facts=PLENTY):
    return [finding.name for finding in verdict(points, [], facts).findings]


def only(points, facts=PLENTY):
    (finding,) = verdict(points, [], facts).findings
    return finding


def test_a_loss_that_falls_and_settles_is_well_fit_with_its_gap():
    finding = only(history(learnt(), learnt(3.05, 2.05), sample=learnt(3.0, 1.95)))
    assert finding.name == "well-fit"
    assert finding.numbers["gap"] == pytest.approx(0.1, abs=0.02)
    assert "above a sample of the training rows" in finding.sentence


def test_without_a_sample_the_gap_is_that_to_the_last_training_steps():
    finding = only(history(learnt(), learnt(3.2, 2.2)))
    assert finding.numbers["gap"] == pytest.approx(0.2, abs=0.05)
    assert "last 20 training steps" in finding.sentence


def test_a_wide_gap_asks_for_more_data():
    assert any("more data" in advice for advice in only(history(learnt(), learnt(), sample=learnt(3.0, 1.5))).advice)


def test_a_loss_that_never_falls_is_underfit_and_flat():
    finding = only(history(lambda share: 3.0, lambda share: 3.0))
    assert (finding.name, "flat" in finding.sentence) == ("underfit", True)


def test_a_flat_loss_at_a_tiny_learning_rate_is_told_to_raise_it():
    points = [point._replace(learning_rate=point.learning_rate and 1e-7) for point in history(lambda s: 3.0, lambda s: 3.0)]
    assert only(points).advice == ("Raise learning_rate: 1.0e-07 is little, 1e-4 to 3e-4 are usual for LoRA.",)


def test_a_loss_that_still_falls_is_underfit_with_its_slope():
    points = [
        point._replace(learning_rate=point.learning_rate and 1e-4)
        for point in history(lambda share: 4 - share, lambda share: 4 - share)
    ]
    finding = only(points)
    assert (finding.name, "still falls" in finding.sentence) == ("underfit", True)
    assert finding.numbers["fall_per_tenth"] == pytest.approx(0.1, abs=0.01)
    assert finding.numbers["fall_per_100_steps"] == pytest.approx(0.5, abs=0.05)


def test_a_training_loss_tells_that_it_still_falls_where_no_row_comes_twice():
    falling = lambda share: 4 - share
    assert names(history(falling)) == ["underfit", "not enough evaluations"]
    assert names(history(falling, epochs=3)) == ["not enough evaluations"]


def test_a_flat_end_at_a_learning_rate_of_nothing_is_not_called_settled():
    falls = lambda share: 4 - math.sin(math.pi / 2 * share)
    points = [
        point._replace(learning_rate=point.learning_rate and 2e-4 * math.cos(math.pi / 2 * point.step / 200))
        for point in history(falls, falls)
    ]
    assert only(points).name == "underfit"


def test_an_end_that_noise_hides_is_not_called_settled():
    finding = only(history(learnt(), learnt(), jumps=0.02, evaluations=8))
    assert finding.name == "well-fit"
    assert "falls at its end by" in finding.sentence


def test_a_training_loss_that_leaps_at_once_and_stays_up_is_divergence():
    assert names(spiked(history(learnt(), learnt()), at=2, height=90, stays=90, length=1)) == ["unstable"]


@pytest.mark.parametrize(
    ("at", "climb", "noise"), [(0.15, 0.8, 0.003), (0.75, 0.8, 0.003), (0.5, 0.5, 0.02)], ids=["early", "late", "noisy"]
)
def test_a_validation_loss_that_turns_is_overfit_at_its_minimum(at, climb, noise):
    points = history(learnt(3.0, 0.8, 3), turning(at, climb), epochs=4, jumps=noise, steps=400, evaluations=40)
    finding = only(points)
    assert finding.name == "overfit"
    assert finding.numbers["best_step"] == pytest.approx(400 * at, abs=60)
    assert finding.numbers["rise"] > finding.numbers["noise_bound"]
    assert f"Keep the weights of step {finding.steps[0]}" in finding.advice[0]


def test_four_evaluations_tell_a_steep_turn_by_the_noise_of_the_training_steps():
    assert names(history(learnt(3.0, 0.5), turning(0.25, 1.5), evaluations=4, epochs=4)) == ["overfit"]


def test_a_turn_at_the_first_evaluation_asks_for_a_lower_rate_and_more_evaluations():
    finding = only(history(learnt(3.0, 0.5), lambda share: 2 + share, evaluations=10, epochs=4))
    assert "first evaluation" in finding.advice[1]


def test_a_rise_that_no_reader_would_notice_is_well_fit():
    assert names(history(learnt(), turning(0.3, 0.008), jumps=0.0001)) == ["well-fit"]


def test_a_loss_that_is_no_number_is_said_with_its_step():
    points = history(learnt(), learnt())
    place = next(place for place, point in enumerate(points) if point.step == 120)
    finding = only([*points[:place], points[place]._replace(loss=math.nan)])
    assert (finding.name, finding.steps, finding.fatal) == ("unstable", (120,), True)
    assert "Lower learning_rate from 2.0e-04 to about 6.7e-05" in finding.advice[0]


def test_a_gradient_without_end_is_unstable():
    points = history(learnt())
    assert names([*points[:-1], points[-1]._replace(grad_norm=math.inf)]) == ["unstable"]


def spiked(points, at, height, length=2, stays=0.0):
    return [
        point._replace(loss=point.loss + (height if at <= point.step < at + length else stays if point.step >= at else 0))
        if point.split == "train"
        else point
        for point in points
    ]


def test_a_spike_that_recovers_is_told_beside_a_good_fit():
    findings = verdict(spiked(history(learnt(), learnt()), at=100, height=3), [], PLENTY).findings
    assert [(finding.name, finding.fatal) for finding in findings] == [("unstable", False), ("well-fit", False)]
    assert findings[0].steps == (100,)


def test_a_spike_that_does_not_recover_is_divergence_and_nothing_else():
    finding = only(spiked(history(learnt(), learnt()), at=150, height=4, stays=2))
    assert (finding.name, finding.fatal, finding.steps) == ("unstable", True, (150,))
    assert "Diverged" in finding.sentence


def test_a_training_loss_that_climbs_slowly_is_divergence():
    assert names(history(turning(0.4, 1.0), turning(0.4, 1.0))) == ["unstable"]


def test_one_hard_batch_is_no_spike():
    assert names(spiked(history(learnt(), learnt()), at=100, height=3, length=1)) == ["well-fit"]


def test_one_high_loss_that_shakes_the_gradient_is_a_spike():
    points = spiked(history(learnt(), learnt()), at=100, height=3, length=1)
    points = [point._replace(grad_norm=20.0) if point.step == 100 and point.grad_norm else point for point in points]
    assert names(points) == ["unstable", "well-fit"]


def test_the_steep_begin_of_a_training_is_no_spike():
    assert names(history(learnt(11, 2, 40), learnt(11, 2, 40))) == ["well-fit"]


def test_a_gradient_that_grows_tenfold_is_told():
    points = [point._replace(grad_norm=30.0) if point.step > 180 and point.grad_norm else point for point in history(learnt())]
    finding = verdict(points, [], PLENTY).findings[0]
    assert (finding.name, finding.numbers) == ("unstable", {"grad_norm": 30.0, "median": 1.0})


def test_little_text_is_said_beside_the_fit():
    findings = verdict(history(learnt(), learnt()), [], PLENTY._replace(text_bytes=2 * MIB)).findings
    assert [finding.name for finding in findings] == ["too little data", "well-fit"]
    assert "2.0 MiB of text, below 10 MiB" in findings[0].sentence


def test_ten_mebibytes_are_enough_and_one_byte_less_is_not():
    points = history(learnt(), learnt())
    assert names(points, PLENTY._replace(text_bytes=10 * MIB)) == ["well-fit"]
    assert names(points, PLENTY._replace(text_bytes=10 * MIB - 1))[0] == "too little data"


def test_few_steps_say_nothing_but_that():
    assert names(history(learnt(), steps=3)) == ["too little data", "not enough evaluations"]
    assert names([]) == ["too little data", "not enough evaluations"]


def test_a_small_validation_split_is_told_what_it_would_need():
    finding = verdict(history(learnt(), learnt()), [], PLENTY._replace(validation_tokens=300)).findings[0]
    assert finding.name == "too little data"
    assert "300 supervised tokens give the validation loss" in finding.sentence


def test_two_evaluations_are_not_enough_to_say():
    points = history(learnt(), learnt(), evaluations=2, epochs=2)
    assert names(points) == ["not enough evaluations"]
    assert "2 evaluations" in only(points).sentence


def test_the_seconds_of_all_steps_are_kept():
    paces = [Pace(1, 0.5, 100, 1 << 30), Pace(2, 0.7, 90, 1 << 30)]
    assert verdict(history(learnt(), steps=2), paces, PLENTY).seconds == 1.2


def test_a_verdict_reads_as_lines_and_survives_json():
    found = verdict(history(learnt(), learnt()), [], PLENTY._replace(text_bytes=MIB))
    assert found.headline == "too little data, well-fit"
    assert reopened(written(found, PLENTY)) == (found, PLENTY)
    assert found.lines()[0].startswith("too little data: Trained on 1.0 MiB")
    assert found.has("well-fit")
    assert not found.has("overfit")


def test_findings_stand_in_the_order_of_their_weight():
    points = spiked(history(learnt(), turning(0.3, 1.0), epochs=3), at=100, height=3)
    assert names(points, PLENTY._replace(text_bytes=MIB)) == ["overfit", "too little data", "unstable"]


@pytest.mark.parametrize("count", [6, 8, 10, 15, 30, 60])
def test_noise_around_a_constant_seems_to_rise_in_one_of_a_hundred_runs_at_most(count):
    rng = np.random.default_rng(count)
    alarms = 0
    for losses in rng.normal(2.0, 0.01, (3000, count)):
        found = rise(losses, jitter(losses))
        alarms += found.size > critical(count) * found.error
    assert alarms <= 30 + 3 * math.sqrt(30)  # three standard deviations of a count of 30


@pytest.mark.parametrize("evaluations", [4, 10, 40])
def test_whole_verdicts_on_noise_call_overfit_no_more_often_than_stated(evaluations):
    flat = lambda share: 2.0 if share else 2.5
    called = [
        "overfit" in names(history(flat, flat, steps=80, evaluations=evaluations, jumps=0.03, seed=seed)) for seed in range(300)
    ]
    assert sum(called) <= 3 + 3 * math.sqrt(3)


@pytest.mark.parametrize("evaluations", [6, 10, 40])
def test_noise_around_a_constant_seldom_seems_to_fall(evaluations):
    flat = lambda share: 2.0 if share else 2.5
    called = [
        "underfit" in names(history(flat, flat, steps=80, evaluations=evaluations, jumps=0.03, seed=s)) for s in range(300)
    ]
    assert sum(called) <= 12


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from([(learnt(), learnt()), (learnt(3, 1), turning(0.4, 0.9)), (lambda s: 4 - s, lambda s: 4 - s)]),
    st.integers(2, 50),
    st.integers(0, 9),
)
def test_scaling_the_steps_does_not_change_the_verdict(courses, factor, seed):
    points = history(*courses, seed=seed)
    scaled = [point._replace(step=factor * point.step) for point in points]
    assert names(scaled) == names(points)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([1.0, 2.0, 5.0]), st.integers(0, 20))
def test_what_overfits_by_much_is_found_whatever_the_noise(climb, seed):
    assert names(history(learnt(3, 1), turning(0.5, climb), jumps=0.01, seed=seed)) == ["overfit"]


def test_an_empty_verdict_has_no_headline():
    assert Verdict(()).headline == ""
    assert Finding("overfit", 0.8, "", (), {}).steps == ()
