"""The clean section of a recipe -> checked steps; every problem is found, and all are told at once."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field
from typing_extensions import TypedDict  # pydantic takes no other below Python 3.12

from filters.kinds import Filter, PhraseList, Reference, filters, named
from pipeline import phrase_lists, references
from pipeline.artifacts import canonical
from pipeline.cleaning.presets import opened, presets
from pipeline.errors import PrepError, did_you_mean
from pipeline.recipe import Fields, check, fields_of, line_of

Role = Literal["system", "user", "assistant", "tool"]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Range = TypedDict("Range", {"min": Finite, "max": Finite}, total=False)  # noqa: UP013  as the next one
Choice = TypedDict("Choice", {"in": list[str], "not_in": list[str]}, total=False)
Range.__pydantic_config__ = Choice.__pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[attr-defined]
BEST = re.compile(r"best\((-?)([\w.]+)\)")


def _survivor(keep: str) -> str:
    if keep not in ("first", "longest") and not BEST.fullmatch(keep):
        raise ValueError("input should be 'first', 'longest' or 'best(MEASURE)'")
    return keep


COMMON: Fields = {
    "on": (Annotated[list[Role], Field(min_length=1)] | None, None),
    "max_removed": (Share | None, None),
}
BOUNDS: dict[str, Fields] = {
    "rewrite": {},
    "measure": {},
    "spans": {
        "action": (Literal["drop", "strip", "strip_sentence", "strip_line", "truncate", "redact"], "drop"),
        "min": (Annotated[int, Field(ge=0)] | None, None),
        "max": (Annotated[int, Field(ge=0)] | None, None),
        "min_per_1000_words": (Finite | None, None),
        "max_per_1000_words": (Finite | None, None),
        "placeholder": (str, "[{label}]"),
    },
    "duplicates": {
        "keep": (Annotated[str, AfterValidator(_survivor)], "first"),
        "key": (Literal["conversation", "prompt", "response"], "conversation"),
        "against": (str | list[str] | None, None),
        "max_cluster": (Annotated[float, Field(gt=0, le=1)] | None, None),
    },
    "recurring": {"documents": (Annotated[int, Field(ge=2)], 10), "keep": (Literal["none", "first"], "none")},
}
"""What a recipe may set of each kind of filter beside the filter's own settings: the stage acts by it."""


@dataclass(frozen=True)
class Step:
    """One filter of a recipe: its settings, the roles it is limited to, and the bounds that the stage applies.

    The bounds of a measure are keyed by the measure's name; those of the other kinds by `BOUNDS`.
    """

    number: int
    filter: Filter
    settings: dict[str, Any]
    bounds: dict[str, Any]
    on: list[str] | None = None
    max_removed: float | None = None

    @property
    def lists(self) -> list[str]:
        """Return the names of the phrase lists among the settings."""
        values = [value for value in self.settings.values() if isinstance(value, tuple)]
        return [entry.name for value in values for entry in value if isinstance(entry, PhraseList)]

    @property
    def alters(self) -> bool:
        """Say whether the step may change a text that stays."""
        return self.filter.kind in ("rewrite", "recurring") or self.bounds.get("action", "drop") != "drop"

    def looks(self) -> dict[str, Any]:
        """Return what bears on what the filter sees; a phrase list by its content."""
        settings = {name: _identity(value) for name, value in self.settings.items()}
        own = {"filter": self.filter.name, "version": self.filter.version, "settings": settings, "on": self.on}
        return {**own, "key": self.bounds["key"]} if "key" in self.bounds else own

    def identity(self) -> dict[str, Any]:
        """Return what of the step bears on the result; its guards do not."""
        return {**self.looks(), "bounds": {name: bound for name, bound in self.bounds.items() if name != "max_cluster"}}


def plan(section: Sequence[Any], where: str = "clean") -> tuple[list[Step], list[str]]:
    """Check the clean section of a recipe; return its steps, and all problems."""
    if not isinstance(section, Sequence) or isinstance(section, str) or not section:
        return [], [f"{where}: a list of steps is needed, like `- unicode`"]
    steps: list[Step] = []
    problems: list[str] = []
    for number, entry in enumerate(section):
        line, place = line_of(section, number), f"{where}, step {number + 1}"
        entries, wrong = opened(entry, f"{line}{place}")
        problems += wrong
        for own in entries:
            step, wrong = _step(len(steps), own, line, place)
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
    found = named(str(name))
    if found is None:
        known = [*filters(), *presets()]
        hint = did_you_mean(str(name), known) or f" There are: {', '.join(known)}."
        return None, [f"{line}{where}: no filter {name!r}.{hint}"]
    own, bounds = fields_of(found.function), bounds_of(found)
    checked, problems = check({**own, **bounds, **COMMON}, given, f"{where}, {name}")
    if problems:
        return None, [problem if problem.startswith("line ") else f"{line}{problem}" for problem in problems]
    applied, wrong = _bounds(found, {key: checked[key] for key in bounds})
    if wrong:
        return None, [f"{line}{where}, {name}: {wrong}"]
    try:
        settings = {key: _read(checked[key], own[key][0]) for key in own}
        if problem := found.problem(settings):
            return None, [f"{line}{where}, {name}: {problem}"]
    except PrepError as error:
        return None, [f"{line_of(given, 'lists') or line}{where}, {name}: {error}"]
    return Step(number, found, settings, applied, checked["on"], checked["max_removed"]), []


