"""Ctrl-C ends a command within two seconds or so, whatever it is at; progress is told on a terminal and elsewhere."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

from pipeline.cli.interrupts import EXIT_CODE, INTERRUPTED
from pipeline.progress import Terminal, spell
from pipeline.run import Note

SOON = 2.5  # seconds: 1.5 of patience, and what a loaded machine takes
SLOW = """
import hashlib, sys, time
from pipeline.cli import main
from pipeline.stages import ingest
import pipeline.progress

def slow(_, item):
    (__import__("pathlib").Path("begun")).touch()
    WAIT
    return {"in": 1, "kept": 1, "rejected": 0, "kind": "text", "first": "", "reasons": {}}

if __name__ == "__main__":
    pipeline.progress.EVERY = 0.25
    ingest._read, ingest.TASK_SOURCES = slow, 1
    main(["ingest", "notes", *sys.argv[1:]])
"""
WAITS = {
    "in Python": "time.sleep(60)",
    "in C": "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**8)",  # for a minute Python hears of no signal
    "not long": "time.sleep(0.7)",
}


@pytest.fixture
def start(tmp_path):
    (tmp_path / "notes").mkdir()
    for number in range(3):
        (tmp_path / "notes" / f"{number}.txt").write_text("A note.")
    started = []

    def begin(wait, *arguments, **streams):
        script = tmp_path / "slow.py"
        script.write_text(SLOW.replace("WAIT", WAITS[wait]))
        command = [sys.executable, str(script), *arguments, "--store", "store"]
        started.append(subprocess.Popen(command, cwd=tmp_path, start_new_session=True, **streams))
        return started[-1]

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def interrupted(process, begun):
    """Press Ctrl-C, as a terminal does for all processes, once a task has begun; return the seconds until the end."""
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.02)
    time.sleep(0.2)
    start = time.perf_counter()
    os.killpg(process.pid, signal.SIGINT)
    process.wait(30)
    return time.perf_counter() - start


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("wait", ["in Python", "in C"])
def test_ctrl_c_ends_a_run_soon_and_says_how_to_go_on(start, tmp_path, wait, workers):
    process = start(wait, "--workers", workers, stderr=subprocess.PIPE, text=True)
    assert interrupted(process, tmp_path / "begun") < SOON
    assert process.returncode == EXIT_CODE
    assert process.stderr.read().strip().splitlines()[-1] == f"Error: {INTERRUPTED}"


def test_ctrl_c_leaves_a_timeline_that_opens(start, tmp_path):
    process = start("in Python", "--workers", "1", "--trace", "t.json", stderr=subprocess.PIPE)
    interrupted(process, tmp_path / "begun")
    text = (tmp_path / "t.json").read_text()
    assert text.startswith('[\n{"name": "prep"')
    assert text.endswith("}\n]\n")


def test_without_a_terminal_a_line_is_told_now_and_then(start):
    process = start("not long", "--workers", "1", stderr=subprocess.PIPE, text=True)
    told = process.communicate(timeout=60)[1].splitlines()
    far = [line for line in told if re.fullmatch(r"ingest: [012] of 3 \(0:\d\d\)", line)]
    assert len(far) >= 3
    assert [line.split()[1] for line in far] == sorted(line.split()[1] for line in far)
    assert "\x1b" not in "".join(told)


def test_quiet_tells_nothing(start):
    process = start("not long", "--workers", "1", "--quiet", stderr=subprocess.PIPE, text=True)
    assert "of 3 (" not in process.communicate(timeout=60)[1]


def test_on_a_terminal_a_bar_shows_how_far_it_is(start):
    here, there = pty.openpty()
    process = start("not long", "--workers", "1", stdin=there, stdout=there, stderr=there)
    os.close(there)
    shown = b""
    while select.select([here], [], [], 30)[0]:
        try:
            shown += os.read(here, 4096)
        except OSError:  # the terminal's other end is closed
            break
    process.wait(30)
    os.close(here)
    bars = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert [f"{count}/3" for count in range(3) if re.search(rf"ingest .*{count}/3", bars)] == ["0/3", "1/3", "2/3"]


def test_between_two_maps_the_last_one_is_told(monkeypatch, capsys):
    monkeypatch.setattr("pipeline.progress.EVERY", 0.02)
    with Terminal(quiet=False) as terminal:
        assert list(terminal.track("clean, pass 1", iter("ab"), 2)) == ["a", "b"]
        time.sleep(0.2)
    lines = capsys.readouterr().err.splitlines()
    assert "clean, pass 1: done, 2 of 2 (0:00)" in lines
    time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_a_note_of_the_last_answer_is_told_with_it(monkeypatch, capsys):
    monkeypatch.setattr("pipeline.progress.EVERY", 0.02)
    with Terminal(quiet=False) as terminal:
        for _ in terminal.track("train", iter([Note("loss 2.000"), Note("loss 1.000")]), 2):
            time.sleep(0.1)
    lines = capsys.readouterr().err
    assert "train: 1 of 2, loss 2.000 (0:00)\n" in lines
    assert "train: 2 of 2, loss 1.000 (0:00)\n" in lines


def test_before_the_first_map_there_is_a_line_as_well(monkeypatch, capsys):
    monkeypatch.setattr("pipeline.progress.EVERY", 0.02)
    with Terminal(quiet=False):
        time.sleep(0.1)
    assert capsys.readouterr().err.splitlines()[0] == f"working ({spell(0)})"
