"""An optimizer's name and the tensors that learn -> the bytes of its state."""

from collections.abc import Iterable
from dataclasses import dataclass

from transformers.training_args import OptimizerNames

from pipeline.errors import TrainingError, did_you_mean

# Values that an optimizer keeps for each that learns: moments, and in AdEMAMix a second, slower first moment.
KEPT = {"adam": 2, "adamw": 2, "ademamix": 3, "lion": 1, "rmsprop": 1, "adagrad": 1, "sgd": 0, "adafactor": 0, "lomo": 0}
SMALLEST = 4096  # elements of a tensor whose state bitsandbytes holds in 8 bits; smaller ones stay in 32
BLOCK = 256  # elements that share a 4-byte constant in an 8-bit state


@dataclass(frozen=True)
class Learning:
    """Tensors of one size that learn."""

    size: int
    """Elements of each."""
    count: int
    embedding: bool = False
    """Whose state the Trainer has bitsandbytes hold in 32 bits."""


def state_bytes(optimizer: str, tensors: Iterable[Learning]) -> int:
    """Return the bytes of an optimizer's state; raises `TrainingError` for one that transformers does not know.

    The names are those of `transformers.TrainingArguments.optim`. One that is not among `KEPT` is taken to keep as much as
    AdamW; what Adafactor keeps, two rows for a matrix, is left out.

    >>> state_bytes("adamw_torch", [Learning(65_536, 1), Learning(1_000, 2)])
    540288
    >>> state_bytes("paged_adamw_8bit", [Learning(65_536, 1), Learning(1_000, 2)])  # 2 x (65,536 + 4 x 256) + 8 x 2,000
    149120
    >>> state_bytes("sgd", [Learning(65_536, 1)])
    0
    """
    names = [name.value for name in OptimizerNames]
    if optimizer not in names:
        raise TrainingError(f"optimizer {optimizer!r} is unknown.{did_you_mean(optimizer, names)}")
    kept = next((KEPT[word] for word in optimizer.split("_") if word in KEPT), KEPT["adamw"])
    eight = optimizer.endswith("8bit")
    return kept * sum(of.count * (_in_8_bits(of.size) if eight and _fits(of) else 4 * of.size) for of in tensors)


def is_paged(optimizer: str) -> bool:
    """Say whether an optimizer's state goes to the machine's memory where the card's is full."""
    return optimizer.startswith("paged")


def _fits(tensors: Learning) -> bool:
    return tensors.size >= SMALLEST and not tensors.embedding


def _in_8_bits(size: int) -> int:
    return size + 4 * -(-size // BLOCK)
