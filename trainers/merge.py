"""An adapter and its base model -> one model in the base's own precision, and what the merge did to the loss."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from datasets import Dataset
from peft import PeftModel
from transformers import AutoConfig

from pipeline.errors import TrainingError
from trainers.base_model import BaseModel
from trainers.device import Device
from trainers.failures import reason
from trainers.loss import collate, summed_loss
from trainers.models import load
from trainers.saving import save

CONVERTER = "convert_hf_to_gguf.py"
BATCH = 4


class Losses(NamedTuple):
    """Loss per supervised token, in nats: of the base with the adapter as it was trained, and of the merged model."""

    adapter: float
    merged: float


def merged(base: BaseModel, adapter: Path, device: Device) -> Any:  # noqa: ANN401  a transformers model
    """Load a base model un-quantised, in the precision of its file, and add an adapter's weights to its own.

    Raises `TrainingError` where the sum is not finite.
    """
    config = AutoConfig.from_pretrained(base.place, revision=base.revision)
    model = load(base, "lora", device._replace(dtype=config.dtype or torch.float32))
    try:
        return PeftModel.from_pretrained(model, adapter).merge_and_unload(safe_merge=True).eval()
    except ValueError as error:
        raise TrainingError(f"{adapter}: it cannot be merged: {reason(error)}.") from error


def write(model: Any, tokenizer: Any, folder: Path) -> None:  # noqa: ANN401  transformers' own
    """Write a model with its tokenizer, as `AutoModelForCausalLM.from_pretrained` loads it."""
    model.config.use_cache = True  # training had switched it off
    save(model, folder)
    tokenizer.save_pretrained(folder)


def mean_loss(model: Any, rows: Dataset) -> float:  # noqa: ANN401  a transformers or peft model
    """Return the loss per supervised token over rows, in nats."""
    total, tokens = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(rows), BATCH):
            batch = {
                name: values.to(model.device)
                for name, values in collate(rows.select(range(start, min(start + BATCH, len(rows)))).to_list()).items()
            }
            loss, counted = summed_loss(model(**batch).logits, batch["labels"])
            total, tokens = total + loss, tokens + counted
    return total / tokens


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
