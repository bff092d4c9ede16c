"""Which weights are kept, when training ends early, what a loss that is no number leaves, whom the losses are told."""

from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

import torch
import transformers

from pipeline.errors import TrainingError
from trainers import checkpoints
from trainers.base_model import BaseModel
from trainers.course import evaluated_splits
from trainers.device import Device, quiet
from trainers.history import best, of
from trainers.loss import collate, summed_loss
from trainers.models import load
from trainers.rows import MOST_SAMPLED, sample, supervised
from trainers.settings import Keeping

CPU = Device("cpu", torch.float32, "adamw_torch")


def loss_of(model, rows):
    with torch.no_grad():
        batch = collate(list(rows))
        total, count = summed_loss(model(**batch).logits, batch["labels"])
    return total / count


@pytest.fixture
def reloaded(tmp_path):
    """Load what was written to `out`."""
    from peft import PeftModel

    def model():
        with quiet():
            if (tmp_path / "out" / "model").exists():
                return load(BaseModel({}, str(tmp_path / "out" / "model")), "none", CPU).eval()
            base = load(BaseModel({}, str(tmp_path / "out" / "base")), "lora", CPU)
            return PeftModel.from_pretrained(base, tmp_path / "out" / "adapter").eval()

    return model


@pytest.mark.parametrize("adapter", ["lora", "none"])
def test_the_weights_of_the_lowest_validation_loss_are_kept(finetuned, toy_settings, splits, reloaded, adapter):
    said, tokens = [], splits(by=5)  # what is validated contradicts what is learnt, so that it gets worse
    fit = finetuned(replace(toy_settings, adapter=adapter, num_epochs=6), tokens, said=said)
    lowest = best(fit.points)
    assert fit.kept == lowest.step < fit.points[-1].step == fit.steps
    assert loss_of(reloaded(), tokens["validation"]) == pytest.approx(lowest.loss, abs=1e-5)
    assert said[-1] == f"kept: the weights of step {fit.kept}, whose validation loss is the lowest, {lowest.loss:.3f}"


def test_training_ends_after_so_many_evaluations_without_a_better_one(finetuned, toy_settings, splits):
    fit = finetuned(replace(toy_settings, num_epochs=20, early_stopping_patience=2), splits(by=5))
    losses = [point.loss for point in of("validation", fit.points)]
    assert losses.index(min(losses)) == len(losses) - 3
    assert fit.points[-1].step < fit.steps


def test_a_training_that_ended_early_is_over_when_it_is_run_again(finetuned, toy_settings, splits, tmp_path):
    settings = replace(toy_settings, num_epochs=20, early_stopping_patience=2)
    first = finetuned(settings, splits(by=5))
    weights = (tmp_path / "out" / "adapter" / "adapter_model.safetensors").read_bytes()
    again = finetuned(settings, splits(by=5))
    assert again.points == first.points
    assert (tmp_path / "out" / "adapter" / "adapter_model.safetensors").read_bytes() == weights


def test_a_best_checkpoint_that_is_damaged_leaves_the_last_weights_and_a_line(finetuned, toy_settings, splits, tmp_path):
    settings, said = replace(toy_settings, num_epochs=6), []
    kept = finetuned(settings, splits(by=5)).kept
    (tmp_path / "scratch" / f"checkpoint-{kept}" / "optimizer.pt").unlink()
    again = finetuned(settings, splits(by=5), said=said)
    assert again.kept == again.points[-1].step
    assert said[-1] == f"the checkpoint of step {kept}, the best, is damaged, so the weights of the last step are kept"


def test_a_fixed_part_of_the_training_rows_is_evaluated_with_the_weights_at_rest(finetuned, toy_settings, splits, reloaded):
    tokens = splits()
    chosen = evaluated_splits(tokens)["sample"]
    fit = finetuned(replace(toy_settings, lora_dropout=0.5), tokens)
    assert [point.step for point in of("sample", fit.points)] == [point.step for point in of("validation", fit.points)]
    assert fit.kept == fit.points[-1].step
    assert loss_of(reloaded(), chosen) == pytest.approx(of("sample", fit.points)[-1].loss, abs=1e-5)


def test_the_sample_holds_as_many_supervised_tokens_as_the_validation_rows_at_most(splits):
    tokens = splits(train=200, validation=7)
    sampled, validated = (sum(len(row["labels"]) - 1 for row in rows) for rows in evaluated_splits(tokens).values())
    assert validated - 13 < sampled <= validated
    counts = supervised(splits(train=9000)["train"])
    assert MOST_SAMPLED - 13 < counts[sample(counts, MOST_SAMPLED)].sum() <= MOST_SAMPLED


def test_without_validation_rows_nothing_is_evaluated_and_the_last_weights_are_kept(finetuned, toy_settings, splits):
    fit = finetuned(toy_settings, splits(validation=0))
    assert {point.split for point in fit.points} == {"train"}
    assert fit.kept == fit.steps


def test_a_loss_that_is_no_number_keeps_the_last_good_checkpoint(finetuned, toy_settings, tmp_path, monkeypatch):
    def poison(points):
        if points[-1].step == 3:
            torch.nn.init.constant_(weight, float("nan"))

    def remember(self, *given, kept=transformers.Trainer.train, **named):
        nonlocal weight
        weight = next(found for name, found in self.model.named_parameters() if "lora_B" in name)
        return kept(self, *given, **named)

    weight = None
    monkeypatch.setattr(transformers.Trainer, "train", remember)
    with pytest.raises(TrainingError, match=r"is nan at step 4 \(learning rate 1") as caught:
        finetuned(toy_settings, watch=poison)
    assert "Lower learning_rate" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert checkpoints.steps_of(tmp_path / "scratch") == [2]


@pytest.mark.parametrize("tied", [False, True])
def test_without_an_adapter_the_whole_model_is_trained_and_written(
    finetuned, toy_settings, toy_config, splits, reloaded, tied, tmp_path
):
    tokens = splits()
    fit = finetuned(
        replace(toy_settings, adapter="none", num_epochs=4), tokens, config={**toy_config, "tie_word_embeddings": tied}
    )
    assert fit.points[-1].loss < of("validation", fit.points)[0].loss - 0.5
    assert loss_of(reloaded(), tokens["validation"]) == pytest.approx(fit.points[-1].loss, abs=1e-5)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["model"]
    assert (tmp_path / "out" / "model" / "tokenizer.json").exists()


def test_a_place_to_report_to_that_is_not_installed_is_one_line(finetuned, toy_settings):
    with pytest.raises(TrainingError, match=r"wandb.*installed") as caught:
        finetuned(toy_settings, keeping=Keeping(report_to=("wandb",)))
    assert "\n" not in str(caught.value)


def test_a_place_to_report_to_that_there_is_not_is_named(finetuned, toy_settings):
    with pytest.raises(TrainingError, match="wanb"):
        finetuned(toy_settings, keeping=Keeping(report_to=("wanb",)))


def test_training_itself_reports_every_loss_to_the_places_asked_for(finetuned, toy_settings, monkeypatch):
    class Place(transformers.TrainerCallback):
        def on_log(self, args, state, control, logs, **_):
            told.append({name for name in logs if "loss" in name})

    told = []
    monkeypatch.setitem(transformers.integrations.integration_utils.INTEGRATION_TO_CALLBACK, "tensorboard", Place)
    finetuned(toy_settings, keeping=Keeping(report_to=("tensorboard",)))
    assert told[:4] == [{"eval_sample_loss", "eval_loss"}, {"loss"}, {"loss"}, {"eval_sample_loss", "eval_loss"}]
