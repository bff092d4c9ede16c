"""What the user named -> sources: files found in folders and globs, each with a stable name, its bytes unpacked on the fly.

A document's id begins with its source's name, so the name must not change when the data moves to another machine: it is the
last part of what was named (`pages`, `posts.csv`), and for a folder or glob the path below it (`pages/2024/foo.html`).
"""

import glob
import hashlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from pipeline.errors import SourceError
from pipeline.unpacking import PACKED, Unpacked, packed_as, packing

COMPRESSED = tuple(PACKED)


@dataclass(frozen=True)
class Source:
    """One file to read: the name its documents' ids begin with, and where it lies."""

    name: str
    path: str
    format: str = ""
    alone: bool = True  # named itself, not found in a folder or by a glob
    part: Callable[[], BinaryIO] | None = None  # opens its bytes where it is a part of another file


def expand(named: Sequence[str]) -> list[Source]:
    """Find the files behind what the user named, sorted by name; hidden files and folders in a folder are passed over.

    Raises `SourceError` for a path that is not there or no plain file, a folder that cannot be listed, and two files of one
    name. What is no plain file in a folder is found, but cannot be read.
    """
    found: dict[str, str] = {}
    for argument in named:
        for name, path in _files(argument):
            if path == argument and not Path(path).is_file():
                raise SourceError(f"{path}: no plain file, but a pipe or a device. Write it to a file first.")
            name = os.fsencode(name).decode("utf-8", "backslashreplace")  # a file's name may be any bytes
            if found.setdefault(name, path) != path:
                raise collision(name, found[name], path)
    return [Source(name, found[name], alone=found[name] in named) for name in sorted(found)]


def collision(name: str, one: str, other: str) -> SourceError:
    """Return the error that says that two files would have one name."""
    return SourceError(f"two sources would be named {name!r}: {one} and {other}. Name the folder that holds both instead.")


def _files(argument: str) -> list[tuple[str, str]]:
    path = Path(argument)
    if path.is_dir():
        return _folder(path)
    if path.exists():
        return [(path.name, argument)]
    if glob.has_magic(argument):
        root = _static_root(path)
        pattern = path.relative_to(root).as_posix()
        matches = [match for match in root.glob(pattern) if match.is_file() and not _hidden(match.relative_to(root), pattern)]
        files = [(_below(root, match), str(match)) for match in matches]
        if files:
            return files
        raise SourceError(f"no file matches {argument!r}. Check the path, and quote it, so that the shell leaves it alone.")
    raise SourceError(f"{argument}: no such file or folder. Check the path.")


def _hidden(path: Path, pattern: str) -> bool:
    return "/." not in f"/{pattern}" and any(part.startswith(".") for part in path.parts)


def _static_root(pattern: Path) -> Path:
    parts = []
    for part in pattern.parts[:-1]:
        if glob.has_magic(part):
            break
        parts.append(part)
    return Path(*parts) if parts else Path()


def _below(root: Path, file: Path) -> str:
    return (Path(root.resolve().name) / file.relative_to(root)).as_posix()


def _folder(root: Path) -> list[tuple[str, str]]:
    def refuse(error: OSError) -> None:
        raise SourceError(f"{error.filename}: cannot list this folder ({error.strerror}). Check its permissions.")

    files = []
    for folder, folders, names in os.walk(root, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [Path(folder) / name for name in sorted(names) if not name.startswith(".")]
    if not files:
        raise SourceError(f"{root}: the folder holds no files. Check the path; hidden files are passed over.")
    return [(_below(root, file), str(file)) for file in files]


def suffix(path: str) -> str:
    """Return the suffix that tells the format, in lower case, below a compression's.

    >>> suffix("pages/Foo.HTML.gz"), suffix("README")
    ('.html', '')
    """
    name = path.lower()
    return Path(name.removesuffix(packed_as(name))).suffix


def open_bytes(source: Source) -> io.BufferedReader:
    """Open a source for reading, unpacked by suffix; raises `SourceError` where it cannot be opened, or is packed twice.

    What is packed, or a part of an archive, has at most 256 MiB where it is read whole: beyond, that is a `DamagedError`.
    """
    packed = packed_as(source.path)
    if not packed and source.part is None:
        return open_stored(source)
    unpacked = Unpacked(open_stored(source), packed)
    file: io.BufferedReader = io.BufferedReader(cast(io.RawIOBase, unpacked), 1 << 17)
    if packed:
        _refuse_second_packing(source, file)
    return file


def open_stored(source: Source) -> io.BufferedReader:
    """Open a source for reading as it is stored, packed or not; raises `SourceError` where it cannot be opened."""
    try:
        if source.part is not None:
            return cast(io.BufferedReader, source.part())
        return io.BufferedReader(io.FileIO(source.path), 1 << 20)
    except OSError as error:
        raise SourceError(f"{source.path}: cannot be opened ({error.strerror}). Check its permissions.") from error


def _refuse_second_packing(source: Source, file: io.BufferedReader) -> None:
    try:
        inner = packing(file.peek(8))
    except OSError:  # whoever reads the file meets the damage again
        return
    if inner:
        file.close()
        raise SourceError(f"{source.path}: packed twice ({inner} in {packed_as(source.path)}). Unpack it once.")


def blocks_of(source: Source, size: int) -> Iterator[bytes]:
    """Return a source's bytes, unpacked, block by block of at least `size` bytes, the last one shorter.

    Of a damaged archive all that stands before the damage comes, then its error, a `DamagedError`.
    """
    with open_bytes(source) as file:
        held = bytearray()
        try:
            while piece := file.read1(size):
                held += piece
                if len(held) >= size:
                    yield bytes(held)
                    held.clear()
        except OSError:
            yield bytes(held)
            raise
        yield bytes(held)


def head(source: Source, size: int = 65536) -> bytes:
    """Return the first bytes of a source, unpacked."""
    with open_bytes(source) as file:
        try:
            return file.read1(size)  # of a cut archive, what is there
        except OSError as error:
            raise SourceError(f"{source.path}: cannot be read ({error}).") from error


def size_of(source: Source) -> int:
    """Return a source's bytes on the disk; what is no plain file has none."""
    return Path(source.path).stat().st_size if Path(source.path).is_file() else 0


def small_file(source: Source, most: int = 1 << 20) -> bytes:
    """Return a source's bytes as they lie on the disk, or none if there are more than `most`, or it cannot be read."""
    try:
        if source.part is not None:
            with source.part() as file:
                content = file.read(most + 1)
            return content if len(content) <= most else b""
        return Path(source.path).read_bytes() if 0 < size_of(source) <= most else b""
    except OSError:
        return b""


def content_hash(source: Source) -> str:
    """Return the SHA-256 of a source's bytes as they lie on the disk, in hex."""
    if os.path.lexists(source.path) and not Path(source.path).is_file():
        return hashlib.sha256(b"").hexdigest()
    try:
        with Path(source.path).open("rb") as file:
            content = hashlib.file_digest(file, "sha256")
        for log in (Path(f"{source.path}-wal"), Path(f"{source.path}-journal")):  # of an SQLite database that is in use
            if log.is_file():
                content.update(log.read_bytes())
        return content.hexdigest()
    except OSError as error:
        raise SourceError(f"{source.path}: cannot be read ({error.strerror}). Check its permissions.") from error
