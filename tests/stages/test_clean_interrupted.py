"""Neither workers nor kills change a byte of what the clean stage leaves."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict

import pytest

from pipeline.artifacts import Store
from pipeline.stages.clean import clean

SHORT = ["ok thanks", "yes", "no problem at all", "Sure!", "Hello there friend"]
ALL_KINDS = ["unicode", "slop", {"word_count": {"min": 1}}, "exact_duplicates", "near_duplicates"]


def files_of(artifact):
    """Return every file's bytes, the manifest's without what it says of the run."""
    contents = {path.relative_to(artifact.path).as_posix(): path.read_bytes() for path in artifact.path.rglob("*.parquet")}
    return {**contents, "manifest": {**asdict(artifact.manifest), "run": None}}


@pytest.mark.parametrize("shards", [1, 5])
def test_two_workers_write_the_bytes_of_one(documents, planted, run_with, shards):
    parent = documents([*planted(20), *SHORT, "As an AI language model", "Ã©", ""], shards=shards)
    one = clean(parent, "one", run_with(1), steps=ALL_KINDS)
    two = clean(parent, "two", run_with(2), steps=ALL_KINDS)
    assert [file["sha256"] for file in one.manifest.files] == [file["sha256"] for file in two.manifest.files]
    assert one.manifest.rows == two.manifest.rows
    assert one.manifest.counts == two.manifest.counts
    assert all(count["removed"] or count["filter"] == "unicode" for count in one.manifest.counts)


def start(store, workers=2):
    """Start `prep clean` in a process group of its own, each shard a task's own."""
    code = "from pipeline.cleaning import batches; batches.MANY = 1; from pipeline.cli import main; main()"
    command = [sys.executable, "-c", code, "clean", "--store", str(store), "--quiet"]
    return subprocess.Popen([*command, "--workers", str(workers)], start_new_session=True, stdout=subprocess.DEVNULL)


def kill_at(process, draft, files):
    """Kill the process and all that it started as soon as so many files are in its draft; say whether it still ran."""
    while process.poll() is None and sum(len(names) for _, _, names in os.walk(draft)) < files:
        time.sleep(0.002)
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def test_killed_at_any_moment_a_run_started_again_ends_with_the_same_bytes(documents, planted, store, tmp_path):
    texts = [*planted(150), *SHORT * 2, *["As an AI language model, I cannot."] * 3, "Ã©", ""]
    documents(texts, shards=8)
    other = tmp_path / "undisturbed"
    shutil.copytree(store.root, other)
    assert start(other).wait() == 0
    moments = sorted(random.Random(0).sample(range(1, 187), 2))  # some 187 files stand in the draft at the end
    assert sum(kill_at(start(store.root), store.root / "clean", files) for files in moments) >= 1
    assert start(store.root).wait() == 0
    killed, undisturbed = store.newest("clean"), Store(other).newest("clean")
    assert files_of(killed) == files_of(undisturbed)
    assert killed.verify() == []


@pytest.mark.parametrize("files", [4, 20, 60])
def test_stopped_while_it_clears_its_work_away_a_run_started_again_ends_with_the_same_bytes(
    documents, planted, run_with, monkeypatch, files
):
    parent = documents([*planted(10), *SHORT], shards=3)
    undisturbed = clean(parent, "undisturbed", run_with(1), steps=ALL_KINDS)

    def interrupted(folder, **_):
        for file in [path for path in folder.rglob("*") if path.is_file()][:files]:
            file.unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", interrupted)
    with pytest.raises(KeyboardInterrupt):
        clean(parent, "stopped", run_with(1), steps=ALL_KINDS)
    monkeypatch.undo()
    again = clean(parent, "stopped", run_with(1), steps=ALL_KINDS)
    assert again.manifest.files == undisturbed.manifest.files
