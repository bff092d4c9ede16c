"""A training that is killed, whose checkpoint is damaged, or whose disk is full, goes on and comes to the same bytes."""

import hashlib
import json
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

import pyarrow.parquet as pq
from datasets import Dataset, DatasetDict, Features, List, Value
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from pipeline.artifacts import Artifact, Identity, Store
from pipeline.engine.local import Local
from pipeline.errors import StoreError
from pipeline.run import Run
from pipeline.stages.train import train
from trainers.stream import Stream

pytestmark = pytest.mark.xdist_group("killed trainings")  # all take one slow fixture

ROOT = Path(__file__).parent.parent.parent
WORDS = 40
CONFIG = {
    "model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64,
}  # fmt: skip
SETTINGS = {
    "model": {"config": CONFIG}, "lora_r": 4, "lora_dropout": 0.1, "learning_rate": 1e-2, "num_epochs": 1.5,
    "evals_per_epoch": 2, "gradient_checkpointing": False,
}  # fmt: skip

# One process imports everything and has a child for each place, which trains until it kills itself there.
CHILDREN = """
import itertools, json, os, signal, sys
import trainers.qlora, transformers
from pipeline.artifacts import Draft, Store
from pipeline.engine.local import Local
from pipeline.run import Run
from pipeline.stages.train import train

class Teller:
    def __init__(self, last):
        self.last = last
    def track(self, label, answers, total):
        for count, answer in enumerate(answers, 1):
            yield answer
            if count == self.last:
                die()
    def say(self, line):
        pass

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def train_until(place, store):
    if place == "while a checkpoint is written":
        saves = itertools.count()
        kept = transformers.Trainer._save_rng_state
        transformers.Trainer._save_rng_state = lambda *given: die() if next(saves) == 1 else kept(*given)
    if place == "after the last step":
        trainers.qlora.keep_best = die
    if place == "before it is published":
        Draft.publish = die
    last = {"before the first checkpoint": 1, "between two steps": 5}.get(place, 0)
    store = Store(store)
    train(store.newest("tokenize"), "numbers", Run(store, Local(1), Teller(last)), **json.loads(sys.argv[1]))

for place, store in json.loads(sys.argv[2]).items():
    child = os.fork()
    if child == 0:
        train_until(place, store)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL, place
"""
PLACES = [
    "before the first checkpoint",
    "between two steps",
    "while a checkpoint is written",
    "after the last step",
    "before it is published",
]


class Notebook:
    """Writes down what a stage tells."""

    def __init__(self):
        self.lines = []

    def track(self, label, answers, total):
        return answers

    def say(self, line):
        self.lines.append(line)


def rows(count):
    ids = [[1, *(2 + (7 * n + step) % (WORDS - 2) for step in range(4 + n % 9))] for n in range(count)]
    features = Features(dict.fromkeys(["input_ids", "labels", "position_ids"], List(Value("int32"))))
    positions = [list(range(len(row))) for row in ids]
    return Dataset.from_dict({"input_ids": ids, "labels": ids, "position_ids": positions}, features=features)


def tokenized(store: Store) -> Artifact:
    """A tokenize artifact, made by hand."""
    vocabulary = {"<unk>": 0, "<s>": 1, **{f"w{index}": index for index in range(2, WORDS)}}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    with store.draft(Identity("tokenize", {}), "numbers") as draft:
        DatasetDict({"train": rows(32), "validation": rows(4)}).save_to_disk(str(draft.path / "tokens"))
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", bos_token="<s>")
        tokenizer.save_pretrained(draft.path / "tokenizer")
        return draft.publish({"in": 36, "kept": 36}, versions={}, run={})


def go_on(folder: Path, progress: Notebook | None = None, **changes) -> Artifact:
    store = Store(folder)
    return train(store.newest("tokenize"), "numbers", Run(store, Local(1), progress or Notebook()), **SETTINGS | changes)


def digests(artifact: Artifact) -> dict[str, str]:
    files = {path.relative_to(artifact.path).as_posix(): path for path in artifact.path.rglob("*") if path.is_file()}
    kept = {name: path for name, path in files.items() if not name.startswith(("manifest", "speed", "report"))}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in kept.items()}


def losses(artifact: Artifact) -> list[tuple[int, str, float]]:
    table = pq.read_table(artifact.files("metrics")[0])
    return list(zip(*(table[name].to_pylist() for name in ("step", "split", "loss")), strict=True))


