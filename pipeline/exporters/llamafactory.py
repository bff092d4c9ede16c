"""Documents or tokens -> data and the YAML with which LLaMA-Factory fine-tunes on them (QLoRA).

    tokens/                                            what its `tokenized_path` takes: a `DatasetDict`, not packed
    dataset_info.json, train.jsonl, validation.jsonl   chats in its ShareGPT shape, texts as `text`

Its reader of OpenAI's messages writes "detailed thinking off" into every system prompt, so chats go the other way.
"""

import json
import shlex
import shutil
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from pipeline.artifacts import Artifact
from pipeline.documents import kind_of
from pipeline.errors import UsageError
from pipeline.exporters._documents import Share, schema_of, write_lines
from pipeline.exporters._folder import Export, Folder
from pipeline.exporters._messages import Row, sharegpt
from pipeline.exporters._tokens import MASKED, Cut, sequence_length, write_dataset
from pipeline.exporters._training import Training, taken
from pipeline.exporters._yaml import model_of, need_train, write_yaml

TAKES = ("ingest", "clean", "tokenize", "train")
CHATS = {"formatting": "sharegpt", "columns": {"messages": "conversations", "system": "system", "tools": "tools"}}
TEXTS = {"columns": {"prompt": "text"}}


def llamafactory(
    artifact: Artifact,
    folder: Folder,
    splits: Sequence[str],
    *,
    base_model: str | None = None,
    template: str | None = None,
    cutoff_len: Annotated[int, Field(ge=3)] = 2048,
    validation: Share = 0.05,
) -> Export:
    """Write train and validation data, and `llamafactory.yaml` that trains on them.

    Chats need `template`, LLaMA-Factory's name for the model's chat template (`mistral`, `llama3`, `qwen`). Documents take
    `cutoff_len` and the share for `validation`; tokens bring their own, and a training's its very settings.
    """
    command = f"llamafactory-cli train {shlex.quote(str(folder.home / 'llamafactory.yaml'))}"
    artifact, training = taken(artifact)
    model = model_of(artifact, base_model, training)
    if artifact.manifest.stage == "tokenize":
        rows = write_dataset(artifact, folder.path / "tokens", splits, MASKED, Cut.masked)
        shutil.copytree(artifact.path / "tokenizer", folder.path / "tokenizer")
        own = {"stage": "sft", "template": template or "empty", "tokenized_path": str(folder.home / "tokens")}
        cutoff_len = sequence_length(artifact)
    else:
        own, rows = _documents(artifact, folder, splits, template, validation)
    need_train(artifact, rows)
    settings = _settings(folder, model, cutoff_len, own, held="validation" in rows)
    told = _trained(settings, training, rows["train"]) if training else settings
    write_yaml(folder.path / "llamafactory.yaml", told, command)
    return Export(rows, command)


def _documents(
    artifact: Artifact, folder: Folder, splits: Sequence[str], template: str | None, validation: float
) -> tuple[dict[str, str], dict[str, int]]:
    chats = kind_of(schema_of(artifact)) == "chat"
    if chats and template is None:
        raise UsageError("which chat template? Give --set template=NAME, as LLaMA-Factory calls it: mistral, llama3, qwen.")
    rows = write_lines(artifact, folder.path, splits, validation, sharegpt if chats else _text)
    shape = CHATS if chats else TEXTS
    info = {f"prep_{split}": {"file_name": f"{split}.jsonl", **shape} for split in rows}
    (folder.path / "dataset_info.json").write_text(json.dumps(info, indent=1) + "\n", encoding="utf-8")
    stage = {"stage": "sft", "template": str(template)} if chats else {"stage": "pt", "template": template or "empty"}
    names = {name: f"prep_{split}" for name, split in (("dataset", "train"), ("eval_dataset", "validation")) if split in rows}
    return {**stage, "dataset_dir": str(folder.home), **names}, rows


def _text(row: Row) -> Row:
    return {"text": row["text"]}


def _settings(folder: Folder, model: str, cutoff_len: int, own: dict[str, str], *, held: bool) -> dict[str, Any]:
    """Return LLaMA-Factory's settings: what is not said of the data is its own `examples/train_qlora`."""
    return {
        "model_name_or_path": model,
        "quantization_bit": 4,
        "quantization_method": "bnb",
        "double_quantization": True,
        "do_train": True,
        "finetuning_type": "lora",
        "lora_rank": 16,
        "lora_target": "all",
        **own,
        "cutoff_len": cutoff_len,
        "packing": False,
        "output_dir": str(folder.home / "output"),
        "logging_steps": 10,
        "save_steps": 500,
        "plot_loss": True,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 4,
        "learning_rate": 0.0002,
        "num_train_epochs": 1.0,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 10,  # a ratio is spelled otherwise from one version of transformers to the next
        "optim": "paged_adamw_8bit",
        "bf16": True,
        **({"do_eval": True, "eval_strategy": "steps", "eval_steps": 500} if held else {}),
    }


def _trained(settings: dict[str, Any], training: Training, documents: int) -> dict[str, Any]:
    """Return the settings with those of a training in their places."""
    now = training.settings
    targets = {"lora_target": ",".join(training.targets) if training.targets else "all"}
    whole = {"additional_target": ",".join(training.whole)} if training.whole else {}
    lora = {"lora_rank": now.lora_r, "lora_alpha": now.lora_alpha, "lora_dropout": now.lora_dropout, **targets, **whole}
    four = {} if now.adapter == "qlora" else dict.fromkeys(("quantization_bit", "quantization_method", "double_quantization"))
    told = {
        **four,
        "finetuning_type": "full" if now.adapter == "none" else "lora",
        **(dict.fromkeys(lora) if now.adapter == "none" else lora),
        "model_revision": training.revision,
        **training.arguments(documents),
        "disable_gradient_checkpointing": None if now.gradient_checkpointing else True,
        **({"eval_steps": training.steps.eval_every} if "eval_steps" in settings else {}),
    }
    return {name: value for name, value in {**settings, **told}.items() if value is not None}
