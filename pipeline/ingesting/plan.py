"""What the user named as sources -> each file and its format, with its settings as `settings` checks them."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.documents import Rejection
from pipeline.errors import RecipeError, SourceError, UsageError
from pipeline.ingesting.settings import ARCHIVE, NO_ROWS, ROW_FIELDS, Settings, for_pages, meant, of_no_use, settings_for
from pipeline.readers import columns, format_of, format_of_suffix, formats, reader
from pipeline.readers.live_database.address import live_source
from pipeline.recipe import Fields, check
from pipeline.sources import Source, collision, expand, small_file, suffix
from pipeline.sources.archives import is_archive, members
from pipeline.sources.folders import Folder, folder
from pipeline.sources.planned import Kind, Kinds, Planned, Row, below_folder, packed
from pipeline.sources.remote import remote_sources, shown

OF_MANY = ("database", "live_database", "sql_dump")  # formats of which one source may hold several tables
SOURCE: Fields = {"path": (str, ...), "format": (str | None, None)}


def default_name(sources: Sequence[str | Mapping[str, Any]]) -> str:
    """Return an artifact's name for sources that were given none: the first one's, without suffix.

    >>> default_name(["in/posts.csv"]), default_name(["in/my pages/"]), default_name(["mysql://me:secret@host/shop"])
    ('posts', 'my-pages', 'shop')
    >>> default_name(["https://me:secret@example.org/posts.csv.gz?X-Amz-Signature=secret"])
    'posts'
    """
    first = sources[0]
    path = str(first["path"] if isinstance(first, Mapping) else first)
    live = None if shown(path) else live_source(path)
    stem = (live.name if live else Path(shown(path) or path).resolve().name).split(".")[0]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._") or "documents"


def plan(sources: Sequence[str | Mapping[str, Any]], shared: Settings) -> Planned:
    """Find the files, tell their formats, and check each one's settings against its reader.

    Returns each source, sorted by name, with the settings of its reader and of its rows, every default filled in. Raises
    `UsageError` where nothing is named, `SourceError` for what is not there, `RecipeError` with all problems of settings.
    """
    if not sources:
        raise UsageError("nothing to ingest. Name files, folders or globs: prep ingest pages/ posts.csv")
    found = _in_a_folder(sources, shared.get("format")) or _anywhere(sources, shared.get("format"))
    kinds, wrong = _settled(found.met, shared)
    if problems := found.problems + wrong:
        raise RecipeError("ingest", problems)
    return Planned(Kinds(kinds, found.folder), found.packs)


class Met:
    """The kinds of sources that were met: of each the first one, and what it was named with."""

    def __init__(self) -> None:
        self.firsts: list[tuple[Source, Settings]] = []
        self._numbers: dict[tuple[str, str, bool], int] = {}

    def number(self, source: Source, own: Settings) -> int:
        """Return the number of a source's kind."""
        key = (repr(own), source.format, source.alone)
        if key not in self._numbers:
            self._numbers[key] = len(self.firsts)
            self.firsts.append((source, own))
        return self._numbers[key]


class Found(NamedTuple):
    """The packs of what was found; the folder that it is in, if that alone was named."""

    packs: list[bytes]
    met: Met
    problems: list[str]
    folder: Folder = Folder("", "")


def _settled(met: Met, shared: Settings) -> tuple[list[Kind], list[str]]:
    """Return each kind's settings, and the problems of all."""
    read = {source.format for source, _ in met.firsts}
    known = [None if format == ARCHIVE else columns(format) for format in read if format not in NO_ROWS]
    tables = None in known
    of_pages = {name for own in known for name in own or ()}
    of_all = {key: value for key, value in shared.items() if key != "format"}
    beside: dict[str, set[str]] = {}  # settings of an entry: the formats of what it names
    for source, own in met.firsts:
        beside.setdefault(repr(own), set()).add(source.format)
    checked: dict[str, Settings] = {}
    kinds, problems = [], list[str]()
    for source, own in met.firsts:
        own = meant(source, own, beside[repr(own)])
        key = repr((source.format, own))
        if key not in checked:
            checked[key], wrong = settings_for(source, for_pages(source, of_all, tables, of_pages), of_all, own)
            problems += wrong
        kinds.append(Kind(source.format, checked[key]))
    read.discard("passed_over")
    return kinds, problems + (of_no_use(of_all, {*formats()} if ARCHIVE in read else read) if read else [])


