"""The table that forgets: what came first under each key."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from filters.kernels import kernel
from filters.kernels.hash_table import bits_for, place, roomy


@kernel
def firsts(slots, keys, turn):
    """Return for each key the place of the first that is equal."""
    slots, found = roomy(slots, len(keys)), np.empty(len(keys), np.int64)
    for at in range(len(keys)):
        found[at] = place(slots, bits_for(len(keys)), keys[at], turn, at)
    return slots, found


@given(st.lists(st.lists(st.integers(-9, 9) | st.integers(-(2**63), 2**63 - 1), max_size=40), max_size=5))
def test_each_turn_knows_what_came_first_in_it_alone(turns):
    slots = np.zeros(0, np.int64)
    for turn, keys in enumerate(turns, start=1):
        slots, found = firsts(slots, np.array(keys, np.int64), turn)
        assert found.tolist() == [keys.index(key) for key in keys]
