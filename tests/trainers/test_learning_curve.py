import math
from io import BytesIO

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.image import imread

from trainers.history import Pace, Point
from trainers.learning_curve import draw, png, smoothed
from trainers.losses import bounds
from trainers.small_courses import small_courses
from trainers.theme import DARK, LIGHT
from trainers.verdict import Facts, Finding, Verdict, verdict

OVERFIT = Verdict((Finding("overfit", 0.8, "It rose after step 20.", (), {}, (20,)),))


def training(steps, start=5.0):
    return [Point(step, step / steps, "train", start - step / steps, 1e-4, 1.0, 100 * step) for step in range(1, steps + 1)]


def evaluated(steps, split="validation", at=4.5):
    return [Point(step, step / steps, split, at, None, None, 100 * step) for step in range(0, steps + 1, max(1, steps // 4))]


def colours(picture):
    pixels = (imread(BytesIO(picture))[..., :3] * 255).round().astype(int).reshape(-1, 3)
    return {"#{:02x}{:02x}{:02x}".format(*pixel) for pixel in np.unique(pixels, axis=0)}


def test_a_straight_line_stays_where_it_is_away_from_its_ends():
    line = [10.0 - step for step in range(9)]
    assert smoothed(line, [1] * 9, width=1).tolist()[3:6] == pytest.approx(line[3:6])


def test_a_step_with_few_tokens_weighs_little():
    assert smoothed([2.0, 8.0, 2.0], [1000, 1, 1000], width=2)[1] == pytest.approx(2.0, abs=0.02)


def test_a_loss_that_is_no_number_does_not_spoil_the_course():
    assert smoothed([2.0, math.nan, 2.0], [10, 10, 10], width=2).tolist() == pytest.approx([2.0, 2.0, 2.0])


@pytest.mark.parametrize("steps", [1, pytest.param(40, marks=pytest.mark.slow), pytest.param(3000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_the_picture_holds_each_course_in_its_colour(steps, theme):
    points = [*training(steps), *evaluated(steps), *evaluated(steps, "sample", 4.2)]
    assert {theme.paper, theme.train, theme.validation, theme.sample} <= colours(png(points, "demo", theme=theme))


@pytest.mark.parametrize(
    "points",
    [training(3), evaluated(4), [Point(1, 1.0, "train", math.nan, 1e-4, math.nan, 10)], []],
    ids=["no validation", "no training", "no number", "nothing"],
)
def test_whatever_is_missing_the_picture_has_its_size(tmp_path, points):
    draw(points, tmp_path / "curve.png", "demo", verdict=verdict(points, [], Facts(0)))
    assert imread(tmp_path / "curve.png").shape == (792, 1080, 4)


def test_what_the_verdict_saw_is_tinted():
    points = [*training(40), *evaluated(40)]
    plain, tinted = colours(png(points, "demo")), colours(png(points, "demo", verdict=OVERFIT))
    assert "#f8edf3" in tinted - plain  # the tint of `seen`, 13 % of it on the paper


def test_the_same_points_are_the_same_bytes(tmp_path):
    paces = [Pace(1, 0.5, 100, 1 << 30)]
    for name in ("a.png", "b.png"):
        draw(training(5), tmp_path / name, "demo", paces=paces, verdict=OVERFIT)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_a_title_of_any_length_leaves_the_picture_its_size():
    assert imread(BytesIO(png(training(3), "a title " * 60, verdict=OVERFIT))).shape == (792, 1080, 4)


def test_a_title_with_dollars_is_no_formula():
    assert png(training(3), "costs $5 and $\\frac", verdict=Verdict((Finding("overfit", 1.0, "$\\oops$", (), {}),)))


def test_first_losses_that_are_huge_lie_above_the_scale():
    low, high = bounds([*evaluated(100)[1:], *training(100), Point(0, 0.0, "validation", 50.0, None, None, 0)])
    assert low == 4.0
    assert 4.9 < high < 9


def test_a_spike_lies_above_the_scale_too():
    points = training(200)
    points[100] = points[100]._replace(loss=1000.0)
    assert bounds(points)[1] < 9


def test_of_a_few_steps_all_are_shown():
    assert bounds([Point(0, 0.0, "validation", 50.0, None, None, 0), *training(3)])[1] == 50.0


def test_the_small_courses_are_rate_gradient_speed_and_memory():
    found = small_courses(training(3), [Pace(step, 0.5, 100, 1 << 30) for step in (1, 2, 3)])
    assert [course.title for course in found] == [
        "learning rate: peak 0.0001",
        "gradient norm: median 1",
        "speed: median 200 tokens/s",
        "memory: peak 1.00 GiB",
    ]


def test_a_gradient_that_explodes_has_a_logarithmic_axis():
    points = training(9)
    assert not small_courses(points, [])[1].logarithmic
    assert small_courses([*points[:-1], points[-1]._replace(grad_norm=500.0)], [])[1].logarithmic
