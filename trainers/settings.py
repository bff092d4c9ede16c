"""What a recipe may set for a training, and the number of steps that follows from it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, NamedTuple

from pipeline.errors import TrainingError

Adapter = Literal["qlora", "lora"]
Schedule = Literal["cosine", "linear", "constant"]

PACKAGES = ("accelerate", "bitsandbytes", "matplotlib", "peft", "torch")


@dataclass(frozen=True)
class Settings:
    """How to train; the names are axolotl's where they mean the same. Raises `TrainingError` for a value out of bounds."""

    adapter: Adapter
    """`qlora`: the base model's linear layers are held in NF4, double-quantized; `lora`: they keep their precision."""
    lora_r: int
    """Rank of the adapter's matrices."""
    lora_alpha: int
    """The adapter's output is scaled by `lora_alpha / lora_r`."""
    lora_dropout: float
    lora_target_modules: str | list[str]
    """`all-linear` (all but the output layer), or names such as `q_proj`."""
    micro_batch_size: int
    """Rows of one forward pass."""
    gradient_accumulation_steps: int
    """Forward passes of one optimizer step."""
    num_epochs: float
    max_steps: int
    """Optimizer steps; -1: as many as `num_epochs` takes."""
    learning_rate: float
    lr_scheduler: Schedule
    warmup_ratio: float
    """Share of all steps during which the learning rate rises from 0."""
    weight_decay: float
    optimizer: str
    """A name of `transformers.TrainingArguments.optim`."""
    max_grad_norm: float
    gradient_checkpointing: bool
    evals_per_epoch: int
    bf16: Literal["auto"] | bool
    """`auto`: bfloat16 where the card can, else float16; float32 without a card. False: float32."""
    seed: int

    def __post_init__(self) -> None:
        at_least_1 = ("lora_r", "lora_alpha", "micro_batch_size", "gradient_accumulation_steps", "evals_per_epoch")
        bounds = [(name, getattr(self, name) >= 1, "at least 1") for name in at_least_1]
        bounds += [(name, getattr(self, name) > 0, "above 0") for name in ("num_epochs", "learning_rate", "max_grad_norm")]
        bounds += [("weight_decay", self.weight_decay >= 0, "at least 0")]
        bounds += [("warmup_ratio", 0 <= self.warmup_ratio <= 1, "between 0 and 1")]
        bounds += [("lora_dropout", 0 <= self.lora_dropout < 1, "at least 0 and below 1")]
        bounds += [("max_steps", self.max_steps == -1 or self.max_steps >= 1, "at least 1, or -1 for whole epochs")]
        for name, holds, bound in bounds:
            if not holds:
                raise TrainingError(f"{name} is {getattr(self, name)}: it must be {bound}.")


class Plan(NamedTuple):
    """How many optimizer steps a training takes."""

    steps: int
    warmup: int
    eval_every: int


def plan(rows: int, settings: Settings) -> Plan:
    """Return the steps over `rows` training rows: an epoch's last step takes what is left, as transformers' Trainer does it."""
    per_epoch = math.ceil(math.ceil(rows / settings.micro_batch_size) / settings.gradient_accumulation_steps)
    steps = settings.max_steps if settings.max_steps > 0 else math.ceil(settings.num_epochs * per_epoch)
    eval_every = max(1, min(per_epoch, steps) // settings.evals_per_epoch)
    return Plan(steps, math.ceil(steps * settings.warmup_ratio), eval_every)


def require(packages: Iterable[str] = PACKAGES) -> None:
    """Raise `TrainingError` where packages that training needs are not installed.

    >>> require(["json", "no_such_package"])
    Traceback (most recent call last):
    pipeline.errors.TrainingError: training needs no_such_package, not installed here. Type: pip install 'prep[train]'
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise TrainingError(f"training needs {', '.join(missing)}, not installed here. Type: pip install 'prep[train]'")
