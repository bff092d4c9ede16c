"""Rows of token ids -> batches, and a loss per supervised token that is the same number for every batch size.

transformers' Trainer divides a training step's summed loss by its supervised tokens, across gradient accumulation, which is
right. Its `eval_loss` is a mean of the batches' means, which weighs a batch with few supervised tokens as much as one with many
(https://github.com/huggingface/transformers/issues/39241); `PerTokenTrainer` evaluates by the sum over all tokens instead.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import Trainer

from pipeline.errors import TrainingError
from trainers.history import Pace, Point, Split

IGNORED = -100  # the label of a token that is not supervised, as in torch and transformers

Batch = dict[str, torch.Tensor]


def supervised_tokens(labels: Any) -> npt.NDArray[np.int64]:  # noqa: ANN401  a pyarrow array
    """Count each row's supervised tokens in an Arrow list array; a row's first label is never predicted, so it does not count.

    >>> import pyarrow as pa
    >>> supervised_tokens(pa.array([[5, -100, 7, 8], [5], []], pa.list_(pa.int64()))).tolist()
    [2, 0, 0]
    """
    offsets = labels.offsets.to_numpy().astype(np.int64)
    counted = labels.values.to_numpy()[offsets[0] : offsets[-1]] != IGNORED
    offsets = offsets - offsets[0]
    starts, ends = offsets[:-1], offsets[1:]
    counted[starts[starts < ends]] = False
    before = np.concatenate([[0], np.cumsum(counted)])
    counts: npt.NDArray[np.int64] = before[ends] - before[starts]
    return counts


def collate(rows: Sequence[Mapping[str, Sequence[int]]]) -> Batch:
    """Pad rows to the longest: `input_ids`, `labels` and `position_ids`, int64 of shape (rows, longest).

    There is no attention mask: documents that share a row are told apart by their positions, which count from 0 in each, and a
    mask, even one of ones, has transformers pass that over (https://github.com/huggingface/transformers/issues/46634). The
    positions of padding are 0, so that nothing attends to it.

    >>> batch = collate([
    ...     {"input_ids": [7, 8, 9], "labels": [-100, 8, 9], "position_ids": [0, 0, 1]},
    ...     {"input_ids": [7], "labels": [-100], "position_ids": [0]},
    ... ])
    >>> batch["labels"].tolist(), batch["position_ids"].tolist()
    ([[-100, 8, 9], [-100, -100, -100]], [[0, 0, 1], [0, 0, 0]])
    """
    padding = {"input_ids": 0, "labels": IGNORED, "position_ids": 0}
    columns = {name: [torch.tensor(row[name]) for row in rows] for name in padding}
    return {name: pad_sequence(columns[name], batch_first=True, padding_value=value) for name, value in padding.items()}


def real_tokens(positions: torch.Tensor) -> int:
    """Count the tokens of rows but for their padding, behind the last position that is not 0.

    >>> real_tokens(torch.tensor([[0, 1, 0, 1], [0, 1, 0, 0]]))
    6
    """
    places = torch.arange(1, positions.shape[1] + 1, device=positions.device)
    return int((positions.ne(0) * places).amax(dim=1).sum())


def summed_loss(logits: torch.Tensor, labels: torch.Tensor) -> tuple[float, int]:
    """Return the summed cross-entropy of (rows, length, vocabulary) logits in nats, and the supervised tokens it runs over."""
    predicted, wanted = logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten()
    loss = cross_entropy(predicted, wanted, ignore_index=IGNORED, reduction="sum")
    return loss.item(), int((wanted != IGNORED).sum())


class PerTokenTrainer(Trainer):  # type: ignore[misc]  # transformers carries no types for us
    """A Trainer whose losses are all per supervised token; it keeps them as points and hands each on as it comes.

    Raises `TrainingError` at the first loss that is no number.
    """

    def __init__(self, *, watch: Callable[[Point], None], **settings: Any) -> None:  # noqa: ANN401  Trainer's own
        super().__init__(data_collator=collate, **settings)
        self.points: list[Point] = []
        self.paces: list[Pace] = []
        self._watch = watch
        self._supervised = 0
        self._tokens = 0
        self._begun: float | None = None

    def training_step(self, model: Any, inputs: Batch, num_items_in_batch: Any = None) -> torch.Tensor:  # noqa: ANN401
        """Do what the Trainer does for one forward and backward pass, and count its tokens."""
        self._begun = self._begun or time.perf_counter()
        self._supervised += int((inputs["labels"][:, 1:] != IGNORED).sum())
        self._tokens += real_tokens(inputs["position_ids"])
        loss: torch.Tensor = super().training_step(model, inputs, num_items_in_batch)
        return loss

    @torch.no_grad()
    def evaluate(self, *_: object, **__: object) -> dict[str, float]:
        """Return the loss per supervised token of the evaluation rows as `eval_loss`."""
        self.model.eval()
        total, tokens = 0.0, 0
        for batch in map(self._prepare_inputs, self.get_eval_dataloader()):
            labels = batch.pop("labels")
            loss, supervised = summed_loss(self.model(**batch).logits, labels)
            total, tokens = total + loss, tokens + supervised
        metrics = {"eval_loss": total / tokens}
        self.log(metrics)
        self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Keep what the Trainer logs of a step or an evaluation, and hand it on."""
        super().log(logs, start_time)
        if "loss" in logs:
            self._note("train", logs["loss"], logs["learning_rate"], logs.get("grad_norm"))
            self._note_pace()
        elif "eval_loss" in logs:
            self._note("validation", logs["eval_loss"])

    def _note(self, split: Split, loss: float, learning_rate: float | None = None, grad_norm: float | None = None) -> None:
        step = self.state.global_step
        if not math.isfinite(loss):
            raise TrainingError(f"the {split} loss is {loss} at step {step}, so training stopped. Lower learning_rate.")
        point = Point(step, float(self.state.epoch or 0), split, loss, learning_rate, grad_norm, self._supervised)
        self.points.append(point)
        self._watch(point)

    def _note_pace(self) -> None:
        now = time.perf_counter()
        self.paces.append(Pace(self.state.global_step, now - (self._begun or now), self._tokens))
        self._begun, self._tokens = None, 0
