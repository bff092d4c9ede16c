"""What a recipe may set for a training, what follows from it for the rows at hand, and the number of steps."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, NamedTuple

from pipeline.errors import TrainingError
from trainers import learning_rate

if TYPE_CHECKING:
    from trainers.rows import Amount

Adapter = Literal["qlora", "lora", "none"]
Schedule = Literal["cosine", "linear", "constant"]

PACKAGES = ("accelerate", "bitsandbytes", "matplotlib", "peft", "torch")


@dataclass(frozen=True)
class Settings:
    """How to train; the names are axolotl's where they mean the same. Raises `TrainingError` for a value out of bounds."""

    adapter: Adapter
    """`qlora`: the base model's linear layers are held in NF4, double-quantized; `lora`: they keep their precision; `none`:
    no adapter, all weights are trained, and the artifact holds a model."""
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
    """Forward passes of one optimizer step; where several processes train together, of all of them."""
    batch_tokens: int | None
    """Tokens of one optimizer step, padding apart; `gradient_accumulation_steps` follows from it and the rows' mean length."""
    num_epochs: float
    max_steps: int
    """Optimizer steps; -1: as many as `num_epochs` takes."""
    learning_rate: float | Literal["auto"]
    """Its peak. `auto`: `base_lr * sqrt(supervised tokens of a step / pretraining_batch_tokens)`."""
    base_lr: float
    pretraining_batch_tokens: int
    lr_sweep: list[float] | None
    """Learning rates of which each is tried for `lr_sweep_steps` from the same start; the best trains, by validation loss."""
    lr_sweep_steps: int
    lr_scheduler: Schedule
    warmup_ratio: float
    """Share of all steps during which the learning rate rises from 0."""
    weight_decay: float
    optimizer: str
    """A name of `transformers.TrainingArguments.optim`."""
    max_grad_norm: float
    gradient_checkpointing: bool
    evals_per_epoch: int
    """Evaluations of the validation rows and of a training sample as large; each leaves a checkpoint."""
    early_stopping_patience: int | None
    """Training ends after so many evaluations without a lower validation loss; None: it never ends early."""
    bf16: Literal["auto"] | bool
    """`auto`: bfloat16 where the card can, else float16; float32 without a card. False: float32."""
    seed: int

    def __post_init__(self) -> None:
        for name, holds, bound in self._bounds():
            if not holds:
                raise TrainingError(f"{name} is {getattr(self, name)}: it must be {bound}.")

    def _bounds(self) -> Iterable[tuple[str, bool, str]]:
        """Say of each setting whether it holds its bound."""
        for name in ("lora_r", "lora_alpha", "micro_batch_size", "gradient_accumulation_steps", "evals_per_epoch"):
            yield name, getattr(self, name) >= 1, "at least 1"
        for name in ("pretraining_batch_tokens", "lr_sweep_steps"):
            yield name, getattr(self, name) >= 1, "at least 1"
        for name in ("batch_tokens", "early_stopping_patience"):
            yield name, getattr(self, name) is None or getattr(self, name) >= 1, "at least 1, or left out"
        for name in ("num_epochs", "base_lr", "max_grad_norm"):
            yield name, getattr(self, name) > 0, "above 0"
        yield "learning_rate", self.learning_rate == "auto" or self.learning_rate > 0, "above 0, or auto"
        yield "lr_sweep", self.lr_sweep is None or len(set(self.lr_sweep)) > 1, "two learning rates or more, or left out"
        yield "lr_sweep", min(self.lr_sweep or [1]) > 0, "rates above 0"
        yield "weight_decay", self.weight_decay >= 0, "at least 0"
        yield "warmup_ratio", 0 <= self.warmup_ratio <= 1, "between 0 and 1"
        yield "lora_dropout", 0 <= self.lora_dropout < 1, "at least 0 and below 1"
        yield "max_steps", self.max_steps == -1 or self.max_steps >= 1, "at least 1, or -1 for whole epochs"


