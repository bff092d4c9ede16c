"""Token ids and a base model -> a LoRA adapter, the base model's weights in NF4 (QLoRA) or as they are; or the model, trained.

QLoRA (Dettmers et al. 2023, https://arxiv.org/abs/2305.14314) holds the frozen linear layers in 4 bits, quantizes the constants
of that quantization once more, and trains low-rank matrices beside every linear layer; the optimizer's state is paged out of
the card's memory where it is full. Without CUDA the same code runs on the CPU, in float32 and with a plain optimizer.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from datasets import DatasetDict
from peft import PeftModel

from trainers import ranks
from trainers.arguments import check_places
from trainers.base_model import BaseModel, make
from trainers.course import Say, evaluated_splits, keep_best, trained
from trainers.device import Device, chosen_device, quiet, threads_for
from trainers.failures import enough_memory, writing
from trainers.gradients import check_gradients
from trainers.history import Pace, Point
from trainers.isolation import check_isolation
from trainers.loop import Watch
from trainers.lr_sweep import Try, chosen, draw, sweep
from trainers.memory.before import case_for, told, what_helps
from trainers.models import check_fit, ends_of, load, with_adapter
from trainers.rows import check_rows, longest_row
from trainers.saving import save
from trainers.settings import Keeping, Settings, check_share, plan


class Fit(NamedTuple):
    """How a training went."""

    points: list[Point]
    paces: list[Pace]
    device: Device
    kept: int
    """The step whose weights are kept."""
    steps: int
    """Those that were planned; fewer were made where it ended early."""
    tries: list[Try]
    memory: dict[str, int]
    """Bytes that were estimated for a card, by what they are for; empty without a card."""


def finetune(
    tokens: DatasetDict,
    tokenizer: Any,  # noqa: ANN401  a transformers tokenizer
    base: BaseModel,
    settings: Settings,
    *,
    out: Path,
    scratch: Path,
    watch: Watch,
    say: Say,
    keeping: Keeping | None = None,
) -> Fit:
    """Train on `tokens["train"]` and write an adapter to `out/adapter`, without one the model to `out/model`.

    Both splits have rows of `input_ids`, `labels` and `position_ids`; an empty `validation` is not evaluated. `scratch` is kept
    from a training that was killed, which is gone on from there. A base model that is made on the spot goes to `out/base`.
    `watch` is handed all points whenever one comes, `say` one line for each choice that was made for the user. Raises
    `TrainingError`, `StoreError`. Of several processes that train together the first alone writes.
    """
    check_rows(tokens)
    check_share(settings, ranks.count(), say)
    keeping = keeping or Keeping()
    check_places(keeping.report_to)
    device = chosen_device(settings, say)
    longest = longest_row(tokens)
    case = case_for(base, settings, longest, device, len(tokenizer)) if device.name == "cuda" else None
    with quiet(), enough_memory(settings.micro_batch_size, longest, lambda: "" if case is None else what_helps(case)):
        memory = {} if case is None else told(case, torch.cuda.mem_get_info()[1], say)
        home = (scratch if settings.adapter == "none" else out) / "base"
        model, base = _prepared(tokens, tokenizer, base, settings, device, home, say)
        evaluated, tries = evaluated_splits(tokens), list[Try]()
        with threads_for(model):
            check_isolation(model, tokens["train"], device.dtype)
            check_gradients(model, tokens["train"])
            if settings.lr_sweep:
                tries = sweep(model, tokens["train"], evaluated, settings, device, scratch / "sweep", say)
                settings = replace(settings, learning_rate=chosen(tries).learning_rate)
            stream = trained(
                model, tokens["train"], evaluated, settings, device, scratch, watch=watch, say=say, keeping=keeping
            )
            kept = keep_best(model, stream, scratch, say) if ranks.is_first() else stream.points[-1].step
    if ranks.is_first():
        with quiet(), writing(out):
            _write(model, tokenizer, base, tries, out)
    return Fit(stream.points, stream.paces, device, kept, plan(len(tokens["train"]), settings).steps, tries, memory)


def _prepared(
    tokens: DatasetDict,
    tokenizer: Any,  # noqa: ANN401
    base: BaseModel,
    settings: Settings,
    device: Device,
    home: Path,
    say: Say,
) -> tuple[Any, BaseModel]:
    """Return the model that is to be trained and what its base is called in what is written."""
    made = base.config is not None
    if base.config is not None:
        if ranks.is_first():
            make(base.config, tokenizer, settings.seed, home)
        ranks.meet()
        base = replace(base, config=None, place=str(home))
    if base.revision:
        say(f"base model: {base.place} at commit {base.revision[:12]}; what the hub's cache here lacks is downloaded first")
    model = load(base, settings.adapter, device)
    check_fit(model, tokenizer, longest_row(tokens))
    model = with_adapter(model, settings, trained_whole=ends_of(model) if made else [])
    if made:
        whole = "all of it learns" if settings.adapter == "none" else "its embeddings and output layer learn whole"
        say(f"base model: {_size(model)} random weights made of its config, so {whole}")
    return model, replace(base, place="base") if made else base


def _write(model: Any, tokenizer: Any, base: BaseModel, tries: list[Try], out: Path) -> None:  # noqa: ANN401
    """Write what is published: an adapter or a model with its tokenizer, and the picture of the rates that were tried."""
    if isinstance(model, PeftModel):
        save(model, out / "adapter", base.place)
    else:
        save(model, out / "model")
        tokenizer.save_pretrained(out / "model")
    if tries:
        draw(tries, out / "lr_sweep.png")


def _size(model: Any) -> str:  # noqa: ANN401  a transformers or peft model
    return f"{model.num_parameters() / 1e6:.1f} M"
