"""A planned source -> itself, or what is in it: of an archive each member, by its own format."""

from collections.abc import Iterator
from dataclasses import replace

from pipeline.documents import Rejection
from pipeline.errors import SourceError
from pipeline.ingesting.settings import ARCHIVE, NO_ROWS, ROW_FIELDS, Settings
from pipeline.readers import format_of
from pipeline.sources import Source, small_file
from pipeline.sources.archives import members


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
