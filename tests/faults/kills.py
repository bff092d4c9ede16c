"""Many runs of each stage, killed at random steps on the disk and run again -> what came of them, as a table.

    python -m tests.faults.kills [--kills 300] [--seed 0] [--stages ingest,clean,tokenize,train] [--log FILE]

A stage runs on parents that are made once. In a trial somebody is killed at a random step: the driver, alone or beside two
workers, a worker, or all at once; the run is started again, and killed again further on, up to four times; then it is left to
end, what is left over is removed as `prep gc` does, and the store must hold the files and the bytes of an undisturbed one.
Trial n begins in its own nth part of the steps, so that the kills are spread over the stage, to the last step of publishing. A
line of JSON for each trial has what it takes to do it once more: `--only STAGE:CAST:NUMBER` with the same --kills and --seed.
"""

import argparse
import itertools
import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.artifacts import Store
from pipeline.garbage import garbage, remove
from tests.faults.campaign import contents
from tests.faults.steps import SERVER, Outcome, Who, run

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "data" / "samples"
STAGES = ("ingest", "clean", "tokenize", "train")
MOST = 4  # kills of one trial
VARYING = ("speed/", "report.html")  # of a training: what has times in it
RECIPE = f"""
name: both
ingest:
  web:
    sources:
      - {{path: "{SAMPLES}/posts.csv", text_column: body}}
      - {{path: "{SAMPLES}/mariadb.sql", table: posts, text_column: body}}
      - {{path: "{SAMPLES}/sqlite.sql", table: posts, text_column: body}}
      - "{SAMPLES}/pages"
  chats: {{sources: "{SAMPLES}/chats"}}
clean:
  web:
    - unicode
    - slop
    - pii
    - word_count: {{min: 5}}
    - recurring_lines: {{documents: 3}}
    - exact_duplicates
    - near_duplicates
  chats: [{{slop: {{lists: [openers], on: [assistant], action: strip_sentence}}}}, exact_duplicates]
tokenize: {{train_tokenizer: true, vocab_size: 400, sequence_length: 128, validation: 0.2, epochs: {{web: 1.5, chats: 0.5}}}}
train:
  model:
    config: {{model_type: llama, hidden_size: 32, intermediate_size: 64, num_hidden_layers: 1, num_attention_heads: 2,
      num_key_value_heads: 2}}
  max_steps: 4
  gradient_checkpointing: false
"""


class Cast(NamedTuple):
    """Who works, and who of them is killed."""

    name: str
    workers: int
    killed: Who


CASTS = (
    Cast("driver alone", 1, "driver"),
    Cast("driver beside workers", 2, "driver"),
    Cast("worker", 2, "worker"),
    Cast("driver and workers", 2, "both"),
)
ONE = CASTS[:1]  # who works in a training


@dataclass(frozen=True)
class Scene:
    """A stage on its parents: the command, a store with the parents, and what the store holds after an undisturbed run."""

    stage: str
    command: Sequence[str]
    before: Path
    after: dict[str, Any]

    def run(self, store: Path, cast: Cast, at: int = 0) -> Outcome:
        """Run the stage; at step `at`, if it is not 0, somebody is killed."""
        return run(self.command, store, "kill" if at else None, at, workers=cast.workers, who=cast.killed)


class Told(NamedTuple):
    """What a trial came to: steps at which somebody was to be killed, the runs' ends, what was left over, what is wrong."""

    at: list[int]
    ends: list[str]
    left: list[str]
    wrong: list[str]


def scenes(folder: Path, stages: Sequence[str] = STAGES) -> Iterator[Scene]:
    """Run the recipe stage by stage, undisturbed; give each stage that is asked for."""
    recipe, store = folder / "recipe.yaml", folder / "store"
    recipe.write_text(RECIPE)
    store.mkdir()
    for stage in STAGES[: 1 + max(map(STAGES.index, stages))]:
        command = [stage, "--config", str(recipe)]
        before = folder / stage
        shutil.copytree(store, before)
        done = run(command, store)
        assert done.code == 0, done.said
        if stage in stages:
            yield Scene(stage, command, before, settled(store))


def settled(store: Path) -> dict[str, Any]:
    """Return what a store holds, but for what differs between two equal trainings: times."""
    found = contents(store)
    for name in [name for name in found if name.startswith("train/")]:
        within = name.split("/", 2)[2:]
        if within and within[0].startswith(VARYING):
            found[name] = "times"
        elif within == ["manifest.json"]:
            found[name]["files"] = [file for file in found[name]["files"] if not file["path"].startswith(VARYING)]
    return found


def trial(scene: Scene, cast: Cast, steps: int, first: int, chance: random.Random, store: Path) -> Told:
    """Kill at step `first`, then further on, and let it end; say what differs then, and what a run should not have said."""
    shutil.copytree(scene.before, store)
    told, at = Told([], [], [], []), first
    while len(told.at) < MOST:
        ended = scene.run(store, cast, at)
        told.at.append(at)
        told.ends.append(_end(ended))
        told.wrong.extend(_misbehaved(ended, cast))
        if told.ends[-1] == "done" or ended.code not in (-9, 1):
            break
        steps = max(1, steps - at)
        at = chance.randint(1, steps)
    ended = scene.run(store, cast)
    told.ends.append(_end(ended))
    if ended.code != 0:
        told.wrong.append(f"exit code {ended.code}: {ended.said}")
    told.left.extend(swept(store))
    found = settled(store)
    told.wrong.extend(sorted(name for name in {*found, *scene.after} if found.get(name) != scene.after.get(name)))
    shutil.rmtree(store)
    return told


