import contextlib
import hashlib
import os
import re
import shutil

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

import pyarrow.parquet as pq
import torch
from datasets import Dataset, DatasetDict, Features, List, Value
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from pipeline.artifacts import Identity, Store
from pipeline.engine.local import Local
from pipeline.errors import BrokenArtifact, StoreError, TrainingError
from pipeline.run import Run
from pipeline.stages.train import VERSION, train

WORDS = 40
CONFIG = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
}
QUICK = {"model": {"config": CONFIG}, "lora_r": 4, "learning_rate": 1e-2, "warmup_ratio": 0.0, "evals_per_epoch": 2}


class Notebook:
    """Writes down what a stage tells."""

    def __init__(self):
        self.lines = []
        self.tracked, self.notes = [], []

    def track(self, label, answers, total):
        for count, answer in enumerate(answers, 1):
            yield answer
            self.tracked.append(f"{label} {count}/{total}")
            self.notes.append(answer)

    def say(self, line):
        self.lines.append(line)


def tokenizer():
    vocabulary = {"<unk>": 0, "<s>": 1, **{f"w{index}": index for index in range(2, WORDS)}}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", bos_token="<s>")


def rows(count):
    ids = [[1, *(2 + (7 * n + step) % (WORDS - 2) for step in range(4 + n % 9))] for n in range(count)]
    features = Features(dict.fromkeys(["input_ids", "labels", "position_ids"], List(Value("int32"))))
    positions = [list(range(len(row))) for row in ids]
    return Dataset.from_dict({"input_ids": ids, "labels": ids, "position_ids": positions}, features=features)


def tokenized(store, training=32, validation=4):
    """A tokenize artifact, made by hand."""
    with store.draft(Identity("tokenize", {"rows": [training, validation]}), "numbers") as draft:
        DatasetDict({"train": rows(training), "validation": rows(validation)}).save_to_disk(
            str(draft.path / "tokens"), num_shards={"train": 1, "validation": 1}
        )
        tokenizer().save_pretrained(draft.path / "tokenizer")
        count = training + validation
        return draft.publish({"in": count, "kept": count}, versions={}, run={})


def run_in(folder, progress=None):
    return Run(Store(folder), Local(1), progress or Notebook())


def digests(artifact, *but):
    files = {path.relative_to(artifact.path).as_posix(): path for path in artifact.path.rglob("*") if path.is_file()}
    kept = {name: path for name, path in files.items() if not name.startswith(("manifest", "speed", "report", *but))}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in kept.items()}


def test_an_adapter_its_base_metrics_and_a_picture_are_left_behind(tmp_path):
    run = run_in(tmp_path)
    artifact = train(tokenized(run.store), "numbers", run, **QUICK)
    assert sorted({entry["path"].split("/")[0] for entry in artifact.manifest.files}) == [
        "adapter", "base", "learning_curve.png", "metrics", "report.html", "speed", "verdict.json",
    ]  # fmt: skip
    assert artifact.manifest.rows == {"in": 36, "kept": 36, "removed": 0, "rejected": 0}
    assert artifact.verify() == []


def test_metrics_hold_every_step_and_every_evaluation(tmp_path):
    run = run_in(tmp_path)
    artifact = train(tokenized(run.store), "numbers", run, **QUICK)
    metrics = pq.read_table(artifact.files("metrics")[0]).to_pylist()
    assert [row["step"] for row in metrics if row["split"] == "train"] == [1, 2, 3, 4]
    assert [row["step"] for row in metrics if row["split"] == "validation"] == [0, 2, 4]
    assert metrics[-1]["loss"] < metrics[0]["loss"]
    assert pq.read_table(artifact.files("speed")[0])["tokens_per_second"].to_numpy().min() > 0


def test_counts_say_where_each_loss_began_and_ended(tmp_path):
    run = run_in(tmp_path)
    *splits, kept = train(tokenized(run.store), "numbers", run, **QUICK).manifest.counts
    assert [count["split"] for count in splits] == ["train", "sample", "validation"]
    assert kept == {"kept": "weights of step 4", "steps_trained": 4, "steps_planned": 4}
    validation = splits[-1]
    assert validation["steps"] == validation["best_step"] == 4
    assert validation["first_loss"] > validation["last_loss"] == validation["best_loss"]


def test_progress_tells_every_step_and_every_evaluation(tmp_path):
    told = Notebook()
    run = run_in(tmp_path, told)
    train(tokenized(run.store), "numbers", run, **QUICK)
    assert told.tracked == ["train 1/4", "train 2/4", "train 3/4", "train 4/4"]
    assert told.notes[0].startswith("loss 3.")
    assert all(re.fullmatch(r"loss \d\.\d{3}, [\d,]+ supervised tokens/s", note) for note in told.notes[1:])
    assert [line.split(":")[0] for line in told.lines if line.startswith("step")] == ["step 0/4", "step 2/4", "step 4/4"]
    assert "training loss" in told.lines[-1]


