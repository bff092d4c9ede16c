"""The training loop: transformers' Trainer, with losses per supervised token, a memory on the disk, and an early end.

The Trainer divides a training step's summed loss by its supervised tokens, across gradient accumulation, which is right. Its
`eval_loss` is a mean of the batches' means, which weighs a batch with few supervised tokens as much as one with many
(https://github.com/huggingface/transformers/issues/39241); `PerTokenTrainer` evaluates by the sum over all tokens instead.
"""

import math
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from torch.utils.data import DataLoader
from transformers import Trainer, TrainerCallback

from trainers import checkpoints, ranks
from trainers.device import memory
from trainers.failures import Diverged, writing
from trainers.history import Pace, Point, Split, best, evaluations_since_best
from trainers.loss import Batch, amounts, collate, summed_losses
from trainers.saving import save
from trainers.shares import Share
from trainers.stream import Stream

Watch = Callable[[Sequence[Point]], None]


class PerTokenTrainer(Trainer):  # type: ignore[misc]  # transformers carries no types for us
    """A Trainer whose losses are all per supervised token; each goes to the stream, and `watch` is handed all there are.

    `evaluated` names the splits that are evaluated, the validation rows last. Raises `Diverged` at the first loss that is no
    number, `StoreError` where the disk refuses a checkpoint. `share` are this process' batches where several train together.
    """

    def __init__(
        self,
        *,
        evaluated: Mapping[Split, Dataset],
        stream: Stream,
        watch: Watch,
        share: Share,
        **settings: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(data_collator=collate, eval_dataset=evaluated.get("validation"), **settings)
        self.stream = stream
        self._evaluated = {split: _of_rank(rows) for split, rows in evaluated.items()}
        self._watch = watch
        self._share = share
        self._supervised = stream.points[-1].tokens if stream.points else 0
        self._begun = 0.0
        self._amounts = torch.zeros(2, dtype=torch.int64)

    def get_train_dataloader(self) -> Any:  # noqa: ANN401
        """Return what gives the training batches, in the same order whoever gives them."""
        if ranks.count() == 1:
            return super().get_train_dataloader()
        pinned = self.args.dataloader_pin_memory
        return DataLoader(self.train_dataset, batch_sampler=self._share, collate_fn=collate, pin_memory=pinned)

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> tuple[list[Batch], Any]:  # noqa: ANN401
        """Take the batches of an optimizer step, as the Trainer does, and count what they hold."""
        self._begun = time.perf_counter()
        batches, wanted = super().get_batch_samples(epoch_iterator, num_batches, device)
        self._amounts = amounts(batches) if batches else self._amounts
        return batches, wanted

    def evaluate(self, *_: object, **__: object) -> dict[str, float]:
        """Return the loss per supervised token of the validation rows as `eval_loss`, of the sample as `eval_sample_loss`."""
        metrics = {}
        for split, rows in self._evaluated.items():
            name = "eval_loss" if split == "validation" else f"eval_{split}_loss"
            sums = summed_losses(self.model, rows, self.args.per_device_train_batch_size)
            total, tokens = ranks.summed(torch.tensor(sums, dtype=torch.float64)).tolist()
            metrics[name] = total / tokens
            self._note(split, metrics[name])
        self.log(metrics)
        self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Keep what the Trainer logs of a step, and hand it on."""
        super().log(logs, start_time)
        if "loss" in logs:
            supervised, tokens = ranks.summed(self._amounts).tolist()
            self._supervised += supervised
            self.stream.add(Pace(self.state.global_step, time.perf_counter() - self._begun, tokens, memory()))
            self._note("train", logs["loss"], logs["learning_rate"], logs.get("grad_norm"))

    def _note(self, split: Split, loss: float, learning_rate: float | None = None, grad_norm: float | None = None) -> None:
        step = self.state.global_step
        if not math.isfinite(loss):
            raise Diverged(f"the {split} loss", loss, step, learning_rate or self._get_learning_rate())
        if grad_norm is not None and not math.isfinite(grad_norm) and not self.args.fp16:  # whose scaler skips such steps
            raise Diverged("the gradient's norm", grad_norm, step, learning_rate or self._get_learning_rate())
        epoch = self._share.epoch_at(step)
        self.stream.add(Point(step, epoch, split, loss, learning_rate, grad_norm, self._supervised))
        self._watch(self.stream.points)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ANN401, ARG002
        """Write the weights as they are published."""
        if ranks.is_first():
            save(self.model, Path(output_dir or self.args.output_dir))

    def _save_checkpoint(self, model: Any, trial: Any) -> None:  # noqa: ANN401
        """Write a checkpoint and vouch for it; only then older ones go. What the disk does not take is removed again.

        The first process writes it, and each adds the state of its random numbers.
        """
        folder = Path(self.args.output_dir)
        place = checkpoints.place_of(folder, self.state.global_step)
        try:
            with writing(place):
                super()._save_checkpoint(model, trial)
                self.stream.settle()
            ranks.meet()
            if not ranks.is_first():
                return
            checkpoints.vouch(place, self.stream)
        except Exception:
            if ranks.is_first():
                shutil.rmtree(place, ignore_errors=True)
            raise
        lowest = best(self.stream.points)
        checkpoints.prune(folder, lowest.step if lowest else 0)


def _of_rank(rows: Dataset) -> Dataset:
    """Return the rows of which this process computes the loss."""
    return rows if ranks.count() == 1 else rows.select(range(ranks.rank(), len(rows), ranks.count()))


class Course(TrainerCallback):  # type: ignore[misc]
    """Evaluates after the last step too, saves more often where that is wished, and ends early when nothing gets better."""

    def __init__(self, stream: Stream, patience: int | None, save_every: int | None) -> None:
        self._stream, self._patience, self._save_every = stream, patience, save_every

    def on_step_end(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401  transformers' own
        """Ask for an evaluation where training ends, and for the checkpoints in between."""
        control.should_evaluate |= args.eval_strategy != "no" and state.global_step >= state.max_steps
        control.should_save |= bool(self._save_every and state.global_step % self._save_every == 0)

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401, ARG002
        """End training where the last evaluations were no better than the best."""
        control.should_training_stop |= is_over(self._stream.points, state.max_steps, self._patience)


def is_over(points: Sequence[Point], steps: int, patience: int | None) -> bool:
    """Say whether a training of so many steps has come to its end, by its last step or by its patience.

    >>> points = [Point(step, 0.0, "validation", loss, None, None, 0) for step, loss in enumerate([4.0, 2.0, 3.0, 3.0])]
    >>> is_over(points, 100, patience=2), is_over(points, 100, patience=3), is_over(points, 3, patience=None)
    (True, False, True)
    """
    at_end = bool(points) and points[-1].step >= steps
    return at_end or (patience is not None and evaluations_since_best(points) >= patience)
