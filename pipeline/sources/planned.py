"""Sources and their settings, sorted by name, by the million: some bytes each, in packs of 1024.

A file of a folder that was named is only its path below that folder, which its kind knows; anything else is a `Source`. A pack
is pickled and packed, so that neighbours, which have long beginnings in common, take a few bytes each: of ten million files
there are tens of MB.
"""

import pickle
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from pipeline.sources import Source, printable
from pipeline.sources.folders import Folder

PACK = 1024  # sources
Settings = dict[str, Any]
Odd = TypeVar("Odd", bound=Source)


class Row(NamedTuple):
    """A planned source: itself, or the path of a file below its kind's folder; the number of its kind; why it is not read."""

    one: Source | str
    kind: int
    why: str = ""


class Kind(NamedTuple):
    """What many sources have in common: the format, the settings they are read with, the folder that they were found in."""

    format: str
    settings: Settings
    folder: Folder = Folder("", "")


class Pack(NamedTuple):
    """Some planned sources: each row's column, and the reasons of the few that have one, by their places."""

    ones: list[Source | str]
    kinds: list[int]
    whys: dict[int, str]


@dataclass(frozen=True)
class Kinds:
    """What the sources of every pack have in common."""

    kinds: Sequence[Kind]

    def beginnings(self) -> list[tuple[str, str]]:
        """Return, for each kind, what the names and the paths of its folder's files begin with."""
        return [beginning(kind.folder) for kind in self.kinds]

    def sources(self, pack: Pack) -> Iterator[Source]:
        """Yield a pack's sources."""
        return (self.source(pack, place) for place in range(len(pack.ones)))

    def source(self, pack: Pack, place: int) -> Source:
        """Return one source of a pack."""
        one = pack.ones[place]
        if isinstance(one, Source):
            return one
        kind = self.kinds[pack.kinds[place]]
        found = kind.folder.found(one, ("", ""))
        return below_folder(found.name, found.path, kind.format, pack.whys.get(place, ""))


def beginning(folder: Folder) -> tuple[str, str]:
    """Return what the names and the paths of a folder's files begin with.

    >>> beginning(Folder("notes", "/in/notes")), beginning(Folder("", ""))
    (('notes/', '/in/notes/'), ('', ''))
    """
    found = folder.found("", ("", ""))
    return printable(found.name), found.path


def below_folder(name: str, path: str, format: str, why: str) -> Source:
    """Return the source that a file below a folder is."""
    shown = printable(path)
    return Source(printable(name), shown, format, False, None, path if shown != path else "", why)


@dataclass(frozen=True)
class Planned:
    """All sources of a run; to iterate gives each with its settings."""

    common: Kinds
    packs: list[bytes]

    def __len__(self) -> int:
        """Return the number of sources."""
        return PACK * (len(self.packs) - 1) + len(unpacked(self.packs[-1]).ones)

    def __iter__(self) -> Iterator[tuple[Source, Settings]]:
        """Go through all sources."""
        for pack in map(unpacked, self.packs):
            for source, kind in zip(self.common.sources(pack), pack.kinds, strict=True):
                yield source, self.common.kinds[kind].settings

    def odd(self, of: type[Odd]) -> dict[int, tuple[Odd, Settings]]:
        """Return the sources of a class of their own, by their places; a folder's files are of none."""
        if all(kind.folder.path for kind in self.common.kinds):
            return {}
        return {
            place: (row.one, self.common.kinds[row.kind].settings)
            for place, row in enumerate(self._rows())
            if isinstance(row.one, of)
        }

    def replaced(self, by: Mapping[int, Source]) -> "Planned":
        """Return the same with other sources in some places."""
        rows = (row._replace(one=by[place]) if place in by else row for place, row in enumerate(self._rows()))
        return Planned(self.common, list(packed(rows)))

    def _rows(self) -> Iterator[Row]:
        for pack in map(unpacked, self.packs):
            for place, (one, kind) in enumerate(zip(pack.ones, pack.kinds, strict=True)):
                yield Row(one, kind, pack.whys.get(place, ""))


def packed(rows: Iterable[Row]) -> Iterator[bytes]:
    """Pack rows.

    >>> pack = unpacked(next(packed([Row("a.txt", 0), Row("b.txt", 0, "cannot be read")])))
    >>> [(source.name, source.why) for source in Kinds([Kind("text", {}, Folder("notes", "/in/notes"))]).sources(pack)]
    [('notes/a.txt', ''), ('notes/b.txt', 'cannot be read')]
    """
    left = iter(rows)
    while some := list(islice(left, PACK)):
        whys = {place: row[2] for place, row in enumerate(some) if row[2]}
        yield zlib.compress(pickle.dumps(([row[0] for row in some], [row[1] for row in some], whys), 5), 1)


def unpacked(pack: bytes) -> Pack:
    """Return what a pack holds."""
    return Pack(*pickle.loads(zlib.decompress(pack)))


class Task(NamedTuple):
    """The sources from one place in the list of all to another, and the bytes that the largest document takes."""

    number: int
    start: int
    stop: int
    largest: int


class Cut:
    """Cuts the sources, in order, into tasks of bounded bytes and number.

    >>> cut = Cut(100, 2)
    >>> for size in (60, 60, 10, 1):
    ...     cut.add(size, 0)
    >>> [(task.start, task.stop) for task in cut.close()]
    [(0, 1), (1, 3), (3, 4)]
    """

    def __init__(self, most_bytes: int, most: int) -> None:
        self.most_bytes, self.most = most_bytes, most
        self.tasks: list[Task] = []
        self.start = self.stop = self.size = self.largest = 0

    def add(self, size: int, held: int) -> None:
        """Take the next source's bytes, and those that its largest document takes."""
        count = self.stop - self.start
        if count and (self.size + size > self.most_bytes or count == self.most):
            self.close()
        self.stop += 1
        self.size += size
        self.largest = max(self.largest, held)

    def close(self) -> list[Task]:
        """End the last task; return all."""
        if self.stop > self.start:
            self.tasks.append(Task(len(self.tasks), self.start, self.stop, self.largest))
        self.start, self.size, self.largest = self.stop, 0, 0
        return self.tasks
