"""Small Llamas that are trained for seconds, each in a way that must be told right."""

import math

import pytest

pytest.importorskip("torch")

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from trainers.history import Point
from trainers.verdict import Facts, verdict

WORDS, LENGTH, BATCH = 32, 16, 16
FACTS = Facts(supervised_tokens=1 << 20, validation_tokens=256 * (LENGTH - 1))


def walks(count, seed):
    """Rows of a Markov chain: half of the time the word after a word is a fixed one, else any."""
    made = torch.Generator().manual_seed(seed)
    follows = torch.randperm(WORDS, generator=torch.Generator().manual_seed(0))
    rows = torch.randint(WORDS, (count, LENGTH), generator=made)
    known = torch.rand(count, LENGTH, generator=made) < 0.5
    for place in range(1, LENGTH):
        rows[:, place] = torch.where(known[:, place], follows[rows[:, place - 1]], rows[:, place])
    return rows


def loss_of(model, rows):
    with torch.no_grad():
        return model(input_ids=rows, labels=rows).loss.item()


def training(rate, steps, rows, warmed=True):
    """The points of a training on so many rows, with 20 evaluations; it ends at a loss that is no number."""
    torch.manual_seed(1)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=WORDS, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=LENGTH,
        )
    )  # fmt: skip
    optimizer = torch.optim.AdamW(model.parameters(), rate)
    train, held = walks(rows, seed=2), walks(256, seed=3)
    points = [Point(0, 0.0, "validation", loss_of(model, held), None, None, 0)]
    order = torch.Generator().manual_seed(4)
    for step in range(1, steps + 1):
        now = rate * min(1.0, step / 10) * (0.5 + 0.5 * math.cos(math.pi * step / steps)) if warmed else rate
        for group in optimizer.param_groups:
            group["lr"] = now
        batch = train[torch.randint(rows, (BATCH,), generator=order)]
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1e9 if not warmed else 1.0).item()
        optimizer.step()
        optimizer.zero_grad()
        epoch, tokens = step * BATCH / rows, step * BATCH * (LENGTH - 1)
        points.append(Point(step, epoch, "train", loss.item(), now, norm, tokens))
        if not math.isfinite(loss.item()):
            break
        if step % (steps // 20) == 0:
            points.append(Point(step, epoch, "validation", loss_of(model, held), None, None, tokens))
    return points


def told(points):
    return [finding for finding in verdict(points, [], FACTS).findings if finding.name != "too little data"]


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_a_learning_rate_of_nearly_nothing_is_underfit_and_flat():
    (finding,) = told(training(1e-7, 100, rows=4096))
    assert finding.name == "underfit"
    assert "flat" in finding.sentence


@pytest.mark.slow
def test_a_training_that_is_cut_short_is_underfit_and_still_falling():
    (finding,) = told(training(1e-3, 60, rows=4096))
    assert finding.name == "underfit"
    assert "still falls" in finding.sentence


def test_a_few_rows_many_times_are_overfit():
    (finding,) = told(training(3e-3, 300, rows=48))
    assert finding.name == "overfit"
    assert 0 < finding.steps[0] < 200


@pytest.mark.slow
def test_many_rows_once_are_well_fit():
    (finding,) = told(training(6e-3, 400, rows=6400))
    assert finding.name == "well-fit"
    assert finding.numbers["last_loss"] == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 * WORDS), abs=0.3)


@pytest.mark.slow
def test_a_learning_rate_far_too_high_is_unstable():
    (finding,) = told(training(3.0, 40, rows=4096, warmed=False))
    assert (finding.name, finding.fatal) == ("unstable", True)
    assert "Lower learning_rate from 3.0e+00" in finding.advice[0]
