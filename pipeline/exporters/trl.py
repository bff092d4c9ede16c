"""Documents or tokens -> data and the YAML with which TRL's `trl sft` fine-tunes on them (QLoRA).

    data/train-00000-of-00001.parquet   `input_ids`, `labels`, a document a row; packed also `seq_lengths`
    data/train.jsonl                    chats as `messages` and `tools`, texts as `text`

TRL cuts what is longer than `max_length`, 1024 by default, so the settings say the artifact's own; with `padding_free` it
takes rows as they are, and no `max_length` at all.
"""

import shlex
import shutil
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field

from pipeline.artifacts import Artifact
from pipeline.documents import kind_of
from pipeline.exporters._documents import Share, schema_of, write_lines
from pipeline.exporters._folder import Export, Folder
from pipeline.exporters._messages import Row, as_json, refuse_weights
from pipeline.exporters._shards import Shards, rows_in
from pipeline.exporters._tokens import PACKED, UNPACKED, Cut, sequence_length, write_split
from pipeline.exporters._training import Training, taken
from pipeline.exporters._yaml import model_of, need_train, write_yaml

TAKES = ("ingest", "clean", "tokenize", "train")
FIELDS = ("role", "content", "tool_calls", "tool_call_id", "name")


def trl(
    artifact: Artifact,
    folder: Folder,
    splits: Sequence[str],
    *,
    base_model: str | None = None,
    packed: bool = False,
    max_length: Annotated[int, Field(ge=3)] = 2048,
    validation: Share = 0.05,
) -> Export:
    """Write train and validation data, and `trl.yaml` that trains on them.

    With `packed`, tokens stay in the rows they are packed in, with `seq_lengths`, for `padding_free`; it needs FlashAttention.
    Documents take `max_length` and the share for `validation`. A training's tokens come with its very settings.
    """
    command = f"trl sft --config {shlex.quote(str(folder.home / 'trl.yaml'))}"
    artifact, training = taken(artifact)
    model = model_of(artifact, base_model, training)
    (folder.path / "data").mkdir()
    own: dict[str, Any]
    if artifact.manifest.stage == "tokenize":
        rows = _tokens(artifact, folder, splits, packed)
        shutil.copytree(artifact.path / "tokenizer", folder.path / "tokenizer")
        max_length = sequence_length(artifact)
        own = {"padding_free": True, "max_length": None, "attn_implementation": "flash_attention_2"} if packed else {}
    else:
        chats = kind_of(schema_of(artifact)) == "chat"
        rows = write_lines(artifact, folder.path / "data", splits, validation, _chat if chats else _text)
        own = {"assistant_only_loss": True} if chats else {}
    need_train(artifact, rows)
    settings = _settings(folder, model, max_length, own, held="validation" in rows)
    told = _trained(settings, training, training.rows if packed else rows["train"]) if training else settings
    write_yaml(folder.path / "trl.yaml", told, command)
    return Export(rows, command)


def _tokens(artifact: Artifact, folder: Folder, splits: Sequence[str], packed: bool) -> dict[str, int]:
    schema, shape = (PACKED, Cut.packed) if packed else (UNPACKED, Cut.unpacked)
    shards = {split: Shards(folder.path / "data", split, "parquet", schema) for split in splits}
    files = {split: write_split(artifact, split, shards[split], shape) for split in splits}
    return {split: rows_in(paths) for split, paths in files.items() if paths}


def _text(row: Row) -> Row:
    return {"text": row["text"]}


def _chat(row: Row) -> Row:
    """Return a chat as TRL takes it; raises `UsageError` where a turn is not to be trained, which TRL does not know."""
    told = as_json(row)
    for message in told["messages"]:
        refuse_weights(row["id"], message, "TRL")
    messages = [{name: message[name] for name in FIELDS if name in message} for message in told["messages"]]
    return {"messages": messages, **({"tools": told["tools"]} if "tools" in told else {})}


def _settings(folder: Folder, model: str, max_length: int, own: dict[str, Any], *, held: bool) -> dict[str, Any]:
    """Return TRL's settings: QLoRA on all linear layers, at the learning rate of the QLoRA paper for up to 13B."""
    return {
        "model_name_or_path": model,
        "load_in_4bit": True,
        "use_bnb_nested_quant": True,
        "use_peft": True,
        "lora_r": 16,
        "lora_alpha": 32,
        "lora_target_modules": "all-linear",
        "dataset_name": str(folder.home / "data"),
        "dataset_train_split": "train",
        **({"dataset_test_split": "validation", "eval_strategy": "steps", "eval_steps": 50} if held else {}),
        "max_length": max_length,
        "packing": False,
        **own,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 4,
        "num_train_epochs": 1,
        "learning_rate": 0.0002,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 10,  # a ratio is spelled otherwise from one version of transformers to the next
        "optim": "paged_adamw_8bit",
        "bf16": True,
        "output_dir": str(folder.home / "output"),
    }


def _trained(settings: dict[str, Any], training: Training, documents: int) -> dict[str, Any]:
    """Return the settings with those of a training in their places."""
    now = training.settings
    targets = {"lora_target_modules": training.targets or "all-linear"}
    whole = {"lora_modules_to_save": training.whole} if training.whole else {}
    lora = {"lora_r": now.lora_r, "lora_alpha": now.lora_alpha, "lora_dropout": now.lora_dropout, **targets, **whole}
    four = {"load_in_4bit": True, "use_bnb_nested_quant": True} if now.adapter == "qlora" else {}
    told = {
        **four,
        **({} if now.adapter == "none" else {"use_peft": True, **lora}),
        **({"model_revision": training.revision} if training.revision else {}),
        **training.arguments(documents),
        "gradient_checkpointing": now.gradient_checkpointing,
        **({"eval_steps": training.steps.eval_every} if "eval_steps" in settings else {}),
    }
    own = ("load_in_4bit", "use_bnb_nested_quant", "use_peft", "lora_r", "lora_alpha", "lora_target_modules")
    return {name: value for name, value in settings.items() if name not in own} | told
