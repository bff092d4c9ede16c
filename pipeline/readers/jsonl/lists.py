"""Blocks of a JSON list -> where its elements end."""

import numpy as np
import numpy.typing as npt

from filters.kernels import kernel

OPEN, CLOSED = 1, 0  # how deep the list stands itself, and what is behind its end


class Splitter:
    """Cuts a list's blocks, from behind its first bracket on, at the commas between its elements and at its end."""

    def __init__(self) -> None:
        self.state = np.array([OPEN, 0, 0])

    @property
    def closed(self) -> bool:
        """Say whether the list's end was met."""
        return bool(self.state[0] == CLOSED)

    def split(self, block: bytes) -> list[bytes]:
        """Return what stands between the cuts; the last piece goes on in the next block.

        >>> splitter = Splitter()
        >>> splitter.split(b'[1,2],"a,'), splitter.split(b'b"]'), splitter.closed
        ([b'[1,2]', b'"a,'], [b'b"', b''], True)
        """
        ends = np.empty(len(block), dtype=np.int64)
        count = _walk(np.frombuffer(block, dtype=np.uint8), self.state, ends)
        places = ends[:count].tolist()
        return [block[first:last] for first, last in zip([0, *(end + 1 for end in places)], [*places, None], strict=True)]


@kernel
def _walk(data: npt.NDArray[np.uint8], state: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> int:  # noqa: C901  # noqa: C901
    """Note where elements end, and in `state` how deep, in a string, and behind a backslash the block stops."""
    depth, quoted, escaped = state[0], state[1], state[2]
    count = 0
    for place in range(len(data)):
        byte = data[place]
        if depth == 0:
            break
        if quoted:
            if escaped:
                escaped = 0
            elif byte == ord("\\"):
                escaped = 1
            elif byte == ord('"'):
                quoted = 0
        elif byte == ord('"'):
            quoted = 1
        elif byte in (ord("["), ord("{")):
            depth += 1
        elif byte in (ord("]"), ord("}")):
            depth -= 1
        if not quoted and (depth == 0 or (depth == 1 and byte == ord(","))):
            ends[count] = place
            count += 1
    state[0], state[1], state[2] = depth, quoted, escaped
    return count
