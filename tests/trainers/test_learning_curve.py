import pytest

pytest.importorskip("matplotlib")

from matplotlib.image import imread

from trainers.history import Point
from trainers.learning_curve import draw, smoothed


def training(steps):
    return [Point(step, step / steps, "train", 5 - step / steps, 1e-4, 1.0, 100 * step) for step in range(1, steps + 1)]


def test_a_straight_line_stays_where_it_is_away_from_its_ends():
    line = [10.0 - step for step in range(9)]
    assert smoothed(line, [1] * 9, width=1).tolist()[3:6] == pytest.approx(line[3:6])


def test_a_step_with_few_tokens_weighs_little():
    assert smoothed([2.0, 8.0, 2.0], [1000, 1, 1000], width=2)[1] == pytest.approx(2.0, abs=0.02)


@pytest.mark.parametrize("steps", [1, 40])
def test_the_picture_holds_training_and_validation_in_their_colours(tmp_path, steps):
    points = [*training(steps), Point(steps, 1.0, "validation", 4.5, None, None, 100 * steps)]
    draw(points, tmp_path / "curve.png", "demo")
    pixels = {tuple(pixel) for pixel in (imread(tmp_path / "curve.png")[..., :3] * 255).round().astype(int).reshape(-1, 3)}
    assert {(0x1F, 0x5F, 0x99), (0xC8, 0x50, 0x1E)} <= pixels


def test_a_training_without_validation_is_drawn_too(tmp_path):
    draw(training(3), tmp_path / "curve.png", "demo")
    assert imread(tmp_path / "curve.png").shape == (648, 1080, 4)


def test_the_same_points_are_the_same_bytes(tmp_path):
    for name in ("a.png", "b.png"):
        draw(training(5), tmp_path / name, "demo")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
