"""A web archive's file -> runs of unpacked bytes, each from a sound place on to the end or the next damage.

A `.warc.gz` is a chain of gzip members, usually one a record. Where a member is damaged, the next run begins at the next
member that begins with a record; a file that is packed otherwise, or not at all, is one run.
"""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.sources import Source, open_bytes, open_stored
from pipeline.sources.unpacking import PACKED, STEP, packed_as

MAGIC = PACKED[".gz"]
BEGINNING = b"WARC/"


class Run:
    """Unpacked bytes that are taken one after the other; `damage` says, in the end, what ended them too early."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.taken = 0
        self.damage = ""
        self._held = bytearray()
        self._pieces: Iterator[bytes] = iter(())

    def feed(self, pieces: Iterator[bytes]) -> None:
        """Say where the bytes come from."""
        self._pieces = pieces

    @property
    def place(self) -> str:
        """Where the next byte stands: its offset, for a member of a packed file with the member's."""
        return f"{self.start}+{self.taken}" if self.start and self.taken else str(self.start + self.taken)

    def peek(self, size: int) -> bytes:
        """Return the next bytes, fewer than `size` only at the end."""
        while len(self._held) < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._held += piece
        with memoryview(self._held) as held, held[:size] as next_ones:
            return bytes(next_ones)

    def take(self, size: int) -> bytes:
        """Take the next bytes, fewer than `size` only at the end."""
        taken = self.peek(size)
        del self._held[: len(taken)]
        self.taken += len(taken)
        return taken

    def skip(self, size: int) -> int:
        """Pass over the next bytes, and return how many there were."""
        passed = 0
        while passed < size and (piece := self.take(min(size - passed, STEP))):
            passed += len(piece)
        return passed

    def put_back(self, taken: bytes) -> None:
        """Have bytes that were taken last come again."""
        self._held[:0] = taken
        self.taken -= len(taken)


def runs(source: Source) -> Iterator[Run]:
    """Return a file's runs; each is to be used up before the next one is asked for."""
    if packed_as(source.path) == ".gz" and source.part is None:
        yield from _members(source)
        return
    run = Run(0)
    with open_bytes(source) as file:
        run.feed(_pieces(run, file))
        yield run


def _pieces(run: Run, file: BinaryIO) -> Iterator[bytes]:
    try:
        while piece := file.read1(STEP):  # type: ignore[attr-defined]
            yield piece
    except OSError as error:
        run.damage = str(error)


def _members(source: Source) -> Iterator[Run]:
    with open_stored(source) as file:
        start: int | None = 0
        while start is not None and _at(file, start):
            run = Run(start)
            run.feed(_unpacked(run, file))
            yield run
            start = _next_member(file, start + 1) if run.damage else file.tell()


def _at(file: BinaryIO, offset: int) -> bool:
    file.seek(offset)
    more = bool(file.read(1))
    file.seek(offset)
    return more


def _unpacked(run: Run, file: BinaryIO) -> Iterator[bytes]:
    """Unpack a member, and leave the file where it ends."""
    unpacker = zlib.decompressobj(wbits=31)
    given = 0
    try:
        while not unpacker.eof:
            packed = unpacker.unconsumed_tail or file.read(STEP)
            if not packed:
                run.damage = "the file ends within a packed record"
                return
            piece = unpacker.decompress(packed, STEP)
            given += len(piece)
            if piece:
                yield piece
    except zlib.error as error:
        run.damage = f"the packing is damaged ({error})"
        yield from _until_damage(file, run.start, given)
        return
    file.seek(-len(unpacker.unused_data), 1)


def _until_damage(file: BinaryIO, start: int, given: int) -> Iterator[bytes]:
    """Unpack a damaged member again, in small steps, for what zlib drops when it meets the damage."""
    unpacker = zlib.decompressobj(wbits=31)
    file.seek(start)
    try:
        while packed := unpacker.unconsumed_tail or file.read(16):
            piece = unpacker.decompress(packed, STEP)
            if new := piece[given:]:
                yield new
            given -= min(given, len(piece))
    except zlib.error:  # the damage that is known already
        return


def _next_member(file: BinaryIO, offset: int) -> int | None:
    """Return where the next gzip member that begins with a record stands."""
    while _at(file, offset):
        window = file.read(STEP)
        found = window.find(MAGIC)
        if found < 0:
            if len(window) < STEP:
                return None
            offset += len(window) - len(MAGIC) + 1
        elif _is_member(file, offset + found):
            return offset + found
        else:
            offset += found + 1
    return None


def _is_member(file: BinaryIO, offset: int) -> bool:
    file.seek(offset)
    try:
        return zlib.decompressobj(wbits=31).decompress(file.read(1024), len(BEGINNING)) == BEGINNING
    except zlib.error:
        return False
