"""Token ids and a base model -> a LoRA adapter, the base model's weights in NF4 (QLoRA) or as they are.

QLoRA (Dettmers et al. 2023, https://arxiv.org/abs/2305.14314) holds the frozen linear layers in 4 bits, quantizes the constants
of that quantization once more, and trains low-rank matrices beside every linear layer; the optimizer's state is paged out of
the card's memory where it is full. Without CUDA the same code runs on the CPU, in float32 and with a plain optimizer.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.compute as pc
import torch
from datasets import DatasetDict
from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
from transformers import (
    AutoModelForCausalLM,
    BitsAndBytesConfig,
    PrinterCallback,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from pipeline.errors import TrainingError
from trainers.base_model import BaseModel, make
from trainers.device import Device, chosen_device, quiet, threads_for
from trainers.failures import enough_memory, reason, writing
from trainers.history import Pace, Point
from trainers.isolation import check_isolation
from trainers.loss import PerTokenTrainer, supervised_tokens
from trainers.settings import Settings, plan

NON_REENTRANT = {"use_reentrant": False}  # the reentrant kind loses the gradient where a layer's input needs none


class Fit(NamedTuple):
    """How a training went."""

    points: list[Point]
    paces: list[Pace]
    device: Device


def finetune(
    tokens: DatasetDict,
    tokenizer: Any,  # noqa: ANN401  a transformers tokenizer
    base: BaseModel,
    settings: Settings,
    *,
    out: Path,
    scratch: Path,
    watch: Callable[[Point], None],
    say: Callable[[str], None],
) -> Fit:
    """Train an adapter on `tokens["train"]` and write it to `out/adapter`; a base model made on the spot goes to `out/base`.

    Both splits have rows of `input_ids`, `labels` and `position_ids`; an empty `validation` is not evaluated. `watch` is handed
    every point as it comes, `say` one line for each choice that was made for the user. Raises `TrainingError`, `StoreError`.
    """
    check_rows(tokens)
    device = chosen_device(settings, say)
    with quiet():
        made = base.config is not None
        if base.config is not None:
            base = make(base.config, tokenizer, settings.seed, out / "base")
        if base.revision:
            say(f"base model: {base.place} at commit {base.revision[:12]}; what the hub's cache here lacks is downloaded first")
        model = load(base, settings, device)
        model.config.use_cache = False  # with a cache transformers lets documents that share a row see one another
        check_fit(model, tokenizer, tokens)
        model = with_adapter(model, settings, trained_whole=ends_of(model) if made else [])
        if made:
            say(f"base model: {_size(model)} random weights made of its config, so its embeddings and output layer learn whole")
        check_isolation(model, tokens["train"], device.dtype)
        trainer = _trainer(model, tokens, settings, device, scratch, watch)
        with threads_for(model), enough_memory(settings.micro_batch_size, longest_row(tokens)):
            trainer.train()
        with writing(out / "adapter"):
            _save(model, out / "adapter", "base" if made else base.place)
    return Fit(trainer.points, trainer.paces, device)


def load(base: BaseModel, settings: Settings, device: Device) -> Any:  # noqa: ANN401  a transformers model
    """Load a base model: NF4 with double quantization for `qlora`; raises `TrainingError`."""
    from bitsandbytes.nn import Linear4bit

    quantization = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=device.dtype
    )
    try:
        model = AutoModelForCausalLM.from_pretrained(
            base.place,
            revision=base.revision,
            quantization_config=quantization if settings.adapter == "qlora" else None,
            dtype=device.dtype,
            device_map={"": torch.cuda.current_device() if device.name == "cuda" else device.name},
        )
    except Exception as error:  # what comes depends on the file that is broken: safetensors, torch and json raise their own
        raise TrainingError(f"model {base.place}: it cannot be loaded: {reason(error)}. Are its files whole?") from error
    for layer in model.modules():
        if isinstance(layer, Linear4bit):
            layer.support_avx512bf16_for_cpu = False  # it repacks weights at the first evaluation, and no gradient passes after
    return model


def with_adapter(model: Any, settings: Settings, trained_whole: list[str]) -> Any:  # noqa: ANN401  a peft model
    """Freeze a model and put LoRA beside its linear layers; those `trained_whole` learn themselves. Raises `TrainingError`."""
    if settings.adapter == "qlora":
        model = prepare_model_for_kbit_training(
            model, use_gradient_checkpointing=settings.gradient_checkpointing, gradient_checkpointing_kwargs=NON_REENTRANT
        )
    set_seed(settings.seed)
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=settings.lora_target_modules,
        modules_to_save=trained_whole or None,
        ensure_weight_tying=len(trained_whole) == 1,
    )
    try:
        return get_peft_model(model, config)
    except ValueError as error:
        raise TrainingError(f"lora_target_modules {settings.lora_target_modules!r}: {str(error).splitlines()[0]}") from error


def check_rows(tokens: DatasetDict) -> None:
    """Raise `TrainingError` where there is nothing to train on, or a row has no supervised token."""
    if len(tokens["train"]) == 0:
        raise TrainingError(
            "the training split is empty: there is nothing to train on. See `prep show` of the tokenize artifact."
        )
    for split, rows in tokens.items():
        counts = [supervised_tokens(chunk) for chunk in rows.data["labels"].chunks]
        silent = np.flatnonzero(np.concatenate(counts or [np.zeros(0, np.int64)]) == 0)
        if len(silent):
            raise TrainingError(
                f"{len(silent)} of {len(rows)} {split} rows have no supervised token (the first: row {silent[0]}), "
                f"so nothing can be learnt of them. Tokenize with longer rows, or clean such documents away."
            )


def check_fit(model: Any, tokenizer: Any, tokens: DatasetDict) -> None:  # noqa: ANN401  transformers' own
    """Raise `TrainingError` where the model's vocabulary or context is too small for the rows."""
    vocabulary = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > vocabulary:
        raise TrainingError(
            f"the tokenizer has {len(tokenizer):,} tokens, but the model knows {vocabulary:,}: it is not its tokenizer. "
            f"Run `prep tokenize` with the model's own."
        )
    context = getattr(model.config, "max_position_embeddings", None)
    longest = longest_row(tokens)
    if context and longest > context:
        raise TrainingError(
            f"the longest row has {longest:,} tokens, but the model takes {context:,}. "
            f"Run `prep tokenize --sequence-length {context}`."
        )


