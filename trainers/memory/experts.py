"""Experts of a layer as one tensor (Mixtral, Qwen-MoE, gpt-oss) -> what multiplying by them allocates, without numbers.

transformers holds a layer's experts as two tensors of shape (experts, out, in), which are no linear layers: bitsandbytes leaves
them as they are, and `prepare_model_for_kbit_training` makes them float32. Beside those of Mixtral and Qwen3-MoE peft puts LoRA
all the same, and adds it to the whole of them for each pass. A token's row is copied once for each of its experts
(`num_experts_per_tok`), whichever these are, so that what is held does not depend on the router.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from transformers.integrations import moe


class _GroupedMatMul(torch.autograd.Function):
    """What `torch.nn.functional.grouped_mm` allocates and holds; as a fake operation it knows bfloat16 alone."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
        learns = ctx.needs_input_grad[1]
        ctx.save_for_backward(
            rows if learns else rows.new_empty(0), weight
        )  # the rows are needed for a weight's gradient alone
        ctx.shape = rows.shape
        return rows.new_empty(rows.shape[0], weight.shape[-1])

    @staticmethod
    def backward(ctx: Any, *_: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None]:  # noqa: ANN401
        rows, weight = ctx.saved_tensors
        of_rows, of_weight = ctx.needs_input_grad
        return rows.new_empty(ctx.shape) if of_rows else None, torch.empty_like(weight) if of_weight else None


def _grouped_mm(rows: torch.Tensor, weight: torch.Tensor, offs: torch.Tensor) -> torch.Tensor:  # noqa: ARG001  transformers' own
    product: torch.Tensor = _GroupedMatMul.apply(rows.to(weight.dtype), weight)  # type: ignore[no-untyped-call]
    return product


@contextlib.contextmanager
def without_numbers() -> Iterator[None]:
    """Let transformers multiply by experts without their numbers."""
    theirs, moe._grouped_mm = moe._grouped_mm, _grouped_mm
    try:
        yield
    finally:
        moe._grouped_mm = theirs
