"""What there is: artifacts, filters, readers, exporters and phrase lists as tables; one artifact in words."""

import inspect
from typing import Any

from pipeline.artifacts import STAGES, Artifact, Store
from pipeline.errors import UsageError, did_you_mean

Listing = tuple[list[str], list[list[Any]]]


def listing(what: str, store: str) -> Listing:
    """Return the columns and rows of a list; raises `UsageError` for one that is not kept."""
    if what == "artifacts" or what in STAGES:
        return _artifacts(Store(store), what if what in STAGES else None)
    if what in _LISTS:
        return _LISTS[what]()  # type: ignore[no-any-return]
    words = ["artifacts", *STAGES, *_LISTS]
    raise UsageError(f"no list {what!r}.{did_you_mean(what, words) or ' There are: ' + ', '.join(words)}")


def _artifacts(store: Store, stage: str | None) -> Listing:
    rows = [
        [found.ref, found.manifest.rows["in"], found.manifest.rows["kept"], found.manifest.run.get("finished", "")]
        for found in store.list(stage)
    ]
    return ["ref", "in", "kept", "finished"], rows


def _filters() -> Listing:
    from filters.kinds import filters
    from pipeline.cleaning.plan import bounds_of
    from pipeline.recipe import fields_of

    rows = [
        [found.name, found.kind, found.help.partition("\n")[0], ", ".join([*fields_of(found.function), *bounds_of(found)])]
        for found in filters().values()
    ]
    return ["filter", "kind", "what it does", "settings"], rows


def _readers() -> Listing:
    from pipeline.readers import modules, reader
    from pipeline.recipe import fields_of

    rows = [
        [
            name,
            " ".join(module.SUFFIXES),
            (inspect.getdoc(reader(name)) or "").partition("\n")[0],
            ", ".join(fields_of(reader(name))),
        ]
        for name, module in modules().items()
    ]
    return ["reader", "suffixes", "what it does", "settings"], rows


def _exporters() -> Listing:
    from pipeline.exporters import exporter, modules
    from pipeline.recipe import fields_of

    rows = [
        [
            name,
            " ".join(module.TAKES),
            (inspect.getdoc(exporter(name)) or "").partition("\n")[0],
            ", ".join(fields_of(exporter(name))),
        ]
        for name, module in modules().items()
    ]
    return ["exporter", "takes", "what it does", "settings"], rows


def _phrases() -> Listing:
    from pipeline.phrase_lists import load, purpose, shipped

    rows = [[name, len(load(name).phrases), purpose(path)] for name, path in shipped().items()]
    return ["list", "phrases", "what it is for"], rows


def _presets() -> Listing:
    from pipeline.cleaning.presets import presets, steps_of
    from pipeline.phrase_lists import purpose

    rows = [[name, ", ".join(next(iter(step)) for step in steps_of(name)), purpose(path)] for name, path in presets().items()]
    return ["preset", "steps", "what it is for"], rows


_LISTS: dict[str, Any] = {
    "filters": _filters,
    "presets": _presets,
    "readers": _readers,
    "exporters": _exporters,
    "phrases": _phrases,
}


def in_words(store: Store, artifact: Artifact, documents: int) -> list[str]:
    """Say what an artifact is: rows, counts, settings, lineage, and some of its documents."""
    from pipeline.history import sample
    from pipeline.progress import result
    from pipeline.training.words import how_it_went

    manifest = artifact.manifest
    went = how_it_went(artifact) if manifest.stage == "train" else []
    lines = [*result(artifact), *went, f"made {manifest.run.get('finished')} by prep {manifest.versions.get('prep')}", "recipe"]
    lines += [f"  {line}" for line in _settings(manifest.recipe)]
    lines.append("lineage")
    lines += [f"  {found.ref}" for found in store.lineage(artifact)]
    missing = set(manifest.parents) - {found.ref for found in store.lineage(artifact)}
    lines += [f"  {ref} (no longer in the store)" for ref in sorted(missing)]
    table = sample(artifact, documents) if documents else None
    for row in table.slice(0, documents).to_pylist() if table is not None else []:
        lines += ["", row["id"], *(f"  {line}" for line in _excerpt(row))]
    return lines


def _settings(recipe: dict[str, Any]) -> list[str]:
    lines = []
    for key, value in recipe.items():
        if isinstance(value, list):
            lines += [f"{key}:", *(f"  - {item}" for item in value)]
        else:
            lines.append(f"{key}: {value}")
    return lines


def _excerpt(row: dict[str, Any], most: int = 300) -> list[str]:
    if "messages" in row:
        return [
            f"{message['role']}: {(message['content'] or message.get('tool_calls') or '')[:most]!r}"
            for message in row["messages"]
        ]
    return [line for line in row["text"][:most].splitlines() if line.strip()]
