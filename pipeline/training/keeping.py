"""How a training went -> the files that an artifact keeps of it.

metrics/             losses by step, per supervised token: equal on every run
speed/               seconds, tokens and memory by step
verdict.json         what the losses say, with the numbers behind it
learning_curve.png
report.html          all of it on one page
README.md            in the folder of the adapter or the model: a model card

All but `speed/` and the page, which tell how long it took, are the same on every run.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts import Artifact, Draft, Store, atomic
from pipeline.timing import phase
from pipeline.training.facts import ancestors, facts_of

if TYPE_CHECKING:
    from datasets import DatasetDict

    from trainers.account import Account
    from trainers.base_model import BaseModel
    from trainers.history import Split
    from trainers.qlora import Fit
    from trainers.settings import Settings
    from trainers.verdict import Facts


@phase("keep")
def keep(
    fit: "Fit", tokens: "DatasetDict", parent: Artifact, base: "BaseModel", settings: "Settings", draft: Draft, store: Store
) -> None:
    """Write all that is told of a training to the draft's `work/out`, where its weights are."""
    from trainers import history, learning_curve
    from trainers.model_card import model_card
    from trainers.report import report
    from trainers.verdict import verdict, written

    out = draft.work / "out"
    facts = _facts(fit, tokens, parent)
    found = verdict(fit.points, fit.paces, facts)
    account = _account(fit, facts, parent, base, asdict(settings), draft, store)
    _write(history.metrics(fit.points), out / "metrics" / "00000.parquet")
    _write(history.speed(fit.paces), out / "speed" / "00000.parquet")
    title = f"{draft.name}, trained on {parent.ref}"
    learning_curve.draw(fit.points, out / "learning_curve.png", title=title, verdict=found)
    _say(out / "verdict.json", written(found, facts))
    _say(out / "report.html", report(fit.points, fit.paces, found, account))
    weights = out / ("model" if settings.adapter == "none" else "adapter")
    _say(weights / "README.md", model_card(fit.points, (), found, account))


def _facts(fit: "Fit", tokens: "DatasetDict", parent: Artifact) -> "Facts":
    from trainers.course import evaluated_splits
    from trainers.rows import amount, supervised_tokens

    supervised: dict[Split, int] = {"train": amount(tokens["train"]).supervised}
    for split, rows in evaluated_splits(tokens).items():
        labels = rows.with_format("arrow")[:]["labels"]
        supervised[split] = sum(int(supervised_tokens(chunk).sum()) for chunk in labels.chunks)
    return facts_of(tokens["train"], parent, supervised, fit.steps)


def _account(
    fit: "Fit",
    facts: "Facts",
    parent: Artifact,
    base: "BaseModel",
    settings: Mapping[str, Any],
    draft: Draft,
    store: Store,
) -> "Account":
    from trainers.account import Account

    place = base.place or "base"  # a model made on the spot lies in the artifact's base/
    return Account(
        name=draft.name,
        base_model=Path(place).name if Path(place).is_dir() else place,
        revision=base.revision,
        settings=settings,
        facts=facts,
        lineage=ancestors(store, parent),
        kept_step=fit.kept,
        run=fit.device.facts(),
        memory=fit.memory,
    )


def _write(table: Any, path: Path) -> None:  # noqa: ANN401  a pyarrow table
    import pyarrow.parquet as pq

    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _say(path: Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
