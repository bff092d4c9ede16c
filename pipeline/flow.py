"""The flow of a recipe: each stage's section -> its artifact, one stage after the other; flags stand over the recipe.

A section is given once, or once for each data set:

    ingest: {sources: [pages/]}                    one artifact, by the recipe's name
    ingest: {web: {sources: ...}, chats: {...}}    two; `clean` takes each in turn, `tokenize` both

A stage is imported where it is run: a command starts in half the time without the libraries of the others.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

from pipeline.artifacts import STAGES, Artifact
from pipeline.configs_folder import configs_folder
from pipeline.engine.little import little, little_named
from pipeline.errors import PrepError, RecipeError, UsageError
from pipeline.recipe import Fields, Recipe, check, fields_of, line_of, load, unknown_sections
from pipeline.run import Run

Settings = dict[str, Any]
NO_INGEST = "ingest: the section is missing; it needs at least {sources: [...]}"


def recipe_for(stage: str, config: str | None, run: Run, *, settled: bool = False) -> Recipe:
    """Return the recipe named, or the one that ships for the stage; `settled`: the flags say enough, none is needed."""
    if config is not None:
        recipe = load(config)
        if problems := unknown_sections(recipe):
            raise RecipeError(recipe.where, problems)
        return recipe
    shipped = configs_folder() / f"{stage}.yaml"
    if settled or not shipped.exists():
        return Recipe("the command line", {})
    run.progress.say(f"no --config: using {shipped.name}, which ships with prep")
    return load(shipped)


def ingest_all(recipe: Recipe, run: Run, *, name: str | None, sources: Sequence[str], flags: Settings) -> Iterator[Artifact]:
    """Run ingest for what the command line names, else for each data set of the recipe."""
    data_sets = {} if sources else _data_sets(recipe, "ingest")
    run.expect(little=little_named(sources or _named(data_sets)))
    from pipeline.ingesting.plan import default_name

    if sources:
        section = recipe.section("ingest")
        own = section if isinstance(section, Mapping) and "sources" in section else {}
        given = _with_flags(own, {"sources": list(sources), **flags})
        yield _ingest(recipe, name or default_name(sources), given, run)
        return
    if not data_sets:
        raise RecipeError(recipe.where, [NO_INGEST])
    for data_set, section in data_sets.items():
        yield _ingest(recipe, name or data_set, _with_flags(section, flags), run)


def retry_one(recipe: Recipe, run: Run, *, ref: str, rows: Sequence[str], name: str | None, flags: Settings) -> Artifact:
    """Read an ingest artifact's rejected rows again: mended ones from files, or all; recipe and flags change settings."""
    parent = _parents("ingest", [ref], recipe, run)[0]
    from pipeline.rejections import mended
    from pipeline.stages.retry import retry

    section = recipe.section("ingest")
    own = {key: value for key, value in section.items() if key != "sources"} if isinstance(section, Mapping) else {}
    return retry(parent, name or parent.manifest.name, run, rows=mended(rows) if rows else None, changes={**own, **flags})


def clean_all(
    recipe: Recipe, run: Run, *, refs: Sequence[str], name: str | None, slop_lists: Sequence[str]
) -> Iterator[Artifact]:
    """Run clean for each parent: those named, else the recipe's data sets, else the newest of ingest."""
    planned = list(_cleanings(recipe, run, refs, slop_lists))
    from pipeline.stages.clean import clean

    if name and len(planned) > 1:
        raise UsageError("--name is for one artifact, and here are several. Clean them one by one.")
    for parent, steps in planned:
        yield clean(parent, name or parent.manifest.name, run, steps=steps)


def preview_all(
    recipe: Recipe, run: Run, *, refs: Sequence[str], slop_lists: Sequence[str], samples: int
) -> Iterator[tuple[Artifact, list[dict[str, Any]]]]:
    """Try clean for each parent as `clean_all` would run it; yield each trial with its preview, and keep nothing of it."""
    from pipeline.preview import preview
    from pipeline.stages.clean import trial

    for parent, steps in _cleanings(recipe, run, refs, slop_lists):
        with trial(parent, run, steps=steps) as tried:
            yield tried, preview(tried, samples)


