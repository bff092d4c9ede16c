"""Entries -> all sources that they mean, sorted by name: of a folder's files only the paths, anything else one by one.

Of a million files in folders a `Source` each would take a gigabyte. So folders are walked side by side, and what they yield is
put in order as it comes. That needs folders of which no file can be another entry's, and whose names come in order; where it
fails, all is found one by one.
"""

import heapq
import os
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter
from typing import NamedTuple

from pipeline.ingesting.entries import Entry
from pipeline.ingesting.finding import one_by_one, told
from pipeline.ingesting.settings import Settings
from pipeline.readers import format_of_suffix
from pipeline.sources import Source, suffix
from pipeline.sources.folders import Folder, folder, static_root
from pipeline.sources.planned import Row, beginning, below_folder, packed
from pipeline.sources.walking import home_of

NOWHERE = Folder("", "")


class First(NamedTuple):
    """The first source of a kind: with the settings of its entry, and the folder that it was found in."""

    source: Source
    own: Settings
    folder: Folder


class Met:
    """The kinds of sources that were met, by what was met first of each."""

    def __init__(self) -> None:
        self.firsts: list[First] = []
        self._numbers: dict[tuple[str, str, bool, Folder], int] = {}

    def number(self, source: Source, own: Settings, within: Folder = NOWHERE) -> int:
        """Return the number of a source's kind."""
        key = (repr(own), source.format, source.alone, within)
        if key not in self._numbers:
            self._numbers[key] = len(self.firsts)
            self.firsts.append(First(source, own, within))
        return self._numbers[key]


class Found(NamedTuple):
    """The packs of what was found, the kinds that it is of, and what is wrong with how it was named."""

    packs: list[bytes]
    met: Met
    problems: list[str]


def find(entries: Sequence[Entry]) -> Found:
    """Find the files of all entries; raises `SourceError` for what is not there."""
    try:
        return _found(entries, folders_apart(entries))
    except _DisorderError:
        return _found(entries, {})


class _DisorderError(Exception):
    """The files of folders do not come in the order of their sources' names, or two have one name."""


def _found(entries: Sequence[Entry], folders: dict[int, Folder]) -> Found:
    pairs, problems = one_by_one([entry for entry in entries if entry.number not in folders], len(entries) > 1)
    met = Met()
    others = ((source.name, Row(source, met.number(source, own))) for source, own in pairs)
    below = [_below(folders[entry.number], entry, met) for entry in entries if entry.number in folders]
    rows = heapq.merge(others, *below, key=itemgetter(0))
    return Found(list(packed(_in_order(rows))), met, problems)


def _in_order(rows: Iterable[tuple[str, Row]]) -> Iterator[Row]:
    last = ""
    for name, row in rows:
        if name <= last:
            raise _DisorderError
        last = name
        yield row


def _below(within: Folder, entry: Entry, met: Met) -> Iterator[tuple[str, Row]]:
    """Yield a folder's files by name; most of a million have a format that one look at the end of the first has told."""
    kinds: dict[str, int] = {}
    start, _ = beginning(within)
    for below, (format, why) in within.files():
        if not below.isprintable():
            raise _DisorderError
        ending = below[below.rfind(".") :]
        kind = None if format else kinds.get(ending)
        if kind is None:
            source, own = told(below_folder(*within.found(below, (format, why))), entry)
            kind = met.number(source, own, within)
            if not format and suffix(below) == ending.lower() and (entry.format or format_of_suffix(ending.lower())):
                kinds[ending] = kind
        yield start + below, Row(below, kind, why)


def folders_apart(entries: Sequence[Entry]) -> dict[int, Folder]:
    """Return the folders among entries, by their numbers, unless a file in one may be another entry's, too."""
    folders = {entry.number: within for entry in entries if (within := folder(entry.path))}
    outermost: str | None = None
    is_folder = False
    for place, own in sorted((_place(entry.path), entry.number in folders) for entry in entries):
        if outermost is None or not place.startswith(outermost):
            outermost, is_folder = place, own
        elif own or is_folder:
            return {}
    return folders


def _place(path: str) -> str:
    """Return the folder, with a slash behind, that holds all that a path, a folder or a glob means, links resolved."""
    place = home_of(path) if os.path.exists(path) else home_of(static_root(path) or ".")  # noqa: PTH110
    return f"{place.rstrip('/')}/"
