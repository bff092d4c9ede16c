"""A recipe whose runs are killed again and again, and whose server is, too, leaves what an undisturbed run does."""

import random
import subprocess
import sys
import threading
from time import monotonic, sleep

import pytest

from tests.stores.test_commands import RECIPE, contents

PREP = [sys.executable, "-c", "from pipeline.cli import main; main()"]


@pytest.mark.slow
def test_killed_at_any_time_and_with_a_server_that_is_killed_too_a_recipe_comes_to_its_end(machine, s3, tmp_path):
    (tmp_path / "both.yaml").write_text(RECIPE)
    run = [*PREP, "run", str(tmp_path / "both.yaml"), "--workers", "1", "--quiet"]
    start = monotonic()
    subprocess.run([*run, "--store", str(tmp_path / "store")], check=True, stdout=subprocess.DEVNULL)
    whole = monotonic() - start
    machine("a")
    chance, ended = random.Random(0), threading.Event()

    def disturb() -> None:
        while not ended.wait(chance.uniform(0.5, 4)):
            s3.kill()
            sleep(chance.uniform(0, 1))
            s3.start()

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        kills = _run_until_done([*run, "--store", "s3://box/sets"], whole, chance)
    finally:
        ended.set()
        thread.join()
    assert kills
    assert contents(s3.box / "sets") == contents(tmp_path / "store")
    assert all(machine("b").verify(artifact) == [] for artifact in machine("b").list())


def _run_until_done(command: list[str], whole: float, chance: random.Random) -> int:
    """Run a command, killed after some time, until one ends by itself; return how many were killed."""
    for number in range(20):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                assert process.wait(chance.uniform(*((0.3, 1.2) if number else (0.1, 0.5))) * whole) == 0
            except subprocess.TimeoutExpired:
                process.kill()
            else:
                return number
    raise AssertionError("no run came to its end")