def _cleanings(
    recipe: Recipe, run: Run, refs: Sequence[str], slop_lists: Sequence[str]
) -> Iterator[tuple[Artifact, Sequence[Any]]]:
    """Return what is to be cleaned, each with its checked steps."""
    parents = _parents("ingest", refs, recipe, run)
    from pipeline import phrase_lists
    from pipeline.cleaning.plan import plan

    for slop_list in slop_lists:
        phrase_lists.load(slop_list)
    section = recipe.section("clean")
    for parent in parents:
        steps = section.get(parent.manifest.name) if isinstance(section, Mapping) else section
        if steps is None:
            raise RecipeError(recipe.where, [f"clean: no steps for {parent.manifest.name!r}"])
        steps = with_slop_lists(steps, slop_lists) if slop_lists and isinstance(steps, list) else steps
        if problems := plan(steps)[1]:
            raise RecipeError(recipe.where, problems)
        yield parent, steps


def tokenize_all(recipe: Recipe, run: Run, *, refs: Sequence[str], name: str | None, flags: Settings) -> Artifact:
    """Run tokenize over all parents: those named, else the recipe's data sets, else the newest of clean."""
    parents = _parents("clean", refs, recipe, run)
    from pipeline.stages.tokenize import tokenize

    settings = _checked(recipe, "tokenize", fields_of(tokenize), _with_flags(recipe.section("tokenize"), flags))
    return tokenize(parents, name or _name(recipe) or parents[0].manifest.name, run, **settings)


def train_one(recipe: Recipe, run: Run, *, refs: Sequence[str], name: str | None, flags: Settings) -> Artifact:
    """Run train on the parent named, else the newest of tokenize."""
    from pipeline.stages.train import train

    parent = _parents("tokenize", refs, recipe, run)[0]
    settings = _checked(recipe, "train", fields_of(train), _with_flags(recipe.section("train"), flags))
    return train(parent, name or _name(recipe) or parent.manifest.name, run, **settings)


def run_recipe(recipe: Recipe, run: Run) -> Iterator[Artifact]:
    """Run all stages of a recipe, each on what the one before made; checks everything before anything runs."""
    run.expect(little=little_named(_named(_data_sets(recipe, "ingest"))))
    problems = problems_of(recipe)
    if problems:
        raise RecipeError(recipe.where, problems)
    artifacts = list(ingest_all(recipe, run, name=None, sources=(), flags={}))
    yield from artifacts
    if "clean" in recipe.sections:
        artifacts = list(clean_all(recipe, run, refs=[a.ref for a in artifacts], name=None, slop_lists=()))
        yield from artifacts
    if "tokenize" in recipe.sections:
        artifacts = [tokenize_all(recipe, run, refs=[a.ref for a in artifacts], name=None, flags={})]
        yield from artifacts
    if "train" in recipe.sections:
        yield train_one(recipe, run, refs=[artifacts[0].ref], name=None, flags={})


def problems_of(recipe: Recipe) -> list[str]:
    """Return every problem of a recipe's sections."""
    from pipeline.cleaning.plan import plan
    from pipeline.ingesting.plan import problems_of_sources

    problems = unknown_sections(recipe)
    if not recipe.section("ingest"):
        problems.append(NO_INGEST)
    else:
        problems += [
            f"{line_of(recipe.sections, stage)}{stage}: the section {before!r} is missing, whose artifact it takes"
            for before, stage in pairwise(STAGES)
            if stage in recipe.sections and before not in recipe.sections
        ]
    data_sets = _data_sets(recipe, "ingest")
    for name, section in data_sets.items():
        settings, wrong = check(_ingest_fields(), section, "ingest" if len(data_sets) == 1 else f"ingest, {name}")
        named = settings.pop("sources", [])
        problems += wrong or problems_of_sources(named, {key: value for key, value in settings.items() if value is not None})
    steps = recipe.section("clean")
    for name, section in steps.items() if isinstance(steps, Mapping) else [("", steps)] if steps is not None else []:
        problems += plan(section, f"clean, {name}" if name else "clean")[1]
    for stage in ("tokenize", "train"):
        if recipe.section(stage) is not None:
            function = getattr(import_module(f"pipeline.stages.{stage}"), stage)
            problems += check(fields_of(function), recipe.section(stage), stage)[1]
    return problems


