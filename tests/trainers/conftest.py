"""A toy to train on: rows that count upwards, a tokenizer of forty words, a model of two layers."""

import pytest

from trainers.settings import Settings

WORDS = 40


@pytest.fixture
def toy_settings():
    return Settings(
        adapter="lora",
        lora_r=4,
        lora_alpha=8,
        lora_dropout=0.0,
        lora_target_modules="all-linear",
        micro_batch_size=2,
        gradient_accumulation_steps=2,
        batch_tokens=None,
        num_epochs=1,
        max_steps=-1,
        learning_rate=1e-2,
        base_lr=3e-4,
        pretraining_batch_tokens=4_000_000,
        lr_sweep=None,
        lr_sweep_steps=2,
        lr_scheduler="constant",
        warmup_ratio=0.0,
        weight_decay=0.0,
        optimizer="adamw_torch",
        max_grad_norm=1.0,
        gradient_checkpointing=False,
        evals_per_epoch=2,
        early_stopping_patience=None,
        bf16="auto",
        seed=1,
    )


@pytest.fixture
def toy_config():
    return {
        "model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 128,
    }  # fmt: skip


@pytest.fixture
def toy_tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"<unk>": 0, "<s>": 1, **{f"w{index}": index for index in range(2, WORDS)}}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", bos_token="<s>", pad_token="<unk>")


@pytest.fixture
def counting():
    """Give a row of one document that counts in steps of `by` from `start`, the first `masked` tokens not supervised."""

    def row(start, length, by=1, masked=1):
        ids = [1, *(2 + (start + by * step) % (WORDS - 2) for step in range(length))]
        return {"input_ids": ids, "labels": [-100] * masked + ids[masked:], "position_ids": list(range(len(ids)))}

    return row


@pytest.fixture
def dataset():
    """Make a split of rows."""
    from datasets import Dataset, Features, List, Value

    def made(rows):
        columns = {key: [row[key] for row in rows] for key in ("input_ids", "labels", "position_ids")}
        return Dataset.from_dict(columns, features=Features(dict.fromkeys(columns, List(Value("int32")))))

    return made


@pytest.fixture
def splits(counting, dataset):
    """Make rows to train on and to validate by; `by`: of the validation rows, other than 1 for what is not to be learnt."""
    from datasets import DatasetDict

    def made(train=16, validation=4, by=1):
        rows = {"train": [counting(7 * n, 4 + n % 9) for n in range(train)]}
        rows["validation"] = [counting(11 * n + 3, 9, by) for n in range(validation)]
        return DatasetDict({split: dataset(found) for split, found in rows.items()})

    return made


@pytest.fixture
def finetuned(tmp_path, toy_tokenizer, toy_config, splits):
    """Train the toy; what it says goes to `said`."""
    from trainers.base_model import BaseModel
    from trainers.qlora import finetune

    def fit(
        settings, tokens=None, *, config=None, base=None, folder=tmp_path, said=None, watch=lambda points: None, keeping=None
    ):
        scratch = folder / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        return finetune(
            tokens or splits(),
            toy_tokenizer,
            base or BaseModel({}, config=config or toy_config),
            settings,
            out=folder / "out",
            scratch=scratch,
            watch=watch,
            say=(said if said is not None else []).append,
            keeping=keeping,
        )

    return fit