def _in_a_folder(entries: Sequence[str | Mapping[str, Any]], format: str | None) -> Found | None:
    """Find the files of the only entry, a folder, as they come; None where it is none, or its names do not come in order."""
    head, own, problems = _entry(entries[0], "ingest, source 1")
    within = folder(head["path"]) if len(entries) == 1 and head else None
    if within is None:
        return None
    met = Met()
    try:
        packs = list(packed(_rows(within, own, head["format"] or format, met)))
    except _DisorderError:
        return None
    return Found(packs, met, problems, within)


class _DisorderError(Exception):
    """A folder's files do not come in the order of their sources' names."""


def _rows(within: Folder, own: Settings, chosen: str | None, met: Met) -> Iterator[Row]:
    """Yield a folder's files; most of a million have a format that one look at the end of the first has told."""
    kinds: dict[str, int] = {}
    last = ""
    for below, (format, why) in within.files():
        if below <= last or not below.isprintable():
            raise _DisorderError
        last, ending = below, below[below.rfind(".") :]
        kind = None if format else kinds.get(ending)
        if kind is None:
            found = within.found(below, (format, why))
            source, wanted = _told(below_folder(*found), own, chosen)
            kind = met.number(source, wanted)
            if not format and suffix(below) == ending.lower() and (chosen or format_of_suffix(ending.lower())):
                kinds[ending] = kind
        yield Row(below, kind, why)


def problems_of_sources(sources: str | Sequence[str | Mapping[str, Any]], shared: Settings) -> list[str]:
    """Return which settings `plan` would refuse: nothing is hashed, only what has no suffix is opened, no database is asked.

    What cannot be found is no problem of a recipe: it may be there when the recipe is run.

    >>> problems_of_sources("nowhere.csv", {})
    []
    """
    try:
        plan([sources] if isinstance(sources, str) else sources, shared)
    except RecipeError as error:
        return error.problems
    except (SourceError, UsageError):
        return []
    return []


def _anywhere(entries: Sequence[str | Mapping[str, Any]], format: str | None) -> Found:
    """Find the files of all entries."""
    pairs, problems = _found(entries, format)
    met = Met()
    return Found(list(packed(Row(source, met.number(source, own)) for source, own in pairs)), met, problems)


def _told(source: Source, own: Settings, chosen: str | None) -> tuple[Source, Settings]:
    """Tell a source's format; return it with the settings that its entry has for it."""
    archive = not source.format and is_archive(source)
    format_ = ARCHIVE if archive else source.format or chosen or _format(source)
    source = source if source.format == format_ else replace(source, format=format_)
    if chosen or not archive:
        reader(chosen if archive and chosen else source.format)
    return source, {**own, "format": chosen} if archive else own


def _found(entries: Sequence[str | Mapping[str, Any]], format: str | None) -> tuple[list[tuple[Source, Settings]], list[str]]:
    """Find the files of all entries, sorted by name, each with its format and the settings of its own; and the problems."""
    found: dict[str, list[tuple[Source, Settings]]] = {}
    met: dict[str, tuple[int, str]] = {}  # a file's real path: the first entry that named it, and as what
    problems: list[str] = []
    _real_folder.cache_clear()  # links may have changed since the last call
    real = _real_path if len(entries) > 1 else lambda source: source.name
    for number, entry in enumerate(entries, 1):
        head, own, wrong = _entry(entry, f"ingest, source {number}")
        problems += wrong
        for source in _sources(head["path"]) if head else []:
            source, wanted = _told(source, own, head["format"] or format)
            known = found.setdefault(source.name, [(source, wanted)])
            if known[0][0].place != source.place:
                raise collision(source.name, known[0][0].path, source.path)
            first, name = met.setdefault(real(source), (number, source.name))
            if first != number and name != source.name:
                problems.append(f"ingest: {source.path} is named twice, as {name!r} and as {source.name!r}. Name it once.")
            elif all(settings != wanted for _, settings in known):
                known.append((source, wanted))
    planned, several = _told_apart(found)
    return planned, problems + several


