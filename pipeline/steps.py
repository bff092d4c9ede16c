"""The clean section of a recipe -> checked steps, and what one step does to a shard.

A filter only looks. Here its answer meets the recipe's bound: what stays, what goes and why.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from filters.kinds import Filter, PhraseList, Sets, Spans, filters
from pipeline.artifacts import canonical
from pipeline.documents import EVIDENCE, STRING, flat_text, ledger, with_texts
from pipeline.errors import FilterError, PrepError, did_you_mean
from pipeline.phrase_lists import load
from pipeline.recipe import Fields, check, fields_of, line_of

Role = Literal["system", "user", "assistant", "tool"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
COMMON: Fields = {"on": (Annotated[list[Role], Field(min_length=1)] | None, None)}
BOUNDS: dict[str, Fields] = {
    "rewrite": {},
    "measure": {"min": (Finite | None, None), "max": (Finite | None, None)},
    "spans": {"max": (Annotated[int, Field(ge=0)], 0)},
    "duplicates": {"keep": (Literal["first", "longest"], "first")},
}
MOST_EVIDENCE = 100  # spans a document in the ledger; `value` counts them all


@dataclass(frozen=True)
class Step:
    """One filter of a recipe: its settings, the roles it is limited to, and the bounds that the stage applies."""

    number: int
    filter: Filter
    settings: dict[str, Any]
    bounds: dict[str, Any]
    on: list[str] | None = None

    @property
    def lists(self) -> list[str]:
        """Return the names of the phrase lists among the settings."""
        values = [value for value in self.settings.values() if isinstance(value, tuple)]
        return [entry.name for value in values for entry in value if isinstance(entry, PhraseList)]

    def identity(self) -> dict[str, Any]:
        """Return what of the step bears on the result; a phrase list by its content."""
        settings = {name: _identity(value) for name, value in self.settings.items()}
        own = {"filter": self.filter.name, "version": self.filter.version, "settings": settings}
        return {**own, "bounds": self.bounds, "on": self.on}


@dataclass
class Outcome:
    """What a step did to a shard."""

    documents: pa.Table
    removed: list[pa.Table] = field(default_factory=list)
    changed: int = 0


def plan(section: Sequence[Any], where: str = "clean") -> tuple[list[Step], list[str]]:
    """Check the clean section of a recipe; return its steps, and all problems."""
    steps: list[Step] = []
    problems: list[str] = []
    if not isinstance(section, Sequence) or isinstance(section, str) or not section:
        return [], [f"{where}: a list of steps is needed, like `- unicode`"]
    for number, entry in enumerate(section):
        step, wrong = _step(number, entry, line_of(section, number), f"{where}, step {number + 1}")
        problems += wrong
        if step is not None:
            steps.append(step)
    return steps, problems


def _step(number: int, entry: object, line: str, where: str) -> tuple[Step | None, list[str]]:
    if isinstance(entry, str):
        name, given = entry, None
    elif isinstance(entry, Mapping) and len(entry) == 1:
        name, given = next(iter(entry.items()))
    else:
        return None, [f"{line}{where}: a step is a filter's name, or one name with settings, not {entry!r}"]
    found = filters().get(name)
    if found is None:
        hint = did_you_mean(str(name), filters()) or f" There are: {', '.join(filters())}."
        return None, [f"{line}{where}: no filter {name!r}.{hint}"]
    own, bounds = fields_of(found.function), BOUNDS[found.kind]
    checked, problems = check({**own, **bounds, **COMMON}, given, f"{where}, {name}")
    if problems:
        return None, problems
    if found.kind == "measure" and (wrong := _wrong_bounds(checked["min"], checked["max"])):
        return None, [f"{line}{where}, {name}: {wrong}"]
    try:
        settings = {key: _read_lists(checked[key], own[key][0]) for key in own}
    except PrepError as error:
        return None, [f"{line_of(given, 'lists') or line}{where}, {name}: {error}"]
    return Step(number, found, settings, {key: checked[key] for key in bounds}, checked["on"]), []


def _wrong_bounds(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return "set a bound: min, max or both"
    return f"min {low:.15g} is above max {high:.15g}" if low is not None and high is not None and low > high else ""


def _read_lists(value: Any, annotation: object) -> Any:  # noqa: ANN401  any setting's value
    if "PhraseList" in str(annotation):
        return tuple(load(name) if isinstance(name, str) else name for name in value)
    return value


def _identity(value: Any) -> Any:  # noqa: ANN401  any setting's value
    if isinstance(value, tuple):
        return [_identity(item) for item in value]
    if isinstance(value, PhraseList):
        import hashlib

        content = canonical([list(value.phrases), list(value.patterns)])
        return {"phrases": len(value.phrases), "sha256": hashlib.sha256(content.encode()).hexdigest()}
    return value


def apply(step: Step, documents: pa.Table) -> Outcome:
    """Let a filter look at a shard's documents, and act on what it reports."""
    texts, offsets, message = flat_text(documents, step.on)
    try:
        if step.filter.kind == "rewrite":
            return _rewritten(step, documents, texts, offsets)
        if step.filter.kind == "measure":
            return _bounded(step, documents, step.filter.function(texts, offsets, **step.settings))
        return _span_bounded(step, documents, texts, offsets, message, step.filter.function(texts, **step.settings))
    except TimeoutError as error:
        raise FilterError(f"{step.filter.name}: a pattern took too long on one text. Make it simpler: {error}") from error


