"""Exporters: an artifact -> a folder that another tool reads as it is. One module a tool or format; there is no list to edit.

An exporter is the function of its module's name. It takes an `Artifact`, the `Folder` to write to and the splits that are asked
for, has as keyword-only parameters what `--set` may set, and returns an `Export`. Its module names the stages that it `TAKES`.
Reading order: `export` here, `_folder` (whole or not there), `_documents` and `_tokens` (what an artifact gives), `_shards`
(what is written), then the exporters.
"""

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from pipeline.artifacts import Artifact
from pipeline.errors import UsageError, did_you_mean
from pipeline.exporters._folder import Export, earlier, filled
from pipeline.recipe import check, fields_of

FORMAT = 2  # of what the exporters write; an export of another format is no equal one
SPLITS = ("train", "validation")

Exporter = Callable[..., Export]


class Done(NamedTuple):
    """An export in its folder; `known` where it was there already."""

    ref: str
    to: str
    folder: str
    rows: dict[str, int]
    use: str
    known: bool


@cache
def modules() -> dict[str, ModuleType]:
    """Return every exporter's module by the exporter's name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}


def exporter(name: str) -> Exporter:
    """Return an exporter; raises `UsageError` for an unknown one.

    >>> exporter("axolotle")
    Traceback (most recent call last):
    pipeline.errors.UsageError: no exporter 'axolotle'. Did you mean 'axolotl'?
    """
    if name not in modules():
        raise UsageError(f"no exporter {name!r}.{did_you_mean(name, modules()) or ' There are: ' + ', '.join(modules()) + '.'}")
    found: Any = getattr(modules()[name], name)
    return found  # type: ignore[no-any-return]


def export(artifact: Artifact, to: str, out: Path, *, split: str = "all", settings: Mapping[str, Any] | None = None) -> Done:
    """Write an artifact to the folder `out` as the exporter `to` does; a folder that holds the same export is left as it is.

    Raises `UsageError` for an unknown exporter or setting, a stage that it cannot take and a folder in the way, `StoreError`
    where the disk refuses, `BrokenArtifact` where the artifact cannot be read, `RowsLost` where not all of it was written.
    """
    function = exporter(to)
    takes = modules()[to].TAKES
    if artifact.manifest.stage not in takes:
        raise UsageError(
            f"{artifact.ref}: {to} takes {' or '.join(takes)} artifacts. `prep list {takes[-1]}` shows those there are."
        )
    checked, problems = check(fields_of(function), settings, to)
    if problems:
        raise UsageError("\n".join(problems))
    home = out.resolve()
    card = {"format": FORMAT, "ref": artifact.ref, "to": to, "split": split, "settings": checked, "folder": str(home)}
    if found := earlier(home, card):
        return Done(artifact.ref, to, str(home), found.rows, found.use, known=True)
    with filled(home, card) as folder:
        made = function(artifact, folder, _splits(split), **checked)
        folder.made = made
    return Done(artifact.ref, to, str(home), made.rows, made.use, known=False)


def _splits(split: str) -> Sequence[str]:
    if split not in ("all", *SPLITS):
        raise UsageError(f"no split {split!r}.{did_you_mean(split, SPLITS)} There are: all, {', '.join(SPLITS)}.")
    return SPLITS if split == "all" else (split,)
