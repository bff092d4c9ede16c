"""An n-gram -> how often it stands in the text letter by letter, single blanks between its words, as NeMo counts it."""

import numpy as np

from filters.kernels import Bytes, Scalar, part
from filters.kernels.hashing import SIGNED_GOLDEN
from filters.kernels.traits import ALONE, GAP, Traits
from filters.kernels.walking import step


@part
def count_literally(data: Bytes, begin: Scalar, end: Scalar, traits: Traits, top: Scalar, n: Scalar) -> Scalar:
    """Count where the n words from the `top`-th on stand in the bytes with single blanks between, by a rolling hash."""
    wanted, size = _hash_literal(data, begin, end, traits, top, n)
    rolling: Scalar = 0
    oldest, count, held = 1, 0, 0
    for _ in range(size):
        oldest *= SIGNED_GOLDEN
    for at in range(begin, end):
        rolling, held = rolling * SIGNED_GOLDEN + np.int64(data[at]) + 1, held + 1
        if held > size:
            rolling -= oldest * (np.int64(data[at - size]) + 1)
        if held >= size and rolling == wanted:
            count, rolling, held = count + 1, 0, 0
    return count


@part
def _hash_literal(data: Bytes, at: Scalar, end: Scalar, traits: Traits, top: Scalar, n: Scalar) -> tuple[Scalar, Scalar]:
    """Hash n words from the `top`-th on, single blanks between; return how many bytes that are, too."""
    rolling: Scalar = 0
    size, word, inside = 0, -1, False
    while at < end:
        begin = at
        trait, at = step(data, at, end, traits)
        if trait & GAP == 0 and (not inside or trait & ALONE):
            word += 1
            if word == top + n:
                break
            if word > top:
                rolling, size = rolling * SIGNED_GOLDEN + 33, size + 1
        inside = trait & (GAP | ALONE) == 0
        for byte in range(begin, at if word >= top and trait & GAP == 0 else begin):
            rolling, size = rolling * SIGNED_GOLDEN + np.int64(data[byte]) + 1, size + 1
    return rolling, size
