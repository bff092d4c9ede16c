"""An adapter and its base model -> one model in the base's own precision; and that as GGUF, by llama.cpp's converter."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig

from pipeline.errors import TrainingError
from trainers.base_model import BaseModel
from trainers.device import Device
from trainers.failures import reason
from trainers.models import adapted, load
from trainers.saving import save

CONVERTER = "convert_hf_to_gguf.py"


def merged(base: BaseModel, artifact: Path, device: Device) -> Any:  # noqa: ANN401  a transformers model
    """Load a base model un-quantised, in the precision of its file, and add a train artifact's adapter to its weights.

    Raises `TrainingError`, also where the sum is not finite.
    """
    try:
        config = AutoConfig.from_pretrained(base.place, revision=base.revision)
        model = load(base, "lora", device._replace(dtype=config.dtype or torch.float32))
        return adapted(model, artifact).merge_and_unload(safe_merge=True).eval()
    except (OSError, ValueError) as error:
        raise TrainingError(f"{artifact}: it cannot be merged with {base.place}: {reason(error)}.") from error


def write(model: Any, tokenizer: Any, folder: Path) -> None:  # noqa: ANN401  transformers' own
    """Write a model with its tokenizer, as `AutoModelForCausalLM.from_pretrained` loads it."""
    model.config.use_cache = True  # training had switched it off
    save(model, folder)
    tokenizer.save_pretrained(folder)


def gguf(folder: Path, out: Path, kind: str, places: Sequence[Path]) -> None:
    """Have llama.cpp's converter write a model as GGUF; raises `TrainingError` where it is not there or fails.

    `places` are the folders to look in for `convert_hf_to_gguf.py`, before the PATH.
    """
    found = next((place / CONVERTER for place in places if (place / CONVERTER).is_file()), shutil.which(CONVERTER))
    if found is None:
        raise TrainingError(
            f"no {CONVERTER} of llama.cpp here. Clone it (https://github.com/ggml-org/llama.cpp), and name its folder: "
            f"LLAMA_CPP=/path/to/llama.cpp."
        )
    command = [sys.executable, str(found), str(folder), "--outfile", str(out), "--outtype", kind]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise TrainingError(f"{found}: it cannot convert {folder}: {said[-1]}.")
