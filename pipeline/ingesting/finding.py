"""Entries -> the sources that they mean, one by one: each with its format, and none twice without being told apart."""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from pipeline.errors import SourceError
from pipeline.ingesting.entries import Entry
from pipeline.ingesting.settings import ARCHIVE, Settings
from pipeline.readers import format_of, reader
from pipeline.readers.live_database.address import live_source
from pipeline.sources import Source, collision, expand
from pipeline.sources.archives import is_archive
from pipeline.sources.remote import remote_sources

OF_MANY = ("database", "live_database", "sql_dump")  # formats of which one source may hold several tables


def one_by_one(entries: Sequence[Entry], several: bool) -> tuple[list[tuple[Source, Settings]], list[str]]:
    """Find the files of entries, sorted by name, each with its format and the settings of its own; and the problems.

    Where they are several, a file that is named twice, by two names, is a problem.
    """
    found: dict[str, list[tuple[Source, Settings]]] = {}
    met: dict[str, tuple[int, str]] = {}  # a file's real path: the first entry that named it, and as what
    problems: list[str] = []
    _real_folder.cache_clear()  # links may have changed since the last call
    real = _real_path if several else lambda source: source.name
    for entry in entries:
        for source in _sources(entry.path):
            source, wanted = told(source, entry)
            known = found.setdefault(source.name, [(source, wanted)])
            if known[0][0].place != source.place:
                raise collision(source.name, known[0][0].path, source.path)
            first, name = met.setdefault(real(source), (entry.number, source.name))
            if first != entry.number and name != source.name:
                problems.append(f"ingest: {source.path} is named twice, as {name!r} and as {source.name!r}. Name it once.")
            elif all(settings != wanted for _, settings in known):
                known.append((source, wanted))
    planned, alike = _told_apart(found)
    return planned, problems + alike


def told(source: Source, entry: Entry) -> tuple[Source, Settings]:
    """Tell a source's format; return it with the settings that its entry has for it."""
    chosen, own = entry.format, entry.own
    archive = not source.format and is_archive(source)
    format_ = ARCHIVE if archive else source.format or chosen or _format(source)
    source = source if source.format == format_ else replace(source, format=format_)
    if chosen or not archive:
        reader(chosen if archive and chosen else source.format)
    return source, {**own, "format": chosen} if archive else own


def _format(source: Source) -> str:
    """Tell a source's format; a file that was not named itself, but found in a folder, may be of none."""
    try:
        return format_of(source)
    except SourceError:
        if source.alone:
            raise
        return "foreign"


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
