"""Presets: a name -> steps with the bounds of a paper, `configs/presets/NAME.yaml`; what a recipe sets goes over them.

- gopher_quality                             the preset as it stands
- gopher_quality: {words: {min: 20}}         one bound over the preset's; null takes a bound away
- gopher_quality: {preset: false, words: {min: 20}}    the filter alone, without the preset's bounds
- c4: {sentence_count: {min: 3}}             of a preset of several steps, one step's settings; null takes a step away
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.configs_folder import configs_folder
from pipeline.errors import did_you_mean


@cache
def presets() -> dict[str, Path]:
    """Return the presets that ship, by name."""
    return {path.stem: path for path in sorted((configs_folder() / "presets").glob("*.yaml"))}


def steps_of(name: str) -> list[dict[str, Any]]:
    """Return the steps of a preset, each a filter's name with its settings; other presets in it are opened up."""
    from ruamel.yaml import YAML

    entries = YAML(typ="safe").load(presets()[name].read_text(encoding="utf-8"))
    named = [entry if isinstance(entry, dict) else {entry: None} for entry in entries]
    return [step for entry in named for step in ([entry] if name in entry else opened(entry, name)[0])]


def opened(entry: Any, where: str) -> tuple[list[Any], list[str]]:  # noqa: ANN401  YAML holds anything
    """Return the steps that an entry of a recipe stands for: those of a preset, or itself; and what is wrong with it."""
    name, given = (
        (entry, None) if isinstance(entry, str) else next(iter(entry.items()), ("", None)) if _single(entry) else ("", None)
    )
    if name not in presets():
        return [entry], []
    if given is not None and not isinstance(given, Mapping):
        return [], [f"{where}, {name}: its settings are a mapping, not {given!r}"]
    steps = steps_of(name)
    if len(steps) == 1 and name in steps[0]:
        if given is not None and given.get("preset") is False:
            return [{name: {key: value for key, value in given.items() if key != "preset"}}], []
        return [{name: _over(steps[0][name] or {}, given or {})}], []
    own = {next(iter(step)): step for step in steps}
    problems = [
        f"{where}, {name}: no step {key!r} in this preset.{did_you_mean(str(key), own) or ' There are: ' + ', '.join(own)}"
        for key in given or {}
        if key not in own
    ]
    given = given or {}
    problems += [
        f"{where}, {name}, {key}: its settings are a mapping, not {value!r}"
        for key, value in given.items()
        if key in own and value is not None and not isinstance(value, Mapping)
    ]
    if problems:
        return [], problems
    kept = [step for key, step in own.items() if given.get(key, ...) is not None]
    return [{key: _over(settings or {}, given.get(key, {})) for key, settings in step.items()} for step in kept], []


def _single(entry: object) -> bool:
    return isinstance(entry, Mapping) and len(entry) == 1


def _over(settings: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Lay settings over others, one level deep; null takes one away, there too.

    >>> _over({"words": {"min": 50, "max": 9}, "on": None}, {"words": {"min": 20}})
    {'words': {'min': 20, 'max': 9}, 'on': None}
    """
    merged = dict(settings)
    for key, value in given.items():
        known = merged.get(key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(known, Mapping) and isinstance(value, Mapping):
            merged[key] = {end: own for end, own in {**known, **value}.items() if own is not None}
        else:
            merged[key] = value
    return merged