def swept(store: Path) -> Iterator[str]:
    """Remove what nothing needs, as `prep gc` does; say what it was."""
    for waste in garbage(Store(store)):
        assert remove(Store(store), waste), waste
        yield f"{waste.kind}: {waste.name}"


def _end(ended: Outcome) -> str:
    return {0: "done", -9: "killed", 1: "stopped"}.get(ended.code, f"exit code {ended.code}")


def _misbehaved(ended: Outcome, cast: Cast) -> list[str]:
    """Return what is wrong in the way that a run ended in which somebody was killed."""
    lines = ended.said.splitlines()
    told = len(lines) == 1 and "a worker process died" in lines[0]
    expected = ended.code == 0 or (ended.code == 1 and told if cast.killed == "worker" else ended.code == -9)
    return [] if expected else [f"exit code {ended.code}: {ended.said}"]


def plan(kills: int, stages: Sequence[str]) -> Iterator[tuple[str, Cast, int]]:
    """Share the trials out among the stages and the casts: `number` of them for each."""
    pairs = [(stage, cast) for stage in stages for cast in (ONE if stage == "train" else CASTS)]
    weight = {"train": 2}
    total = sum(weight.get(stage, 1) for stage, _ in pairs)
    for stage, cast in pairs:
        yield stage, cast, -(-kills * weight.get(stage, 1) // (3 * total))  # a trial has three kills or so


def trials(scene: Scene, cast: Cast, count: int, seed: int, folder: Path, only: int | None = None) -> Iterator[Told]:
    """Do the trials of a stage with a cast."""
    undisturbed = folder / "undisturbed"
    shutil.copytree(scene.before, undisturbed)
    steps = scene.run(undisturbed, cast).steps
    shutil.rmtree(undisturbed)
    for number in range(count) if only is None else [only]:
        chance = random.Random(f"{seed} {scene.stage} {cast.name} {number}")
        first = 1 + int((number + chance.random()) * steps / count)
        yield trial(scene, cast, steps, first, chance, folder / "disturbed")


def table(told: Counter[tuple[str, str, str]]) -> list[str]:
    """Draw what came of the kills: a row for each stage and who was killed."""
    outcomes = sorted({outcome for _, _, outcome in told})
    rows = list(dict.fromkeys((stage, cast) for stage, cast, _ in told))
    lines = ["\t".join(["stage", "killed", *outcomes])]
    lines += ["\t".join([*row, *(str(told[*row, outcome]) for outcome in outcomes)]) for row in rows]
    sums = [sum(count for (_, _, of), count in told.items() if of == outcome) for outcome in outcomes]
    return [*lines, "\t".join(["all", "", *map(str, sums)])]


def outcomes(told: Told) -> Iterator[str]:
    """Say what came of each kill of a trial."""
    for end in told.ends[:-1]:
        went_on = "not as undisturbed" if told.wrong else "same bytes"
        yield {"killed": f"killed, {went_on}", "stopped": f"ended in one line, {went_on}", "done": "no step left"}.get(end, end)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--kills", type=int, default=300)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--stages", default=",".join(STAGES))
    arguments.add_argument("--only", default="")
    arguments.add_argument("--log", type=argparse.FileType("w"), default=sys.stdout)
    asked = arguments.parse_args()
    start, told, wrong = time.perf_counter(), Counter[tuple[str, str, str]](), 0
    only = asked.only.split(":") if asked.only else []
    stages = only[:1] or asked.stages.split(",")
    SERVER.set_forkserver_preload(["tests.faults.warm", *(["tests.faults.warm_training"] if "train" in stages else [])])
    shares = {
        stage: list(of) for stage, of in itertools.groupby(plan(asked.kills, asked.stages.split(",")), lambda one: one[0])
    }

    def say(line: str) -> None:
        print(line, file=asked.log, flush=True)

    with tempfile.TemporaryDirectory(prefix="prep-") as folder:
        for scene in scenes(Path(folder), stages):
            for _, cast, count in shares[scene.stage]:
                if only and cast.name != only[1]:
                    continue
                number = int(only[2]) if only else 0
                for found in trials(scene, cast, count, asked.seed, Path(folder), number if only else None):
                    told.update((scene.stage, cast.name, outcome) for outcome in outcomes(found))
                    wrong += bool(found.wrong)
                    place = {
                        "stage": scene.stage,
                        "cast": cast.name,
                        "trial": number,
                        "seconds": round(time.perf_counter() - start),
                    }
                    say(json.dumps(place | found._asdict()))
                    number += 1
    kills = sum(count for (_, _, outcome), count in told.items() if outcome != "no step left")
    for line in table(told):
        say(line)
    say(json.dumps({"kills": kills, "wrong": wrong, "seed": asked.seed, "seconds": round(time.perf_counter() - start)}))
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
