"""A train artifact -> the tokens it was trained on, and its settings as other tools are told them.

What a recipe leaves open (`learning_rate: auto`, `batch_tokens`, `lr_sweep`) is told as the training had it. A batch is counted
in rows of packed documents; of a tool that takes a document a row it is asked as many documents a step.
"""

import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow.compute as pc

from pipeline.artifacts import Artifact, Store
from pipeline.exporters._shards import columns_in
from trainers.settings import Plan, Settings, plan, settled

if TYPE_CHECKING:
    from trainers.rows import Amount


class Training(NamedTuple):
    """How a model was trained: settings with nothing left open, the steps, the base, layers that learnt whole."""

    settings: Settings
    steps: Plan
    rows: int
    base_model: str | None
    revision: str | None
    whole: list[str]

    @property
    def scheduler(self) -> str:
        """Return the schedule's name in transformers."""
        named: str = self.settings.lr_scheduler
        return "constant_with_warmup" if named == "constant" else named

    @property
    def targets(self) -> list[str] | None:
        """Return the layers that got an adapter by their names; None where all linear ones did."""
        named = self.settings.lora_target_modules
        return None if named == "all-linear" else [named] if isinstance(named, str) else list(named)

    def arguments(self, documents: int) -> dict[str, Any]:
        """Return what transformers' `TrainingArguments` are told where rows are so many documents."""
        now = self.settings
        passes = max(1, round(now.gradient_accumulation_steps * documents / self.rows))
        return {
            "per_device_train_batch_size": now.micro_batch_size,
            "gradient_accumulation_steps": passes,
            "learning_rate": now.learning_rate,
            "num_train_epochs": now.num_epochs,
            **({"max_steps": now.max_steps} if now.max_steps > 0 else {}),
            "lr_scheduler_type": self.scheduler,
            "warmup_steps": self.steps.warmup,
            "weight_decay": now.weight_decay,
            "max_grad_norm": now.max_grad_norm,
            "optim": now.optimizer,
            "bf16": now.bf16 is not False,
            "seed": now.seed,
            "save_steps": self.steps.eval_every,
        }


def taken(artifact: Artifact) -> tuple[Artifact, Training | None]:
    """Return what is to be exported, and of a train artifact its tokens and its training; raises `ArtifactNotFound`."""
    if artifact.manifest.stage != "train":
        return artifact, None
    tokens = Store(artifact.path.parent.parent).find(artifact.manifest.parents[0])
    recipe = artifact.manifest.recipe
    amount = _amount(tokens)
    asked = Settings(**{field.name: recipe[field.name] for field in fields(Settings)})
    settings = settled(replace(asked, lr_sweep=None, learning_rate=_rate(artifact, asked)), amount, lambda _: None)
    place, whole = _base(artifact)
    revision = recipe["model"].get("revision")
    return tokens, Training(settings, plan(amount.rows, settings), amount.rows, place, revision, whole)


def _amount(tokens: Artifact) -> "Amount":
    """Count the training rows, their tokens, and those that are supervised."""
    from trainers.rows import Amount, supervised_tokens

    files = [path for path in tokens.files("tokens/train") if path.suffix == ".arrow"]
    labels = [column for path in files for column in columns_in(path, "labels")]
    lengths = sum(pc.sum(pc.list_value_length(column)).as_py() or 0 for column in labels)
    return Amount(sum(map(len, labels)), lengths, sum(int(supervised_tokens(column).sum()) for column in labels))


def _rate(artifact: Artifact, asked: Settings) -> Any:  # noqa: ANN401  a number or `auto`
    """Return the learning rate; of several that were tried, that with the lowest loss."""
    tried = [count for count in artifact.manifest.counts if "tried" in count]
    if not tried:
        return asked.learning_rate
    best = min(tried, key=lambda count: (count["validation_loss"], _number(count)))
    return _number(best)


def _number(count: dict[str, Any]) -> float:
    return float(count["tried"].removeprefix("learning rate "))


def _base(artifact: Artifact) -> tuple[str | None, list[str]]:
    """Return the base model's name or folder, None where the artifact keeps neither, and the layers that learnt whole."""
    hub = artifact.manifest.recipe["model"].get("hub")
    config = artifact.path / "adapter" / "adapter_config.json"
    if not config.exists():
        return hub, []
    told = json.loads(config.read_text(encoding="utf-8"))
    named = told["base_model_name_or_path"]
    return str((artifact.path / "base").resolve()) if named == "base" else named, told.get("modules_to_save") or []