def _told_apart(found: dict[str, list[tuple[Source, Settings]]]) -> tuple[list[tuple[Source, Settings]], list[str]]:
    """Return the sources, sorted by name; several of one dump or database are named by what is read of it."""
    planned: dict[str, tuple[Source, Settings]] = {}
    problems = []
    for name, alike in found.items():
        labels = [name] if len(alike) == 1 else [f"{name}:{label}" for label in _labels([own for _, own in alike])]
        if len(set(labels)) < len(alike):
            again = ", or give each a `table` or `query` of its own" * (alike[0][0].format in OF_MANY)
            problems.append(f"ingest: {alike[0][0].path} is named twice, with other settings. Make two data sets of it{again}.")
            continue
        for label, (source, own) in zip(labels, alike, strict=True):
            if label in planned:
                raise collision(label, planned[label][0].path, source.path)
            planned[label] = (replace(source, name=label, labelled=True) if len(alike) > 1 else source), own
    return [planned[name] for name in sorted(planned)], problems


def _labels(settings: Sequence[Settings]) -> list[str]:
    """Say what each of several sources reads: its table, `query`, `query-2` ...; nothing of one that says nothing.

    >>> _labels([{"table": "posts"}, {"query": "SELECT 1"}, {"query": "SELECT 2"}, {}])
    ['posts', 'query', 'query-2']
    """
    labels, queries = [], 0
    for own in settings:
        queries += bool(own.get("query"))
        query = ("query" if queries == 1 else f"query-{queries}") * bool(own.get("query"))
        labels.append(query or str(own.get("table") or ""))
    return [label for label in labels if label]


def _real_path(source: Source) -> str:
    """Return where a source lies, links resolved; of a file that is no link only its folder is looked at, and that once."""
    folder, name = os.path.split(source.place)
    return os.path.realpath(source.place) if os.path.islink(source.place) else f"{_real_folder(folder)}/{name}"  # noqa: PTH114


@lru_cache(1024)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def _sources(named: str) -> Sequence[Source]:
    elsewhere = remote_sources(named)
    if elsewhere is not None:
        return elsewhere
    live = live_source(named)
    return [live] if live else expand([named])


def opened(source: Source, settings: Settings) -> Iterator[tuple[Source, Settings | Rejection]]:
    """Return a planned source as it is; of an archive each member with its settings, or why it cannot be read."""
    if source.format in NO_ROWS:
        yield source, dict.fromkeys(ROW_FIELDS)  # it may have turned out when it was hashed, behind the plan
        return
    if source.format != ARCHIVE:
        yield source, settings
        return
    for found in members(source):
        yield (source, found) if isinstance(found, Rejection) else _member(found, settings)


def _member(source: Source, settings: Settings) -> tuple[Source, Settings | Rejection]:
    try:
        source = replace(source, format=settings["format"] or format_of(source))
    except SourceError:
        return source, Rejection("", "no reader for this kind of file (--format says how to read it)", small_file(source))
    if source.format == "database":
        return source, Rejection("", "a database in an archive cannot be read. Unpack it first", b"")
    return source, settings["members"][source.format]


def _format(source: Source) -> str:
    """Tell a source's format; a file that was not named itself, but found in a folder, may be of none."""
    try:
        return format_of(source)
    except SourceError:
        if source.alone:
            raise
        return "foreign"


def _entry(entry: str | Mapping[str, Any], where: str) -> tuple[Settings, Settings, list[str]]:
    """Return an entry's path and format, its other settings, and what is wrong with the former, which are then left out."""
    if isinstance(entry, str):
        return {"path": entry, "format": None}, {}, []
    head, wrong = check(SOURCE, {key: entry[key] for key in SOURCE if key in entry}, where)
    return head, {key: value for key, value in entry.items() if key not in SOURCE}, wrong
