"""Candidates are connected alike, whether their group fits a task or is compared bucket by bucket."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.clusters import roots
from pipeline.exchange import buckets, runs
from pipeline.tokens import connecting
from tests.exchange.laid_out import exchange_of, write_sets


def here(task, items):
    return [task(item) for item in items]


def connected(folder, keys, sets, threshold, most):
    """Return the least candidate that each one is led to."""
    exchange = exchange_of(folder, keys, [len(keys) // 2], most)
    found = np.arange(len(buckets.find(exchange, 1, here)))
    write_sets(exchange, sets)
    for edges in connecting.connected(exchange, threshold, 1, here):
        found[edges[:, 0]] = edges[:, 1]
    return found.tolist()


def expected(candidates, keys, sets, threshold):
    """Return the same, of all pairs that share a key."""
    parent = np.arange(len(candidates))
    for one, other in itertools.combinations(range(len(candidates)), 2):
        a, b = candidates[one], candidates[other]
        shares = any(key == value for key, value in zip(keys[a], keys[b], strict=True))
        if shares and len(sets[a] & sets[b]) / len(sets[a] | sets[b]) >= threshold:
            least, most = sorted((roots(parent)[one], roots(parent)[other]))
            parent[most] = least
    return roots(parent).tolist()


DOCUMENTS = st.lists(
    st.tuples(st.tuples(*[st.integers(0, 4)] * 3), st.sets(st.integers(0, 5), min_size=1)), min_size=1, max_size=24
)


@given(DOCUMENTS, st.sampled_from([0.3, 0.5, 1.0]), st.integers(1, 40), st.sampled_from([2, 4, 64]))
def test_all_are_connected_whom_near_duplicates_lead_to_one_another(tmp_path_factory, documents, threshold, room, crowd):
    keys, sets = ([own[part] for own in documents] for part in (0, 1))
    times = Counter((band, key) for own in keys for band, key in enumerate(own))
    candidates = [one for one, own in enumerate(keys) if any(times[pair] > 1 for pair in enumerate(own))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "CROWD", crowd)
        found = connected(tmp_path_factory.mktemp("x"), keys, sets, threshold, 100 * 16 * room)
    assert found == expected(candidates, keys, sets, threshold)


def test_copies_that_share_all_buckets_are_connected_by_a_few_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "CROWD", 4)
    met = []
    meeting = runs.meeting
    monkeypatch.setattr(runs, "meeting", lambda *given: met.append(meeting(*given)) or met[-1])
    keys, sets = [(1, 2, 3)] * 40, [{1, 2, 3}] * 40
    assert connected(tmp_path, keys, sets, 0.5, 16 * 8 * 67) == [0] * 40
    assert [len(own.candidates) for own in met] == [5, 5, 5]  # the first of each block, in each of three buckets


def cut(folder, keys, most, root, firsts=False):
    exchange = exchange_of(folder, keys, [], most)
    found = buckets.find(exchange, 1, here)
    write_sets(exchange, [{1, 2}] * len(keys))
    root = np.array(root, np.int32)
    number = np.full(len(keys), -1, np.int32)
    number[found] = np.arange(len(found))
    return exchange, root, list(runs.cut(exchange, number, root, firsts=firsts))


def test_buckets_whose_members_are_connected_or_compared_elsewhere_are_in_no_run(tmp_path):
    keys = [(1,), (1,), (2,), (2,), (3,), (3,)]
    _, _, found = cut(tmp_path, keys, 1 << 20, [0, 0, -1, -1, 4, 5])
    assert found == [runs.Run(0, (0, 3), (0, 6))]
    exchange, root, found = cut(tmp_path, keys, 1 << 20, [0, 0, -1, -1, 4, 5])
    met = runs.meeting(exchange, found[0], root, root)
    assert (met.candidates.tolist(), met.members.tolist(), met.bounds.tolist()) == ([4, 5], [0, 1], [0, 0, 0, 2])
    assert cut(tmp_path, keys, 1 << 20, [0, 0, -1, -1, 4, 4])[2] == []


def test_a_bucket_that_is_too_large_is_cut_into_pieces_of_which_any_two_meet(tmp_path):
    exchange, root, found = cut(tmp_path, [(1,)] * 6, 16 * 4 * 66, range(6))
    assert [run.pieces for run in found] == [((0, 2), (2, 4)), ((0, 2), (4, 6)), ((2, 4), (4, 6))]
    met = [runs.meeting(exchange, run, root, root) for run in found]
    assert [own.candidates.tolist() for own in met] == [[0, 1, 2, 3], [0, 1, 4, 5], [2, 3, 4, 5]]
    assert all(own.bounds.tolist() == [0, 4] for own in met)


def test_what_stood_for_others_in_a_crowd_does_not_meet_again(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "CROWD", 3)
    exchange, root, found = cut(tmp_path, [(1,)] * 4 + [(2,)] * 2, 1 << 20, [0, 0, 2, 3, 4, 5])
    assert runs.meeting(exchange, found[0], root, root).met.tolist() == [True, False, True, True, False, False]


def test_in_a_crowd_the_first_of_those_that_are_connected_stands_for_them(monkeypatch):
    monkeypatch.setattr(runs, "CROWD", 3)
    root, sizes = np.array([0, 0, 2, 5, 7], np.int32), np.array([3, 2], np.int32)
    assert runs.to_meet(root, sizes, firsts=True).tolist() == [True, False, True, False, False]
