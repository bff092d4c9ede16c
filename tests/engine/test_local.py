"""The local engine: answers in the order of the items, errors as they are."""

import multiprocessing.forkserver
import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from pipeline.engine.local import Local
from pipeline.errors import SourceError, WorkerDied


def square(number):
    return number * number


def late(number):
    time.sleep(0.05 * (number == 0))
    return number


def process(_):
    return os.getpid()


def refuse(number):
    raise SourceError(f"{number}: no")


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def note(folder, number):
    (Path(folder) / str(number)).touch()
    time.sleep(0.02)
    return number


@pytest.fixture(scope="module")
def two():
    engine = Local(2)
    yield engine
    engine.close()


@pytest.fixture
def fresh():
    engine = Local(2)
    yield engine
    engine.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_answers_come_in_the_order_of_the_items(two, workers):
    engine = two if workers == 2 else Local(1)
    assert list(engine.map(square, range(9))) == [number * number for number in range(9)]


def test_a_slow_first_item_still_comes_first(two):
    assert list(two.map(late, range(6))) == list(range(6))


def test_no_items_have_no_answers(two):
    assert list(two.map(square, [])) == []


def test_one_worker_or_one_item_stays_in_this_process(two):
    assert [*Local(1).map(process, [1, 2]), *two.map(process, [1])] == [os.getpid()] * 3


def test_several_items_go_to_other_processes(two):
    assert os.getpid() not in set(two.map(process, range(4)))


def test_little_stays_in_this_process_and_what_is_not_goes_to_others():
    engine = Local()
    engine.workers = 2
    for little in (True, False):
        engine.expect(little=little)
        assert (set(engine.map(process, range(4))) == {os.getpid()}) == little
    engine.close()


def test_whoever_asks_for_workers_has_them_for_little_as_well(fresh):
    fresh.expect(little=True)
    assert os.getpid() not in set(fresh.map(process, range(4)))


@pytest.mark.parametrize("little", [True, False])
def test_what_workers_are_forked_from_is_started_at_once_where_it_is_worth_it(monkeypatch, little):
    started = []
    monkeypatch.setattr(multiprocessing.forkserver, "ensure_running", lambda: started.append(True))
    Local(2, ["clean"]).expect(little=little)
    Local(2).expect(little=little)  # no stage is told: nobody knows what to import
    assert started == ([] if little else [True])


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_task_comes_as_it_is(two, workers):
    engine = two if workers == 2 else Local(1)
    with pytest.raises(SourceError, match="0: no"):
        list(engine.map(refuse, range(3)))


def test_the_engine_goes_on_after_an_error(two):
    with pytest.raises(SourceError):
        list(two.map(refuse, range(3)))
    assert list(two.map(square, range(3))) == [0, 1, 4]


def test_no_more_than_two_items_a_worker_are_under_way(two, tmp_path):
    answers = two.map(partial(note, str(tmp_path)), range(40))
    next(answers)
    time.sleep(0.3)
    assert len(list(tmp_path.iterdir())) <= 2 * two.workers + 1
    answers.close()


def test_a_map_that_ends_early_leaves_no_task_running(two, tmp_path):
    answers = two.map(partial(note, str(tmp_path)), range(40))
    next(answers)
    answers.close()
    noted = len(list(tmp_path.iterdir()))
    time.sleep(0.2)
    assert len(list(tmp_path.iterdir())) == noted


def test_a_worker_that_dies_is_told_and_the_engine_goes_on(fresh):
    with pytest.raises(WorkerDied, match="Finished shards are kept"):
        list(fresh.map(die, range(3)))
    assert list(fresh.map(square, range(3))) == [0, 1, 4]


def test_a_worker_that_died_between_two_maps_is_told_as_well(fresh):
    victim = set(fresh.map(process, range(4))).pop()
    os.kill(victim, signal.SIGKILL)
    time.sleep(0.3)
    with pytest.raises(WorkerDied):
        list(fresh.map(square, range(3)))


def test_by_default_there_is_a_worker_for_each_core_that_may_be_used():
    assert Local().workers == len(os.sched_getaffinity(0))


def test_closing_twice_is_no_trouble(fresh):
    list(fresh.map(square, range(3)))
    fresh.close()
    fresh.close()
