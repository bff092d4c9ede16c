"""Shares: keys parted so that each share can be looked up by itself."""

import numpy as np
import pytest

from filters.kernels import kernel
from filters.repetition.shares import BLOCK, members, parted, roomy_shares


@kernel
def places_of_shares(keys, size):
    """Part keys; return the place of each, share by share, and the share that each is in."""
    shares = roomy_shares(len(keys), size)
    many = parted(shares, keys, len(keys))
    places, share_of, to = np.empty(len(keys), np.int64), np.empty(len(keys), np.int64), 0
    for share in range(many if many > 1 else 0):
        for block in range((len(keys) - 1) // BLOCK + 1):
            first, last = members(shares, block, share, many)
            for member in range(first, last):
                places[to], share_of[to] = block * BLOCK + np.int64(shares.order[member]), share
                to += 1
    return places[:to], share_of[:to]


@pytest.mark.parametrize("many", [BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_every_key_is_in_one_share_and_equal_ones_are_in_the_same_in_their_order(many):
    keys = np.random.default_rng(1).integers(0, many // 3, many)
    places, share = places_of_shares(keys, many // 100)
    assert np.array_equal(np.sort(places), np.arange(many))
    assert len(np.unique(share)) == 128
    assert np.array_equal(np.lexsort((places, share)), np.arange(many))
    assert all(len(np.unique(share[keys[places] == key])) == 1 for key in range(20))


def test_few_keys_are_not_parted():
    assert len(places_of_shares(np.arange(100), 100)[0]) == 0
