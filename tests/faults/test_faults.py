"""Whatever ends a run, at whatever step: run again, it leaves what an undisturbed one does. `campaign.py` tries many more."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults import kills
from tests.faults.campaign import trial, trials, undisturbed
from tests.faults.steps import Fault

ROOT = Path(__file__).parents[2]
RECIPE = f"""
name: both
ingest:
  web: {{sources: [{{path: "{ROOT}/data/samples/posts.csv", text_column: body}}]}}
  chats: {{sources: "{ROOT}/data/samples/chats"}}
clean:
  web: [unicode, slop, {{word_count: {{min: 20}}}}, exact_duplicates, near_duplicates]
  chats: [{{slop: {{lists: [refusals], on: [assistant]}}}}, exact_duplicates]
tokenize: {{train_tokenizer: true, vocab_size: 400, sequence_length: 256, validation: 0.2}}
"""


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = tmp_path_factory.mktemp("recipe") / "both.yaml"
    path.write_text(RECIPE)
    return ["run", str(path)]


@pytest.fixture(scope="module")
def whole(command: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], int]:
    return undisturbed(command, tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize(
    ("fault", "count"),
    [
        pytest.param("kill", 3, marks=pytest.mark.slow),
        pytest.param("refuse", 3, marks=pytest.mark.slow),
        pytest.param("small files", 2, marks=pytest.mark.slow),
    ],
)
def test_run_again_after_any_fault_a_recipe_leaves_what_an_undisturbed_run_does(
    command: list[str], whole: tuple[dict[str, Any], int], fault: Fault, count: int, tmp_path: Path
) -> None:
    expected, steps = whole
    for number, (at, again) in enumerate(trials(count, steps, fault, seed=0)):
        runs = trial(command, tmp_path / str(number), expected, fault, at, again)
        assert fault == "small files" or runs[0].code == (-9 if fault == "kill" else 1), (at, runs[0])


def test_refused_its_last_step_a_run_leaves_nothing_of_its_own_behind(
    command: list[str], whole: tuple[dict[str, Any], int], tmp_path: Path
) -> None:
    expected, steps = whole
    trial(command, tmp_path / "refused", expected, "refuse", steps)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], kills.Scene]:
    """Give a stage on its parents, which are made when one is asked for."""
    coming, met = kills.scenes(tmp_path_factory.mktemp("scenes"), ["clean", "tokenize"]), dict[str, kills.Scene]()

    def of(stage: str) -> kills.Scene:
        while stage not in met:
            made = next(coming)
            met[made.stage] = made
        return met[stage]

    return of


@pytest.mark.parametrize(
    ("stage", "cast", "first"),
    [
        ("clean", "worker", 300),
        ("clean", "driver and workers", 800),
        pytest.param("clean", "driver beside workers", 100, marks=pytest.mark.slow),
        pytest.param("tokenize", "worker", 300, marks=pytest.mark.slow),
        pytest.param("tokenize", "driver and workers", 600, marks=pytest.mark.slow),
    ],
)
def test_whoever_is_killed_a_stage_that_is_run_again_leaves_what_an_undisturbed_one_does(
    scene: Callable[[str], kills.Scene], monkeypatch: pytest.MonkeyPatch, stage: str, cast: str, first: int, tmp_path: Path
) -> None:
    monkeypatch.setattr(kills, "MOST", 2)
    who = next(known for known in kills.CASTS if known.name == cast)
    told = kills.trial(scene(stage), who, 2 * first, first, random.Random(0), tmp_path / "store")
    assert told.wrong == []
    assert told.ends[0] == ("stopped" if cast == "worker" else "killed")
    assert told.ends[-1] == "done"
