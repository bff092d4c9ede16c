"""The batches of processes that train together: all of the rows, none twice, in the steps that one process takes."""

from itertools import zip_longest

import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import TrainingError
from trainers.loss import collate
from trainers.settings import check_share
from trainers.shares import Crew, Share, passes_each


def shares(rows, size, passes, count):
    return [list(Share(rows, size, passes, 7, Crew(count, rank))) for rank in range(count)]


def steps(batches, passes):
    return [batches[begin : begin + passes] for begin in range(0, len(batches), passes)]


SIZES = {"rows": st.integers(1, 60), "size": st.integers(1, 4), "passes": st.integers(1, 7), "count": st.integers(1, 5)}


@given(**SIZES)
def test_a_step_has_the_rows_that_it_has_in_one_process(rows, size, passes, count):
    [alone] = shares(rows, size, passes, 1)
    dealt = [steps(batches, passes_each(passes, count)) for batches in shares(rows, size, passes, count)]
    for wanted, *found in zip_longest(steps(alone, passes), *dealt):
        turns = [batch for turn in zip(*found, strict=True) for batch in turn]
        assert [batch for batch in turns if batch] == wanted


@given(**SIZES)
def test_each_process_has_as_many_batches_as_it_says(rows, size, passes, count):
    told = {len(Share(rows, size, passes, 7, Crew(count, rank))) for rank in range(count)}
    assert told == {len(batches) for batches in shares(rows, size, passes, count)}
    assert len(told) == 1


def test_an_epoch_has_an_order_of_its_own():
    share = Share(20, 2, 2, 7, Crew(2, 0))
    first = list(share)
    share.set_epoch(1)
    assert list(share) != first
    share.set_epoch(0)
    assert list(share) == first


def test_a_batch_without_rows_has_no_supervised_token():
    batch = collate([])
    assert batch["labels"].tolist() == [[-100, -100]]


def test_fewer_passes_than_processes_are_refused_and_uneven_ones_are_told(toy_settings):
    said = []
    with pytest.raises(TrainingError, match=r"an optimizer step has 2 x 2 rows, which 3 processes cannot share"):
        check_share(toy_settings, 3, said.append)
    check_share(toy_settings, 2, said.append)
    assert said == []
    from dataclasses import replace

    check_share(replace(toy_settings, gradient_accumulation_steps=5), 3, said.append)
    assert said == ["an optimizer step's 5 passes do not come out even: in its last, 2 of 3 processes have rows"]
