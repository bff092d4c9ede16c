"""A config and settings -> the model that would be trained, with a few of its layers and tensors that have no bytes.

It is built as `trainers.qlora` builds it, on torch's meta device, and then given fake tensors: operations on them work out
shapes and types, allocate nothing, and hold one another as real ones do. Any architecture of transformers can so be tried at
its true width without its weights.
"""

import types
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from bitsandbytes.nn import Linear4bit, Params4bit
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
from transformers.integrations.bitsandbytes import replace_with_bnb_linear
from transformers.quantizers.base import get_keys_to_not_convert

from pipeline.errors import TrainingError
from trainers.failures import reason
from trainers.memory.case import Case, parsed
from trainers.models import ends_of, with_adapter


def layer_kinds(config: str) -> tuple[list[list[int]], int]:
    """Return the numbers of a model's layers, those in one list whose parameters have the same shapes, and all parameters.

    Raises `TrainingError` for a config of which no causal language model can be made.
    """
    kinds: dict[object, list[int]] = {}
    model = _bare(config, torch.float32)
    for number, layer in enumerate(_layers(model)):
        shapes = tuple((name, tuple(parameter.shape)) for name, parameter in layer.named_parameters())
        kinds.setdefault(shapes, []).append(number)
    return list(kinds.values()), sum(parameter.numel() for parameter in model.parameters())


def stand_in(case: Case, layers: Sequence[int]) -> Any:  # noqa: ANN401  a peft or transformers model
    """Build the model of a case with these of its layers, on the meta device; raises `TrainingError`."""
    model = _bare(case.config, case.device.dtype if case.has_adapter else torch.float32)
    listed = _layers(model)
    kept = [listed[number] for number in layers]
    del listed[:]
    listed.extend(kept)
    with torch.device("meta"):
        if case.settings.adapter == "qlora":
            _quantize(model, case.device.dtype)
        if case.has_adapter:
            model = with_adapter(model, case.settings, trained_whole=ends_of(model) if case.made else [])
    if case.settings.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    model.train()
    return model


def held(model: Any) -> Iterator[tuple[str, torch.Tensor]]:  # noqa: ANN401  a model
    """Yield each tensor that a model holds, once, with what it is: `quantized`, `frozen`, `trained`, `trained embedding`."""
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    for tensor in {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}.values():
        if isinstance(tensor, Params4bit):
            yield "quantized", tensor
        elif not tensor.requires_grad:
            yield "frozen", tensor
        else:
            yield "trained embedding" if id(tensor) in embeddings else "trained", tensor


def sizes(model: Any) -> Counter[tuple[str, int, int]]:  # noqa: ANN401  a model
    """Count the tensors that a model holds by what they are, their elements, and the bytes of an element."""
    return Counter((what, tensor.numel(), tensor.element_size()) for what, tensor in held(model))


def make_fake(model: Any, case: Case) -> None:  # noqa: ANN401  a model on the meta device
    """Give a model fake tensors in the computer's memory, with gradients where it learns, inside a `FakeTensorMode`."""
    fakes = {id(tensor): _fake(what, tensor) for what, tensor in held(model)}
    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    tensors[name] = fakes[id(tensor)]
        if isinstance(module, Linear4bit):
            module.forward = types.MethodType(_forward_4bit, module)
        if isinstance(module, torch.nn.Dropout) and case.device.name == "cuda":
            module.forward = types.MethodType(_forward_dropout, module)  # type: ignore[method-assign]


def fake_mode() -> FakeTensorMode:
    """Return a mode in which operations make fake tensors."""
    return FakeTensorMode()


def _bare(config: str, dtype: torch.dtype) -> Any:  # noqa: ANN401  a transformers model
    read = parsed(config)
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(read, dtype=dtype)
    except Exception as error:  # each model's code fails in its own way: division by zero, a missing key, a shape
        raise TrainingError(f"model: no language model can be made of this config: {reason(error)}.") from error
    model.config.use_cache = False
    return model


def _layers(model: Any) -> torch.nn.ModuleList:  # noqa: ANN401  a transformers model
    """Return a model's list of layers."""
    count = model.config.get_text_config().num_hidden_layers
    lists = [module for module in model.modules() if isinstance(module, torch.nn.ModuleList) and len(module) == count]
    if not count or not lists:
        raise TrainingError(f"model: {type(model).__name__} has no list of {count} layers, so its memory cannot be estimated.")
    return lists[0]


def _quantize(model: Any, dtype: torch.dtype) -> None:  # noqa: ANN401  a transformers model
    """Put bitsandbytes' layers where loading with `load_in_4bit` puts them."""
    wanted = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True)
    wanted.bnb_4bit_compute_dtype = dtype
    replace_with_bnb_linear(model, get_keys_to_not_convert(model), wanted)
    model.is_loaded_in_4bit = True
    model.quantization_method = "bitsandbytes"


def _fake(what: str, tensor: torch.Tensor) -> torch.Tensor:
    if what == "quantized":
        packed = torch.empty(((tensor.numel() + 1) // 2, 1), dtype=torch.uint8)
        return torch.nn.Parameter(packed, requires_grad=False)
    made = torch.empty(tensor.shape, dtype=tensor.dtype)
    if isinstance(tensor, torch.nn.Parameter):
        made = torch.nn.Parameter(made, requires_grad=tensor.requires_grad)
    if tensor.requires_grad:
        made.grad = torch.empty_like(made)  # from the second forward pass of an optimizer step on, gradients are there
    return made


class _MatMul4Bit(torch.autograd.Function):
    """What `bitsandbytes.matmul_4bit` allocates and holds: a dequantized weight in each direction, and none between them."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, shape: tuple[int, int], bias: torch.Tensor | None) -> torch.Tensor:  # noqa: ANN401
        ctx.shape = shape
        return torch.nn.functional.linear(rows, torch.empty(shape, dtype=rows.dtype), bias)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None, None]:  # noqa: ANN401
        return gradients[0] @ torch.empty(ctx.shape, dtype=gradients[0].dtype), None, None


def _forward_4bit(layer: Any, rows: torch.Tensor) -> torch.Tensor:  # noqa: ANN401  a Linear4bit
    """Do what `Linear4bit.forward` does, but for the numbers."""
    computed = rows.to(layer.compute_dtype)
    bias = None if layer.bias is None else layer.bias.to(layer.compute_dtype)
    out: torch.Tensor = _MatMul4Bit.apply(computed, (layer.out_features, layer.in_features), bias)  # type: ignore[no-untyped-call]
    return out.to(rows.dtype)


def _forward_dropout(layer: torch.nn.Dropout, rows: torch.Tensor) -> torch.Tensor:
    """Drop out as a CUDA card does, which keeps a mask of one byte an element; the CPU keeps one of the elements' type."""
    dropped: torch.Tensor = torch.native_dropout(rows, layer.p, layer.training)[0]
    return dropped
