"""Shards of rows, and how many of them a task writes."""

from itertools import chain
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipeline.tokens.shards import PIECES, TASKS, TOGETHER, Split, cut, tasks

TEXTS = Split(Path("draft"), "train", Path("spills"), Path("indexes"), [("clean/texts@0", 1)])


@given(rows=st.integers(0, 5000), length=st.sampled_from([3, 2048, 1 << 20, 1 << 23]), before=st.integers(0, 9))
def test_each_row_is_in_one_shard_whose_index_follows_those_of_other_splits(rows, length, before):
    shards = cut(TEXTS, rows, length, before)
    assert list(chain.from_iterable(range(shard.first, shard.stop) for shard in shards)) == list(range(rows))
    assert [(shard.number, shard.index) for shard in shards] == [(place, before + place) for place in range(len(shards))]


@given(count=st.integers(0, 3000), each=st.integers(1, 1 << 20))
def test_a_task_writes_neighbouring_shards_the_fewer_the_more_pieces_they_hold(count, each):
    shards = cut(TEXTS, count, 1 << 22, 0)
    found = tasks(shards, count * each)
    assert list(chain.from_iterable(found)) == shards
    assert len(found) >= min(count, TASKS)
    assert all(len(task) <= TOGETHER and (len(task) == 1 or len(task) * each <= PIECES) for task in found)


def test_a_split_of_thousands_of_shards_is_looked_up_once_for_many_of_them():
    assert len(tasks(cut(TEXTS, 1600, 1 << 22, 0), 1600 * 1000)) == 100
