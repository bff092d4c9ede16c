"""The four kinds of filters: what each is given, and what it answers.

    @rewrite      (texts, *, settings) -> texts                      the stage replaces the text
    @measure      (texts, offsets, *, settings) -> float64[n]        the stage removes what lies outside `min` and `max`
    @spans        (texts, *, settings) -> Spans                      the stage removes what holds more than `max`
    @duplicates   (texts, offsets, *, settings) -> uint64[n, keys]   the stage groups, verifies, keeps one: `keep`

`texts` is one flat `large_string` array without nulls; document i owns the texts `offsets[i]` to `offsets[i + 1]` (one text,
or the messages of a conversation). Positional parameters are data, keyword-only parameters are what a recipe may set, the
docstring is the help. A decorator registers the function and returns it unchanged.
"""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Texts = pa.LargeStringArray
Offsets = npt.NDArray[np.int64]
Kind = Literal["rewrite", "measure", "spans", "duplicates"]
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class PhraseList:
    """Phrases to look for, and patterns of the `regex` package, both matched in folded text (see `kernels.fold`).

    In a recipe it is given by the name it ships under, or by its file; the filter gets it read.
    """

    name: str
    phrases: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()


class Spans(NamedTuple):
    """What was found: span k is `texts[text[k]]` from byte `start[k]` to `end[k]`, found by `labels[label[k]]`."""

    text: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    labels: list[str]


class Sets(NamedTuple):
    """A set of 64-bit hashes for each document: `hashes[offsets[i]:offsets[i + 1]]`, sorted, each once."""

    hashes: npt.NDArray[np.uint64]
    offsets: Offsets


@dataclass(frozen=True)
class Filter:
    """A registered filter. `version` enters the fingerprint: it grows when the filter's answers change."""

    name: str
    kind: Kind
    version: int
    function: Callable[..., Any]
    sets: Callable[..., Sets] | None = None

    @property
    def help(self) -> str:
        """Return the docstring."""
        return inspect.getdoc(self.function) or ""


_REGISTRY: dict[str, Filter] = {}


def _register(kind: Kind, version: int, sets: Callable[..., Sets] | None = None) -> Callable[[Function], Function]:
    def keep(function: Function) -> Function:
        _REGISTRY[function.__name__] = Filter(function.__name__, kind, version, function, sets)
        return function

    return keep


def rewrite(*, version: int) -> Callable[[Function], Function]:
    """Register a filter that answers each text with a text."""
    return _register("rewrite", version)


def measure(*, version: int) -> Callable[[Function], Function]:
    """Register a filter that answers each document with a number."""
    return _register("measure", version)


def spans(*, version: int) -> Callable[[Function], Function]:
    """Register a filter that answers with the places it found."""
    return _register("spans", version)


def duplicates(*, version: int, sets: Callable[..., Sets]) -> Callable[[Function], Function]:
    """Register a filter that answers each document with bucket keys.

    Two documents that share a key at the same place are candidates. `sets` takes the same arguments as the filter and gives
    each document the set whose Jaccard similarity with another's decides.
    """
    return _register("duplicates", version, sets)


@cache
def filters() -> dict[str, Filter]:
    """Return every filter of this package by name."""
    package = importlib.import_module("filters")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"filters.{module.name}")
    return dict(sorted(_REGISTRY.items()))
