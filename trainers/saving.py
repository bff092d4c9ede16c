"""The trained weights -> a folder as peft or transformers loads it, and back into the model that is trained."""

from pathlib import Path
from typing import Any

from peft import PeftModel
from safetensors.torch import load_file


def save(model: Any, folder: Path, base: str = "base") -> None:  # noqa: ANN401  a transformers or peft model
    """Write an adapter, without peft's empty model card and with its set of layers in order, or a model that has none."""
    if not isinstance(model, PeftModel):
        model.save_pretrained(folder)
        return
    config = model.peft_config["default"]
    config.base_model_name_or_path = base
    if not isinstance(config.target_modules, str):
        config.target_modules = sorted(config.target_modules)
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink()


def restore(model: Any, folder: Path) -> None:  # noqa: ANN401  a transformers or peft model
    """Put what `save` wrote back into the model that it came from."""
    if isinstance(model, PeftModel):
        model.load_adapter(folder, "default", is_trainable=True)
        return
    for weights in sorted(folder.glob("*.safetensors")):
        model.load_state_dict(load_file(weights), strict=False)  # a file of several, and tied weights lie in one of them
