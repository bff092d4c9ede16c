"""Lines: parted as by `str.splitlines`, and keys of what stands before newlines."""

import numpy as np
import pyarrow as pa
from hypothesis import example, given
from hypothesis import strategies as st

from filters import kernels
from filters.kernels.lines import line_bounds, newline, newlines

BROKEN_UP = st.lists(st.sampled_from([*"a\n\r\v\x1c\x85\u2028é", "\r\n", "x" * 70]), max_size=12).map("".join)


@kernels.kernel
def lines_of(data, count):
    """Return where each line ends, by newlines alone, and its key."""
    ends, keys, at = np.empty(count, np.int64), np.empty(count, np.int64), 0
    for line in range(count):
        ends[line], keys[line] = newline(data, at, len(data))
        at = ends[line] + 1
    return ends, keys


@kernels.kernel
def count_newlines(data):
    return newlines(data, 0, len(data))


@given(st.lists(BROKEN_UP, max_size=3))
@example(["a\r\n", "", "\n\nb"])
def test_lines_are_those_of_splitlines(texts):
    data, offsets = kernels.buffers(pa.array(texts, pa.large_string()))
    bounds, stops, ends = line_bounds(data, offsets)
    for number, text in enumerate(texts):
        base, own = offsets[number], slice(bounds[number], bounds[number + 1])
        lines, kept = text.splitlines(), text.splitlines(keepends=True)
        expected = np.cumsum([len(line.encode()) for line in kept], dtype=np.int64)
        breaks = [len(whole.encode()) - len(line.encode()) for line, whole in zip(lines, kept, strict=True)]
        assert (ends[own] - base).tolist() == expected.tolist()
        assert (stops[own] - base).tolist() == (expected - breaks).tolist()


@given(st.lists(st.text("ab", max_size=20), min_size=1))
def test_equal_lines_have_equal_keys_wherever_they_stand(lines):
    data = np.frombuffer("\n".join(lines).encode(), np.uint8)
    assert count_newlines(data) == len(lines) - 1
    ends, keys = lines_of(data, len(lines))
    assert ends.tolist() == (np.cumsum([len(line) + 1 for line in lines]) - 1).tolist()
    assert len({*zip(keys.tolist(), lines, strict=True)}) == len({*keys.tolist()}) == len({*lines})
