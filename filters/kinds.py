"""The kinds of filters: what each is given, and what it answers.

    @rewrite      (texts, *, settings) -> texts                      the stage replaces the text
    @measure      (texts, offsets, *, settings) -> float64[n]        the stage removes what lies outside `min` and `max`
    @spans        (texts, *, settings) -> Spans                      the stage removes, strips or redacts: `action`, `max`
    @duplicates   (texts, offsets, *, settings) -> uint64[n, keys]   the stage groups, verifies, keeps one: `keep`
    @recurring    (texts, *, settings) -> Keyed                      the stage strips what many documents share

A measure with `names` answers several in one pass: a mapping of each name to `float64[n]`, or, for those in `labels`, to a
string array (bounded by `in`).

`texts` is one flat `large_string` array without nulls; document i owns the texts `offsets[i]` to `offsets[i + 1]` (one text,
or the messages of a conversation). Positional parameters are data, keyword-only parameters are what a recipe may set, the
docstring is the help. A decorator registers the function and returns it unchanged.
"""

import importlib
import importlib.util
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Texts = pa.LargeStringArray
Offsets = npt.NDArray[np.int64]
Kind = Literal["rewrite", "measure", "spans", "duplicates", "recurring"]
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class PhraseList:
    """Phrases to look for, and patterns of the `regex` package, both matched in folded text (see `kernels.fold`).

    A phrase that begins with `^` counts only where no word stands before it in its text, one that ends with `$` only where
    none stands after it; `\\^` and `\\$` there are the signs themselves. In a recipe a list is given by the name it ships
    under, or by its file; the filter gets it read.
    """

    name: str
    phrases: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reference:
    """Texts that must not stand in the data, such as a benchmark's; `places` says where each was read (`gsm8k.jsonl:12`).

    In a recipe it is given by its file; the filter gets it read.
    """

    name: str
    texts: tuple[str, ...] = ()
    places: tuple[str, ...] = ()


class Spans(NamedTuple):
    """What was found: span k is `texts[text[k]]` from byte `start[k]` to `end[k]`, found by `labels[label[k]]`.

    Spans are in order of text and start. `failed` names the texts that could not be looked at to the end, and why.
    """

    text: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    labels: list[str]
    failed: tuple[tuple[int, str], ...] = ()


class Keyed(NamedTuple):
    """Pieces of texts: piece k is `texts[text[k]]` from byte `start[k]` to `end[k]`; equal pieces have an equal `key`."""

    text: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    key: npt.NDArray[np.uint64]


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
    names: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    check: Callable[..., str | None] | None = None
    recall: Callable[..., float] | None = None

    def problem(self, settings: Mapping[str, Any]) -> str | None:
        """Say what is wrong with settings whose types are right, or nothing."""
        return self.check(**settings) if self.check else None

    @property
    def help(self) -> str:
        """Return the docstring."""
        return inspect.getdoc(self.function) or ""


_REGISTRY: dict[str, Filter] = {}


def _register(kind: Kind, version: int, **more: Any) -> Callable[[Function], Function]:  # noqa: ANN401  Filter's other fields
    def keep(function: Function) -> Function:
        _REGISTRY[function.__name__] = Filter(function.__name__, kind, version, function, **more)
        return function

    return keep


def rewrite(*, version: int) -> Callable[[Function], Function]:
    """Register a filter that answers each text with a text."""
    return _register("rewrite", version)


def measure(*, version: int, names: tuple[str, ...] = (), labels: tuple[str, ...] = ()) -> Callable[[Function], Function]:
    """Register a filter that answers each document with a number, or with one for each of `names` (a text for `labels`)."""
    return _register("measure", version, names=names, labels=labels)


def spans(*, version: int, check: Callable[..., str | None] | None = None) -> Callable[[Function], Function]:
    """Register a filter that answers with the places it found; `check` takes its settings and says what is wrong with them."""
    return _register("spans", version, check=check)


def duplicates(
    *, version: int, sets: Callable[..., Sets], recall: Callable[..., float] | None = None
) -> Callable[[Function], Function]:
    """Register a filter that answers each document with bucket keys.

    Two documents that share a key at the same place are candidates. `sets` takes the same arguments as the filter and gives
    each document the set whose Jaccard similarity with another's decides. `recall` takes the settings and says which share of
    the pairs at the threshold become candidates; without it, all do.
    """
    return _register("duplicates", version, sets=sets, recall=recall)


def recurring(*, version: int) -> Callable[[Function], Function]:
    """Register a filter that answers with the keys of the pieces of texts, such as lines."""
    return _register("recurring", version)


ELSEWHERE = {
    "c4_citations": "c4",
    "c4_lines": "c4",
    "c4_placeholders": "c4",
    "exact_duplicates": "exact",
    "fineweb_quality": "fineweb",
    "gopher_quality": "quality",
    "gopher_repetition": "repetition",
    "near_duplicates": "minhash",
    "recurring_lines": "lines",
    "repeated_lines": "lines",
    "sentence_count": "sentences",
}
"""The module of each filter that is not called after it. One that is missing here is found as well, but among all modules."""


def named(name: str) -> Filter | None:
    """Return the filter of a name, or None; the modules of other filters are not imported, where it stands in its own.

    >>> named("word_count").kind, named("no_such_filter")
    ('measure', None)
    """
    module = f"filters.{ELSEWHERE.get(name, name)}"
    if name not in _REGISTRY and name.isidentifier() and importlib.util.find_spec(module):
        importlib.import_module(module)
    return _REGISTRY.get(name) or filters().get(name)


@cache
def filters() -> dict[str, Filter]:
    """Return every filter of this package by name."""
    package = importlib.import_module("filters")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"filters.{module.name}")
    return dict(sorted(_REGISTRY.items()))
