"""What the user named as sources -> entries: the path, the format and the other settings of each."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pipeline.ingesting.settings import Settings
from pipeline.recipe import Fields, check

SOURCE: Fields = {"path": (str, ...), "format": (str | None, None)}


class Entry(NamedTuple):
    """What was named in one place: its number there, its path, the format that it is said to have, its other settings."""

    number: int
    path: str
    format: str | None
    own: Settings


def entries(sources: Sequence[str | Mapping[str, Any]], format: str | None) -> tuple[list[Entry], list[str]]:
    """Return what was named, and what is wrong with it, which is left out; `format` is that of what says none.

    >>> entries(["in/", {"path": "posts.csv", "encoding": "cp1252"}], None)[0][1]
    Entry(number=2, path='posts.csv', format=None, own={'encoding': 'cp1252'})
    """
    found, problems = [], list[str]()
    for number, source in enumerate(sources, 1):
        entry = {"path": source} if isinstance(source, str) else source
        given = {key: entry[key] for key in SOURCE if key in entry}
        head, wrong = check(SOURCE, given, f"ingest, source {number}")
        problems += wrong
        if head:
            own = {key: value for key, value in entry.items() if key not in SOURCE}
            found.append(Entry(number, head["path"], head["format"] or format, own))
    return found, problems
