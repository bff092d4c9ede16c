"""Readers: a source -> its rows, streamed. One module a format; there is no list to edit.

A reader is the function of its module's name. It takes a `Source`, has as keyword-only parameters what a recipe may set, and
yields `Rows` (at most some ten thousand, or 16 MiB, at a time), a `Rejection` for each piece that it cannot read, and a
`Remark` on what it found out about the source that the user did not say. Its module names the `SUFFIXES` it is chosen by and,
where the suffix does not tell, a `sniff(head: bytes) -> bool`; its `SCHEMA` where its columns are always the same.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType
from typing import Any

from pipeline.documents import Found
from pipeline.errors import SourceError, did_you_mean
from pipeline.sources import Source, head, suffix

Reader = Callable[..., Iterator[Found]]


@cache
def modules() -> dict[str, ModuleType]:
    """Return every reader's module by the reader's name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}


def formats() -> list[str]:
    """Return the formats that can be asked for."""
    return [name for name, module in modules().items() if module.SUFFIXES]


def reader(name: str) -> Reader:
    """Return the reader of a format; raises `SourceError` for an unknown one."""
    if name not in modules():
        hint = did_you_mean(name, formats()) or f" There are: {', '.join(formats())}."
        raise SourceError(f"unknown format {name!r}.{hint}")
    found: Any = getattr(modules()[name], name)
    return found  # type: ignore[no-any-return]


def columns(name: str) -> list[str] | None:
    """Return the columns that a reader gives whatever the source holds; None where they are the source's own."""
    schema = getattr(modules()[name], "SCHEMA", None)
    return None if schema is None else list(schema.names)


def format_of(source: Source) -> str:
    """Tell a source's format by its suffix, else by its first bytes; raises `SourceError` where neither says."""
    if told := format_of_suffix(suffix(source.path)):
        return told
    start = head(source)
    for name, module in modules().items():
        if hasattr(module, "sniff") and module.sniff(start):
            return name
    raise SourceError(f"{source.path}: cannot tell its format. Say it with --format ({', '.join(formats())}).")


def format_of_suffix(ending: str) -> str | None:
    """Return the format whose files' names end with a suffix, None where no format's do.

    >>> format_of_suffix(".csv"), format_of_suffix(".css")
    ('csv', None)
    """
    return next((name for name, module in modules().items() if ending in module.SUFFIXES), None)
