"""Token ids -> a LoRA adapter, with its metrics and its learning curve: QLoRA, on transformers, peft and bitsandbytes.

adapter/             what peft loads; for a base model made on the spot, `base/` holds that model and its tokenizer
metrics/             losses by step, per supervised token: equal on every run
speed/               seconds and tokens by step
learning_curve.png
"""

import contextlib
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.artifacts import Artifact, Draft, Identity, atomic, refusals
from pipeline.run import Progress, Run, versions

if TYPE_CHECKING:
    from datasets import DatasetDict

    from trainers.history import Point


def train(
    parent: Artifact,
    name: str,
    run: Run,
    *,
    model: str | dict[str, Any],
    revision: str | None = None,
    adapter: Literal["qlora", "lora"] = "qlora",
    lora_r: int = 16,
    lora_alpha: int = 16,
    lora_dropout: float = 0.05,
    lora_target_modules: str | list[str] = "all-linear",
    micro_batch_size: int = 2,
    gradient_accumulation_steps: int = 4,
    num_epochs: float = 1,
    max_steps: int = -1,
    learning_rate: float = 2e-4,
    lr_scheduler: Literal["cosine", "linear", "constant"] = "cosine",
    warmup_ratio: float = 0.03,
    weight_decay: float = 0.0,
    optimizer: str = "paged_adamw_32bit",
    max_grad_norm: float = 0.3,
    gradient_checkpointing: bool = True,
    evals_per_epoch: int = 4,
    bf16: Literal["auto"] | bool = "auto",
    seed: int = 42,
) -> Artifact:
    """Train an adapter for a base model on a tokenize artifact; `trainers.settings.Settings` says what each setting means.

    `model` is a local folder, a name on the hub (`revision`: its branch, tag or commit), or `{"config": {...}}`, the config of
    a small model that is made on the spot. Learning rate, warm-up, gradient norm and optimizer are by default those of the
    QLoRA paper's code. Raises `TrainingError`, `StoreError`.
    """
    from trainers.base_model import base_model
    from trainers.settings import Settings, plan, require

    settings = Settings(
        adapter=adapter,
        lora_r=lora_r,
        lora_alpha=lora_alpha,
        lora_dropout=lora_dropout,
        lora_target_modules=lora_target_modules,
        micro_batch_size=micro_batch_size,
        gradient_accumulation_steps=gradient_accumulation_steps,
        num_epochs=num_epochs,
        max_steps=max_steps,
        learning_rate=learning_rate,
        lr_scheduler=lr_scheduler,
        warmup_ratio=warmup_ratio,
        weight_decay=weight_decay,
        optimizer=optimizer,
        max_grad_norm=max_grad_norm,
        gradient_checkpointing=gradient_checkpointing,
        evals_per_epoch=evals_per_epoch,
        bf16=bf16,
        seed=seed,
    )
    base = base_model(model, revision)
    identity = Identity("train", {"model": base.identity, **asdict(settings)}, (parent.ref,))
    if (known := run.answered(identity, name)) is not None:
        return known

    require()
    from transformers import AutoTokenizer

    from trainers import history, learning_curve, qlora

    with run.store.draft(identity, name) as draft, refusals(draft.path):
        out = _empty(draft.work / "out")
        tokens = _tokens(parent)
        with _watching(run.progress, plan(len(tokens["train"]), settings).steps) as watch:
            fit = qlora.finetune(
                tokens,
                AutoTokenizer.from_pretrained(parent.path / "tokenizer"),
                base,
                settings,
                out=out,
                scratch=_empty(draft.work / "trainer"),
                watch=watch,
                say=run.progress.say,
            )
        _write(history.metrics(fit.points), out / "metrics" / "00000.parquet")
        _write(history.speed(fit.paces), out / "speed" / "00000.parquet")
        learning_curve.draw(fit.points, out / "learning_curve.png", title=f"{name}, trained on {parent.ref}")
        _move(out, draft)
        rows = sum(len(split) for split in tokens.values())
        return draft.publish(
            rows={"in": rows, "kept": rows},
            counts=_counts(fit.points),
            versions=versions("torch", "transformers", "peft", "bitsandbytes", "accelerate", "datasets"),
            run=run.facts(),
        )


def _tokens(parent: Artifact) -> "DatasetDict":
    from datasets import load_from_disk

    return load_from_disk(str(parent.path / "tokens"))


@contextlib.contextmanager
def _watching(progress: Progress, steps: int) -> "Iterator[Callable[[Point], None]]":
    """Give what shows each training step, and says each validation loss with the training loss since the one before."""
    from trainers.history import mean_loss

    ticks = iter(range(steps))
    shown = progress.track("train", ticks, steps)
    since: list[Point] = []
    seen = 0

    def watch(point: "Point") -> None:
        nonlocal seen
        if point.split == "train":
            since.append(point)
            next(shown)
            return
        training = f"training loss {mean_loss(since, seen):.3f}, " if since else ""
        progress.say(f"step {point.step}/{steps}: {training}validation loss {point.loss:.3f}")
        since.clear()
        seen = point.tokens

    try:
        yield watch
    finally:
        deque(ticks, maxlen=0)  # no step comes any more, so that the bar closes
        next(shown, None)


def _counts(points: "Sequence[Point]") -> list[dict[str, Any]]:
    """Sum a training up for the manifest: steps, tokens, and each split's first, last and lowest loss."""
    from trainers.history import of

    counts = []
    for split in ("train", "validation"):
        if found := of(split, points):
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
    return counts


def _write(table: Any, path: Path) -> None:  # noqa: ANN401  a pyarrow table
    import pyarrow.parquet as pq

    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _empty(folder: Path) -> Path:
    """Return a folder with nothing in it: a training that was killed begins anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _move(out: Path, draft: Draft) -> None:
    """Move what is whole to its place in the draft, over what a run that was killed here has left."""
    for path in sorted(out.iterdir()):
        place = draft.path / path.name
        if place.is_dir():
            shutil.rmtree(place)
        path.replace(place)
