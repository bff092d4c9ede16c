"""A bound on memory: how it is said, and how many tasks run at a time under it."""

import ctypes
import os
import subprocess
import sys
import time
from functools import partial
from itertools import pairwise

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli import main
from pipeline.engine import memory
from pipeline.engine.local import Local
from pipeline.engine.memory import DRIVER, PARENT, WORKER, Admission, Weighed, bytes_of, needs, processes, room
from pipeline.errors import UsageError

GB = 10**9


@pytest.mark.parametrize("said", ["", "much", "-2GB", "2 gigs", "1e9", "2GBit", "GB", "nan"])
def test_what_is_no_size_is_refused_in_one_line(said):
    with pytest.raises(UsageError, match=r"is no size\. Write it like 2GB, 1\.5GiB or 800MB\.$"):
        bytes_of(said)


def test_less_than_prep_itself_takes_is_refused():
    with pytest.raises(UsageError, match=r"--memory 20MB is too little: a shard takes 500 MB\. Give more, like 2GB\."):
        bytes_of("20MB")


@given(st.integers(500, 10**6), st.sampled_from(["", " "]), st.sampled_from(["MB", "mb", "M"]))
def test_a_size_is_read_whatever_its_case(number, blank, unit):
    assert bytes_of(f"{number}{blank}{unit}") == number * 10**6


def test_a_wrong_size_on_the_command_line_exits_with_2(tmp_path):
    (tmp_path / "a.txt").write_text("A text.")
    done = CliRunner().invoke(main, ["ingest", str(tmp_path / "a.txt"), "--store", str(tmp_path / "s"), "--memory", "lots"])
    assert (done.exit_code, done.stderr) == (2, "Error: --memory lots is no size. Write it like 2GB, 1.5GiB or 800MB.\n")


def test_memory_is_for_the_local_engine(tmp_path):
    done = CliRunner().invoke(main, ["ingest", "a.txt", "--store", str(tmp_path), "--memory", "2GB", "--engine", "slurm"])
    line = "Error: --memory bounds the processes of this machine, and --engine is slurm. Take it out.\n"
    assert (done.exit_code, done.stderr) == (2, line)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=9), st.integers(1, 4), st.integers(0, 40))
def test_the_tasks_that_can_run_at_a_time_have_room_together(weights, workers, space):
    admission = Admission(weights, workers, space)
    for admission.done in range(len(weights)):
        admitted = admission()
        ahead = weights[admission.done : admission.done + admitted]
        assert 1 <= admitted <= 2 * workers
        assert admitted == 1 or sum(sorted(ahead)[-workers:]) <= space


def test_a_task_that_says_nothing_of_memory_is_not_held_up():
    assert Admission(needs(len, ["a", "b", "c"]), 2, 0)() == 4


@given(st.integers(300 * 10**6, 64 * GB), st.lists(st.integers(1, 4 * GB), min_size=1, max_size=5), st.integers(1, 64))
def test_workers_with_a_usual_task_each_stay_below_the_bound(memory, weights, workers):
    started = processes(memory, weights, workers)
    usual = sorted(weights)[len(weights) // 2]
    assert 1 <= started <= workers
    assert started == 1 or DRIVER + PARENT + started * (WORKER + usual) <= memory
    assert room(memory, started) <= memory


def at_work(_, seconds=0.1):
    start = time.time()
    time.sleep(seconds)
    return start, time.time()


def heavy(need, _):
    return need


def overlap(spans):
    return any(next_[0] < before[1] for before, next_ in pairwise(spans))


def test_as_many_tasks_run_at_a_time_as_memory_has_room_for():
    engine = Local(2, memory=GB)
    try:
        assert not overlap(sorted(engine.map(Weighed(at_work, partial(heavy, 600 << 20)), range(4))))
        assert overlap(sorted(engine.map(Weighed(at_work, partial(heavy, 100 << 20)), range(20))))
    finally:
        engine.close()


def test_a_task_with_no_room_runs_and_is_told_of_once():
    told = []
    engine = Local(2, memory=GB, tell=told.append)
    task = Weighed(str, partial(heavy, 6 * GB))
    assert list(engine.map(task, [1, 2])) + list(engine.map(task, [3])) == ["1", "2", "3"]
    assert told == [
        "--memory 1.0 GB cannot be kept: a task takes some 6.0 GB beside prep itself. It runs alone; "
        "a smaller shard or document would need less."
    ]


def test_what_a_large_task_leaves_behind_goes_back_to_the_system():
    memory.release()
    blocks = [bytes(1000) for _ in range(100_000)]
    last = blocks.pop()  # at the end of what they took: it keeps the rest from going by itself
    del blocks
    before = memory.resident()
    memory.release()
    assert before - memory.resident() > 50 << 20
    assert len(last) == 1000


def test_what_tasks_of_a_map_keep_goes_when_another_task_begins(monkeypatch):
    monkeypatch.setattr(memory._Process, "kept", [])
    made = []
    keep = memory.kept(made.append)
    uses, other = partial(lambda what, _: keep(what), "encoder"), partial(heavy, 1)
    for task in (uses, uses, other, other, uses):
        memory.done_and_released(task, None)
    assert made == ["encoder"] * 2


HELD_AFTER = """
import numpy as np
from pipeline.engine import memory
from pipeline.engine.local import Local

Local(1, memory={bound})
before, small = memory.resident(), []
for _ in range(3):
    large = [(np.ones(500_000), small.append(np.ones(12_000))) for _ in range(50)]
    del large
print(max(0, memory.resident() - before - sum(array.nbytes for array in small)))
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="only glibc's allocator keeps large blocks so")
@pytest.mark.parametrize(("bound", "kept"), [(None, range(100 << 20, 300 << 20)), (2 * GB, range(30 << 20))])
def test_under_a_bound_large_blocks_go_back_to_the_system_though_small_ones_lie_between(bound, kept):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, "-c", HELD_AFTER.format(bound=bound)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert int(done.stdout) in kept


def test_nothing_is_given_back_after_a_small_task(monkeypatch):
    memory.release()
    given_back = []
    monkeypatch.setattr(memory.ctypes, "CDLL", given_back.append)
    memory.release()
    assert not given_back
