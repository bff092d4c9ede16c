"""A packed file -> its bytes, unpacked while they are read, in bounded memory: gzip, bzip2, xz and Zstandard, told by suffix.

Of a file that is cut or damaged comes what stands before the damage, then a `DamagedError`, at every further read again.
"""

import bz2
import gzip
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

import pyarrow as pa

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

PACKED = {".gz": b"\x1f\x8b\x08", ".bz2": b"BZh", ".xz": b"\xfd7zXZ\x00", ".zst": b"\x28\xb5\x2f\xfd"}
"""The suffixes of packed files, and what such a file begins with."""

ENDINGS = [*((suffix, suffix) for suffix in PACKED), (".tgz", ".gz"), (".txz", ".xz")]
ANY = tuple(suffix for suffix, _ in ENDINGS)
BLOCK = b"1AY&SY"  # what, behind the level's digit, the first block of a bzip2 file begins with
STEP = 128 << 10  # bytes unpacked at a time
MOST_WHOLE = 256 << 20  # bytes that a packed file may have where it is read whole, not block by block
RATIO, SMALL = 500, 64 << 20  # a file of more than so many bytes may be packed to a 500th of them, not less; text to a 10th
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


class DamagedError(OSError, EOFError):
    """A packed file is cut, damaged, or would unpack to more than can be held; either of its bases may be caught."""


class _Stream(Protocol):
    def read1(self, size: int, /) -> bytes: ...


def packed_as(name: str) -> str:
    """Return the suffix that says how a file is packed, or an empty string.

    >>> packed_as("posts.csv.GZ"), packed_as("pages.tgz"), packed_as("posts.csv")
    ('.gz', '.gz', '')
    """
    name = name.lower()
    return next((packing for suffix, packing in ENDINGS if name.endswith(suffix)), "") if name.endswith(ANY) else ""


def packing(head: bytes) -> str:
    """Return the suffix that stands for the packing that some bytes begin with, or an empty string.

    >>> packing(gzip.compress(b"")), packing(b"BZh and more text")
    ('.gz', '')
    """
    found = next((suffix for suffix, magic in PACKED.items() if head.startswith(magic)), "")
    return "" if found == ".bz2" and head[4:10] != BLOCK else found


class Unpacked(io.RawIOBase):
    """The bytes of a file, unpacked. Seeking in them goes forward by reading on, backward by beginning anew."""

    def __init__(self, file: BinaryIO, packing: str) -> None:
        self._file, self._unpack = file, UNPACK[packing]
        self._stream = self._unpack(file)
        self._at = 0
        self._damage: OSError | None = None

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be sought in."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill a buffer with what comes next, often less than there is room; raises `DamagedError` where the damage begins."""
        room = memoryview(buffer).cast("B")
        piece = self._next(min(len(room), STEP))
        room[: len(piece)] = piece
        return len(piece)

    def _next(self, size: int) -> bytes:
        if self._damage is not None:
            raise self._damage
        try:
            piece = self._stream.read1(size)
        except DAMAGE as error:
            self._damage = error if isinstance(error, OSError) and error.errno else DamagedError(str(error))
            raise self._damage from error
        self._at += len(piece)
        if self._at > SMALL and self._at > RATIO * self._file.tell():
            self._damage = DamagedError(f"a bomb: it unpacks to more than {SMALL >> 20} MiB and {RATIO} times its size")
        return piece

    def readall(self) -> bytes:
        """Return all that is left; raises `DamagedError` beyond `MOST_WHOLE`: such a file is a bomb, or no single document."""
        held = bytearray()
        while piece := self._next(STEP):
            held += piece
            if len(held) > MOST_WHOLE:
                raise DamagedError(f"unpacked, it has more than {MOST_WHOLE >> 20} MiB")
        return bytes(held)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a byte of the unpacked file, at most to its end."""
        if whence == os.SEEK_END:
            while self._next(STEP):
                pass
        goal = offset + (0 if whence == os.SEEK_SET else self._at)
        if goal < self._at:
            self._file.seek(0)
            self._stream, self._at, self._damage = self._unpack(self._file), 0, None
        while self._at < goal and self._next(min(goal - self._at, STEP)):
            pass
        return self._at

    def close(self) -> None:
        """Close the packed file."""
        self._file.close()
        super().close()


class _Lent(io.RawIOBase):
    """A file that stays open when whoever reads it, here Arrow, closes it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self._file.read(size)


class _Zstandard:
    """A Zstandard file of one or many frames. What Arrow drops when it meets damage is read again, byte by byte."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._at = file, 0
        self._stream: Any = pa.CompressedInputStream(_Lent(file), "zstd")
        self._damage: OSError | None = None

    def read1(self, size: int, /) -> bytes:
        if self._damage is not None:
            raise self._damage
        try:
            piece: bytes = self._stream.read(size)
        except OSError as error:
            self._damage = error
            piece = self._until_the_damage()
            if not piece:
                raise
        self._at += len(piece)
        return piece

    def _until_the_damage(self) -> bytes:
        self._file.seek(0)
        self._stream = pa.CompressedInputStream(_Lent(self._file), "zstd")
        held = bytearray()
        try:
            for start in range(0, self._at, STEP):
                self._stream.read(min(STEP, self._at - start))
            while byte := self._stream.read(1):
                held += byte
        except OSError as error:
            self._damage = error
        return bytes(held)


UNPACK: dict[str, Callable[[BinaryIO], _Stream]] = {
    "": lambda file: cast(_Stream, file),
    ".gz": lambda file: cast(_Stream, gzip.GzipFile(fileobj=file)),
    ".bz2": bz2.BZ2File,
    ".xz": lzma.LZMAFile,
    ".zst": _Zstandard,
}
