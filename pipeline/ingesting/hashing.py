"""A pack of planned sources -> a file that says what they are on the disk, and holds the bytes of small texts.

    Look       in a worker: hash each source; write the file, answer with `Seen`, what the driver must know of a pack
    between    in a worker: what lies in the files, for the task that makes documents of it
    table      in the driver: the table of a pack's sources

A small text file is opened once: the bytes that were hashed are kept for the task. To open, read and close it takes longer than
all that is done with its bytes, and of millions of files the disk's cache does not hold the second look.
"""

import pickle
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from json.encoder import encode_basestring as quoted
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.artifacts import atomic, canonical
from pipeline.documents import STRING
from pipeline.ingesting import largest
from pipeline.readers.live_database.address import LiveSource
from pipeline.sources import Source, hashed, hashed_at_once, size_of
from pipeline.sources.planned import PACK, Kind, Kinds, Pack, unpacked
from pipeline.sources.unpacking import ANY

LOOKED_AT_WHOLE = ("database", "live_database")  # formats of which more is hashed than the file, or no file
LARGE = 1 << 20  # bytes of a source that is looked into for its largest document
SMALL = 16 << 10  # bytes of a text that is kept: a pack of 1024 has 16 MiB
COLUMNS = pa.schema([("name", STRING), ("format", STRING), ("sha256", STRING), ("bytes", pa.int64()), ("kind", pa.int32())])


class Seen(NamedTuple):
    """What the driver knows of a pack: the text that is hashed, and each source's bytes and those of its largest document."""

    text: bytes
    sizes: npt.NDArray[np.int64]
    held: npt.NDArray[np.int64]  # while the document is read


@dataclass
class Held:
    """What a pack's file holds: sources as planned, by their places what was found of some of them, the bytes of others."""

    pack: Pack
    stamps: dict[int, tuple[int, ...]] = field(default_factory=dict)
    others: dict[int, Source] = field(default_factory=dict)
    contents: dict[int, bytes] = field(default_factory=dict)

    def source(self, common: Kinds, place: int) -> Source:
        """Return a source as it was when it was hashed."""
        if place in self.others:
            return self.others[place]
        planned = common.source(self.pack, place)
        return replace(planned, stamp=self.stamps[place]) if place in self.stamps else planned

    def names(self, common: Kinds, places: range) -> list[str]:
        """Return the names of some sources."""
        names = [name for name, _ in common.beginnings()]
        rows = zip(self.pack.ones[places.start : places.stop], self.pack.kinds[places.start : places.stop], strict=True)
        return [one.name if isinstance(one, Source) else names[kind] + one for one, kind in rows]

    def from_memory(self, source: Source, place: int) -> Source:
        """Return a source whose bytes are those that were kept, if they were."""
        return replace(source, part=partial(BytesIO, self.contents[place])) if place in self.contents else source


class Row(NamedTuple):
    """A source in the table: its hash, its bytes on the disk, and the number of its kind."""

    name: str
    format: str
    sha256: str
    bytes: int
    kind: int


@dataclass(frozen=True)
class Look:
    """Looks at the sources of a numbered pack."""

    common: Kinds
    folder: Path | None  # None: nothing is to be written

    def __call__(self, item: tuple[int, bytes]) -> Seen:
        """Hash a pack's sources and write what was found; raises `SourceError` where one that was named cannot be read."""
        number, pack = item
        looked = _Looked(self.common, unpacked(pack))
        table = pa.table([list(column) for column in zip(*looked.rows, strict=True)], schema=COLUMNS)
        if self.folder is not None:
            with atomic(_file(self.folder, number), durable=False) as temporary, temporary.open("wb") as file:
                pickle.dump(table, file, 5)
                pickle.dump(looked.held, file, 5)
        return Seen(looked.text(), table["bytes"].to_numpy(), looked.largest())


class _Looked:
    """The rows of a pack's sources, and what is held of these; of most files of a folder no `Source` is made."""

    def __init__(self, common: Kinds, pack: Pack) -> None:
        self.common, self.held = common, Held(pack)
        self.beginnings = common.beginnings()
        self.plain = [is_plain(kind) for kind in common.kinds]
        self.rows = [self._row(place, *one) for place, one in enumerate(zip(pack.ones, pack.kinds, strict=True))]

    def _row(self, place: int, one: Source | str, kind: int) -> Row:
        format = self.common.kinds[kind].format
        small = None if format in LOOKED_AT_WHOLE or place in self.held.pack.whys else self._at_once(one, kind)
        if small is None:
            return self._other(place, kind)
        stamp, digest, content = small
        name, path = (one.name, one.path) if isinstance(one, Source) else (self.beginnings[kind][0] + one, one)
        if self.plain[kind] and len(content) <= SMALL and not path.lower().endswith(ANY):
            self.held.contents[place] = content
        else:
            self.held.stamps[place] = stamp
        return Row(name, format, digest, len(content), kind)

    def _at_once(self, one: Source | str, kind: int) -> tuple[tuple[int, ...], str, bytes] | None:
        if isinstance(one, Source):
            return None if one.why else hashed_at_once(one.file)
        return hashed_at_once(self.beginnings[kind][1] + one)

    def _other(self, place: int, kind: int) -> Row:
        source = self.common.source(self.held.pack, place)
        if isinstance(source, LiveSource):
            return Row(source.name, source.format, source.digest, source.size, kind)
        found, digest = hashed(source)
        self.held.others[place] = found
        return Row(found.name, found.format, digest, size_of(found), kind)

    def largest(self) -> npt.NDArray[np.int64]:
        """Return the bytes that the largest document of each source takes while it is read, as far as they are known."""
        found = np.zeros(len(self.rows), np.int64)
        for place, row in enumerate(self.rows):
            if row.bytes >= LARGE and not (source := self.common.source(self.held.pack, place)).path.lower().endswith(ANY):
                split = self.common.kinds[row.kind].settings.get("split") != "file"
                found[place] = largest.held(source.file, row.format, row.bytes, split=split)
        return found

    def text(self) -> bytes:
        """Return the canonical form of name, format, hash and settings of each source, a comma between two."""
        settings = [canonical(kind.settings) for kind in self.common.kinds]
        texts = [
            f'[{quoted(name)},{quoted(format)},"{sha256}",{settings[kind]}]' for name, format, sha256, _, kind in self.rows
        ]
        return ",".join(texts).encode()


def table(folder: Path, number: int) -> pa.Table:
    """Return the table of a pack's sources."""
    with _file(folder, number).open("rb") as file:
        found: pa.Table = pickle.load(file)
    return found


def between(folder: Path, start: int, stop: int) -> Iterator[tuple[Held, range]]:
    """Yield the packs that lie between two places in the list of all sources, and which of their places do."""
    for number in range(start // PACK, -(-stop // PACK)):
        with _file(folder, number).open("rb") as file:
            pickle.load(file)
            held: Held = pickle.load(file)
        yield held, range(max(0, start - number * PACK), min(stop - number * PACK, len(held.pack.ones)))


def is_plain(kind: Kind) -> bool:
    """Say whether a file of this kind becomes a document as it stands, where it is sound.

    >>> is_plain(Kind("text", {"split": "file", "id_column": None})), is_plain(Kind("text", {"split": "lines"}))
    (True, False)
    """
    settings = {key: value for key, value in kind.settings.items() if value}
    return kind.format == "text" and settings == {"split": "file"}


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:07}.pack"
