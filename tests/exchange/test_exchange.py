"""Buckets, order and parts of an exchange: the same in rounds of any size as at once."""

import itertools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import clusters
from pipeline.errors import UsageError
from pipeline.exchange import buckets, numbers, order, parts
from pipeline.exchange.parts import chunks
from tests.exchange.laid_out import exchange_of, write_sets


def here(task, items):
    return [task(item) for item in items]


KEYS = st.lists(st.tuples(*[st.sampled_from([0, 5, 1 << 63, (1 << 64) - 1, 77])] * 2), min_size=1, max_size=20)


@given(KEYS, st.integers(1, 2), st.integers(48, 2000), st.data())
def test_candidates_and_buckets_are_those_of_all_keys_at_once(tmp_path_factory, keys, workers, most, data):
    cuts = data.draw(st.lists(st.integers(0, len(keys)), max_size=3))
    exchange = exchange_of(tmp_path_factory.mktemp("x"), keys, cuts, most)
    candidates = buckets.find(exchange, workers, here)
    whole = [clusters.buckets(np.array(keys, np.uint64)[:, [band]], np.ones(len(keys), bool)) for band in range(2)]
    assert candidates.tolist() == sorted({one for found in whole for one in found.members.tolist()})
    for band, found in enumerate(whole):
        members, sizes = buckets.of_band(exchange, band)
        assert members.tolist() == found.members.tolist()
        assert sizes.tolist() == np.diff(found.offsets).tolist()


@given(KEYS, st.integers(48, 2000))
def test_each_candidate_has_its_buckets_and_connected_ones_stand_together(tmp_path_factory, keys, most):
    exchange = exchange_of(tmp_path_factory.mktemp("x"), keys, [], most)
    candidates = buckets.find(exchange, 1, here)
    starts = order.write(exchange, np.arange(len(candidates))[::-1].copy())
    bounds, found = np.load(exchange.file("bounds.npy")), numbers(exchange.file("buckets.bin"))
    members = [buckets.of_band(exchange, band) for band in range(2)]
    whole = clusters.Buckets(
        np.searchsorted(candidates, np.concatenate([own for own, _ in members])),
        np.concatenate([[0], np.cumsum(np.concatenate([sizes for _, sizes in members]))]).astype(np.int64),
    )
    expected, edges = clusters.by_document(*whole, len(candidates))
    assert (found.tolist(), bounds.tolist()) == (expected.tolist(), edges.tolist())
    placed = np.load(exchange.file("order.npy"))
    for first, last in itertools.pairwise(starts):
        assert placed[first:last].tolist() == sorted(placed[first:last].tolist(), reverse=True)


@pytest.mark.parametrize("most", [1, 3, 100])
def test_chunks_hold_what_fits_or_one_thing(most):
    sizes = np.array([2, 1, 3, 9, 1, 1])
    cuts = list(chunks(sizes, most))
    assert [edge for cut in cuts for edge in cut][1:-1:2] == [first for first, _ in cuts[1:]]
    assert all(sizes[first:last].sum() <= most or last - first == 1 for first, last in cuts)
    assert (cuts[0][0], cuts[-1][1]) == (0, len(sizes))


def test_a_part_has_the_sets_of_its_candidates_whether_they_fit_or_not(tmp_path):
    keys = [(1,), (9,), (1,), (1,)]
    found = []
    for most in (1 << 20, 48):
        exchange = exchange_of(tmp_path / str(most), keys, [2], most)
        buckets.find(exchange, 1, here)
        write_sets(exchange, [[10, 11], [], [12], [13, 14]])
        order.write(exchange, np.array([1, 2, 0]))
        own = parts.part(exchange, parts.standing(exchange, 0, 3))
        found.append([own.candidates.tolist(), own.hashes.tolist(), own.offsets.tolist(), own.buckets.tolist()])
    assert found[0] == found[1] == [[1, 2, 0], [12, 13, 14, 10, 11], [0, 1, 3, 5], [0, 0, 0]]


def cuts_of(folder, most, sizes):
    """Cut two groups, of five candidates and of two, whose sets have these sizes."""
    exchange = exchange_of(folder, [(1,)] * 5 + [(2,)] * 2, [], most)
    buckets.find(exchange, 1, here)
    parts.write_offsets(exchange, [np.array(sizes)])
    return parts.cut(exchange, order.write(exchange), 1)


def test_a_group_that_is_too_large_for_a_task_is_cut_into_blocks(tmp_path):
    room = 16 * 4 * parts.BESIDE
    assert cuts_of(tmp_path / "1", room, [0] * 7) == ([(5, 7)], [[(0, 4), (4, 5)]])
    assert cuts_of(tmp_path / "2", 2 * room, [0] * 7) == ([(0, 5), (5, 7)], [])


def test_a_candidate_with_a_large_set_is_a_block_of_its_own(tmp_path):
    assert cuts_of(tmp_path, 16 * 4 * parts.BESIDE, [0, 500, 0, 0, 0, 0, 0]).blocks == [[(0, 1), (1, 2), (2, 5)]]


def test_of_two_blocks_those_meet_that_share_a_bucket(tmp_path):
    exchange = exchange_of(tmp_path, [(1, 1), (2, 1), (2, 2), (1, 3), (9, 2)], [], 4800)
    assert buckets.find(exchange, 1, here).tolist() == [0, 1, 2, 3, 4]
    order.write(exchange)
    met = parts.meeting(exchange, np.array([0, 1, 2]), np.array([3, 4]))
    assert [rows.tolist() for rows in met] == [[0, 2], [0, 1]]


def test_what_a_task_is_sent_does_not_grow_with_the_number_of_shards(tmp_path):
    keys = [(number,) for number in range(40)]
    few, many = (exchange_of(tmp_path / f"{len(cuts):02}", keys, cuts, 800) for cuts in ([], range(40)))
    assert len(pickle.dumps(few)) == len(pickle.dumps(many))
    assert (len(few.keys()), len(many.keys())) == (1, 40)


def test_more_documents_than_there_are_numbers_for_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.exchange.MANY", 3)
    with pytest.raises(UsageError, match=r"^4 documents are too many for one search of duplicates\. Ingest them as several"):
        exchange_of(tmp_path, [(1,), (2,), (3,), (4,)], [2], 800)
