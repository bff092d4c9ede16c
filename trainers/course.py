"""A model and its rows -> the model trained: from the start, or from where a training that was killed has left it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, DatasetDict
from transformers import PrinterCallback

from trainers import checkpoints, ranks
from trainers.arguments import training_arguments
from trainers.device import Device
from trainers.history import Split, best
from trainers.loop import Course, PerTokenTrainer, Watch, is_over
from trainers.rows import COLUMNS, MOST_SAMPLED, sample, supervised
from trainers.saving import restore
from trainers.settings import Keeping, Settings, plan, steps_per_epoch
from trainers.shares import Crew, Share
from trainers.stream import Stream

Say = Callable[[str], None]


def trained(
    model: Any,  # noqa: ANN401  a transformers or peft model
    rows: Dataset,
    evaluated: Mapping[Split, Dataset],
    settings: Settings,
    device: Device,
    scratch: Path,
    *,
    watch: Watch,
    say: Say,
    keeping: Keeping,
) -> Stream:
    """Train a model on rows and return what was told; `scratch` holds the checkpoints, and what is there is gone on from."""
    stream, steps = Stream(scratch, kept=ranks.is_first()), plan(len(rows), settings)
    begin = ranks.agreed(lambda: checkpoints.last_whole(scratch, stream, say))
    stream.cut(begin or -1)
    save_every = max(1, steps_per_epoch(len(rows), settings) // keeping.saves_per_epoch) if keeping.saves_per_epoch else None
    arguments = training_arguments(
        settings, device, steps, scratch, evaluates=bool(evaluated), keeping=keeping, anew=begin == 0
    )
    crew = Crew(ranks.count(), ranks.rank())
    share = Share(len(rows), settings.micro_batch_size, settings.gradient_accumulation_steps, settings.seed, crew)
    trainer = PerTokenTrainer(
        model=model,
        args=arguments,
        train_dataset=rows.select_columns(COLUMNS),
        evaluated=evaluated,
        callbacks=[Course(stream, settings.early_stopping_patience, save_every)],
        stream=stream,
        watch=watch,
        share=share,
    )
    trainer.remove_callback(PrinterCallback)
    if not ranks.is_first():
        torch.manual_seed(settings.seed + ranks.rank())  # else each process would drop out the same places
    if not begin:
        trainer.train()
        return stream
    say(f"going on from step {begin} of {steps.steps}")
    watch(stream.points)
    if is_over(stream.points, steps.steps, settings.early_stopping_patience):
        restore(model, checkpoints.place_of(scratch, begin))
    else:
        trainer.train(resume_from_checkpoint=str(checkpoints.place_of(scratch, begin)))
    return stream


def evaluated_splits(tokens: DatasetDict) -> dict[Split, Dataset]:
    """Return the validation rows, and before them the training sample; neither where there are no validation rows."""
    validation = tokens.get("validation")
    if not validation:
        return {}
    most = min(int(supervised(validation).sum()), MOST_SAMPLED)
    chosen = sample(supervised(tokens["train"]), most)
    return {
        "sample": tokens["train"].select(chosen).select_columns(COLUMNS),
        "validation": validation.select_columns(COLUMNS),
    }


def keep_best(model: Any, stream: Stream, scratch: Path, say: Say) -> int:  # noqa: ANN401  a transformers or peft model
    """Put the weights of the lowest validation loss back into the model; return their step, or the last without evaluations."""
    last, lowest = stream.points[-1].step, best(stream.points)
    if lowest is None or lowest.step == last:
        return last
    place = checkpoints.place_of(scratch, lowest.step)
    if not checkpoints.is_whole(place, stream):
        say(f"the checkpoint of step {lowest.step}, the best, is damaged, so the weights of the last step are kept")
        return last
    restore(model, place)
    say(f"kept: the weights of step {lowest.step}, whose validation loss is the lowest, {lowest.loss:.3f}")
    return lowest.step
