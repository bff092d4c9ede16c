"""Token ids -> a LoRA adapter, with its metrics and its learning curve: QLoRA, on transformers, peft and bitsandbytes.

adapter/             what peft loads; for a base model made on the spot, `base/` holds that model and its tokenizer
model/               in place of both where there is no adapter: the whole model, trained, and its tokenizer
lr_sweep.png         where learning rates were tried: what each came to
metrics/ speed/ verdict.json learning_curve.png report.html      how it went: `pipeline.training.keeping`

A training that was killed goes on from its last checkpoint, which lies in the draft, and comes to the same metrics.

Several processes may train together (`trainers.ranks`). Their number is no more in the fingerprint than the device is:
a step has the same rows whoever computes them, so that the losses are the same but for the order in which floats are added and,
where there is dropout, for the places that are dropped.
"""

import contextlib
import os
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from pipeline.artifacts import Artifact, Draft, Identity
from pipeline.errors import TrainingError
from pipeline.run import Note, Progress, Run, versions
from pipeline.timing import phase
from pipeline.training.keeping import keep
from pipeline.training.parent import tokenizer_of, tokens_of

if TYPE_CHECKING:
    from datasets import DatasetDict

    from trainers.base_model import BaseModel
    from trainers.history import Point
    from trainers.qlora import Fit
    from trainers.settings import Keeping, Settings

AtLeast1 = Annotated[int, Field(ge=1)]
Above0 = Annotated[float, Field(gt=0)]
VERSION = 2  # of what the stage does with the same settings; it enters the fingerprint


def train(
    parent: Artifact,
    name: str,
    run: Run,
    *,
    model: str | dict[str, Any],
    revision: str | None = None,
    adapter: Literal["qlora", "lora", "none"] = "qlora",
    lora_r: AtLeast1 = 16,
    lora_alpha: AtLeast1 = 16,
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.05,
    lora_target_modules: str | list[str] = "all-linear",
    micro_batch_size: AtLeast1 = 2,
    gradient_accumulation_steps: AtLeast1 = 4,
    batch_tokens: AtLeast1 | None = None,
    num_epochs: Above0 = 1.0,
    max_steps: Annotated[int, Field(ge=-1)] = -1,
    learning_rate: Above0 | Literal["auto"] = 2e-4,
    base_lr: Above0 = 3e-4,
    pretraining_batch_tokens: AtLeast1 = 4_000_000,
    lr_sweep: list[Above0] | None = None,
    lr_sweep_steps: AtLeast1 = 20,
    lr_scheduler: Literal["cosine", "linear", "constant"] = "cosine",
    warmup_ratio: Annotated[float, Field(ge=0, le=1)] = 0.03,
    weight_decay: Annotated[float, Field(ge=0)] = 0.0,
    optimizer: str = "paged_adamw_32bit",
    max_grad_norm: Above0 = 0.3,
    gradient_checkpointing: bool = True,
    evals_per_epoch: AtLeast1 = 4,
    early_stopping_patience: AtLeast1 | None = None,
    saves_per_epoch: AtLeast1 | None = None,
    report_to: str | list[str] | None = None,
    bf16: Literal["auto"] | bool = "auto",
    device: Literal["auto", "cuda"] = "auto",
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42,
) -> Artifact:
    """Train an adapter for a base model on a tokenize artifact; `trainers.settings.Settings` says what each setting means.

    `model` is a local folder, a name on the hub (`revision`: its branch, tag or commit), or `{"config": {...}}`, the config of
    a small model that is made on the spot. Learning rate, warm-up, gradient norm and optimizer are by default those of the
    QLoRA paper's code. `saves_per_epoch`, `report_to` (tensorboard, wandb, mlflow) and `device`, which demands a card, change
    nothing of what is learnt, and so are not in the fingerprint. Raises `TrainingError`, `StoreError`, and `BrokenArtifact`
    where the parent's rows or tokenizer cannot be read.
    """
    given = locals()
    from trainers import ranks
    from trainers.base_model import base_model
    from trainers.settings import Keeping, Settings, require

    settings = Settings(**{field.name: given[field.name] for field in fields(Settings)})
    base = base_model(model, revision)
    identity = Identity("train", {"version": VERSION, "model": base.identity, **asdict(settings)}, (parent.ref,))
    if (known := run.answered(identity, name)) is not None:
        return known

    require()
    if device == "cuda":
        _require_card()
    with ranks.joined():
        draft = run.store.draft(identity, name)
        keeping = Keeping(saves_per_epoch, _places(report_to, run, draft))
        if ranks.is_first():
            artifact = _published(draft, parent, base, settings, keeping, run)
        else:
            _fit(parent, tokens_of(parent), base, settings, keeping, draft, run.progress)
        ranks.meet()
    return artifact if ranks.is_first() else run.store.find(draft.ref)


def _published(
    unopened: Draft, parent: Artifact, base: "BaseModel", settings: "Settings", keeping: "Keeping", run: Run
) -> Artifact:
    """Train, and publish what came of it."""
    from trainers import ranks
    from trainers.failures import writing

    with unopened as draft:
        tokens = tokens_of(parent)
        fit = _fit(parent, tokens, base, settings, keeping, draft, run.progress)
        with writing(draft.path):
            keep(fit, tokens, parent, base, settings, draft, run.store)
            _move(draft.work / "out", draft)
        rows = sum(len(split) for split in tokens.values())
        return draft.publish(
            rows={"in": rows, "kept": rows},
            counts=_counts(fit),
            versions=versions("torch", "transformers", "peft", "bitsandbytes", "accelerate", "datasets"),
            run={**run.facts(), **fit.device.facts(), "processes": ranks.count(), **_memory(fit)},
        )