def test_nothing_but_progress_reaches_the_terminal(tmp_path, capfd):
    run = run_in(tmp_path)
    parent = tokenized(run.store)
    capfd.readouterr()
    train(parent, "numbers", run, **QUICK)
    assert capfd.readouterr() == ("", "")


def test_the_same_training_is_answered_from_the_store(tmp_path):
    told = Notebook()
    run = run_in(tmp_path, told)
    parent = tokenized(run.store)
    first = train(parent, "numbers", run, **QUICK)
    told.lines.clear()
    assert train(parent, "numbers", run, **QUICK).ref == first.ref
    assert told.lines == [f"{first.ref}: already there, nothing to do"]


def test_two_stores_hold_the_same_bytes(tmp_path):
    ours, theirs = (
        train(tokenized(run.store), "numbers", run, **QUICK) for run in map(run_in, (tmp_path / "a", tmp_path / "b"))
    )
    assert ours.ref == theirs.ref
    assert digests(ours) == digests(theirs)


def test_a_training_that_was_stopped_goes_on_and_ends_with_the_same_bytes(tmp_path):
    class Stopping(Notebook):
        def say(self, line):
            if line.startswith("step 2"):
                raise KeyboardInterrupt

    stopped, calm = run_in(tmp_path / "a", Stopping()), run_in(tmp_path / "b")
    parent = tokenized(stopped.store)
    with pytest.raises(KeyboardInterrupt):
        train(parent, "numbers", stopped, **QUICK)
    assert Store(tmp_path / "a").list("train") == []
    again = train(parent, "numbers", run_in(tmp_path / "a"), **QUICK)
    assert digests(again) == digests(train(tokenized(calm.store), "numbers", calm, **QUICK))


def test_a_setting_changes_the_fingerprint_and_so_does_the_model(tmp_path):
    run = run_in(tmp_path)
    parent = tokenized(run.store)
    mistral = {"model": {"config": {**CONFIG, "model_type": "mistral"}}}
    changes = [{}, {"seed": 7}, mistral]
    refs = {train(parent, "numbers", run, **{**QUICK, "max_steps": 1, **change}).ref for change in changes}
    assert len(refs) == 3


@pytest.mark.slow
def test_a_model_folder_may_be_moved(tmp_path):
    run = run_in(tmp_path / "store")
    parent = tokenized(run.store)
    made = train(parent, "numbers", run, **{**QUICK, "max_steps": 1})
    (made.path / "base").rename(tmp_path / "here")
    first = train(parent, "moved", run, **{**QUICK, "model": str(tmp_path / "here"), "max_steps": 1})
    (tmp_path / "here").rename(tmp_path / "there")
    assert train(parent, "moved", run, **{**QUICK, "model": str(tmp_path / "there"), "max_steps": 1}).ref == first.ref
    assert str(tmp_path) not in str(first.manifest.recipe)


def test_how_it_is_kept_and_watched_is_not_in_the_fingerprint(tmp_path):
    run = run_in(tmp_path)
    parent = tokenized(run.store)
    first = train(parent, "numbers", run, **QUICK, max_steps=1)
    assert train(parent, "numbers", run, **QUICK, max_steps=1, saves_per_epoch=3, report_to="tensorboard").ref == first.ref


def test_tensorboard_writes_beside_the_artifacts(tmp_path, monkeypatch):
    monkeypatch.setitem(os.environ, "TENSORBOARD_LOGGING_DIR", "")
    monkeypatch.delitem(os.environ, "TENSORBOARD_LOGGING_DIR")
    told = Notebook()
    run = run_in(tmp_path, told)
    with contextlib.suppress(TrainingError):  # where tensorboard is not installed
        train(tokenized(run.store), "numbers", run, **QUICK, max_steps=1, report_to=["tensorboard"])
    folder = os.environ["TENSORBOARD_LOGGING_DIR"]
    assert folder.startswith(f"{tmp_path}/tensorboard/numbers@")
    assert told.lines[0] == f"tensorboard: type tensorboard --logdir {folder}"


def test_tensorboard_holds_the_losses_of_the_metrics(tmp_path, monkeypatch):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "events"))
    run = run_in(tmp_path / "store")
    artifact = train(tokenized(run.store), "numbers", run, **QUICK, report_to="tensorboard")
    [file] = (tmp_path / "events").rglob("events.out.tfevents.*")
    events = EventAccumulator(str(file)).Reload()
    metrics = pq.read_table(artifact.files("metrics")[0]).to_pylist()
    for tag, split in (("train/loss", "train"), ("eval/loss", "validation"), ("eval/sample_loss", "sample")):
        told = {event.step: event.value for event in events.Scalars(tag)}
        assert told == {row["step"]: pytest.approx(row["loss"], rel=1e-6) for row in metrics if row["split"] == split}