def bounds_of(found: Filter) -> Fields:
    """Return what a recipe may set of a filter beside its own settings."""
    if found.kind != "measure":
        return BOUNDS[found.kind]
    if not found.names:
        return {"min": (Finite | None, None), "max": (Finite | None, None)}
    several: Fields = {name: ((Choice if name in found.labels else Range) | None, None) for name in found.names}
    label: Fields = {"in": (list[str] | None, None)} if found.names[0] in found.labels else {}
    return {**label, **several}


def _bounds(found: Filter, checked: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the bounds as the stage applies them, and what is wrong with them."""
    if found.kind == "measure":
        return _measure_bounds(found, checked)
    if found.kind == "duplicates":
        return _duplicates_bounds(checked)
    if found.kind == "spans":
        pairs = [(checked["min"], checked["max"]), (checked["min_per_1000_words"], checked["max_per_1000_words"])]
        wrong = next((wrong for low, high in pairs if (wrong := _crossed("", low, high))), "")
        if checked["action"] == "drop" and all(bound is None for pair in pairs for bound in pair):
            checked["max"] = 0
        return checked, wrong
    return checked, ""


def _measure_bounds(found: Filter, checked: dict[str, Any]) -> tuple[dict[str, Any], str]:
    if not found.names:
        checked = {found.name: {"min": checked["min"], "max": checked["max"]}}
    elif (choice := checked.pop("in", None)) is not None:
        checked[found.names[0]] = {**(checked[found.names[0]] or {}), "in": choice}
    applied = {name: {key: value for key, value in (own or {}).items() if value is not None} for name, own in checked.items()}
    applied = {name: own for name, own in applied.items() if own}
    if not applied:
        of = f" for one of {', '.join(found.names)}" if found.names else ""
        return {}, f"set a bound{of}: min, max or both" if not found.labels else f"set a bound{of}: min, max or in"
    wrong = [_crossed(f"{name}: " if found.names else "", own.get("min"), own.get("max")) for name, own in applied.items()]
    return applied, next(filter(None, wrong), "")


def _crossed(name: str, low: float | None, high: float | None) -> str:
    return f"{name}min {low:.15g} is above max {high:.15g}" if low is not None and high is not None and low > high else ""


def _duplicates_bounds(checked: dict[str, Any]) -> tuple[dict[str, Any], str]:
    against = checked["against"]
    checked["against"] = [against] if isinstance(against, str) else list(against or [])
    if best := BEST.fullmatch(checked["keep"]):
        known = measures()
        if best[2] not in known:
            hint = did_you_mean(best[2], known) or f" There are: {', '.join(known)}."
            return {}, f"keep: no measure {best[2]!r}.{hint}"
    return checked, ""


def measures() -> dict[str, Filter]:
    """Return the filter behind each measure that is a number: `word_count`, `gopher_quality.words`, ..."""
    return {
        f"{found.name}.{name}" if found.names else name: found
        for found in filters().values()
        if found.kind == "measure"
        for name in (found.names or (found.name,))
        if name not in found.labels
    }


def _read(value: Any, annotation: object) -> Any:  # noqa: ANN401  any setting's value
    """Read what a setting names: phrase lists, references."""
    if "PhraseList" in str(annotation):
        return tuple(phrase_lists.load(name) if isinstance(name, str) else name for name in value)
    if "Reference" in str(annotation):
        return tuple(references.load(name) if isinstance(name, str) else name for name in value)
    return value


def _identity(value: Any) -> Any:  # noqa: ANN401  any setting's value
    if isinstance(value, tuple):
        return [_identity(item) for item in value]
    if isinstance(value, PhraseList):
        return {"phrases": len(value.phrases), "sha256": _sha256(value.phrases, value.patterns)}
    if isinstance(value, Reference):
        return {"texts": len(value.texts), "sha256": _sha256(value.texts, value.places)}
    return value


@lru_cache(64)  # asked for each shard and step, and a list may hold 50,000 phrases
def _sha256(*parts: tuple[str, ...]) -> str:
    return hashlib.sha256(canonical([list(part) for part in parts]).encode()).hexdigest()