def _rewritten(step: Step, documents: pa.Table, texts: pa.LargeStringArray, offsets: npt.NDArray[np.int64]) -> Outcome:
    after = step.filter.function(texts, **step.settings)
    rewritten = np.flatnonzero(pc.not_equal(after, texts).to_numpy(zero_copy_only=False))
    changed = len(np.unique(np.searchsorted(offsets, rewritten, side="right")))
    return Outcome(with_texts(documents, after, step.on) if changed else documents, changed=changed)


def _bounded(step: Step, documents: pa.Table, values: npt.NDArray[np.float64]) -> Outcome:
    low, high = step.bounds["min"], step.bounds["max"]
    if np.isnan(values).any():
        raise FilterError(f"{step.filter.name} answered {int(np.isnan(values).sum())} documents with no number (NaN).")
    below = values < low if low is not None else np.zeros(len(values), dtype=bool)
    above = values > high if high is not None else np.zeros(len(values), dtype=bool)
    bound = pa.array(
        np.where(below, f"min {low:.15g}" if low is not None else "", f"max {high:.15g}" if high is not None else "")
    )
    return _split(step, documents, below | above, measure=step.filter.name, value=values, bound=bound)


def _span_bounded(
    step: Step, documents: pa.Table, texts: pa.LargeStringArray, offsets: npt.NDArray[np.int64],
    message: npt.NDArray[np.int64], found: Spans,
) -> Outcome:  # fmt: skip
    document = np.searchsorted(offsets, found.text, side="right") - 1
    hits = np.bincount(document, minlength=documents.num_rows)
    gone = hits > step.bounds["max"]
    evidence = pa.nulls(documents.num_rows, EVIDENCE).to_pylist()
    for span in np.flatnonzero(gone[document]):
        row, text, start, end = int(document[span]), int(found.text[span]), int(found.start[span]), int(found.end[span])
        entries = evidence[row] = evidence[row] or []
        if len(entries) < MOST_EVIDENCE:
            matched = texts[text].as_buffer().to_pybytes()[start:end].decode("utf-8", "replace")
            label = found.labels[found.label[span]]
            entries.append({"label": label, "text": matched, "message": int(message[text]), "start": start, "end": end})
    bound = pa.repeat(f"max {step.bounds['max']}", documents.num_rows)
    return _split(step, documents, gone, measure="hits", value=hits, bound=bound, evidence=pa.array(evidence, EVIDENCE))


def _split(step: Step, documents: pa.Table, gone: npt.NDArray[np.bool_], **why: Any) -> Outcome:  # noqa: ANN401  ledger columns
    if not gone.any():
        return Outcome(documents)
    mask = pa.array(gone)
    entries = {name: value if isinstance(value, str) else pa.array(value).filter(mask) for name, value in why.items()}
    removed = ledger(documents.filter(mask), step.filter.name, **entries)
    return Outcome(documents.filter(pc.invert(mask)), [removed])


def keys(step: Step, documents: pa.Table) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Return, for each document, its bucket keys, whether it has text to compare at all, and its text's bytes."""
    texts, offsets, _ = flat_text(documents, step.on)
    length = np.concatenate([[0], np.cumsum(pc.binary_length(texts).to_numpy())])
    return step.filter.function(texts, offsets, **step.settings), np.diff(offsets) > 0, np.diff(length[offsets])


def sets(step: Step, documents: pa.Table) -> Sets:
    """Return, for each document, the set whose Jaccard similarity with another's decides."""
    texts, offsets, _ = flat_text(documents, step.on)
    if step.filter.sets is None:
        raise TypeError(f"{step.filter.name} finds no duplicates")
    return step.filter.sets(texts, offsets, **step.settings)


def twin_entries(step: Step, gone: pa.Table, twin: pa.Array, similarity: npt.NDArray[np.float64]) -> pa.Table:
    """Return the ledger's rows for duplicates, each with the twin that stays."""
    bound = f"below {step.settings.get('threshold', 1.0):.15g}"
    return ledger(
        gone, step.filter.name, measure="similarity", value=similarity, bound=pa.repeat(pa.scalar(bound, STRING), len(twin)),
        twin=twin, similarity=similarity,
    )  # fmt: skip
