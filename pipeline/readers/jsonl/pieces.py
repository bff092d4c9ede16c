"""Blocks of a file -> its lines, or the elements of its list, each with its number, parsed; what is too long is not held.

A piece that turns out to be too long comes block by block, each of which is one to reject.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING

import orjson

from pipeline.documents import LONGEST

if TYPE_CHECKING:
    from pipeline.readers.jsonl.lists import Splitter

BOM = b"\xef\xbb\xbf"
DAMAGE = (OSError, EOFError, zlib.error)

Item = tuple[int, object, bytes]  # where a row stands; its value, or why it has none; its bytes
Split = Callable[[bytes], list[bytes]]


class Long(bytes):
    """Bytes of a piece that is too long."""


class Pieces:
    """What stands between the cuts of a file; of the piece that goes on in the next block, at most `LONGEST` bytes are held."""

    def __init__(self, split: Split) -> None:
        self.split = split
        self.held: list[bytes] = []
        self.size = 0

    def take(self, block: bytes) -> list[bytes]:
        """Take a block; return the pieces that end in it."""
        first, *others = self.split(block)
        self._hold(first)
        if not others:
            return []
        done = [self.end(), *others[:-1]]
        self._hold(others[-1])
        return done

    def end(self) -> bytes:
        """Return the piece that is held; of one that is too long, what has not come yet, as `Long`."""
        piece = b"".join(self.held)
        piece = Long(piece) if self.size > LONGEST else piece
        self.held, self.size = [], 0
        return piece

    def too_long(self) -> list[bytes]:
        """Return what is held of a piece that is too long, and hold it no more."""
        if self.size <= LONGEST:
            return []
        blocks: list[bytes] = [Long(block) for block in self.held]
        self.held = []
        return blocks

    def _hold(self, piece: bytes) -> None:
        self.held.append(piece)
        self.size += len(piece)


def items(blocks: Iterator[bytes]) -> Iterator[list[Item]]:
    r"""Yield the lines of a file, or the elements of its list; a blank one is none.

    >>> [[place for place, value, raw in found] for found in items(iter([b'{"a": 1}\n\n{"a": 2}\n']))]
    [[1, 3], []]
    >>> [[value for place, value, raw in found] for found in items(iter([b" [1, 2", b"3]"]))]
    [[1], [23], []]
    """
    number, error = 0, ""
    pieces = Pieces(_lines)
    splitter = None
    try:
        start = next(blocks, b"").removeprefix(BOM)
        bare = start.lstrip()
        if bare[:1] == b"[":
            splitter = _splitter()
            pieces, start = Pieces(splitter.split), bare[1:]
        elif bare.partition(b"\n")[0].rstrip() == b"{":
            pieces = Pieces(_whole)
        for block in chain([start], blocks):
            if done := pieces.take(block):
                yield parsed(done, number)
                number += len(done)
            if long := pieces.too_long():
                yield [(number + 1, too_long(), block) for block in long]
    except DAMAGE as damage:
        error = f"the file cannot be read to its end ({damage})"
    rest = pieces.end()
    if splitter is None or error:
        yield [(number + 1, ValueError(error), rest)] if error else parsed([rest], number)
    else:
        yield _end_of_list(splitter, rest, number)


def _splitter() -> "Splitter":
    from pipeline.readers.jsonl.lists import Splitter  # it loads numba, which takes half a second

    return Splitter()


def _end_of_list(splitter: "Splitter", rest: bytes, before: int) -> list[Item]:
    """Return the last, open piece of a list, or what stands behind its end."""
    if splitter.closed:
        return [(before + 1, ValueError("behind the end of the list"), rest)] if rest.strip() else []
    last = parsed([rest], before)
    broken = bool(last) and isinstance(last[0][1], ValueError)
    end = (before + 1 + len(last), ValueError("the list has no end: the file may be cut"), b"")
    return last if broken else [*last, end]


def too_long() -> ValueError:
    """Return the reason that stands with each block of a piece that is too long."""
    return ValueError(f"more than {LONGEST} bytes without an end; here are some of them")


def _lines(block: bytes) -> list[bytes]:
    return block.split(b"\n")


def _whole(block: bytes) -> list[bytes]:
    return [block]


def parsed(pieces: Sequence[bytes], before: int) -> list[Item]:
    """Parse pieces, of which some stand before; of one that is no JSON the value is the reason."""
    found: list[Item] = []
    for place, piece in enumerate(pieces, before + 1):
        if isinstance(piece, Long):
            found.append((place, too_long(), piece))
            continue
        try:
            found.append((place, orjson.loads(piece), piece))
        except orjson.JSONDecodeError as error:
            if piece.strip():
                found.append((place, _why(error), piece))
    return found


def _why(error: orjson.JSONDecodeError) -> ValueError:
    line = f"line {error.lineno}, " if error.lineno > 1 else ""
    return ValueError(f"not JSON: {error.msg} ({line}column {error.colno})")