def longest_row(tokens: DatasetDict) -> int:
    """Return the number of tokens of the longest row of all splits."""
    lengths = (pc.max(pc.list_value_length(rows.data["input_ids"])) for rows in tokens.values())
    return max(length.as_py() or 0 for length in lengths)


class _LastStep(TrainerCallback):  # type: ignore[misc]  # transformers carries no types for us
    """Evaluates after the last step, too."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: object) -> None:  # noqa: ANN401  transformers' own
        """Ask for an evaluation where training ends."""
        control.should_evaluate |= args.eval_strategy != "no" and state.global_step >= state.max_steps


def _trainer(
    model: Any,  # noqa: ANN401  a peft model
    tokens: DatasetDict,
    settings: Settings,
    device: Device,
    scratch: Path,
    watch: Callable[[Point], None],
) -> PerTokenTrainer:
    splits = {split: rows.select_columns(["input_ids", "labels", "position_ids"]) for split, rows in tokens.items()}
    validation = splits.get("validation") or None
    trainer = PerTokenTrainer(
        model=model,
        args=training_arguments(settings, device, len(splits["train"]), bool(validation), scratch),
        train_dataset=splits["train"],
        eval_dataset=validation,
        callbacks=[_LastStep()],
        watch=watch,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def training_arguments(settings: Settings, device: Device, rows: int, evaluates: bool, scratch: Path) -> TrainingArguments:
    """Say in the Trainer's words what the settings ask for, on a device and over so many rows."""
    steps = plan(rows, settings)
    return TrainingArguments(
        output_dir=str(scratch),
        per_device_train_batch_size=settings.micro_batch_size,
        per_device_eval_batch_size=settings.micro_batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
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
        eval_on_start=evaluates,
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=device.name == "cuda",
        seed=settings.seed,
    )


def ends_of(model: Any) -> list[str]:  # noqa: ANN401  a transformers model
    """Name the embeddings and the output layer, which are one where they share their weights."""
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    names = [name.rpartition(".")[2] for name, module in model.named_modules() if module in ends]
    return names[:1] if model.config.tie_word_embeddings else names


def _size(model: Any) -> str:  # noqa: ANN401  a peft model
    return f"{model.get_nb_trainable_parameters()[1] / 1e6:.1f} M"


def _save(model: Any, folder: Path, base: str) -> None:  # noqa: ANN401  a peft model
    """Write an adapter as peft loads it, without peft's empty model card and with its set of layers in order."""
    config = model.peft_config["default"]
    config.base_model_name_or_path = base
    if not isinstance(config.target_modules, str):
        config.target_modules = sorted(config.target_modules)
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink()
