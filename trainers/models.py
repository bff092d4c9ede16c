"""A base model -> the model that is trained: loaded, quantized, LoRA beside its layers; and a trained one, loaded again."""

import json
import os
import warnings
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, set_seed

from pipeline.errors import TrainingError
from trainers.base_model import BaseModel
from trainers.device import Device
from trainers.failures import reason
from trainers.settings import Adapter, Settings

NON_REENTRANT = {"use_reentrant": False}  # the reentrant kind loses the gradient where a layer's input needs none


def load(base: BaseModel, adapter: Adapter, device: Device) -> Any:  # noqa: ANN401  a transformers model
    """Load a base model: NF4 with double quantization for `qlora`; raises `TrainingError`.

    Where all weights are trained they are held in float32, since in 16 bits a small step leaves a weight as it was.
    """
    from bitsandbytes.nn import Linear4bit

    quantization = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=device.dtype
    )
    try:
        model = AutoModelForCausalLM.from_pretrained(
            base.place,
            revision=base.revision,
            quantization_config=quantization if adapter == "qlora" else None,
            dtype=torch.float32 if adapter == "none" else device.dtype,
            device_map={"": torch.cuda.current_device() if device.name == "cuda" else device.name},
        )
    except Exception as error:  # what comes depends on the file that is broken: safetensors, torch and json raise their own
        raise TrainingError(f"model {base.place}: it cannot be loaded: {reason(error)}. Are its files whole?") from error
    for layer in model.modules():
        if isinstance(layer, Linear4bit):
            layer.support_avx512bf16_for_cpu = False  # it repacks weights at the first evaluation, and no gradient passes after
    model.config.use_cache = False  # with a cache transformers lets documents that share a row see one another
    return model


def load_trained(artifact: Path, device: Device) -> Any:  # noqa: ANN401  a transformers or peft model
    """Load what a train artifact's folder holds, to be evaluated or to generate: its model, or its base with the adapter.

    The base is held as it was in training: in NF4 for `qlora`. Raises `TrainingError`.
    """
    if (artifact / "model").is_dir():
        return load(BaseModel({}, os.fspath(artifact / "model")), "none", device).eval()
    base = base_of(artifact)
    adapter: Adapter = _manifest(artifact)["recipe"]["adapter"]
    return adapted(load(base, adapter, device), artifact).eval()


def adapted(model: Any, artifact: Path) -> Any:  # noqa: ANN401  a peft model
    """Put a train artifact's adapter beside its base model; raises `TrainingError`."""
    try:
        return PeftModel.from_pretrained(model, artifact / "adapter")
    except Exception as error:  # what comes depends on the file that is broken, and on the model it does not fit
        raise TrainingError(f"{artifact / 'adapter'}: it cannot be loaded: {reason(error)}.") from error


def base_of(artifact: Path) -> BaseModel:
    """Return the base model of a train artifact's adapter; raises `TrainingError`."""
    try:
        named = json.loads((artifact / "adapter" / "adapter_config.json").read_bytes())["base_model_name_or_path"]
    except (OSError, ValueError) as error:
        raise TrainingError(f"{artifact}: it holds no adapter that can be read ({reason(error)}).") from error
    place = os.fspath(artifact / "base") if named == "base" else named
    return BaseModel({}, place, _manifest(artifact)["recipe"]["model"].get("revision"))


def _manifest(artifact: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((artifact / "manifest.json").read_bytes())
    except (OSError, ValueError) as error:
        raise TrainingError(f"{artifact}: its manifest cannot be read ({reason(error)}).") from error
    return found


def with_adapter(model: Any, settings: Settings, trained_whole: list[str]) -> Any:  # noqa: ANN401  a transformers or peft model
    """Freeze a model and put LoRA beside its linear layers; those `trained_whole` learn themselves. Raises `TrainingError`.

    Without an adapter the model is left as it is, and learns whole.
    """
    set_seed(settings.seed)
    if settings.adapter == "none":
        return model
    if settings.adapter == "qlora":
        model = prepare_model_for_kbit_training(
            model, use_gradient_checkpointing=settings.gradient_checkpointing, gradient_checkpointing_kwargs=NON_REENTRANT
        )
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
        with warnings.catch_warnings():  # of a MoE model's fused experts, which "all-linear" has put no adapter beside
            warnings.filterwarnings("ignore", r"The following (rank|alpha)_pattern keys did not match", RuntimeWarning)
            return get_peft_model(model, config)
    except ValueError as error:
        why = reason(error)
        if "lora_dropout" in why:  # peft's LoRA beside a MoE model's fused experts knows none
            why += ". Set lora_dropout: 0, or name layers without experts: [q_proj, k_proj, v_proj, o_proj]"
        raise TrainingError(f"lora_target_modules {settings.lora_target_modules!r}: {why}") from error


def ends_of(model: Any) -> list[str]:  # noqa: ANN401  a transformers model
    """Name the embeddings and the output layer, which are one where they share their weights."""
    ends = (model.get_input_embeddings(), model.get_output_embeddings())
    names = [name.rpartition(".")[2] for name, module in model.named_modules() if module in ends]
    return names[:1] if model.config.tie_word_embeddings else names


def check_fit(model: Any, tokenizer: Any, longest: int) -> None:  # noqa: ANN401  transformers' own
    """Raise `TrainingError` where the model's vocabulary or context is too small for the rows, `longest` tokens at most."""
    vocabulary = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > vocabulary:
        raise TrainingError(
            f"the tokenizer has {len(tokenizer):,} tokens, but the model knows {vocabulary:,}: it is not its tokenizer. "
            f"Run `prep tokenize` with the model's own."
        )
    context = getattr(model.config, "max_position_embeddings", None)
    if context and longest > context:
        raise TrainingError(
            f"the longest row has {longest:,} tokens, but the model takes {context:,}. "
            f"Run `prep tokenize --sequence-length {context}`."
        )