@pytest.mark.slow
def test_rates_that_were_tried_are_in_the_manifest_and_drawn(tmp_path):
    run = run_in(tmp_path)
    artifact = train(
        tokenized(run.store), "numbers", run, **QUICK | {"lr_sweep": [1e-2, 1e-5], "lr_sweep_steps": 2}, max_steps=1
    )
    tried = [count for count in artifact.manifest.counts if "tried" in count]
    assert [count["tried"] for count in tried] == ["learning rate 1e-05", "learning rate 0.01"]
    assert tried[0]["validation_loss"] > tried[1]["validation_loss"]
    assert (artifact.path / "lr_sweep.png").read_bytes().startswith(b"\x89PNG")


def test_no_validation_rows_leave_a_curve_without_validation(tmp_path):
    run = run_in(tmp_path)
    artifact = train(tokenized(run.store, validation=0), "numbers", run, **QUICK)
    assert [count.get("split") for count in artifact.manifest.counts] == ["train", None]


def test_an_empty_training_split_is_refused_before_anything_is_published(tmp_path):
    run = run_in(tmp_path)
    with pytest.raises(TrainingError, match="the training split is empty"):
        train(tokenized(run.store, training=0), "numbers", run, **QUICK)
    assert run.store.list("train") == []


@pytest.mark.slow
@pytest.mark.parametrize("training", [0, 32])
def test_the_bar_closes_when_training_ends_and_when_it_cannot_go_on(tmp_path, training):
    closed = []

    class Bar(Notebook):
        def track(self, label, answers, total):
            yield from answers
            closed.append(label)

    run = run_in(tmp_path, Bar())
    with contextlib.suppress(TrainingError):
        train(tokenized(run.store, training=training), "numbers", run, **QUICK)
    assert closed == ["train"]


def test_a_recipe_that_demands_a_card_stops_where_there_is_none(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("needs a machine without CUDA")
    run = run_in(tmp_path)
    with pytest.raises(TrainingError, match=r"^device: cuda, and there is no CUDA card here\. Take it out of the recipe"):
        train(tokenized(run.store), "numbers", run, **QUICK, device="cuda")


def test_the_manifest_says_the_version_and_how_the_training_computed(tmp_path):
    if torch.cuda.is_available():
        pytest.skip("needs a machine without CUDA")
    run = run_in(tmp_path)
    manifest = train(tokenized(run.store), "numbers", run, **QUICK, max_steps=1).manifest
    assert manifest.recipe["version"] == VERSION
    assert {key: manifest.run[key] for key in ("device", "dtype", "optimizer")} == {
        "device": "cpu", "dtype": "float32", "optimizer": "adamw_torch",
    }  # fmt: skip


@pytest.mark.slow
def test_a_default_that_is_given_is_the_same_training(tmp_path):
    run = run_in(tmp_path)
    parent = tokenized(run.store)
    assert train(parent, "numbers", run, **QUICK).ref == train(parent, "numbers", run, **QUICK, num_epochs=1.0).ref


@pytest.mark.parametrize("part", ["tokens", "tokenizer"])
def test_a_part_of_the_parent_that_is_gone_is_named(tmp_path, part):
    run = run_in(tmp_path)
    parent = tokenized(run.store)
    shutil.rmtree(parent.path / part)
    with pytest.raises(BrokenArtifact, match=f"{parent.path / part}: cannot be read .no such folder.. `prep verify"):
        train(parent, "numbers", run, **QUICK)


def test_a_damaged_tokenizer_of_the_parent_is_named(tmp_path):
    run = run_in(tmp_path)
    parent = tokenized(run.store)
    (parent.path / "tokenizer" / "tokenizer.json").write_text("{")
    with pytest.raises(BrokenArtifact, match=f"{parent.path}/tokenizer: cannot be read"):
        train(parent, "numbers", run, **QUICK)


def test_a_place_that_cannot_be_written_is_told_as_that(tmp_path):
    class Blocking(Notebook):
        def say(self, line):
            if line.startswith("step 1/1"):
                for out in tmp_path.glob("train/*/work/out"):
                    (out / "adapter" / "adapter_config.json").mkdir(parents=True)

    run = run_in(tmp_path, Blocking())
    with pytest.raises(StoreError, match=r"out: cannot write .*goes on from its last checkpoint"):
        train(tokenized(run.store), "numbers", run, **QUICK, max_steps=1)
