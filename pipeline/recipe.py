"""Recipes: a YAML file -> sections whose keys are checked against the function that will receive them.

One file holds a data set's whole way: `name`, `ingest`, `clean`, `tokenize`, `train`. Every problem is found before anything
runs, and all are told at once, with the line and the nearest right word. YAML is 1.2: `on` is a word and `2e-4` a number.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from pipeline.errors import RecipeError, did_you_mean

SECTIONS = ("name", "ingest", "clean", "tokenize", "train")
Fields = dict[str, tuple[Any, Any]]


@dataclass(frozen=True)
class Recipe:
    """A recipe as it stands in its file."""

    where: str
    sections: Mapping[str, Any]

    def section(self, stage: str) -> Any:  # noqa: ANN401  YAML holds anything
        """Return what the recipe says of a stage, or None."""
        return self.sections.get(stage)


def load(path: Path | str) -> Recipe:
    """Read a recipe; raises `RecipeError` where it is no YAML, or no mapping."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        content = YAML(typ="rt").load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(str(path), [f"cannot be read ({error.strerror}). Check the path."]) from error
    except MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise RecipeError(str(path), [f"{line}not YAML: {error.problem}"]) from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(str(path), [f"not YAML: {error}"]) from error
    if not isinstance(content, Mapping):
        raise RecipeError(str(path), [f"a recipe is a mapping with the keys {', '.join(SECTIONS)}."])
    return Recipe(str(path), content)


def unknown_sections(recipe: Recipe) -> list[str]:
    """Return a problem for each section that no stage knows."""
    return [
        f"{line_of(recipe.sections, key)}no section {key!r}."
        f"{did_you_mean(str(key), SECTIONS) or ' There are: ' + ', '.join(SECTIONS)}"
        for key in recipe.sections
        if key not in SECTIONS
    ]


def line_of(mapping: object, key: object) -> str:
    """Return `line 7: ` for a key of a mapping that came from a file, else nothing."""
    try:
        return f"line {mapping.lc.key(key)[0] + 1}: "  # type: ignore[attr-defined]
    except (AttributeError, KeyError):
        return ""


def fields_of(function: Callable[..., Any]) -> Fields:
    """Return the keyword-only parameters of a function: name -> (type, default); `...` where there is no default."""
    hints = get_type_hints(function, include_extras=True)
    return {
        name: (hints[name], ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def check(fields: Fields, given: object, where: str) -> tuple[dict[str, Any], list[str]]:
    """Check settings against fields; return them with every default filled in, and the problems.

    >>> check({"threshold": (float, 0.7)}, {"treshold": 0.8}, "near_duplicates")
    ({'threshold': 0.7}, ["near_duplicates: no setting 'treshold'. Did you mean 'threshold'?"])
    """
    if given is None:
        given = {}
    if given == {} and all(default is not ... for _, default in fields.values()):
        return {name: default for name, (_, default) in fields.items()}, []
    if not isinstance(given, Mapping):
        return {}, [f"{where}: its settings are a mapping like {{{next(iter(fields), 'key')}: ...}}, not {given!r}"]
    from pydantic import ConfigDict, ValidationError, create_model

    named = {f"field_{number}": name for number, name in enumerate(fields)}  # pydantic refuses names such as `in`
    model: Any = create_model(
        "Settings",
        __config__=ConfigDict(extra="ignore", strict=True, arbitrary_types_allowed=True),
        **{field: fields[name] for field, name in named.items()},  # type: ignore[call-overload]
    )
    problems = [
        f"{line_of(given, key)}{where}: no setting {key!r}.{did_you_mean(str(key), fields) or _all_of(fields)}"
        for key in given
        if key not in fields
    ]
    try:
        checked = model(**{field: _plain(given[name]) for field, name in named.items() if name in given})
    except ValidationError as error:
        wrong: dict[str, list[Any]] = {}
        for problem in error.errors():
            wrong.setdefault(named[str(problem["loc"][0])], []).append(problem)
        problems += [_sentence(given, where, name, found[0], _alternatives(found)) for name, found in wrong.items()]
        return {}, problems
    return {name: getattr(checked, field) for field, name in named.items()}, problems


def _all_of(fields: Fields) -> str:
    return f" There are: {', '.join(fields)}." if fields else " It has none."


def _alternatives(problems: list[Any]) -> str:
    """Say what a value should be: where it may be of several types, each of them says so at the same place."""
    should = "Input should be "
    same = [problem["msg"] for problem in problems if problem["input"] is problems[0]["input"]]
    if not all(message.startswith(should) for message in same):
        same = same[:1]
    return should + " or ".join(dict.fromkeys(message.removeprefix(should) for message in same)) if len(same) > 1 else same[0]


def _sentence(given: Mapping[str, Any], where: str, name: str, problem: Any, message: str) -> str:  # noqa: ANN401  pydantic's
    if problem["type"] == "missing":
        return f"{where}: {name!r} is missing"
    if problem["type"] == "extra_forbidden":
        return f"{line_of(given, name)}{where}: {name}: no setting {problem['loc'][-1]!r}"
    message = message.removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    nested = isinstance(problem["input"], int | float | str) and isinstance(given[name], Mapping | list)
    inside = [str(part) for part in problem["loc"][1:] if nested and part in given[name]]
    value = problem["input"] if inside else _plain(given[name])
    return f"{line_of(given, name)}{where}: {'.'.join([name, *inside])}: {message}, not {value!r}"


def _plain(value: Any) -> Any:  # noqa: ANN401  YAML holds anything
    """Return plain Python values for what the YAML reader gives."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
