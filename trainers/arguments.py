"""Settings -> what transformers' Trainer is told."""

from collections.abc import Iterable
from pathlib import Path

import torch
from transformers import TrainingArguments
from transformers.integrations import get_reporting_integration_callbacks

from pipeline.errors import TrainingError
from trainers import ranks
from trainers.device import Device
from trainers.failures import reason
from trainers.models import NON_REENTRANT
from trainers.settings import Keeping, Plan, Settings
from trainers.shares import passes_each


def training_arguments(
    settings: Settings, device: Device, steps: Plan, scratch: Path, *, evaluates: bool, keeping: Keeping, anew: bool = True
) -> TrainingArguments:
    """Say in the Trainer's words what the settings ask for.

    `anew`: training begins at its first step, before which it is evaluated, too. Which checkpoints stay, and which evaluation
    was the best, is for `trainers.loop` to say.
    """
    arguments = TrainingArguments(
        output_dir=str(scratch),
        per_device_train_batch_size=settings.micro_batch_size,
        gradient_accumulation_steps=passes_each(settings.gradient_accumulation_steps, ranks.count()),
        max_steps=steps.steps,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="constant_with_warmup" if settings.lr_scheduler == "constant" else settings.lr_scheduler,
        warmup_steps=steps.warmup,
        weight_decay=settings.weight_decay,
        optim=device.optimizer,
        max_grad_norm=settings.max_grad_norm,
        gradient_checkpointing=settings.gradient_checkpointing,
        gradient_checkpointing_kwargs=NON_REENTRANT,
        bf16=device.dtype == torch.bfloat16,
        fp16=device.dtype == torch.float16,
        use_cpu=device.name == "cpu",
        eval_strategy="steps" if evaluates else "no",
        eval_steps=steps.eval_every,
        eval_on_start=evaluates and anew,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=steps.eval_every,
        report_to=list(keeping.report_to) or "none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device.name == "cuda",
        ddp_find_unused_parameters=False,  # `check_gradients` has seen to it that all that is trained is reached
        ddp_broadcast_buffers=False,
        seed=settings.seed,
    )
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1  # else the Trainer would cut each batch over all cards of one process; see `trainers.ranks`
    return arguments


def check_places(report_to: Iterable[str]) -> None:
    """Raise `TrainingError` for a place to report the losses to that transformers does not know, or that is not installed."""
    for name in report_to:
        try:
            for callback in get_reporting_integration_callbacks([name]):
                callback()
        except (ImportError, RuntimeError, ValueError) as error:
            raise TrainingError(f"report_to {name}: {reason(error)}.") from error
