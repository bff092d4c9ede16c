"""What a training tells, on the disk and back."""

import pytest

from pipeline.errors import StoreError
from trainers.history import Pace, Point
from trainers.stream import Stream

POINT = Point(step=1, epoch=0.5, split="train", loss=2.0, learning_rate=1e-4, grad_norm=1.0, tokens=30)
PACE = Pace(step=1, seconds=0.5, tokens=40, memory=2**30)


def told(folder, *what):
    stream = Stream(folder)
    for one in what:
        stream.add(one)
    return stream


def test_what_was_told_is_read_back(tmp_path):
    told(tmp_path, POINT, PACE, POINT._replace(step=2, split="validation", learning_rate=None, grad_norm=None))
    again = Stream(tmp_path)
    assert again.points == [POINT, Point(2, 0.5, "validation", 2.0, None, None, 30)]
    assert again.paces == [PACE]


def test_a_loss_is_the_same_number_when_it_is_read_back(tmp_path):
    loss = 3.0000000000000004
    told(tmp_path, POINT._replace(loss=loss))
    assert Stream(tmp_path).points[0].loss == loss


@pytest.mark.parametrize("cut", [1, 5, 20])
def test_a_torn_last_line_is_as_if_it_had_not_been_told(tmp_path, cut):
    told(tmp_path, POINT, POINT._replace(step=2))
    file = tmp_path / "points.jsonl"
    file.write_bytes(file.read_bytes()[:-cut])
    assert Stream(tmp_path).points == [POINT]


def test_what_is_told_after_a_cut_follows_what_was_before_it(tmp_path):
    stream = told(tmp_path, POINT, PACE, POINT._replace(step=2), PACE._replace(step=2))
    stream.cut(1)
    stream.add(POINT._replace(step=2, loss=1.0))
    assert Stream(tmp_path).points == [POINT, POINT._replace(step=2, loss=1.0)]
    assert Stream(tmp_path).paces == [PACE]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    stream = Stream(tmp_path)
    (tmp_path / "points.jsonl").mkdir()
    with pytest.raises(StoreError, match=r"points\.jsonl: cannot write .Is a directory"):
        stream.add(POINT)
