"""Documents or tokens -> data and the YAML with which axolotl fine-tunes on them (QLoRA, its own example's settings).

    train.jsonl, validation.jsonl    chats as `messages`, texts as `text`          type chat_template, completion
    tokens/train, tokens/validation  `input_ids`, `attention_mask`, `labels`       no type: they are trained as they are

Tokens are not packed: axolotl packs by itself, and would put a mask of ones over rows that are packed already, in which their
documents see each other. Its cache of prepared data is known by paths alone, so it lies in the export, and goes with it.
"""

import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from pipeline.artifacts import Artifact
from pipeline.documents import kind_of
from pipeline.exporters._documents import Share, schema_of, write_lines
from pipeline.exporters._folder import Export, Folder
from pipeline.exporters._messages import Row, with_text
from pipeline.exporters._tokens import MASKED, Cut, sequence_length, write_dataset
from pipeline.exporters._training import Training, taken
from pipeline.exporters._yaml import model_of, need_train, write_yaml

TAKES = ("ingest", "clean", "tokenize", "train")
FIELDS = ("role", "content", "tool_calls", "tool_call_id", "name", "train")


def axolotl(
    artifact: Artifact,
    folder: Folder,
    splits: Sequence[str],
    *,
    base_model: str | None = None,
    chat_template: str = "tokenizer_default",
    eot_tokens: list[str] | None = None,
    sequence_len: Annotated[int, Field(ge=3)] = 2048,
    validation: Share = 0.05,
) -> Export:
    """Write train and validation data, and `axolotl.yaml` that trains on them.

    Documents take `chat_template`, `sequence_len` and the share for `validation`; tokens bring their own, and their tokenizer.
    A training's tokens come with its very settings.
    Where the template ends a turn with a token that is not the tokenizer's EOS, name it in `eot_tokens`, or it is not learned.
    """
    command = f"accelerate launch -m axolotl.cli.train {shlex.quote(str(folder.home / 'axolotl.yaml'))}"
    artifact, training = taken(artifact)
    model = model_of(artifact, base_model, training)
    if artifact.manifest.stage == "tokenize":
        rows = write_dataset(artifact, folder.path / "tokens", splits, MASKED, Cut.masked)
        shutil.copytree(artifact.path / "tokenizer", folder.path / "tokenizer")
        data = {split: {"path": str(folder.home / "tokens" / split), "type": None} for split in rows}
        own: dict[str, Any] = {"tokenizer_config": str(folder.home / "tokenizer"), "shuffle_merged_datasets": False}
        sequence_len = sequence_length(artifact)
    else:
        chats = kind_of(schema_of(artifact)) == "chat"
        rows = write_lines(artifact, folder.path, splits, validation, _chat if chats else _text)
        data = {split: _dataset(folder.home / f"{split}.jsonl", chats) for split in rows}
        own = {"chat_template": chat_template, **({"eot_tokens": eot_tokens} if eot_tokens else {})} if chats else {}
    need_train(artifact, rows)
    settings = _settings(artifact, folder, model, data, sequence_len, own)
    write_yaml(folder.path / "axolotl.yaml", _trained(settings, training) if training else settings, command)
    return Export(rows, command)


def _text(row: Row) -> Row:
    return {"text": row["text"]}


def _chat(row: Row) -> Row:
    """Return a chat as axolotl takes it: a turn of weight 0 is not trained."""
    told = with_text(row)
    for message in told["messages"]:
        if message.pop("weight", None) == 0:
            message["train"] = False
    messages = [{name: message[name] for name in FIELDS if name in message} for message in told["messages"]]
    return {"messages": messages, **({"tools": told["tools"]} if "tools" in told else {})}


def _dataset(path: Path, chats: bool) -> dict[str, Any]:
    file = {"path": str(path), "ds_type": "json"}
    if not chats:
        return {**file, "type": "completion", "field": "text"}
    return {
        **file,
        "type": "chat_template",
        "field_messages": "messages",
        "message_property_mappings": {"role": "role", "content": "content"},
        "message_field_training": "train",
        "roles_to_train": ["assistant"],
        "train_on_eos": "turn",
    }


def _settings(
    artifact: Artifact, folder: Folder, model: str, data: dict[str, dict[str, Any]], sequence_len: int, own: dict[str, Any]
) -> dict[str, Any]:
    """Return axolotl's settings: what is not said of the data is its own `examples/mistral/qlora.yml`, with paged AdamW."""
    held = {"test_datasets": [data["validation"]]} if "validation" in data else {}
    stopping = {"eval_steps": 50, "early_stopping_patience": 3} if held else {}
    return {
        "base_model": model,
        "load_in_4bit": True,
        "adapter": "qlora",
        "lora_r": 32,
        "lora_alpha": 16,
        "lora_dropout": 0.05,
        "lora_target_linear": True,
        **own,
        "datasets": [data["train"]],
        **held,
        "val_set_size": 0,
        "dataset_prepared_path": str(folder.home / f"prepared-{artifact.manifest.fingerprint}"),
        "sequence_len": sequence_len,
        "excess_length_strategy": "raise",
        "sample_packing": True,
        "eval_sample_packing": False,
        "attn_implementation": "flash_attention_2",
        "micro_batch_size": 2,
        "gradient_accumulation_steps": 4,
        "num_epochs": 1,
        "learning_rate": 0.0002,
        "lr_scheduler": "cosine",
        "warmup_ratio": 0.1,
        "optimizer": "paged_adamw_8bit",
        "bf16": "auto",
        "gradient_checkpointing": True,
        **stopping,
        "save_steps": 50,
        "output_dir": str(folder.home / "output"),
    }


def _trained(settings: dict[str, Any], training: Training) -> dict[str, Any]:
    """Return the settings with those of a training in their places."""
    now = training.settings
    lora = {"lora_r": now.lora_r, "lora_alpha": now.lora_alpha, "lora_dropout": now.lora_dropout}
    targets = {"lora_target_linear": True} if training.targets is None else {"lora_target_modules": training.targets}
    whole = {"lora_modules_to_save": training.whole} if training.whole else {}
    adapter = {} if now.adapter == "none" else {"adapter": now.adapter, **lora, **targets, **whole}
    told = {
        "load_in_4bit": now.adapter == "qlora",
        **adapter,
        **({"revision_of_model": training.revision} if training.revision else {}),
        "micro_batch_size": now.micro_batch_size,
        "gradient_accumulation_steps": now.gradient_accumulation_steps,
        "num_epochs": now.num_epochs,
        **({"max_steps": now.max_steps} if now.max_steps > 0 else {}),
        "learning_rate": now.learning_rate,
        "lr_scheduler": training.scheduler,
        "warmup_ratio": now.warmup_ratio,
        "weight_decay": now.weight_decay,
        "max_grad_norm": now.max_grad_norm,
        "optimizer": now.optimizer,
        "bf16": now.bf16,
        "gradient_checkpointing": now.gradient_checkpointing,
        "seed": now.seed,
        "save_steps": training.steps.eval_every,
    }
    if "eval_steps" in settings:
        told["eval_steps"] = training.steps.eval_every
    if now.early_stopping_patience and "eval_steps" in settings:
        told["early_stopping_patience"] = now.early_stopping_patience
    own = ("adapter", "lora_r", "lora_alpha", "lora_dropout", "lora_target_linear", "early_stopping_patience")
    return {name: value for name, value in settings.items() if name not in own} | told
