"""A planned source and its settings -> documents, rejections and remarks: read, turned into conversations, formed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.conversations.settle import Repaired
from pipeline.documents import STRING, Found, Rejection, Remark, Rows
from pipeline.errors import SourceError
from pipeline.ingesting.forming import form, no_column
from pipeline.ingesting.settings import OF_THREADS, ROW_FIELDS
from pipeline.ingesting.threads import threads
from pipeline.places import unlabelled
from pipeline.readers import reader
from pipeline.sources import Source, small_file
from pipeline.timing import timed, timed_each

RAGGED = ("jsonl",)  # formats whose rows need not have the same columns

Settings = dict[str, Any]


def documents(
    source: Source, settings: Settings, work: Path, place: str | None = None
) -> Iterator[pa.Table | Rejection | Remark]:
    """Have a source read, and its rows formed; one among others in a folder that cannot be read at all is rejected.

    `settings` are the reader's and those of rows, every default filled in; `work` is a folder for what memory does not hold;
    `place` is where the source's only row stood in the source that it came from. Raises `SourceError`.
    """
    try:
        yield from _formed(source, settings, work, place)
    except SourceError as error:
        if source.alone:
            raise
        yield Rejection("", str(error), small_file(source))


def _formed(source: Source, settings: Settings, work: Path, place: str | None) -> Iterator[pa.Table | Rejection | Remark]:
    own = {key: value for key, value in settings.items() if key not in ROW_FIELDS}
    for_rows = {key: settings[key] for key in ROW_FIELDS if settings[key] is not None}
    read = timed_each(source.format, reader(source.format)(source, **own), _bytes)
    if source.labelled:
        read = _unlabelled(read)
    if place is not None:
        read = _placed(read, place)
    if source.format in RAGGED:
        read = _filled(source, read, _named(settings))
    if settings["chat_by"] is not None:
        read = threads(
            source, read, work, **{key: for_rows.pop(key) for key in (*OF_THREADS, "text_column") if key in for_rows}
        )
    repaired = Repaired()
    for found in read:
        if not isinstance(found, Rows):
            yield found
            continue
        with timed("forming", found.table.nbytes):
            documents, besides = form(source, found, **for_rows)
        yield documents
        yield from (one for one in besides if isinstance(one, Rejection))
        for one in besides:
            repaired = Repaired(*map(sum, zip(repaired, one, strict=True))) if isinstance(one, Repaired) else repaired
    if repaired.conversations:
        yield Remark(str(repaired))


def _bytes(found: Found) -> int:
    return found.table.nbytes if isinstance(found, Rows) else 0


def _unlabelled(read: Iterator[Found]) -> Iterator[Found]:
    """Leave the table out of the places, `posts:17`: the source's name has it."""
    for found in read:
        if isinstance(found, Rows):
            found = found._replace(places=unlabelled(found.places))
        elif isinstance(found, Rejection):
            found = found._replace(place=found.place.partition(":")[2] or found.place)
        yield found


def _placed(read: Iterator[Found], place: str) -> Iterator[Found]:
    """Give rows the place of the one they were; where they are several now, `17`, `17.2`, `17.3`..."""
    before = 0
    for found in read:
        if isinstance(found, Rows):
            numbers = range(before + 1, before + 1 + len(found.places))
            before = numbers.stop - 1
            found = found._replace(places=[place if number == 1 else f"{place}.{number}" for number in numbers])
        yield found


def _named(settings: Settings) -> list[str]:
    """Return the columns that the settings name beside the text's."""
    kept = settings["keep_columns"] if isinstance(settings["keep_columns"], list) else []
    told = (settings[key] for key in ("chat_by", "role_column", "order_by"))
    return list(dict.fromkeys([*kept, *(name for name in told if name is not None)]))


def _filled(source: Source, read: Iterator[Found], names: Sequence[str]) -> Iterator[Found]:
    """Give rows the columns they lack, all NULL; raises `SourceError` in the end where no row of the source has one."""
    met: dict[str, None] = {}
    for found in read:
        if isinstance(found, Rows):
            met.update(dict.fromkeys(found.table.column_names))
            for name in names:
                if name not in found.table.column_names:
                    nulls = pa.nulls(found.table.num_rows, STRING)
                    found = found._replace(table=found.table.append_column(name, nulls))
        yield found
    for name in names:
        if met and name not in met:
            raise no_column(source, name, list(met))
