"""Slurm's engine, with jobs on this machine: submitit starts them as Slurm would."""

import json
import os

import pytest

from pipeline.engine.choice import engine
from pipeline.errors import SourceError, UsageError
from pipeline.trace import Trace
from pipeline.traced import Traced

pytest.importorskip("submitit")


def refuse_the_second(number):
    if number == 2:
        raise SourceError(f"{number}: no")
    return number


def test_jobs_answer_in_order_bring_errors_as_they_are_and_leave_nothing_behind(tmp_path):
    with engine("slurm", tmp_path, workers=3, options=["cluster=local", "timeout_min=5"]) as slurm:
        answers = slurm.map(refuse_the_second, [3, 1, 2])
        assert [next(answers), next(answers)] == [3, 1]
        with pytest.raises(SourceError, match="2: no"):
            next(answers)
    assert list(tmp_path.iterdir()) == []


def test_the_times_of_jobs_come_with_their_answers(tmp_path):
    with engine("slurm", tmp_path, workers=2, options=["cluster=local"]) as slurm, Trace(tmp_path / "t.json", []) as trace:
        assert list(Traced(slurm, trace).map(refuse_the_second, [3])) == [3]
    (task,) = [event for event in json.loads((tmp_path / "t.json").read_text()) if "shard" in event.get("args", {})]
    assert task["args"]["worker"] != os.getpid()


def test_the_number_of_jobs_at_a_time_must_be_given(tmp_path):
    with pytest.raises(UsageError, match="how many jobs at a time"):
        engine("slurm", tmp_path)


def test_where_slurm_is_not_installed_this_is_told(tmp_path):
    with pytest.raises(UsageError, match="Slurm cannot be used: "):
        engine("slurm", tmp_path, workers=2, options=["partition=cpu"])
    assert list(tmp_path.iterdir()) == []
