"""What every engine keeps to: order, errors as they are, no more under way than allowed."""

import json
import time
from functools import partial
from pathlib import Path

import pytest

from pipeline.errors import SourceError
from pipeline.tokens.encoding.encoder import EncodingDiffers
from pipeline.trace import Trace
from pipeline.traced import Traced


def square(number):
    return number * number


def late(number):
    time.sleep(0.2 * (number == 0))
    return number


def refuse(number):
    raise SourceError(f"{number}: no")


def differ(number):
    raise EncodingDiffers(f"{number}: differs")


def stumble(number):
    return [][number]


def note(folder, number):
    """Leave a file when begun, and another one when done."""
    (Path(folder) / f"{number}.begun").touch()
    time.sleep(0.1)
    (Path(folder) / f"{number}.done").touch()
    return number


pytestmark = pytest.mark.xdist_group("cluster")
CLUSTERS = [pytest.param(name, marks=pytest.mark.slow) for name in ("ray", "dask")]


@pytest.fixture(params=["local", "thread", *CLUSTERS])
def engine(request):
    return request.getfixturevalue(f"{request.param}_engine")


def test_answers_come_in_the_order_of_the_items(engine):
    assert list(engine.map(square, range(20))) == [number * number for number in range(20)]


def test_a_slow_first_item_still_comes_first(engine):
    assert list(engine.map(late, range(6))) == list(range(6))


def test_no_items_have_no_answers(engine):
    assert list(engine.map(square, [])) == []


@pytest.mark.parametrize(
    ("task", "kind", "line"),
    [(refuse, SourceError, "0: no"), (differ, EncodingDiffers, "0: differs"), (stumble, IndexError, "list index out of range")],
)
def test_an_error_of_a_task_comes_as_it_is(engine, task, kind, line):
    with pytest.raises(kind) as caught:
        list(engine.map(task, range(3)))
    assert type(caught.value) is kind
    assert str(caught.value) == line


def test_the_engine_goes_on_after_an_error(engine):
    with pytest.raises(SourceError):
        list(engine.map(refuse, range(3)))
    assert list(engine.map(square, range(3))) == [0, 1, 4]


def test_no_more_than_two_items_a_worker_are_under_way(engine, tmp_path):
    answers = engine.map(partial(note, str(tmp_path)), range(40))
    next(answers)
    time.sleep(0.5)
    assert len(list(tmp_path.glob("*.begun"))) <= 2 * engine.workers + 1
    answers.close()


def test_the_times_of_tasks_come_with_their_answers(engine, tmp_path):
    with Trace(tmp_path / "trace.json", []) as trace:
        assert list(Traced(engine, trace).map(square, range(4))) == [0, 1, 4, 9]
        with pytest.raises(SourceError):
            list(Traced(engine, trace).map(refuse, range(3)))
    found = [event for event in json.loads((tmp_path / "trace.json").read_text()) if event["name"] == "square"]
    assert [event["args"]["shard"] for event in found] == [0, 1, 2, 3]


def test_nothing_is_under_way_once_a_map_is_left(engine, tmp_path):
    answers = engine.map(partial(note, str(tmp_path)), range(40))
    next(answers)
    answers.close()
    begun = len(list(tmp_path.glob("*.begun")))
    assert len(list(tmp_path.glob("*.done"))) == begun
    time.sleep(0.3)
    assert len(list(tmp_path.glob("*.begun"))) == begun
