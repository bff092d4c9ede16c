"""A source's settings, its own and those for all sources -> what its reader and its rows are read with, checked."""

from collections.abc import Mapping, Set
from dataclasses import replace
from functools import cache
from typing import Any, Literal

from pipeline.errors import RecipeError
from pipeline.readers import columns, formats, reader
from pipeline.recipe import Fields, check, fields_of
from pipeline.sources import Source

Settings = dict[str, Any]

ARCHIVE = "archive"  # no reader's format: each of its members has its own
NO_ROWS = ("foreign", "passed_over")
ROW_FIELDS: Fields = {
    "text_column": (str | None, None),
    "id_column": (str | None, None),
    "keep_columns": (list[str] | Literal["all"] | None, None),
    "chat_by": (str | None, None),
    "role_column": (str | None, None),
    "order_by": (str | None, None),
    "roles": (dict[str, Literal["user", "assistant", "system", "tool"]] | None, None),
    "repair": (bool, False),
}
"""What `threads` and `forming` make of rows: the same for every format."""

OF_THREADS = ("chat_by", "role_column", "order_by", "roles")
OF_TABLES = ("text_column", "id_column", *OF_THREADS)


_fields_of = cache(fields_of)  # to look at a signature takes a tenth of a millisecond, for each of a folder's files


def of_reader(format: str) -> Mapping[str, Any]:
    """Return the settings of a format's reader, with their types and defaults."""
    return _fields_of(reader(format))


def meant(source: Source, own: Settings, beside: Set[str]) -> Settings:
    """Return what of an entry's settings is for one of its files: of a folder's, not those that only others in it know."""
    without = {ARCHIVE, *NO_ROWS}
    if not own or source.alone or source.format in without:
        return own
    known = {*of_reader(source.format), *ROW_FIELDS}
    elsewhere = {name for format in beside - without for name in of_reader(format)}
    return {key: value for key, value in own.items() if key in known or key not in elsewhere}


def settings_for(source: Source, of_pages: Settings, of_all: Settings, own: Settings) -> tuple[Settings, list[str]]:
    """Check what is for one source of the settings for all and of its own; returns them, and what is wrong with them."""
    if source.format in NO_ROWS:
        return _settings(source, {}, {})
    return _of_archive(source, of_all, own) if source.format == ARCHIVE else _settings(source, of_pages, own)


def _of_archive(source: Source, shared: Settings, own: Settings) -> tuple[Settings, list[str]]:
    """Check an archive's settings for every format that its members may have; what a format does not know is not for it."""
    wanted = {**shared, **{key: value for key, value in own.items() if key != "format"}}
    problems = dict.fromkeys(of_no_use(wanted, {*formats()}))
    of_format = {}
    for format in formats():
        member = replace(source, format=format)
        of_format[format], wrong = _settings(member, for_pages(member, wanted, True, set()), {})
        problems.update(dict.fromkeys(wrong))
    return {"id_column": wanted.get("id_column"), "format": own["format"], "members": of_format}, list(problems)


def of_no_use(shared: Settings, formats: set[str]) -> list[str]:
    """Return a problem for each setting for all sources that is for none of their readers."""
    known = {name for format in formats for name in of_reader(format)}.union(ROW_FIELDS)
    return [f"ingest: {name!r} is no setting of {', '.join(sorted(formats))}" for name in shared if name not in known]


def for_pages(source: Source, shared: Settings, tables: bool, of_pages: set[str]) -> Settings:
    """Return what of the settings for all sources is meant for this one: a page's columns are not the tables'.

    Nor has each format of pages the others' columns, `of_pages`.
    """
    own = None if source.format == ARCHIVE else columns(source.format)
    if own is None:
        return shared
    kept = {key: value for key, value in shared.items() if not tables or key not in OF_TABLES}
    if isinstance(kept.get("keep_columns"), list):
        kept["keep_columns"] = [name for name in kept["keep_columns"] if name in own or not (tables or name in of_pages)]
    return kept


def _settings(source: Source, shared: Settings, own: Settings) -> tuple[Settings, list[str]]:
    """Check one source's settings; what was set for all sources and this reader does not know is not for it."""
    known = of_reader(source.format)
    fields = {**known, **ROW_FIELDS}
    wanted = {**{key: value for key, value in shared.items() if key in fields}, **own}
    if isinstance(wanted.get("keep_columns"), str) and wanted["keep_columns"] != "all":
        wanted["keep_columns"] = [name.strip() for name in wanted["keep_columns"].split(",")]
    if "shape" in known and wanted.keys() & {"text_column", "chat_by"}:
        wanted.setdefault("shape", "text")  # rows whose text is named are no chats, and turns are no whole ones
    checked, problems = check(fields, wanted, f"ingest, {source.path}")
    if bool(wanted.get("chat_by")) != bool(wanted.get("role_column")):
        problems.append(
            f"ingest, {source.path}: `chat_by` and `role_column` go together: whose turn a row is, and in which thread"
        )
    elif not wanted.get("chat_by"):
        problems += [f"ingest, {source.path}: {key!r} is for rows with `chat_by`" for key in OF_THREADS[2:] if wanted.get(key)]
    return checked, problems


def resettled(source: Source, settings: Settings, changes: Settings) -> Settings:
    """Return settings that a source was read with, some of them changed, for the reader that it has now.

    What that reader does not know is left out. Raises `RecipeError`.
    """
    had = {key: value for key, value in settings.items() if value is not None}
    checked, problems = _settings(source, {**had, **changes}, {})
    if problems:
        raise RecipeError("ingest", problems)
    return checked
