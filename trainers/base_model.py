"""The model that is trained: a local folder, a name on the hub, or a config of which a small one is made on the spot."""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import TrainingError, did_you_mean
from trainers.failures import reason, writing

WEIGHTS = ("*.safetensors", "*.bin")


@dataclass(frozen=True)
class BaseModel:
    """A base model: what names it in a fingerprint, and where its files are."""

    identity: dict[str, Any]
    place: str = ""
    revision: str | None = None
    config: dict[str, Any] | None = None
    """Set for a model that is yet to be made of it."""


def base_model(model: str | Mapping[str, Any], revision: str | None = None) -> BaseModel:
    """Say which model is meant; raises `TrainingError`.

    A folder is named by the content of its config and weights, a model of the hub by its name and commit, a model made on the
    spot by its config, for which `{"config": {"model_type": "llama", "hidden_size": 64, ...}}` takes the keys of transformers.
    """
    if isinstance(model, Mapping):
        return _of_config(model)
    folder = Path(model).expanduser()
    if folder.is_dir():
        return BaseModel({"sha256": content_hash(folder)}, str(folder))
    if model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise TrainingError(f"model {model}: no such folder. Give a folder with config.json and weights, or a name on the hub.")
    commit = _commit(model, revision)
    return BaseModel({"hub": model, "revision": commit}, model, commit)


def content_hash(folder: Path) -> str:
    """Return the SHA-256 over the names and contents of a model's config and weights; raises `TrainingError`."""
    if not (folder / "config.json").is_file():
        raise TrainingError(f"model {folder}: it holds no config.json, so it is no model of transformers.")
    weights = sorted(path for pattern in WEIGHTS for path in folder.glob(pattern))
    if not weights:
        raise TrainingError(f"model {folder}: it holds no weights (*.safetensors).")
    files = [folder / "config.json", *weights]
    with ThreadPoolExecutor() as pool:
        lines = [f"{path.name} {digest}\n" for path, digest in zip(files, pool.map(_sha256, files), strict=True)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def make(config: Mapping[str, Any], tokenizer: Any, seed: int, folder: Path) -> BaseModel:  # noqa: ANN401  a transformers tokenizer
    """Make a model with random weights of a config and write it to a folder, its tokenizer beside it; raises `TrainingError`.

    The config takes the tokenizer's size and special tokens where it does not name its own. The model is tried on two tokens,
    since sizes that do not fit together often show only there.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, set_seed

    special = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("bos", "eos", "pad")}
    try:
        whole = AutoConfig.for_model(**{"vocab_size": len(tokenizer), **special, **config})
        set_seed(seed)
        model = AutoModelForCausalLM.from_config(whole)
        with torch.no_grad():
            model(torch.zeros((1, 2), dtype=torch.long))
    except Exception as error:  # each model's code fails in its own way: division by zero, an index, a shape
        raise TrainingError(f"model: no model can be made of this config: {reason(error)}. Mend its values.") from error
    with writing(folder):
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return BaseModel({"config": dict(config)}, str(folder))


def quiet_hub() -> None:
    """Keep the hub's client from telling of each time that it tries again."""
    from huggingface_hub.utils import logging

    logging.get_logger().setLevel("ERROR")


def _of_config(model: Mapping[str, Any]) -> BaseModel:
    """Check a config's keys: transformers takes any, and a misspelt one would be left at its default."""
    from transformers import CONFIG_MAPPING, AutoConfig

    config = model.get("config")
    if set(model) != {"config"} or not isinstance(config, Mapping):
        raise TrainingError("model: give a folder, a name on the hub, or a mapping with the one key `config`.")
    kind = config.get("model_type")
    if kind not in CONFIG_MAPPING:
        raise TrainingError(f"model: model_type {kind!r} is unknown.{did_you_mean(str(kind), list(CONFIG_MAPPING.keys()))}")
    known = AutoConfig.for_model(kind).to_dict()
    for key in config:
        if key not in known:
            raise TrainingError(f"model: a {kind} config has no {key!r}.{did_you_mean(key, known)}")
    return BaseModel({"config": dict(config)}, config=dict(config))


def _commit(name: str, revision: str | None) -> str:
    from transformers import AutoConfig

    quiet_hub()
    try:
        config = AutoConfig.from_pretrained(name, revision=revision or "main")
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"model {name}: neither a folder here nor a model that the hub gives ({reason(error)}). "
            f"Give a folder with config.json and weights, or a name such as mistralai/Mistral-7B-v0.3."
        ) from error
    return str(config._commit_hash)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
