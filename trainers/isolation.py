"""A packed row and its documents alone -> the same logits, or training does not begin.

Whether documents that share a row see one another depends on the model's attention, on the mask and on the cache, and no loss
shows it: it moves by a thousandth, the gradients by more than their own size.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from datasets import Dataset

from pipeline.errors import TrainingError
from trainers.loss import collate

MOST_ROWS, MOST_TOKENS = 64, 1024  # that are looked through, and that a row is read to
TOLERANCE = {torch.float32: 1e-3, torch.float16: 2e-2, torch.bfloat16: 1e-1}  # of the largest logit, by the computing type


def check_isolation(model: Any, rows: Dataset, dtype: torch.dtype) -> None:  # noqa: ANN401  a transformers model
    """Raise `TrainingError` where a document's logits are others when it shares a row; without a shared row nothing is done."""
    packed = next((row for row in rows.select(range(min(MOST_ROWS, len(rows)))) if row["position_ids"].count(0) > 1), None)
    if packed is None:
        return
    difference = leak(model, packed["input_ids"][:MOST_TOKENS], packed["position_ids"][:MOST_TOKENS])
    if difference > TOLERANCE[dtype]:
        raise TrainingError(
            f"documents that share a row change one another's predictions by {difference:.1%}: this model's attention does not "
            f"tell them apart. Tokenize with --packing none."
        )


@torch.no_grad()
def leak(model: Any, ids: Sequence[int], positions: Sequence[int]) -> float:  # noqa: ANN401  a transformers model
    """Return by how much a row's logits differ from those of its documents alone, as a share of the largest logit."""
    training, device = model.training, next(model.parameters()).device
    model.eval()
    together = _logits(model, ids, positions, device)
    starts = [place for place, position in enumerate(positions) if position == 0]
    alone = [_logits(model, ids[start:stop], positions[start:stop], device) for start, stop in pairwise([*starts, len(ids)])]
    model.train(training)
    apart = torch.cat(alone)
    return float((together - apart).abs().max() / apart.abs().max())


def _logits(model: Any, ids: Sequence[int], positions: Sequence[int], device: torch.device) -> torch.Tensor:  # noqa: ANN401
    batch = collate([{"input_ids": ids, "labels": ids, "position_ids": positions}])
    logits: torch.Tensor = model(**{name: cells.to(device) for name, cells in batch.items() if name != "labels"}).logits
    return logits[0].float()