@dataclass(frozen=True)
class Keeping:
    """How a training is kept and watched: none of it changes what is learnt, so it is not in the fingerprint."""

    saves_per_epoch: int | None = None
    """Checkpoints beside those that every evaluation leaves."""
    report_to: tuple[str, ...] = ()
    """`tensorboard`, `wandb`, `mlflow`: whom transformers' Trainer tells the losses."""


def settled(settings: Settings, train: "Amount", say: Callable[[str], None]) -> Settings:
    """Return the settings with what follows from the rows worked out and told: the accumulation, and the learning rate."""
    if settings.batch_tokens:
        passes = accumulation(settings.batch_tokens, train.tokens / max(1, train.rows) * settings.micro_batch_size)
        settings = replace(settings, gradient_accumulation_steps=passes)
        rows = passes * settings.micro_batch_size
        tokens = round(train.tokens / max(1, train.rows) * rows)
        say(f"batch: {passes} x {settings.micro_batch_size} rows an optimizer step, {tokens:,} tokens on average")
    if settings.learning_rate == "auto" and settings.lr_sweep is None:
        of_a_step = train.supervised / max(1, steps_per_epoch(train.rows, settings))
        rate = learning_rate.scaled(max(1, of_a_step), settings.base_lr, settings.pretraining_batch_tokens)
        say(learning_rate.in_words(rate, of_a_step, lora=settings.adapter != "none"))
        settings = replace(settings, learning_rate=rate)
    return settings


def check_share(settings: Settings, processes: int, say: Callable[[str], None]) -> None:
    """Raise `TrainingError` where a step has fewer forward passes than processes share it; say where it does not come out even.

    The batch is that of all processes, so a recipe means the same with any number of them.
    """
    passes = settings.gradient_accumulation_steps
    if passes < processes:
        raise TrainingError(
            f"an optimizer step has {passes} x {settings.micro_batch_size} rows, which {processes} processes cannot share: "
            f"each needs a pass. Lower micro_batch_size and raise gradient_accumulation_steps, or start fewer processes."
        )
    if left := passes % processes:
        say(f"an optimizer step's {passes} passes do not come out even: in its last, {left} of {processes} processes have rows")


def accumulation(batch_tokens: int, tokens_a_pass: float) -> int:
    """Return the forward passes whose tokens come nearest to those wanted of an optimizer step, at least one.

    >>> accumulation(65536, tokens_a_pass=2 * 2000), accumulation(1000, tokens_a_pass=4000)
    (16, 1)
    """
    return max(1, round(batch_tokens / max(1.0, tokens_a_pass)))


class Plan(NamedTuple):
    """How many optimizer steps a training takes."""

    steps: int
    warmup: int
    eval_every: int
    """Steps between two evaluations, and so between two checkpoints."""


def plan(rows: int, settings: Settings) -> Plan:
    """Return the steps over `rows` training rows: an epoch's last step takes what is left, as transformers' Trainer does it."""
    per_epoch = steps_per_epoch(rows, settings)
    steps = settings.max_steps if settings.max_steps > 0 else math.ceil(settings.num_epochs * per_epoch)
    eval_every = max(1, min(per_epoch, steps) // settings.evals_per_epoch)
    return Plan(steps, math.ceil(steps * settings.warmup_ratio), eval_every)


def steps_per_epoch(rows: int, settings: Settings) -> int:
    """Return the optimizer steps of one time over the rows."""
    return math.ceil(math.ceil(rows / settings.micro_batch_size) / settings.gradient_accumulation_steps)


def require(packages: Iterable[str] = PACKAGES) -> None:
    """Raise `TrainingError` where packages that training needs are not installed.

    >>> require(["json", "no_such_package"])
    Traceback (most recent call last):
    pipeline.errors.TrainingError: training needs no_such_package, not installed here. Type: pip install 'prep[train]'
    """
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise TrainingError(f"training needs {', '.join(missing)}, not installed here. Type: pip install 'prep[train]'")