def _require_card() -> None:
    import torch

    if not torch.cuda.is_available():
        raise TrainingError("device: cuda, and there is no CUDA card here. Take it out of the recipe to train on the CPU.")


@phase("fit")
def _fit(
    parent: Artifact,
    tokens: "DatasetDict",
    base: "BaseModel",
    settings: "Settings",
    keeping: "Keeping",
    draft: Draft,
    progress: Progress,
) -> "Fit":
    """Train in the draft's work folder, where a training that was killed has left its checkpoints.

    The draft is open in the first of several processes, and the others read there.
    """
    from trainers import qlora, ranks
    from trainers.failures import writing
    from trainers.rows import amount
    from trainers.settings import plan, settled

    out, scratch = draft.work / "out", draft.work / "trainer"
    if ranks.is_first():
        with writing(draft.work):
            _empty(out)
            scratch.mkdir(exist_ok=True)
    ranks.meet()
    settings = settled(settings, amount(tokens["train"]), progress.say)
    tokenizer = tokenizer_of(parent)
    with _watching(progress, plan(len(tokens["train"]), settings).steps) as watch:
        return qlora.finetune(
            tokens, tokenizer, base, settings, out=out, scratch=scratch, watch=watch, say=progress.say, keeping=keeping
        )


def _places(report_to: str | list[str] | None, run: Run, draft: Draft) -> tuple[str, ...]:
    """Return whom the losses are told; tensorboard's files go to the store, beside the artifacts, which nothing is added to."""
    places = (report_to,) if isinstance(report_to, str) else tuple(report_to or ())
    if "tensorboard" in places:
        folder = os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(run.store.root / "tensorboard" / draft.path.name))
        run.progress.say(f"tensorboard: type tensorboard --logdir {folder}")
    return places


@contextlib.contextmanager
def _watching(progress: Progress, steps: int) -> "Iterator[Callable[[Sequence[Point]], None]]":
    """Give what shows each training step, and says the losses of each evaluation."""
    told = Note()
    ticks = (told for _ in range(steps))
    shown = progress.track("train", ticks, steps)
    seen, first = 0, (0, 0.0)

    def watch(points: "Sequence[Point]") -> None:
        nonlocal seen, first, told
        first = first if seen else (points[-1].tokens, time.monotonic())
        told = _standing(points[-1], *first)
        for _ in range(points[-1].step - seen):
            next(shown)
        seen = points[-1].step
        if points[-1].split == "validation":
            progress.say(f"step {seen}/{steps}: {_losses(points)}")

    try:
        yield watch
    finally:
        deque(ticks, maxlen=0)  # no step comes any more, so that the bar closes
        next(shown, None)


def _standing(last: "Point", tokens: int, moment: float) -> Note:
    """Say the last loss, and the supervised tokens a second since a moment when there had been `tokens`."""
    seconds = time.monotonic() - moment
    speed = f", {(last.tokens - tokens) / seconds:,.0f} supervised tokens/s" if last.tokens > tokens else ""
    return Note(f"loss {last.loss:.3f}{speed}")


def _losses(points: "Sequence[Point]") -> str:
    """Say the losses of the last evaluation, and the training loss since the one before."""
    from trainers.history import of, since_evaluation

    training, sample = since_evaluation(points), of("sample", points)
    words = [] if training is None else [f"training loss {training:.3f}"]
    return ", ".join([*words, f"of a sample {sample[-1].loss:.3f}", f"validation loss {points[-1].loss:.3f}"])


def _memory(fit: "Fit") -> dict[str, int]:
    """Return the bytes that were needed at most, and where they were estimated, what was estimated."""
    peak = {"memory_peak": max(pace.memory for pace in fit.paces)} if fit.paces else {}
    return {**peak, **({"memory_estimated": sum(fit.memory.values())} if fit.memory else {})}


def _counts(fit: "Fit") -> list[dict[str, Any]]:
    """Sum a training up for the manifest: each split's first, last and lowest loss, and which step's weights were kept."""
    from trainers.history import of

    counts = []
    for split in ("train", "sample", "validation"):
        if found := of(split, fit.points):
            best = min(found, key=lambda point: point.loss)
            last = found[-1]
            counts.append(
                {
                    "split": split,
                    "steps": last.step,
                    "supervised_tokens": last.tokens,
                    "first_loss": round(found[0].loss, 4),
                    "last_loss": round(last.loss, 4),
                    "best_loss": round(best.loss, 4),
                    "best_step": best.step,
                }
            )
    tried = [{"tried": f"learning rate {one.learning_rate:g}", "validation_loss": round(one.loss, 4)} for one in fit.tries]
    return [*counts, *tried, _kept(fit)]


def _kept(fit: "Fit") -> dict[str, Any]:
    return {"kept": f"weights of step {fit.kept}", "steps_trained": fit.points[-1].step, "steps_planned": fit.steps}


def _empty(folder: Path) -> None:
    """Make a folder with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _move(out: Path, draft: Draft) -> None:
    """Move what is whole to its place in the draft, over what a run that was killed here has left."""
    for path in sorted(out.iterdir()):
        place = draft.path / path.name
        if place.is_dir():
            shutil.rmtree(place)
        path.replace(place)
