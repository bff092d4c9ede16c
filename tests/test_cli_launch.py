"""One training by two processes on the CPU, connected by gloo: as by one, and none is left behind where one fails."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")
pytest.importorskip("bitsandbytes")

import psutil
import pyarrow.parquet as pq
from click.testing import CliRunner
from datasets import Dataset, DatasetDict, Features, List, Value
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from pipeline.artifacts import Identity, Store
from pipeline.cli import main
from pipeline.cli.launch import LastWords, what_failed

ROOT = Path(__file__).parent.parent
WORDS = 40
CONFIG = {
    "model_type": "llama", "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 64,
}  # fmt: skip
TRAIN = {
    "model": {"config": CONFIG}, "adapter": "lora", "lora_r": 4, "lora_dropout": 0.0, "learning_rate": 1e-2, "num_epochs": 2,
    "evals_per_epoch": 2, "gradient_checkpointing": False, "micro_batch_size": 2, "gradient_accumulation_steps": 5,
}  # fmt: skip
TWO = ("--launcher", "accelerate", "--processes", "2")


def rows(count):
    ids = [[1, *(2 + (7 * n + step) % (WORDS - 2) for step in range(4 + n % 9))] for n in range(count)]
    features = Features(dict.fromkeys(["input_ids", "labels", "position_ids"], List(Value("int32"))))
    positions = [list(range(len(row))) for row in ids]
    return Dataset.from_dict({"input_ids": ids, "labels": ids, "position_ids": positions}, features=features)


@pytest.fixture
def folder(tmp_path):
    """A folder with a store, in which tokens are, of 33 rows and 5, so that neither batches nor rows come out even."""
    vocabulary = {"<unk>": 0, "<s>": 1, **{f"w{index}": index for index in range(2, WORDS)}}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    with Store(tmp_path / "store").draft(Identity("tokenize", {}), "numbers") as draft:
        DatasetDict({"train": rows(33), "validation": rows(5)}).save_to_disk(str(draft.path / "tokens"))
        tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>", bos_token="<s>")
        tokenizer.save_pretrained(draft.path / "tokenizer")
        draft.publish({"in": 38, "kept": 38}, versions={}, run={})
    return tmp_path


def begun(folder, *flags, name="numbers", module=("pipeline.cli",), **changes):
    """Start `prep train` in a process group of its own."""
    (folder / f"{name}.yaml").write_text(json.dumps({"train": TRAIN | changes}))
    words = ["train", "--config", str(folder / f"{name}.yaml"), "--store", str(folder / "store"), "--name", name, *flags]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", *module, *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True, env=environment, start_new_session=True)


def ended(started):
    """Return what a command said on stdout and stderr, and its exit code; no process of it is left."""
    out, errors = started.communicate(timeout=240)
    until(lambda: not of_group(started.pid))
    return out, errors, started.returncode


def of_group(group):
    return [process for process in psutil.process_iter() if os.getpgid(process.pid) == group]


def until(there, seconds=120):
    """Wait until something is there, and return it."""
    end = time.monotonic() + seconds
    while not (found := there()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def checkpoints(folder, name="numbers"):
    return sorted(folder.glob(f"store/train/{name}@*/work/trainer/checkpoint-*/whole.json"))


def process_of(rank):
    """Find the process of a rank below this one."""

    def found():
        below = psutil.Process().children(recursive=True)
        return next((one for one in below if one.environ().get("RANK") == rank), None)

    return until(found)


def metrics(folder, name):
    artifact = Store(folder / "store").find(f"train/{name}")
    return pq.read_table(artifact.files("metrics")[0]).to_pylist(), artifact.manifest


@pytest.mark.slow
def test_two_processes_come_to_the_losses_of_one(folder):
    alone = ended(begun(folder, name="one"))
    together = ended(begun(folder, *TWO, name="two"))
    outer = ("torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "pipeline.cli")
    by_hand = ended(begun(folder, name="torchrun", module=outer))
    assert [code for _, _, code in (alone, together, by_hand)] == [0, 0, 0]
    (first, ours), (second, theirs), (third, _) = (metrics(folder, name) for name in ("one", "two", "torchrun"))
    assert len(first) == 8 + 2 * 5
    for one, two, three in zip(first, second, third, strict=True):
        assert all(one[name] == two[name] for name in ("step", "split", "epoch", "tokens", "learning_rate"))
        assert two["loss"] == pytest.approx(one["loss"], abs=1e-5)
        assert three == two
    assert (ours.fingerprint, ours.run["processes"], theirs.run["processes"]) == (theirs.fingerprint, 1, 2)
    steps = [[line for line in said.splitlines() if line.startswith("step ")] for _, said, _ in (alone, together, by_hand)]
    assert len(steps[0]) == 5
    assert steps[0] == steps[1] == steps[2]
    assert together[0].count("train/two@") == 2  # its ref and its folder, said by one process


@pytest.mark.slow
def test_a_process_that_is_killed_is_one_line_and_two_others_go_on_from_its_checkpoint(folder):
    started = begun(folder, *TWO, num_epochs=60)
    until(lambda: checkpoints(folder))
    process_of("1").kill()
    _, said, code = ended(started)
    line = said.splitlines()[-1]
    assert (code, said.count("Error")) == (1, 1)
    assert line.startswith(
        "Error: process 1 of 2 (counted from 0) was ended by SIGKILL, as a machine does whose memory is full."
    )
    last = max(int(path.parent.name.rpartition("-")[2]) for path in checkpoints(folder))
    again = begun(folder, *TWO, num_epochs=60)
    until(lambda: any(int(path.parent.name.rpartition("-")[2]) > last for path in checkpoints(folder)))
    os.killpg(again.pid, signal.SIGINT)
    assert f"going on from step {last} of 240" in ended(again)[1]


@pytest.mark.slow
def test_ctrl_c_ends_all_with_one_line(folder):
    started = begun(folder, *TWO, num_epochs=60)
    until(lambda: checkpoints(folder))
    os.killpg(started.pid, signal.SIGINT)
    _, said, code = ended(started)
    assert (code, said.count("Error")) == (130, 1)
    assert said.splitlines()[-1].startswith("Error: interrupted.")


@pytest.mark.slow
def test_what_the_first_process_fails_with_is_said_once_with_its_exit_code(folder):
    _, said, code = ended(begun(folder, *TWO, gradient_accumulation_steps=1))
    assert code == 1
    assert said.splitlines()[-1] == (
        "Error: an optimizer step has 1 x 2 rows, which 2 processes cannot share: each needs a pass. "
        "Lower micro_batch_size and raise gradient_accumulation_steps, or start fewer processes."
    )
    assert said.count("Error") == 1


def test_processes_without_a_launcher_are_refused(folder):
    refused = CliRunner().invoke(main, ["train", "--processes", "2", "--store", str(folder / "store")])
    assert refused.exit_code == 2
    assert "--processes is of --launcher accelerate." in refused.output


def test_without_cards_the_number_of_processes_is_to_be_named(folder, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    refused = CliRunner().invoke(main, ["train", "--launcher", "accelerate", "--store", str(folder / "store")])
    assert refused.exit_code == 2
    assert refused.output.splitlines()[-1].endswith(
        "no CUDA card here, so there is nothing to share. Name --processes 2 or more."
    )


def test_an_error_of_its_own_comes_before_one_that_is_the_loss_of_another_process():
    words = {0: LastWords("Connection closed by peer", 1, True), 1: LastWords("the memory does not hold it", 3, False)}
    assert what_failed(words, {0: 1, 1: 3}, 2) == ("the memory does not hold it", 3)
