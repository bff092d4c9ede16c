"""What a training on a card is told before it begins, and what it is told when the card is too small."""

from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

import torch

from pipeline.errors import TrainingError
from trainers.base_model import BaseModel
from trainers.device import Device
from trainers.failures import enough_memory
from trainers.memory.before import case_for, told, what_helps
from trainers.memory.estimate import GIB, estimate

CARD = Device("cuda", torch.bfloat16, "paged_adamw_32bit")


@pytest.fixture
def case(toy_settings, toy_config):
    made = BaseModel({"config": toy_config}, config={**toy_config, "vocab_size": 4096})
    settings = replace(toy_settings, adapter="qlora", micro_batch_size=8, optimizer=CARD.optimizer)
    return case_for(made, settings, 128, CARD, 4096)


def test_what_a_training_needs_is_told_beside_what_the_card_has(case):
    lines = []
    terms = told(case, 24 * GIB, lines.append)
    assert sum(terms.values()) == estimate(case).total
    assert lines == [f"memory: about {estimate(case).total / GIB:.1f} GiB of the card's 24.0"]


def test_a_card_that_is_too_small_is_told_with_what_would_help(case):
    lines = []
    told(case, GIB // 2, lines.append)
    assert "of the card's 0.5, which is too little. Estimated: " in lines[0]
    assert "It would take: micro_batch_size 4, gradient_accumulation_steps 4 (" in lines[0]


def test_a_model_that_cannot_be_estimated_is_trained_all_the_same(case):
    lines = []
    assert told(replace(case, length=5000), 24 * GIB, lines.append) == {}
    assert lines[0].startswith("memory: no estimate (the rows have 5,000 tokens")


def test_out_of_memory_is_one_line_with_the_largest_terms_and_what_helps(case):
    with (
        pytest.raises(TrainingError) as caught,
        enough_memory(8, 128, lambda: what_helps(case)),
    ):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    said = str(caught.value)
    assert "\n" not in said
    assert "does not hold batches of 8 x 128 tokens (CUDA out of memory)" in said
    assert f"Estimated: {estimate(case).total / GIB:.1f} GiB, most of it overhead" in said
