"""What the user named -> sources: files found in folders and globs, each with a stable name, its bytes unpacked on the fly.

A document's id begins with its source's name, so the name must not change when the data moves to another machine: it is the
last part of what was named (`pages`, `posts.csv`), and for a folder or glob the path below it (`pages/2024/foo.html`).

Reading order: this file (a source), `folders` and `walking` (a path, folder or glob -> files), `data_sets` (files that only
tell of others), `unpacking` and `archives` (packed files, members), `remote` (files elsewhere), `planned` (sources by the
million).
"""

import hashlib
import io
import os
import re
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, cast

from pipeline.errors import SourceError
from pipeline.sources.folders import find
from pipeline.sources.unpacking import PACKED, Unpacked, packed_as, packing

COMPRESSED = tuple(PACKED)
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
HASHED = 128 << 10  # bytes hashed at a time; `hashlib.file_digest` clears 256 KiB for every file, however small
LOGS = ("-wal", "-journal")  # of an SQLite database that is in use


@dataclass(frozen=True, slots=True)
class Source:
    """One file to read: the name its documents' ids begin with, and where it lies."""

    name: str
    path: str  # as it is printed
    format: str = ""
    alone: bool = True  # named itself, not found in a folder or by a glob
    part: Callable[[], BinaryIO] | None = field(default=None, repr=False)  # opens its bytes where it is a part of another file
    stored: str = ""  # where its bytes lie, if not at `path`: it is a copy, or the path's bytes cannot be printed
    why: str = ""  # why it cannot be read, or is passed over
    stamp: tuple[int, ...] = ()  # of its file, when it was hashed
    labelled: bool = False  # one of several tables of its file: its name ends with the table's

    @property
    def place(self) -> str:
        """Return what tells it from another source of its name: where it was found."""
        return self.file

    @property
    def file(self) -> str:
        """Return the path of its file on this disk."""
        return self.stored or self.path


def expand(named: Sequence[str]) -> list[Source]:
    """Find the files behind what the user named, sorted by name; hidden files and folders in a folder are passed over.

    Raises `SourceError` for a path that is not there or no plain file, a folder that cannot be listed, and two files of one
    name. What cannot be read in a folder, or is passed over there, is found with its reason.
    """
    found: dict[str, Source] = {}
    for argument in named:
        for name, path, format, why in find(argument):
            shown = printable(path)
            own = Source(printable(name), shown, format, path in named, None, path if shown != path else "", why)
            known = found.setdefault(own.name, own)
            if known.file != own.file:
                raise collision(own.name, known.path, own.path)
    return [found[name] for name in sorted(found)]


def collision(name: str, one: str, other: str) -> SourceError:
    """Return the error that says that two files would have one name."""
    return SourceError(f"two sources would be named {name!r}: {one} and {other}. Name the folder that holds both instead.")


def printable(path: str) -> str:
    r"""Return a path, which may be any bytes, as one line of Unicode.

    >>> printable("caf\udce9"), printable("a\nb"), printable("Grüße.txt")
    ('caf\\xe9', 'a\\nb', 'Grüße.txt')
    """
    if path.isprintable():
        return path
    return CONTROL.sub(lambda found: ascii(found[0])[1:-1], os.fsencode(path).decode("utf-8", "backslashreplace"))


def suffix(path: str) -> str:
    """Return the suffix that tells the format, in lower case, below a compression's.

    >>> suffix("pages/Foo.HTML.gz"), suffix("README")
    ('.html', '')
    """
    name = path.lower()
    return os.path.splitext(name.removesuffix(packed_as(name)))[1].rstrip(".")  # noqa: PTH122  a Path takes 4 times as long


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
        return io.BufferedReader(io.FileIO(source.file), 1 << 20)
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
    return Path(source.file).stat().st_size if Path(source.file).is_file() else 0


def small_file(source: Source, most: int = 1 << 20) -> bytes:
    """Return a source's bytes as they lie on the disk, or none if there are more than `most`, or it cannot be read."""
    try:
        if source.part is not None:
            with source.part() as file:
                content = file.read(most + 1)
            return content if len(content) <= most else b""
        return Path(source.file).read_bytes() if 0 < size_of(source) <= most else b""
    except OSError:
        return b""


def hashed(source: Source) -> tuple[Source, str]:
    """Return a source with its file's stamp, and the SHA-256 of its bytes; what is not read has the hash of the reason.

    What was found among others and cannot be opened is then one to reject. Raises `SourceError` for one that was named itself,
    and for one that changes meanwhile.
    """
    if source.why:
        return source, hashlib.sha256(source.why.encode()).hexdigest()
    try:
        stamped = replace(source, stamp=_stamp(source))
        digest = content_hash(source)
    except (OSError, SourceError) as error:
        cause = error.__cause__ if isinstance(error, SourceError) else error
        why = f"cannot be read ({getattr(cause, 'strerror', None) or cause})"
        if source.alone:
            raise SourceError(f"{source.path}: {why}. Check its permissions.") from error
        return hashed(replace(source, format="foreign", why=why))
    ensure_unchanged(stamped)
    return stamped, digest


def hashed_at_once(path: str) -> tuple[tuple[int, ...], str, bytes] | None:
    """Return the stamp, the SHA-256 and the bytes of a small plain file, opened once; None where `hashed` has to look."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fact = os.fstat(file)
        if not stat.S_ISREG(fact.st_mode) or fact.st_size > HASHED:
            return None
        content = os.read(file, fact.st_size + 1)
        if len(content) != fact.st_size or _numbers(os.fstat(file)) != _numbers(fact):
            return None
    except OSError:
        return None
    finally:
        os.close(file)
    return _numbers(fact), hashlib.sha256(content).hexdigest(), content


def ensure_unchanged(source: Source) -> None:
    """Raise `SourceError` where a source's file is another than when it was hashed: by size, time of change, or number."""
    if not source.stamp:
        return
    try:
        same = _stamp(source) == source.stamp
    except OSError:
        same = False
    if not same:
        raise SourceError(f"{source.path}: changed while it was read. Run the same command again when nothing writes to it.")


def _stamp(source: Source) -> tuple[int, ...]:
    facts = [os.stat(path) for path in (source.file, *_logs(source))]  # noqa: PTH116  a Path takes twice as long
    return tuple(number for fact in facts for number in _numbers(fact))


def _numbers(fact: os.stat_result) -> tuple[int, ...]:
    return fact.st_size, fact.st_mtime_ns, fact.st_ino


def _logs(source: Source) -> list[str]:
    if source.format not in ("", "database"):
        return []
    return [f"{source.file}{ending}" for ending in LOGS if Path(f"{source.file}{ending}").is_file()]


def content_hash(source: Source) -> str:
    """Return the SHA-256 of a source's bytes as they lie on the disk, in hex."""
    try:
        content = hashlib.sha256()
        with io.FileIO(source.file) as file:
            while block := file.read(HASHED):
                content.update(block)
        for log in _logs(source):
            content.update(Path(log).read_bytes())
        return content.hexdigest()
    except OSError as error:
        raise SourceError(f"{source.path}: cannot be read ({error.strerror}). Check its permissions.") from error
