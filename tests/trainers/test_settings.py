import pytest

from pipeline.errors import TrainingError
from trainers.settings import Settings, plan

GOOD = {
    "adapter": "qlora",
    "lora_r": 16,
    "lora_alpha": 16,
    "lora_dropout": 0.05,
    "lora_target_modules": "all-linear",
    "micro_batch_size": 2,
    "gradient_accumulation_steps": 4,
    "batch_tokens": None,
    "num_epochs": 2,
    "max_steps": -1,
    "learning_rate": 2e-4,
    "base_lr": 3e-4,
    "pretraining_batch_tokens": 4_000_000,
    "lr_sweep": None,
    "lr_sweep_steps": 20,
    "lr_scheduler": "cosine",
    "warmup_ratio": 0.1,
    "weight_decay": 0.0,
    "optimizer": "paged_adamw_32bit",
    "max_grad_norm": 0.3,
    "gradient_checkpointing": True,
    "evals_per_epoch": 4,
    "early_stopping_patience": None,
    "bf16": "auto",
    "seed": 42,
}


def test_an_epoch_is_rounded_up_to_whole_steps():
    assert plan(17, Settings(**GOOD)) == (6, 1, 1)
    assert plan(160, Settings(**GOOD)) == (40, 4, 5)


def test_max_steps_overrides_epochs():
    assert plan(160, Settings(**{**GOOD, "max_steps": 8})) == (8, 1, 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lora_r", 0),
        ("max_steps", 0),
        ("learning_rate", 0.0),
        ("warmup_ratio", 1.5),
        ("lora_dropout", 1.0),
        ("weight_decay", -1),
    ],
)
def test_a_value_out_of_bounds_is_named(name, value):
    with pytest.raises(TrainingError, match=f"{name} is {value}: it must be"):
        Settings(**{**GOOD, name: value})
