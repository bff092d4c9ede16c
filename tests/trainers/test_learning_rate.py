"""A learning rate that follows from the batch, a batch that follows from its tokens, and a sweep over a few rates."""

from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

from matplotlib.image import imread

from pipeline.errors import TrainingError
from trainers.history import of
from trainers.learning_rate import scaled
from trainers.lr_sweep import Try, chosen
from trainers.rows import Amount, amount
from trainers.settings import settled

ROWS = Amount(rows=160, tokens=320_000, supervised=160_000)


def test_auto_takes_the_supervised_tokens_of_an_optimizer_step(toy_settings):
    said = []
    settings = settled(replace(toy_settings, learning_rate="auto"), ROWS, said.append)
    assert settings.learning_rate == pytest.approx(3e-4 * (4 * 1000 / 4_000_000) ** 0.5)
    assert said[0].startswith("learning rate 9.49e-06, for 4,000 supervised tokens a step; far below LoRA's usual 1e-4 to 3e-4")


def test_four_times_the_tokens_double_the_rate():
    assert scaled(40_000, 1e-3, 1_000_000) == pytest.approx(2 * scaled(10_000, 1e-3, 1_000_000))


def test_a_rate_that_is_given_stays(toy_settings):
    assert settled(toy_settings, ROWS, print) == toy_settings


def test_batch_tokens_say_how_many_passes_make_a_step(toy_settings):
    said = []
    settings = settled(replace(toy_settings, batch_tokens=65_536, gradient_accumulation_steps=1), ROWS, said.append)
    assert settings.gradient_accumulation_steps == 16
    assert said == ["batch: 16 x 2 rows an optimizer step, 64,000 tokens on average"]


def test_an_amount_counts_tokens_and_those_that_are_supervised(dataset, counting):
    assert amount(dataset([counting(0, 4), counting(1, 9, masked=5)])) == (2, 15, 9)


def test_a_sweep_trains_with_the_best_rate_from_the_start(finetuned, toy_settings, tmp_path):
    said, settings = [], replace(toy_settings, lr_sweep=[1e-2, 1e-5], lr_sweep_steps=3, max_steps=2)
    fit = finetuned(settings, said=said, folder=tmp_path / "swept")
    plain = finetuned(replace(toy_settings, learning_rate=1e-2, max_steps=2), folder=tmp_path / "plain")
    assert [one.learning_rate for one in fit.tries] == [1e-5, 1e-2]
    assert chosen(fit.tries).learning_rate == 1e-2
    assert [point.loss for point in fit.points] == [point.loss for point in plain.points]
    assert [line for line in said if line.startswith("learning rate")] == [
        f"learning rate 1e-05: validation loss {fit.tries[0].loss:.3f} after 3 steps",
        f"learning rate 0.01: validation loss {fit.tries[1].loss:.3f} after 3 steps",
        "learning rate: 0.01, the best of 2",
    ]
    assert imread(tmp_path / "swept" / "out" / "lr_sweep.png").shape == (384, 600, 4)


def test_a_rate_at_which_the_loss_is_no_number_loses(finetuned, toy_settings):
    settings = replace(toy_settings, lr_sweep=[1e-2, 1e30], lr_sweep_steps=3, max_steps=1, max_grad_norm=1e30)
    fit = finetuned(settings)
    assert fit.tries[1] == Try(1e30, float("inf"))
    assert of("train", fit.points)[0].learning_rate == 1e-2


def test_a_sweep_without_validation_rows_is_refused(finetuned, toy_settings, splits):
    with pytest.raises(TrainingError, match=r"lr_sweep needs validation rows"):
        finetuned(replace(toy_settings, lr_sweep=[1e-2, 1e-3]), splits(validation=0))
