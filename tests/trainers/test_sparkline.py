import math

from trainers.history import Point
from trainers.sparkline import sparklines


def points(split, losses):
    return [Point(step, 0.1, split, loss, None, None, step) for step, loss in enumerate(losses, 1)]


def test_both_courses_stand_on_one_scale():
    training, validation = sparklines([*points("train", [4.0, 2.0]), *points("validation", [4.0, 4.0])])
    assert training == f"training   4.000 {'█' * 24}{'▁' * 24} 2.000"
    assert validation == f"validation 4.000 {'█' * 48} 4.000"


def test_a_loss_that_is_no_number_is_a_cross():
    assert sparklines(points("train", [4.0, math.nan]))[0].count("×") == 24


def test_three_thousand_steps_fit_into_a_line():
    assert len(sparklines(points("train", [3 - step / 3000 for step in range(3000)]))[0]) == 17 + 48 + 6


def test_nothing_is_no_line():
    assert sparklines([]) == []
