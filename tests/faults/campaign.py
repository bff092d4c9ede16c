"""Many runs of a recipe, each killed or refused at some step and run again until it is done -> what came of them.

    python -m tests.faults.campaign RECIPE [--trials 300] [--seed 0] [--fault kill|refuse|"small files"]

Trial n kills at a step drawn from its own nth part of the steps of an undisturbed run, so that they are spread over all stages
and over every step of publishing. Every third is killed a second time while it goes on. Prints a line of JSON for each; raises
`AssertionError` where a store then differs from the undisturbed one in a file's name or bytes (but for `run` in a manifest,
which has the times).
"""

import argparse
import json
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.faults.steps import Fault, Outcome, run

SMALLEST, LARGEST = 256, 200_000  # bytes a file may have where files are kept small


def contents(store: Path) -> dict[str, Any]:
    """Return every folder of a store and every file's bytes, and of each manifest all but what differs from run to run."""
    found: dict[str, Any] = {}
    for path in sorted(store.rglob("*")):
        name = path.relative_to(store).as_posix()
        found[name] = "folder" if path.is_dir() else path.read_bytes()
        if path.name == "manifest.json":
            found[name] = json.loads(path.read_text()) | {"run": None}
    return found


def undisturbed(arguments: list[str], folder: Path) -> tuple[dict[str, Any], int]:
    """Run once; returns what the store holds then, and the steps that it took."""
    done = run(arguments, folder / "undisturbed")
    assert done.code == 0, done.said
    return contents(folder / "undisturbed"), done.steps


def trial(arguments: list[str], store: Path, expected: dict[str, Any], fault: Fault, at: int, again: int = 0) -> list[Outcome]:
    """Disturb a run at a step, and once more at step `again` of the next (0: not), then let it end; compares the stores."""
    runs = [run(arguments, store, fault, at)]
    if again:
        runs.append(run(arguments, store, "kill", again))
    for disturbed in runs:
        assert disturbed.code in ((-9, 0) if fault == "kill" or disturbed is not runs[0] else (1, 0)), disturbed
        assert len(disturbed.said.splitlines()) <= 1, disturbed.said
        assert "a defect of prep" not in disturbed.said, disturbed.said
    runs.append(run(arguments, store))
    assert runs[-1].code == 0, runs[-1].said
    found = contents(store)
    different = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    assert different == [], f"{fault} at {at}, {again}: {different}"
    return runs


def trials(count: int, steps: int, fault: Fault, seed: int) -> Iterator[tuple[int, int]]:
    """Give where to disturb: a step (or the bytes of a file) for each trial, and for every third another step to kill at."""
    chance = random.Random(seed)
    for number in range(count):
        if fault == "small files":
            yield round(SMALLEST * (LARGEST / SMALLEST) ** chance.random()), 0
            continue
        first = 1 + int((number + chance.random()) * steps / count)
        yield first, chance.randint(1, max(1, steps - first)) if number % 3 == 2 else 0


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("recipe")
    arguments.add_argument("--trials", type=int, default=300)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--fault", choices=("kill", "refuse", "small files"), default="kill")
    asked = arguments.parse_args()
    command = ["run", asked.recipe]
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="prep-") as folder:
        expected, steps = undisturbed(command, Path(folder))
        print(json.dumps({"undisturbed": True, "steps": steps, "files": len(expected)}), flush=True)
        killed = 0
        for number, (at, again) in enumerate(trials(asked.trials, steps, asked.fault, asked.seed)):
            store = Path(folder) / "disturbed"
            codes = [outcome.code for outcome in trial(command, store, expected, asked.fault, at, again)]
            killed += sum(code == -9 for code in codes)
            print(json.dumps({"trial": number, asked.fault: at, "then killed at": again, "exit codes": codes}), flush=True)
            shutil.rmtree(store)
    seconds = round(time.perf_counter() - start)
    print(json.dumps({"trials": asked.trials, "kills": killed, "different": 0, "seconds": seconds}))


if __name__ == "__main__":
    main()
