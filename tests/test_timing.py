"""What is done is timed where somebody has asked, and costs nothing where nobody has."""

import pickle
import time
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.timing import Timed, listening, phase, stage, timed, timed_each


def square(number):
    with timed("square", 8):
        return number * number


def nested(seconds, _):
    with timed("outer"):
        time.sleep(seconds)
        with timed("inner"):
            time.sleep(seconds)


def raising(_):
    with timed("broken"):
        raise ValueError


class Heard:
    def __init__(self):
        self.phases, self.stages = [], []

    def phase(self, name, start, seconds):
        self.phases.append((name, seconds))

    def stage(self, name):
        self.stages.append(name)


def test_a_timed_task_gives_its_answer_and_what_it_did_by_name():
    answer, record = Timed(square)((7, 3))
    assert (answer, record.number) == (9, 7)
    assert [(name, sum_.bytes, sum_.calls) for name, sum_ in record.sums.items()] == [("square", 8, 1)]
    assert record.sums["square"].seconds <= record.seconds
    assert record.peak > 1 << 20


def test_what_is_done_within_something_else_counts_for_itself_alone():
    _, record = Timed(partial(nested, 0.02))((0, None))
    assert 0.02 <= record.sums["inner"].seconds < 0.035
    assert 0.02 <= record.sums["outer"].seconds < 0.035
    assert sum(sum_.seconds for sum_ in record.sums.values()) <= record.seconds


@given(st.recursive(st.just([]), lambda inner: st.lists(inner, max_size=4), max_leaves=12))
def test_sums_never_exceed_the_task(tree):
    def walk(node, depth=0):
        with timed(f"level {depth}"):
            for child in node:
                walk(child, depth + 1)

    _, record = Timed(walk)((0, tree))
    assert sum(sum_.seconds for sum_ in record.sums.values()) <= record.seconds + 1e-9


def test_each_thing_that_comes_is_timed_and_counted_by_its_size():
    _, record = Timed(lambda things: list(timed_each("read", iter(things), len)))((0, ["ab", "cde"]))
    assert (record.sums["read"].bytes, record.sums["read"].calls) == (5, 3)  # the last call finds nothing more


def test_outside_of_a_timed_task_nothing_is_kept():
    with timed("nothing"):
        pass
    _, record = Timed(square)((0, 2))
    assert list(record.sums) == ["square"]


def test_a_task_that_raises_leaves_nothing_for_the_next_one():
    with pytest.raises(ValueError):  # noqa: PT011  whatever it says
        Timed(raising)((0, 1))
    assert list(Timed(square)((0, 2)).record.sums) == ["square"]


def test_a_timed_task_pickles_where_the_task_does():
    assert pickle.loads(pickle.dumps(Timed(square)))((0, 4)).answer == 16


def test_phases_and_stages_are_told_to_who_listens_and_to_nobody_else():
    heard = Heard()
    with listening(heard):
        stage("clean/web")
        with phase("search"):
            pass
    with phase("unheard"):
        pass
    stage("unheard")
    assert [name for name, _ in heard.phases] == ["search"]
    assert heard.stages == ["clean/web"]


def test_where_nobody_has_asked_a_timed_block_takes_a_few_microseconds():
    def many():
        start = time.perf_counter()
        for _ in range(1000):
            with timed("nothing"):
                pass
        return time.perf_counter() - start

    assert min(many() for _ in range(5)) < 0.01
