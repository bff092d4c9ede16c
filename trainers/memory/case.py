"""What is asked: a config, the settings of a training, the length of its rows, the device; and a model -> its config."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import TrainingError
from trainers.base_model import base_model, quiet_hub
from trainers.device import Device
from trainers.failures import reason
from trainers.settings import Settings


@dataclass(frozen=True)
class Case:
    """A training whose memory is asked for."""

    config: str
    """The text of the model's config.json, as `config_of` gives it."""
    settings: Settings
    length: int
    """Tokens of the longest row; all rows of a batch are padded to it."""
    device: Device
    """Where it would run: `card()`, or what `trainers.device.chosen_device` gives."""
    made: bool = False
    """The model is made of its config on the spot, so that its embeddings and output layer learn whole."""
    packed: bool = True
    """Documents share rows, or rows are padded: the attention gets a mask of length x length."""

    @property
    def tokens(self) -> int:
        """Tokens of a forward pass, padding with them."""
        return self.settings.micro_batch_size * self.length

    @property
    def has_adapter(self) -> bool:
        """Say whether the model's own weights stay as they are."""
        adapter: str = self.settings.adapter
        return adapter != "none"

    def but(self, *, length: int | None = None, **settings: Any) -> "Case":  # noqa: ANN401  values of settings
        """Return the case with other settings or another length of rows."""
        return replace(self, settings=replace(self.settings, **settings), length=length or self.length)


def card(settings: Settings) -> Device:
    """Return a CUDA card that computes in bfloat16 where the settings leave it the choice, whatever this machine has."""
    return Device("cuda", torch.float32 if settings.bf16 is False else torch.bfloat16, settings.optimizer)


def config_of(model: str | Mapping[str, Any], revision: str | None = None, vocabulary: int | None = None) -> str:
    """Return the text of a model's config: of a folder, a config.json, a name on the hub, or a mapping as a recipe gives it.

    No weights are needed. `vocabulary` is the tokenizer's size, for a mapping that names none. Raises `TrainingError`.
    """
    from transformers import AutoConfig

    if isinstance(model, Mapping):
        sizes = {"vocab_size": vocabulary} if vocabulary else {}
        known = {**sizes, **(base_model(model).config or {})}
        return _text(AutoConfig.for_model(**known), "model")
    place = Path(model).expanduser()
    if not place.exists() and (model.startswith((".", "/", "~")) or model.count("/") != 1 or place.suffix == ".json"):
        raise TrainingError(f"model {model}: no such file or folder. Give a folder with config.json, or a name on the hub.")
    quiet_hub()
    try:
        found = AutoConfig.from_pretrained(str(place) if place.exists() else model, revision=revision or "main")
    except Exception as error:  # a file that is no JSON, an unknown model_type, values that a config refuses, the network
        raise TrainingError(f"model {model}: its config cannot be read: {reason(error)}.") from error
    return _text(found, f"model {model}")


def _text(config: Any, what: str) -> str:  # noqa: ANN401  a transformers config
    try:
        return str(config.to_json_string(use_diff=False))
    except (TypeError, ValueError) as error:
        raise TrainingError(f"{what}: its config cannot be written as JSON: {reason(error)}.") from error


def parsed(config: str) -> Any:  # noqa: ANN401  a transformers config
    """Return the config of a text; raises `TrainingError` where transformers knows no such model."""
    from transformers import AutoConfig

    try:
        return AutoConfig.for_model(**json.loads(config))
    except Exception as error:  # json's, transformers' and each config's own validation
        raise TrainingError(f"model: this is no config of transformers: {reason(error)}.") from error
