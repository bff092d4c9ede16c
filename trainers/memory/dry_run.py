"""A case -> what its model holds and what a forward and a backward pass allocate, found by doing them without numbers.

Layers that are alike hold and allocate the same, so two or three layers are run and the rest is counted on: for each kind of
layers, one run has one layer more.
"""

import contextlib
import functools
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pipeline.errors import TrainingError
from trainers.device import quiet
from trainers.failures import reason
from trainers.memory.case import Case, parsed
from trainers.memory.experts import without_numbers
from trainers.memory.live import Live
from trainers.memory.stand_in import fake_mode, held, layer_kinds, make_fake, sizes, stand_in

logging.getLogger("torch._subclasses.fake_tensor").setLevel(logging.CRITICAL)  # it prints stacks of what is raised anyway

Sizes = Counter[tuple[str, int, int]]


@dataclass(frozen=True)
class Pass:
    """Bytes that a forward and a backward pass take beyond what the model holds."""

    kept: float
    """Alive when the last layer is through: activations that the backward pass needs."""
    head: float
    """The most beyond them while the output layer and the loss run, forward and backward."""
    layer: float
    """The most beyond them before and after that: while a layer runs backward, or is computed again for it."""

    def plus(self, other: "Pass", times: int) -> "Pass":
        """Return this and so many times another."""
        return Pass(self.kept + times * other.kept, self.head + times * other.head, self.layer + times * other.layer)


@dataclass(frozen=True)
class Footprint:
    """What a case takes: the tensors that its model holds, and the bytes of a pass."""

    sizes: Sizes
    once: Pass
    layers: int
    parameters: int
    """Of the model, without an adapter's."""


def footprint(case: Case) -> Footprint:
    """Return what a case takes; raises `TrainingError` for what is no model, or one that takes shorter rows."""
    context = getattr(parsed(case.config).get_text_config(), "max_position_embeddings", None)
    if context and case.length > context:
        raise TrainingError(
            f"the rows have {case.length:,} tokens, but the model takes {context:,}. "
            f"Give a --sequence-length of at most {context}, and tokenize with it."
        )
    kinds, parameters = _kinds(case.config)
    few = sorted(number for kind in kinds for number in kind[: 2 if len(kinds) == 1 else 1])
    found, once = _run(case, tuple(few))
    total, whole = found.copy(), once
    for kind in kinds:
        if more := len(kind) - len(set(kind) & set(few)):
            added = next(number for number in kind if number not in few)
            longer, its = _run(case, tuple(sorted([*few, added])))  # not all that it takes grows with the rows: weights may
            for key in {*longer, *found}:
                total[key] += more * (longer[key] - found[key])
            whole = whole.plus(its.plus(once, -1), more)
    return Footprint(+total, whole, sum(map(len, kinds)), parameters)


_kinds = functools.lru_cache(maxsize=8)(layer_kinds)


def _run(case: Case, layers: Sequence[int]) -> tuple[Sizes, Pass]:
    """Run a case with these of its layers, once for all cases that allocate alike."""
    settings = case.settings
    targets = settings.lora_target_modules
    key = (settings.adapter, settings.lora_r, settings.lora_dropout, str(targets), settings.gradient_checkpointing)
    place = (case.device.name, case.device.dtype, case.made, case.packed)
    known = (case.config, tuple(layers), settings.micro_batch_size, case.length, *key, *place)
    if known not in _RUNS:
        _RUNS[known] = _run_anew(case, layers)
    return _RUNS[known]


_RUNS: dict[object, tuple[Sizes, Pass]] = {}


def _run_anew(case: Case, layers: Sequence[int]) -> tuple[Sizes, Pass]:
    with quiet():
        model = stand_in(case, layers)
    found = sizes(model)
    try:
        with quiet(), fake_mode(), without_numbers():
            make_fake(model, case)
            return found, _pass(model, case)
    except Exception as error:  # what a model's code cannot do with tensors that have no numbers, it says in its own way
        raise TrainingError(f"model: its training cannot be tried without its weights: {reason(error)}.") from error


def _pass(model: Any, case: Case) -> Pass:  # noqa: ANN401  a model of fake tensors
    """Do a forward and a backward pass as the Trainer does them, and read the peaks of their three parts."""
    rows, length = case.settings.micro_batch_size, case.length
    known = [tensor for _, tensor in held(model)]
    live = Live([*known, *(tensor.grad for tensor in known if tensor.grad is not None)])
    peaks: list[int] = []
    kept: list[int] = []

    def before_the_head(_: object, inputs: tuple[torch.Tensor, ...]) -> None:
        kept.append(live.now)
        peaks.append(live.restart())
        if inputs[0].requires_grad:
            inputs[0].register_hook(lambda _: peaks.append(live.restart()))  # type: ignore[no-untyped-call]

    hook = model.get_output_embeddings().register_forward_pre_hook(before_the_head)
    with live:
        ids = torch.zeros((rows, length), dtype=torch.long)
        mask = torch.ones((rows, 1, length, length), dtype=torch.bool) if case.packed else None
        loss = _loss(
            model, case, {"input_ids": ids, "labels": ids.clone(), "position_ids": ids.clone(), "attention_mask": mask}
        )
        loss.backward()  # type: ignore[no-untyped-call]
    hook.remove()
    before, head, after = [*peaks, live.restart()] if len(peaks) == 2 else [peaks[0], live.restart(), 0]
    return Pass(kept[0], head - kept[0], max(0, before - kept[0], after - kept[0]))


def _loss(model: Any, case: Case, batch: dict[str, Any]) -> torch.Tensor:  # noqa: ANN401  a model of fake tensors
    """Return the loss of a forward pass; under autocast, accelerate gives the logits in float32 once more."""
    dtype = case.device.dtype
    autocast = contextlib.nullcontext() if dtype == torch.float32 else torch.autocast("cpu", dtype=dtype)
    with autocast:
        out = model(**batch)
    logits = out.logits.float()
    loss: torch.Tensor = out.loss
    del out, logits
    return loss
