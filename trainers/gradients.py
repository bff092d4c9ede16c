"""One row, backwards -> a gradient in every layer that is trained, or training does not begin.

A frozen layer can cut the gradient off without a word: on some CPUs a 4-bit layer answers outside of autograd once it has been
evaluated, and all adapters below it stay as they were made. So the model is evaluated first.
"""

import re
from typing import Any

import torch
from datasets import Dataset

from pipeline.errors import TrainingError
from trainers.loss import collate
from trainers.rows import COLUMNS

MOST_TOKENS = 256


def check_gradients(model: Any, rows: Dataset) -> None:  # noqa: ANN401  a transformers or peft model
    """Raise `TrainingError` where a layer's trained weights get no gradient after an evaluation; leaves the model as it was."""
    row = {name: rows[0][name][:MOST_TOKENS] for name in COLUMNS}
    row["labels"] = row["input_ids"]
    batch = {name: cells.to(next(model.parameters()).device) for name, cells in collate([row]).items()}
    with torch.no_grad():
        model.eval()(**batch)
    model.train()(**batch).loss.backward()
    unreached = layers_without_gradient(model)
    model.zero_grad(set_to_none=True)
    if unreached:
        raise TrainingError(
            f"no gradient reaches what is trained in {', '.join(unreached)}: this model cannot be trained so. "
            f"Try adapter: lora, or another setting of gradient_checkpointing."
        )


def layers_without_gradient(model: Any) -> list[str]:  # noqa: ANN401  a transformers or peft model
    """Name the numbered layers with trained weights none of which has a gradient other than 0."""
    reached: dict[str, bool] = {}
    for name, weight in model.named_parameters():
        layer = re.search(r"\w+\.\d+(?=\.)", name)
        if weight.requires_grad and layer:
            found = weight.grad is not None and bool(weight.grad.abs().sum() > 0)
            reached[layer[0]] = reached.get(layer[0], False) or found
    return [layer for layer, found in reached.items() if not found]
