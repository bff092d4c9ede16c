"""A hash table that forgets all it holds at once: which of the equal items of a document came first.

Slot i of the 2^b used is `slots[2 * i]`, the key, and `slots[2 * i + 1]`, the turn and the value, 32 bits each. Whatever an
earlier turn left is an empty slot, so a table serves document after document and is never cleared.
"""

import numpy as np

from filters.kernels.arrays import Ints, Scalar
from filters.kernels.compiled import kernel, part
from filters.kernels.hashing import SIGNED_GOLDEN


@kernel
def roomy(slots: Ints, items: Scalar) -> Ints:
    """Return a table with room for at least twice as many items: the same one if it has."""
    if len(slots) >= 2 << bits_for(items):
        return slots
    return np.zeros(2 << bits_for(items), dtype=np.int64)


@part
def bits_for(items: Scalar) -> Scalar:
    """Return b so that 2^b slots are at least twice as many as the items."""
    bits = 4
    while 1 << bits < 2 * items:
        bits += 1
    return bits


@part
def place(slots: Ints, bits: Scalar, key: Scalar, turn: Scalar, value: Scalar) -> Scalar:
    """Return the value that was stored first under a key in this turn: this one, if none was."""
    at = (key * SIGNED_GOLDEN >> (64 - bits)) & ((1 << bits) - 1)
    while slots[2 * at + 1] >> 32 == turn:
        if slots[2 * at] == key:
            return slots[2 * at + 1] & 0xFFFFFFFF
        at = (at + 1) & ((1 << bits) - 1)
    slots[2 * at], slots[2 * at + 1] = key, turn << 32 | value
    return value
