"""Clusters: candidates -> twins, held against Python sets and a plain union-find over all verified pairs."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.clusters import Buckets, buckets, by_document, connect, connect_alike, jaccard, roots, survivors

SETS = st.lists(st.sets(st.integers(0, 9), min_size=1, max_size=8), min_size=2, max_size=9)
GROUPS = st.lists(st.sets(st.integers(0, 8), min_size=2, max_size=9), max_size=5)
EVERYWHERE = np.int64(2**31 - 1)
THRESHOLDS = st.sampled_from([0.2, 0.5, 0.55, 0.7, 1.0])


def packed(sets):
    offsets = np.cumsum([0, *(len(own) for own in sets)])
    return np.array([item for own in sets for item in sorted(own)], dtype=np.uint64), offsets


def bucketed(groups):
    members = [member for group in groups for member in sorted(group)]
    return Buckets(np.array(members, dtype=np.int64), np.cumsum([0, *(len(group) for group in groups)]))


def candidates_within(groups, count):
    """Return groups of documents that there are, those of one left out."""
    inside = [{member for member in group if member < count} for group in groups]
    return [group for group in inside if len(group) > 1]


def similarity(one, other):
    return len(one & other) / len(one | other)


def twins_of(sets, groups, threshold, rank=None, fixed=()):
    """Return of each document the twin that it goes for (-1: it stays), and their similarity."""
    rank = np.arange(len(sets)) if rank is None else np.array(rank)
    order = np.argsort(rank)
    moved = [{int(rank[member]) for member in group} for group in groups]
    found = bucketed(moved)
    looks = np.array([0 if document in fixed else EVERYWHERE for document in order])
    own = by_document(found.members, found.offsets, len(sets))
    place, near, _ = survivors(*own, *packed([sets[document] for document in order]), threshold, looks, looks >= 0)
    twin, similarity_ = np.full(len(sets), -1), np.zeros(len(sets))
    twin[order], similarity_[order] = np.where(place >= 0, order[place], -1), near
    return twin, similarity_


@given(st.sets(st.integers(0, 30), min_size=1), st.sets(st.integers(0, 30), min_size=1), st.floats(0.01, 1))
def test_similarity_is_that_of_python_sets_wherever_it_reaches_the_threshold(one, other, threshold):
    found = jaccard(*packed([one, other]), 0, 1, threshold)
    exact = similarity(one, other)
    assert found == exact or (exact < threshold and found == 0)


@pytest.mark.parametrize("size", range(20, 201, 20))
@pytest.mark.parametrize("percent", [55, 60, 70, 80, 85, 95])
def test_a_pair_that_stands_right_at_the_threshold_reaches_it(size, percent):
    common = size * percent // 100
    one, other, threshold = set(range(size)), set(range(common)), percent / 100
    assert jaccard(*packed([one, other]), 0, 1, threshold) == threshold


@given(GROUPS)
def test_documents_are_connected_by_any_chain_of_buckets(groups):
    groups = candidates_within(groups, 9)
    root = list(range(9))
    for one, other in (pair for group in groups for pair in combinations(sorted(group), 2)):
        low, high = sorted((root[one], root[other]))
        root = [low if own == high else own for own in root]
    found, parent = bucketed(groups), np.arange(9)
    connect(found.members, found.offsets, parent)
    assert roots(parent).tolist() == root


@given(GROUPS)
def test_buckets_turned_round_name_the_same_members(groups):
    found = bucketed(groups)
    held, bounds = by_document(found.members, found.offsets, 9)
    turned = [(int(bucket), document) for document in range(9) for bucket in held[bounds[document] : bounds[document + 1]]]
    assert sorted(turned) == [(bucket, member) for bucket, group in enumerate(groups) for member in sorted(group)]


@given(SETS, GROUPS, THRESHOLDS, st.randoms())
def test_whoever_goes_resembles_a_twin_that_stays_and_comes_before_it(sets, groups, threshold, random):
    rank = random.sample(range(len(sets)), len(sets))
    twin, near = twins_of(sets, candidates_within(groups, len(sets)), threshold, rank)
    for document in np.flatnonzero(twin >= 0):
        assert twin[twin[document]] == -1
        assert near[document] == similarity(sets[document], sets[twin[document]]) >= threshold
        assert rank[twin[document]] < rank[document]


@given(SETS, GROUPS, THRESHOLDS)
def test_of_two_candidates_that_resemble_each_other_at_most_one_stays(sets, groups, threshold):
    groups = candidates_within(groups, len(sets))
    twin, _ = twins_of(sets, groups, threshold)
    for one, other in (pair for group in groups for pair in combinations(sorted(group), 2)):
        if similarity(sets[one], sets[other]) >= threshold:
            assert twin[one] >= 0 or twin[other] >= 0


def test_in_a_chain_nobody_goes_for_a_document_it_does_not_resemble():
    a, b, c = set(range(10)), set(range(2, 12)), set(range(4, 14))
    assert twins_of([a, b, c], [{0, 1, 2}], 0.6)[0].tolist() == [-1, 0, -1]


def test_the_middle_of_a_chain_stands_for_both_ends_where_it_comes_first():
    a, b, c = set(range(10)), set(range(2, 12)), set(range(4, 14))
    assert twins_of([a, b, c], [{0, 1, 2}], 0.6, rank=[1, 0, 2])[0].tolist() == [1, -1, 1]


def test_clusters_that_only_a_false_candidate_connects_stay_apart():
    sets = [{1, 2, 3}, {1, 2, 3}, {7, 8, 9}, {7, 8, 9}]
    assert twins_of(sets, [{0, 1}, {1, 2}, {2, 3}], 0.7)[0].tolist() == [-1, 0, -1, 2]


def test_a_document_that_is_fixed_stays_and_others_go_for_it():
    assert twins_of([{1, 2}, {1, 2}, {1, 2}], [{0, 1, 2}], 0.7, fixed={0, 1})[0].tolist() == [-1, -1, 0]


def survivors_of(sets, buckets_, looks, enters):
    bounds = np.cumsum([0, *(len(own) for own in buckets_)])
    own = np.array([bucket for own in buckets_ for bucket in own], dtype=np.int64)
    return survivors(own, bounds, *packed(sets), 0.7, np.array(looks), np.array(enters))


def test_a_document_looks_only_in_as_many_of_its_buckets_as_it_is_told():
    twin, _, bucket = survivors_of([{1, 2}, {1, 2}, {1, 2}], [[0], [1, 0], [1, 0]], [9, 1, 2], [True] * 3)
    assert (twin.tolist(), bucket.tolist()) == ([-1, -1, 1], [-1, -1, 0])


def test_a_document_that_does_not_enter_is_no_survivor_for_those_behind_it():
    assert survivors_of([{1, 2}] * 2, [[0], [0]], [9, 9], [False, True])[0].tolist() == [-1, -1]


def test_documents_that_share_no_bucket_are_never_compared():
    assert twins_of([{1, 2}, {1, 2}, {1, 2}], [{0, 1}], 0.7)[0].tolist() == [-1, 0, -1]


def test_without_candidates_everyone_stays():
    assert twins_of([{1}, {1}], [], 0.5)[0].tolist() == [-1, -1]


def test_the_same_key_in_different_places_makes_no_candidates():
    keys = np.array([[1, 2], [2, 1], [3, 2]], dtype=np.uint64)
    assert buckets(keys, np.ones(3, dtype=bool)).members.tolist() == [0, 2]


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=9))
def test_a_bucket_holds_all_eligible_documents_of_a_key_in_their_order(rows):
    keys = np.array([[key] for key, _ in rows], dtype=np.uint64).reshape(-1, 1)
    eligible = np.array([flag for _, flag in rows], dtype=bool)
    found = buckets(keys, eligible)
    groups = [[row for row, (key, flag) in enumerate(rows) if flag and key == wanted] for wanted in range(4)]
    shared = [group for group in groups if len(group) > 1]
    assert [own.tolist() for own in np.split(found.members, found.offsets[1:-1])] == (shared or [[]])


def alike(sets, groups, threshold):
    """Return the least of those that each document leads to, over pairs that are alike."""
    expected = list(range(len(sets)))
    for one, other in (pair for group in groups for pair in combinations(sorted(group), 2)):
        if similarity(sets[one], sets[other]) >= threshold:
            least, most = sorted((expected[one], expected[other]))
            expected = [least if root == most else root for root in expected]
    return expected


@given(SETS, GROUPS, THRESHOLDS)
def test_members_of_a_bucket_are_connected_where_a_chain_of_alike_ones_leads(sets, groups, threshold):
    groups, parent = candidates_within(groups, len(sets)), np.arange(len(sets))
    found = bucketed(groups)
    connect_alike(found.members, found.offsets, *packed(sets), threshold, parent, np.zeros(len(found.members), bool))
    assert roots(parent).tolist() == alike(sets, groups, threshold)


def test_documents_that_are_connected_from_the_start_stay_so():
    found, parent = bucketed([{0, 1, 2, 3}]), np.array([0, 0, 2, 3])
    connect_alike(found.members, found.offsets, *packed([{1}, {2}, {2}, {9}]), 1.0, parent, np.zeros(4, bool))
    assert roots(parent).tolist() == [0, 0, 0, 3]


def test_members_that_have_met_in_a_bucket_are_not_compared_again():
    found, parent = bucketed([{0, 1, 2}]), np.arange(3)
    connect_alike(found.members, found.offsets, *packed([{1}, {1}, {1}]), 1.0, parent, np.array([True, True, False]))
    assert roots(parent).tolist() == [0, 0, 0]
    parent = np.arange(3)
    connect_alike(found.members, found.offsets, *packed([{1}, {1}, {2}]), 1.0, parent, np.array([True, True, False]))
    assert roots(parent).tolist() == [0, 1, 2]
