"""What the user named as sources -> each file and its format, with its settings as `settings` checks them."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import RecipeError, SourceError, UsageError
from pipeline.ingesting.entries import entries
from pipeline.ingesting.settings import ARCHIVE, NO_ROWS, Settings, for_pages, meant, of_no_use, settings_for
from pipeline.ingesting.sorting import Met, find
from pipeline.readers import columns, formats
from pipeline.readers.live_database.address import live_source
from pipeline.sources.planned import Kind, Kinds, Planned
from pipeline.sources.remote import shown


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
    named, problems = entries(sources, shared.get("format"))
    found = find(named)
    kinds, wrong = _settled(found.met, shared)
    if problems := problems + found.problems + wrong:
        raise RecipeError("ingest", problems)
    return Planned(Kinds(kinds), found.packs)


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


def _settled(met: Met, shared: Settings) -> tuple[list[Kind], list[str]]:
    """Return each kind's settings, and the problems of all."""
    read = {first.source.format for first in met.firsts}
    known = [None if format == ARCHIVE else columns(format) for format in read if format not in NO_ROWS]
    tables = None in known
    of_pages = {name for own in known for name in own or ()}
    of_all = {key: value for key, value in shared.items() if key != "format"}
    beside: dict[str, set[str]] = {}  # settings of an entry: the formats of what it names
    for source, own, _ in met.firsts:
        beside.setdefault(repr(own), set()).add(source.format)
    checked: dict[str, Settings] = {}
    kinds: dict[int, Kind] = {}
    problems: list[str] = []
    for number, (source, own, within) in sorted(enumerate(met.firsts), key=lambda first: first[1].source.name):
        own = meant(source, own, beside[repr(own)])
        key = repr((source.format, own))
        if key not in checked:
            checked[key], wrong = settings_for(source, for_pages(source, of_all, tables, of_pages), of_all, own)
            problems += wrong
        kinds[number] = Kind(source.format, checked[key], within)
    read.discard("passed_over")
    return [kinds[number] for number in sorted(kinds)], problems + (
        of_no_use(of_all, {*formats()} if ARCHIVE in read else read) if read else []
    )
