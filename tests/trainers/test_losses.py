"""The loss of a step is that of a hand-written loop over documents, however these are put into rows, batches and steps."""

from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

import torch
from datasets import DatasetDict

from pipeline.errors import TrainingError
from trainers import qlora
from trainers.base_model import make
from trainers.device import Device, quiet
from trainers.gradients import check_gradients, layers_without_gradient
from trainers.models import load, with_adapter

CPU = Device("cpu", torch.float32, "adamw_torch")
LENGTHS = (12, 3, 9, 30, 7, 2, 22, 5)


def joined(documents):
    """Put documents into one row; their positions tell them apart."""
    return {name: [cell for document in documents for cell in document[name]] for name in documents[0]}


LAYOUTS = {
    "padded": lambda documents: documents,
    "packed": lambda documents: [joined(documents[place : place + 2]) for place in range(0, len(documents), 2)],
    "flattened": lambda documents: [joined(documents)],
}


@pytest.fixture
def documents(counting):
    return [counting(5 * n, length, masked=1 + n % 2) for n, length in enumerate(LENGTHS)]


@pytest.fixture
def by_hand(documents, toy_config, toy_tokenizer, toy_settings, tmp_path):
    """The loss per supervised token of the model at its start: each document alone, each token by itself."""
    with quiet():
        model = load(make(toy_config, toy_tokenizer, toy_settings.seed, tmp_path / "by-hand"), "lora", CPU).eval()
    losses = []
    with torch.no_grad():
        for document in documents:
            chances = model(input_ids=torch.tensor([document["input_ids"]])).logits[0].log_softmax(-1)
            labels = document["labels"]
            losses += [-chances[place - 1, label].item() for place, label in enumerate(labels) if place and label != -100]
    return sum(losses) / len(losses)


@pytest.mark.parametrize(("rows_a_batch", "batches_a_step"), [(1, 8), (2, 4), (8, 1)])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_loss_of_a_step_is_that_of_a_loop_by_hand(
    finetuned, toy_settings, documents, dataset, by_hand, layout, rows_a_batch, batches_a_step
):
    settings = replace(toy_settings, micro_batch_size=rows_a_batch, gradient_accumulation_steps=batches_a_step, max_steps=1)
    rows = dataset(LAYOUTS[layout](documents))
    fit = finetuned(settings, DatasetDict({"train": rows, "validation": rows}))
    losses = {(point.split, point.step): point.loss for point in fit.points}
    assert losses["train", 1] == pytest.approx(by_hand, abs=1e-5)
    assert losses["validation", 0] == losses["sample", 0] == pytest.approx(by_hand, abs=1e-5)


@pytest.fixture
def adapted(toy_config, toy_tokenizer, toy_settings, tmp_path):
    with quiet():
        settings = replace(toy_settings, adapter="qlora")
        return with_adapter(load(make(toy_config, toy_tokenizer, 1, tmp_path / "made"), "qlora", CPU), settings, [])


def test_every_layer_gets_a_gradient_after_an_evaluation(adapted, splits):
    check_gradients(adapted, splits()["train"])
    assert all(weight.grad is None for weight in adapted.parameters())


def test_a_layer_that_no_gradient_reaches_is_named_before_training_begins(adapted, splits):
    layer = adapted.base_model.model.model.layers[1]
    layer.forward, whole = (lambda cells, *given, **named: whole(cells.detach(), *given, **named)), layer.forward
    with pytest.raises(TrainingError, match=r"no gradient reaches what is trained in layers\.0: "):
        check_gradients(adapted, splits()["train"])


def test_layers_without_a_gradient_are_those_whose_every_weight_lacks_one(adapted):
    weights = {name: weight for name, weight in adapted.named_parameters() if "lora_B" in name and "layers.1." in name}
    next(iter(weights.values())).grad = torch.ones_like(next(iter(weights.values())))
    assert layers_without_gradient(adapted) == ["layers.0"]


def test_training_begins_with_that_check(finetuned, toy_settings, monkeypatch):
    seen = []
    monkeypatch.setattr(qlora, "check_gradients", lambda model, rows: seen.append(len(rows)))
    finetuned(replace(toy_settings, max_steps=1))
    assert seen == [16]