@pytest.fixture(scope="module")
def parent(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parent")
    tokenized(Store(folder))
    return folder


@pytest.fixture(scope="module")
def calm(parent, tmp_path_factory):
    """A training that nothing happened to."""
    return go_on(copied(parent, tmp_path_factory.mktemp("calm")))


@pytest.fixture(scope="module")
def killed(parent, tmp_path_factory):
    """The stores of trainings that killed themselves, by the place where they did."""
    home = tmp_path_factory.mktemp("killed")
    stores = {place: str(copied(parent, home / place.replace(" ", "-"))) for place in PLACES}
    command = [sys.executable, "-c", CHILDREN, json.dumps(SETTINGS), json.dumps(stores)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return {place: Path(store) for place, store in stores.items()}


@pytest.fixture
def stopped(killed, tmp_path):
    """The store of a training that was killed after its third checkpoint."""
    return copied(killed["after the last step"], tmp_path)


def copied(store, folder):
    shutil.copytree(store, folder, dirs_exist_ok=True)
    return folder


def checkpoints(store: Path) -> dict[int, Path]:
    return {int(path.name.rpartition("-")[2]): path for path in sorted(store.glob("train/*/work/trainer/checkpoint-*"))}


@pytest.mark.parametrize("place", PLACES)
def test_a_training_that_was_killed_goes_on_and_ends_with_the_same_bytes(killed, calm, place, tmp_path):
    told = Notebook()
    again = go_on(copied(killed[place], tmp_path), told)
    assert losses(again) == losses(calm)
    assert digests(again) == digests(calm)
    assert [line for line in told.lines if line.startswith("going on")] == {
        "before the first checkpoint": [],
        "between two steps": ["going on from step 4 of 6"],
        "while a checkpoint is written": ["going on from step 2 of 6"],
    }.get(place, ["going on from step 6 of 6"])
    assert ("the checkpoint of step 4 is unfinished or damaged, so it is passed over" in told.lines) == (
        place == "while a checkpoint is written"
    )


def test_metrics_hold_every_step_once(calm):
    found = losses(calm)
    assert [step for step, split, _ in found if split == "train"] == list(range(1, 7))
    for split in ("sample", "validation"):
        assert [step for step, name, _ in found if name == split] == [0, 2, 4, 6]


def cut(checkpoint):
    weights = checkpoint / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def flip(checkpoint):
    weights = checkpoint / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)


def without_optimizer(checkpoint):
    (checkpoint / "optimizer.pt").unlink()


def unvouched(checkpoint):
    (checkpoint / "whole.json").write_text('{"optimizer.pt": [1')


@pytest.mark.parametrize("damage", [cut, flip, without_optimizer, unvouched])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(stopped, calm, damage):
    damage(checkpoints(stopped)[6])
    told = Notebook()
    assert digests(go_on(stopped, told)) == digests(calm)
    assert [line for line in told.lines if "checkpoint" in line or line.startswith("going")] == [
        "the checkpoint of step 6 is unfinished or damaged, so it is passed over",
        "going on from step 4 of 6",
    ]


def test_the_last_two_checkpoints_are_kept_and_the_best(stopped):
    assert set(checkpoints(stopped)) == {4, 6}


def test_a_torn_last_line_of_the_points_is_told_again(stopped, calm):
    points = next(stopped.glob("train/*/work/trainer/points.jsonl"))
    points.write_bytes(points.read_bytes()[:-9])
    assert digests(go_on(stopped)) == digests(calm)


def test_points_that_are_gone_leave_no_checkpoint_to_go_on_from(stopped, calm):
    next(stopped.glob("train/*/work/trainer/points.jsonl")).write_bytes(b"")
    assert digests(go_on(stopped)) == digests(calm)


def test_a_full_disk_is_one_line_and_training_goes_on_from_the_last_good_checkpoint(parent, tmp_path, calm):
    class Full(Notebook):
        """Lets no file grow beyond 40 kB after the first checkpoint; an optimizer's state needs more."""

        def say(self, line):
            if line.startswith("step 4/"):
                resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    store = copied(parent, tmp_path)
    try:
        with pytest.raises(StoreError, match=r"checkpoint-4: cannot write \(.*\).* goes on from its last checkpoint") as caught:
            go_on(store, Full())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert set(checkpoints(store)) == {2}
    told = Notebook()
    assert digests(go_on(store, told)) == digests(calm)
    assert "going on from step 2 of 6" in told.lines


def test_more_checkpoints_are_the_same_training(calm, parent, tmp_path):
    again = go_on(copied(parent, tmp_path), saves_per_epoch=4)
    assert (again.ref, digests(again)) == (calm.ref, digests(calm))


def test_a_stream_forgets_what_comes_after_a_step(stopped):
    folder = next(stopped.glob("train/*/work/trainer"))
    Stream(folder).cut(2)
    again = Stream(folder)
    assert again.points[-1].step == again.paces[-1].step == 2
    assert again.count(6) == again.count(2) == 2 + 2 * 2
