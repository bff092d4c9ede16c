"""A crowded bucket is divided into smaller ones that hold the same pairs of alike documents."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.exchange import crowds


def divided(buckets, sets, threshold, crowd=2):
    """Return the members of each bucket, and what is told of them, as lists."""
    members = np.array([one for own in buckets for one in own], np.int64)
    bounds = np.concatenate([[0], np.cumsum([len(own) for own in buckets])]).astype(np.int64)
    hashes = np.array([item for own in sets for item in sorted(own)], np.uint64)
    offsets = np.concatenate([[0], np.cumsum([len(own) for own in sets])]).astype(np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(crowds, "CROWD", crowd)
        found = crowds.divided(members, bounds, members % 2 == 0, hashes, offsets, threshold)
    assert found.told.tolist() == (found.members % 2 == 0).tolist()
    return [own.tolist() for own in np.split(found.members, found.bounds[1:-1])]


SETS = st.lists(st.sets(st.integers(0, 12), min_size=1), min_size=2, max_size=12)


@given(SETS, st.sampled_from([0.1, 0.3, 0.5, 0.55, 0.8, 1.0]))
def test_any_two_that_are_alike_share_a_bucket_in_their_order(sets, threshold):
    found = divided([range(len(sets))], sets, threshold)
    together = {pair for own in found for pair in itertools.combinations(own, 2)}
    for one, other in itertools.combinations(range(len(sets)), 2):
        if len(sets[one] & sets[other]) / len(sets[one] | sets[other]) >= threshold:
            assert (one, other) in together
    assert all(one < other for one, other in together)


def test_those_that_share_only_what_all_have_share_no_bucket():
    sets = [{0, 1, 2, 10 * number, 10 * number + 1, 10 * number + 2, 10 * number + 3} for number in range(1, 9)]
    assert divided([range(8)], sets, 0.5) == [[]]


def test_a_set_without_elements_is_alike_none():
    assert divided([range(4)], [{1}, set(), {1}, set()], 0.5) == [[0, 2]]


def test_buckets_of_few_stay_as_they_are():
    assert divided([[0, 1], [0, 1, 2]], [{1}, {1}, {2}], 0.5, crowd=3) == [[0, 1], [0, 1]]
    assert divided([[0, 1], [1, 2]], [{1}, {1}, {2}], 0.5, crowd=3) == [[0, 1], [1, 2]]
