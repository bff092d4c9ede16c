"""Which documents are held out: whole groups, and stable."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.artifacts import Store
from pipeline.engine.local import Local
from pipeline.run import Run
from pipeline.tokens.near import Place, groups, keys, write_keys
from pipeline.tokens.split import hashed, held_out, held_out_of, joined


def ids(*names):
    return hashed(pa.array(names, pa.large_string()))


def groups_of(tmp_path, *shards, threshold=0.5, memory=None):
    places = [Place(tmp_path / f"{number:05}.parquet", tmp_path / f"{number:05}") for number in range(len(shards))]
    tmp_path.mkdir(exist_ok=True)
    for place, own in zip(places, shards, strict=True):
        texts = pa.array(own, pa.large_string())
        pq.write_table(pa.table({"text": texts}), place.documents)
        write_keys([keys(texts, np.arange(len(texts) + 1))], place.work)
    return groups(places, threshold, tmp_path / "work", Run(Store(tmp_path), Local(1), memory=memory)).tolist()


WORDS = [f"word{number}" for number in range(60)]
PAGE = " ".join(WORDS)


def test_near_duplicates_are_one_group_also_in_different_shards(tmp_path):
    changed = " ".join([*WORDS[:30], "another", *WORDS[31:]])
    assert groups_of(tmp_path, [PAGE, "something else"], [changed]) == [0, 1, 0]


def test_a_chain_of_near_duplicates_is_one_group(tmp_path):
    shift = lambda by: " ".join([*WORDS[by:], *(f"new{number}" for number in range(by))])
    assert groups_of(tmp_path, [shift(0), shift(10), shift(20), shift(30)], threshold=0.6) == [0, 0, 0, 0]


def test_documents_below_the_similarity_are_not_one_group(tmp_path):
    half = " ".join([*WORDS[:30], *(f"new{number}" for number in range(30))])
    assert groups_of(tmp_path, [PAGE, half]) == [0, 1]


def test_groups_are_those_of_all_documents_compared_however_shards_are_cut(tmp_path):
    changed = [" ".join([*WORDS[:at], "another", *WORDS[at + 1 :]]) for at in (5, 25)]
    texts = ["alone", PAGE, "nobody like it", changed[0], "two words", "two words", changed[1]]
    whole = groups_of(tmp_path / "whole", texts)
    assert whole == [0, 1, 2, 1, 4, 4, 1]
    assert groups_of(tmp_path / "cut", texts[:1], [], texts[1:4], texts[4:]) == whole


def test_documents_that_share_no_key_have_no_set(tmp_path):
    groups_of(tmp_path, [PAGE, "alone"], [PAGE, "nobody like it", "two other words"])
    assert [len(np.load(tmp_path / f"{shard:05}.sets.npy")) for shard in range(2)] == [len(WORDS) - 4] * 2


def test_sets_are_made_of_the_rows_that_take_part(tmp_path):
    texts = pa.array(["left out", PAGE, "left out too", PAGE.replace("word0", "another")], pa.large_string())
    pq.write_table(pa.table({"text": texts}), tmp_path / "a.parquet", row_group_size=3)
    np.save(tmp_path / "rows.npy", np.array([1, 3], np.int32))
    place = Place(tmp_path / "a.parquet", tmp_path / "a", tmp_path / "rows.npy")
    write_keys([keys(texts.take(pa.array([1, 3])), np.arange(3))], place.work)
    assert groups([place], 0.5, tmp_path / "work").tolist() == [0, 0]


def test_groups_are_the_same_in_rounds_that_hold_little(tmp_path, planted):
    texts = planted(60)
    few = groups_of(tmp_path / "few", texts[:50], texts[50:], memory=800)
    assert few == groups_of(tmp_path / "all", texts)
    assert len(set(few)) < len(few)


def test_documents_of_one_source_are_one_group():
    assert joined(None, ids("a", "b", "a", "b")).tolist() == [0, 1, 0, 1]


def test_groups_that_share_a_source_are_one_group():
    assert joined(np.array([0, 1, 0]), ids("a", "b", "b")).tolist() == [0, 0, 0]


NAMES = st.lists(st.text(max_size=5), min_size=1, max_size=40, unique=True)


@given(NAMES, st.floats(0, 1), st.data())
def test_a_group_is_never_cut(names, share, data):
    groups = np.array([data.draw(st.integers(0, number)) for number in range(len(names))])
    groups = joined(None, groups.astype(np.uint64))
    chosen = held_out(ids(*names), groups, share)
    for group in set(groups.tolist()):
        assert len(set(chosen[groups == group].tolist())) == 1


@given(NAMES, NAMES, st.floats(0, 1))
def test_new_documents_do_not_move_the_old_ones(old, new, share):
    new = [name for name in new if name not in old]
    before = held_out(ids(*old), np.arange(len(old)), share)
    after = held_out(ids(*old, *new), np.arange(len(old) + len(new)), share)
    assert after[: len(old)].tolist() == before.tolist()


@given(NAMES, st.floats(0, 1), st.integers(0, 40))
def test_how_documents_are_cut_into_shards_does_not_matter(names, share, at):
    whole = held_out(ids(*names), np.arange(len(names)), share).tolist()
    assert held_out_of([ids(*names[:at]), ids(*names[at:])], np.arange(len(names)), share).tolist() == whole
    assert held_out_of([ids(*names[:at]), ids(*names[at:])], None, share).tolist() == whole


@given(NAMES, st.floats(0, 1), st.randoms(use_true_random=False))
def test_the_order_of_documents_does_not_matter(names, share, chance):
    shuffled = chance.sample(names, len(names))
    chosen = dict(zip(names, held_out(ids(*names), np.arange(len(names)), share).tolist(), strict=True))
    again = dict(zip(shuffled, held_out(ids(*shuffled), np.arange(len(names)), share).tolist(), strict=True))
    assert chosen == again


@pytest.mark.parametrize("size", [1, 3])
def test_the_share_held_out_is_the_share_asked_for_whatever_the_groups_size(size):
    count = 30_000
    chosen = held_out(ids(*map(str, range(count))), np.arange(count) // size * size, 0.1)
    assert chosen.mean() == pytest.approx(0.1, abs=0.01)


def test_a_group_that_would_fill_the_validation_is_trained():
    count = 1000
    groups = np.concatenate([np.zeros(100, np.int64), np.arange(100, count)])
    for trial in range(20):
        assert not held_out(ids(*(f"{trial}.{number}" for number in range(count))), groups, 0.5)[:100].any()
