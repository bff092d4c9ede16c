"""Rows of token ids -> batches, and a loss per supervised token that is the same number for every batch size."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from datasets import Dataset
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

from trainers.rows import IGNORED

Batch = dict[str, torch.Tensor]


def collate(rows: Sequence[Mapping[str, Sequence[int]]]) -> Batch:
    """Pad rows to the longest: `input_ids`, `labels` and `position_ids`, int64 of shape (rows, longest).

    There is no attention mask: documents that share a row are told apart by their positions, which count from 0 in each, and a
    mask, even one of ones, has transformers pass that over (https://github.com/huggingface/transformers/issues/46634). The
    positions of padding are 0, so that nothing attends to it. Of no rows a batch of padding is made, whose loss sums up to 0.

    >>> batch = collate([
    ...     {"input_ids": [7, 8, 9], "labels": [-100, 8, 9], "position_ids": [0, 0, 1]},
    ...     {"input_ids": [7], "labels": [-100], "position_ids": [0]},
    ... ])
    >>> batch["labels"].tolist(), batch["position_ids"].tolist()
    ([[-100, 8, 9], [-100, -100, -100]], [[0, 0, 1], [0, 0, 0]])
    """
    padding = {"input_ids": 0, "labels": IGNORED, "position_ids": 0}
    rows = rows or [{name: [value, value] for name, value in padding.items()}]
    columns = {name: [torch.tensor(row[name]) for row in rows] for name in padding}
    return {name: pad_sequence(columns[name], batch_first=True, padding_value=value) for name, value in padding.items()}


def amounts(batches: Iterable[Batch]) -> torch.Tensor:
    """Count what batches hold: their supervised tokens, and their tokens but for the padding, where positions end with 0.

    The numbers, int64, are where the batches are; reading them would wait for a card.

    >>> amounts([collate([{"input_ids": [7, 8, 9], "labels": [7, -100, 9], "position_ids": [0, 1, 2]}]), collate([])]).tolist()
    [1, 3]
    """
    return torch.stack([_amounts(batch["labels"], batch["position_ids"]) for batch in batches]).sum(0)


def _amounts(labels: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    places = torch.arange(1, positions.shape[1] + 1, device=positions.device)
    return torch.stack([labels[:, 1:].ne(IGNORED).sum(), (positions.ne(0) * places).amax(dim=1).sum()])


def mean_loss(model: Any, rows: Dataset, batch_size: int) -> float:  # noqa: ANN401  a transformers or peft model
    """Return the loss per supervised token over rows, in nats, with the weights at rest and no dropout."""
    total, tokens = summed_losses(model, rows, batch_size)
    return total / tokens


@torch.no_grad()
def summed_losses(model: Any, rows: Dataset, batch_size: int) -> tuple[float, int]:  # noqa: ANN401
    """Return the loss summed over rows, in nats, and the supervised tokens it runs over; nothing of no rows."""
    model.eval()
    total, tokens = 0.0, 0
    for batch in DataLoader(rows, batch_size, collate_fn=collate):
        labels = batch.pop("labels").to(model.device)
        logits = model(**{name: values.to(model.device) for name, values in batch.items()}).logits
        loss, supervised = summed_loss(logits, labels)
        total, tokens = total + loss, tokens + supervised
    return total, tokens


def summed_loss(logits: torch.Tensor, labels: torch.Tensor) -> tuple[float, int]:
    """Return the summed cross-entropy of (rows, length, vocabulary) logits in nats, and the supervised tokens it runs over."""
    predicted, wanted = logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten()
    loss = cross_entropy(predicted, wanted, ignore_index=IGNORED, reduction="sum")
    return loss.item(), int((wanted != IGNORED).sum())
