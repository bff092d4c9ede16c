"""An archive of files (zip, tar) -> its members, each a source of its own, read without unpacking the archive to the disk.

A member's name is the archive's and its path in there: `pages.zip/2024/a.html`. Nothing is written anywhere under a member's
name, and what is no plain file within bounds is a rejection, so that no archive can lead out of itself or fill the memory.
"""

import io
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath
from typing import BinaryIO, cast

from pipeline.documents import Rejection
from pipeline.errors import SourceError
from pipeline.sources import Source, open_bytes, open_stored, printable, suffix
from pipeline.sources.unpacking import RATIO, SMALL

ZIP = (".zip",)
TAR = (".tar", ".tgz", ".txz")

HELD = 16 << 20  # bytes of a tar's member that are held; a larger one is read from the archive again
MOST = 16 << 30  # bytes that a member may have, unpacked
Opener = Callable[[], BinaryIO]
DAMAGE = (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError, NotImplementedError, RuntimeError, ValueError)


def is_archive(source: Source) -> bool:
    """Tell an archive by its suffix."""
    return suffix(source.path) in ZIP + TAR


def members(source: Source) -> Iterator[Source | Rejection]:
    """Return an archive's members, hidden ones passed over: a zip's by name, a tar's in its order, each to be read at once.

    A member that is no plain file, leads out of the archive, is encrypted, or would unpack to more than 16 GiB, or to more
    than 64 MiB and 500 times its packed size, is a rejection, as is what stands behind a damage.
    """
    met: set[str] = set()
    try:
        for name, found in _of_zip(source) if suffix(source.path) in ZIP else _of_tar(source):
            if _hidden(name):
                continue
            name = printable(name)
            why = _why_not(name, met)
            met.add(name)
            if why or isinstance(found, str):
                yield Rejection(name, why or str(found), b"")
            else:
                yield _named(source, name, found)
    except DAMAGE as error:
        yield Rejection("", f"the archive cannot be read to its end ({str(error) or type(error).__name__})", b"")


def _path(name: str) -> PurePosixPath:
    return PurePosixPath(name.replace("\\", "/"))


def _hidden(name: str) -> bool:
    parts = _path(name).parts
    return "__MACOSX" in parts or any(part.startswith(".") and part != ".." for part in parts)


def _why_not(name: str, met: set[str]) -> str:
    path = _path(name)
    if path.is_absolute() or ".." in path.parts:
        return "its path leads out of the archive"
    if suffix(name) in ZIP + TAR:
        return "an archive in an archive. Unpack the outer one"
    return "a second member of this name" if name in met else ""


def _named(source: Source, name: str, opened: Opener) -> Source:
    return replace(source, name=f"{source.name}/{name}", path=f"{source.path}/{name}", alone=False, part=opened)


def _of_zip(source: Source) -> Iterator[tuple[str, Opener | str]]:
    with open_stored(source) as file, zipfile.ZipFile(file) as archive:
        entries = sorted((entry for entry in archive.infolist() if not entry.is_dir()), key=lambda entry: entry.filename)
        if sum(entry.compress_size for entry in entries) > file.seek(0, io.SEEK_END):
            raise zipfile.BadZipFile("its members overlap")
        for entry in entries:
            yield entry.filename, _why_not_entry(entry) or partial(_entry, source, archive, entry)


def _entry(source: Source, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> BinaryIO:
    try:
        return cast(BinaryIO, archive.open(entry))
    except DAMAGE as error:
        raise SourceError(f"{source.path}/{entry.filename}: cannot be opened ({error}).") from error


def _why_not_entry(entry: zipfile.ZipInfo) -> str:
    kind = entry.external_attr >> 28  # of Unix; 0 where another system packed it
    if kind not in (0, 8):
        return "no plain file, but a link or a device"
    if entry.flag_bits & 1:
        return "it is encrypted"
    if entry.file_size > SMALL and entry.file_size > RATIO * max(entry.compress_size, 1):
        return f"a bomb: it would unpack to {entry.file_size >> 20} MiB, more than {RATIO} times its size"
    return _too_large(entry.file_size)


def _too_large(size: int) -> str:
    return f"unpacked, it has more than {MOST >> 30} GiB" if size > MOST else ""


def _of_tar(source: Source) -> Iterator[tuple[str, Opener | str]]:
    with open_bytes(source) as file:
        with tarfile.open(fileobj=file, mode="r|") as archive:
            for entry in archive:
                if entry.isdir():
                    continue
                name = entry.name.removeprefix("./")
                why = _too_large(entry.size)
                if not entry.isreg() or entry.issparse():
                    yield name, "no plain file, but a link or a device"
                elif why:
                    yield name, why
                elif entry.size > HELD:
                    yield name, partial(_window, source, entry.offset_data, entry.size)
                else:
                    content = cast(BinaryIO, archive.extractfile(entry)).read()
                    yield name, partial(io.BytesIO, content)
        while file.read1(HELD):  # tarfile stops at the mark of the end; a damage may stand behind it
            pass


class _Window(io.RawIOBase):
    """So many bytes of a file from an offset on."""

    def __init__(self, file: io.BufferedReader, offset: int, size: int) -> None:
        self._file, self._offset, self._size = file, offset, size
        self.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, goal: int, whence: int = io.SEEK_SET, /) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._size}[whence]
        return self._file.seek(self._offset + min(base + goal, self._size)) - self._offset

    def tell(self) -> int:
        return self._file.tell() - self._offset

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self._file.readinto1(memoryview(buffer)[: max(self._size - self.tell(), 0)])

    def close(self) -> None:
        self._file.close()
        super().close()


def _window(source: Source, offset: int, size: int) -> BinaryIO:
    return io.BufferedReader(_Window(open_bytes(source), offset, size), 1 << 17)