def with_slop_lists(steps: Sequence[Any], lists: Sequence[str]) -> list[Any]:
    """Return the steps with these lists in the slop step, which comes before the others where there is none.

    >>> with_slop_lists(["unicode", {"slop": {"lists": ["refusals"], "max": 1}}], ["mine.txt"])
    ['unicode', {'slop': {'lists': ['mine.txt'], 'max': 1}}]
    """
    found = [step for step in steps if step == "slop" or (isinstance(step, Mapping) and "slop" in step)]
    if not found:
        return [{"slop": {"lists": list(lists)}}, *steps]
    return [_slop(step, lists) if step in found else step for step in steps]


def _slop(step: Any, lists: Sequence[str]) -> Any:  # noqa: ANN401  a step is a word or a mapping
    own = step["slop"] if isinstance(step, Mapping) else None
    return {"slop": _with_flags(own, {"lists": list(lists)})}


def _with_flags(section: Any, flags: Settings) -> Any:  # noqa: ANN401  YAML holds anything
    """Return a section with flags over it, still knowing its lines; one that is no mapping is left for the check."""
    if section is None:
        return flags
    if not isinstance(section, Mapping):
        return section
    merged: Any = section.copy() if hasattr(section, "copy") else dict(section)
    merged.update(flags)
    return merged


def _name(recipe: Recipe) -> str:
    return str(recipe.section("name") or "")


def _data_sets(recipe: Recipe, stage: str) -> dict[str, Any]:
    """Return the sections of a stage by data set."""
    section = recipe.section(stage)
    if not isinstance(section, Mapping):
        return {} if section is None else {_name(recipe) or Path(recipe.where).stem: {"sources": section}}
    nested = all(isinstance(value, Mapping) for value in section.values())
    if "sources" not in section and nested and section:
        return dict(section)
    return {_name(recipe) or Path(recipe.where).stem: section}


def _named(data_sets: Settings) -> list[object]:
    """Return what the sections of data sets name as their sources; they are not checked yet."""
    told = [section.get("sources") for section in data_sets.values() if isinstance(section, Mapping)]
    named = [one for sources in told for one in (sources if isinstance(sources, list) else [sources])]
    return [one.get("path") if isinstance(one, Mapping) else one for one in named]


def _ingest_fields() -> Fields:
    from pipeline.stages.ingest import ingest

    return {"sources": (str | list[str | dict[str, Any]], ...), **fields_of(ingest)}


def _ingest(recipe: Recipe, name: str, given: object, run: Run) -> Artifact:
    from pipeline.stages.ingest import ingest

    settings = _checked(recipe, "ingest", _ingest_fields(), given)
    sources = settings.pop("sources")
    return ingest([sources] if isinstance(sources, str) else sources, name, run, **settings)


def _checked(recipe: Recipe, stage: str, fields: Fields, given: object) -> Settings:
    settings, problems = check(fields, given, stage)
    if problems:
        raise RecipeError(recipe.where, problems)
    return settings


def _parents(stage: str, refs: Sequence[str], recipe: Recipe, run: Run) -> list[Artifact]:
    """Return the parents: those named, else the newest of each of the recipe's data sets, else the newest of the stage."""
    if refs:
        found = [run.store.find(ref, stage) for ref in refs]
        wrong = [artifact.ref for artifact in found if artifact.manifest.stage != stage]
        if wrong:
            raise UsageError(f"{wrong[0]} is no {stage} artifact. `prep list {stage}` shows those there are.")
        return _expected({artifact.ref: artifact for artifact in found}.values(), run)
    names = list(_data_sets(recipe, "ingest")) if stage != "tokenize" else [_name(recipe)]
    known = {artifact.manifest.name for artifact in run.store.list(stage)}
    wanted = [f"{stage}/{name}" for name in names if name in known]
    if wanted and len(wanted) < len(names):
        missing = [f"{stage}/{name}" for name in names if name not in known]
        raise PrepError(f"{recipe.where}: {', '.join(missing)} is not there yet. Run `prep {stage}` first, or name REFs.")
    found = [run.store.find(ref) for ref in wanted] or [run.store.newest(stage)]
    run.progress.say(f"from {', '.join(artifact.ref for artifact in found)}")
    return _expected(found, run)


def _expected(parents: Iterable[Artifact], run: Run) -> list[Artifact]:
    """Return the parents, of which the engine is told how much they are, before what works on them is imported."""
    found = list(parents)
    run.expect(little=little(entry["bytes"] for parent in found for entry in parent.manifest.files))
    return found
