"""The whole way, as a user goes it: four commands one after the other, and a recipe with all stages."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pipeline.cli import main

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "data" / "samples"


def prep(*arguments: str) -> Result:
    done = CliRunner().invoke(main, list(arguments), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def files(store: Path) -> dict[str, Any]:
    """Return every file's bytes, and of each manifest all but what differs from run to run."""
    found: dict[str, Any] = {}
    for path in sorted(store.rglob("*")):
        if path.name == "manifest.json":
            found[path.relative_to(store).as_posix()] = json.loads(path.read_text()) | {"run": None}
        elif path.is_file():
            found[path.relative_to(store).as_posix()] = path.read_bytes()
    return found


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PREP_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(ROOT)
    return tmp_path / "store"


def test_four_commands_without_a_recipe_find_what_the_one_before_made(store: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    (tmp_path / "mine.txt").write_text("# mine\nrye bread for people who forget things\n")
    prep("ingest", str(SAMPLES / "pages"), "--workers", "1")
    cleaned = prep("clean", "--slop-list", str(tmp_path / "mine.txt"), "--workers", "1")
    assert "slop: 1 of 15 removed" in cleaned.stdout
    prep("tokenize", "--workers", "1")
    trained = prep("train", "--max-steps", "2", "--workers", "1")
    made = store / re.search(r"^(train/pages@\w+)", trained.stdout, re.MULTILINE)[1]  # type: ignore[index]
    assert (made / "adapter" / "adapter_model.safetensors").stat().st_size > 0
    assert (made / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    lineage = prep("show", "train/pages").stdout
    assert [stage for stage in ("train", "tokenize", "clean", "ingest") if f"  {stage}/pages@" in lineage] == [
        "train", "tokenize", "clean", "ingest",
    ]  # fmt: skip


def recipe(path: Path, *, bound: int = 20) -> Path:
    path.write_text(f"""
name: both
ingest:
  web:
    sources:
      - data/samples/pages
      - {{path: data/samples/postgres_copy.sql, table: posts, text_column: body, keep_columns: [score, attachment]}}
  chats: {{sources: data/samples/chats}}
clean:
  web: [unicode, slop, {{word_count: {{min: {bound}}}}}, exact_duplicates, near_duplicates]
  chats: [{{slop: {{lists: [refusals], on: [assistant]}}}}, exact_duplicates, near_duplicates]
tokenize: {{train_tokenizer: true, vocab_size: 600, sequence_length: 256, validation: 0.2}}
""")
    return path


def test_a_recipe_runs_all_its_stages_and_datasets_opens_the_tokens(store: Path, tmp_path: Path) -> None:
    import datasets
    from transformers import AutoTokenizer

    made = json.loads(prep("run", str(recipe(tmp_path / "both.yaml")), "--workers", "1", "--json").stdout)
    stages = ["ingest/web", "ingest/chats", "clean/web", "clean/chats", "tokenize/both"]
    assert [entry["ref"].partition("@")[0] for entry in made] == stages
    tokens = datasets.load_from_disk(str(Path(made[-1]["path"]) / "tokens"))
    assert set(tokens) == {"train", "validation"}
    row = tokens["train"][0]
    assert len(row["input_ids"]) == len(row["labels"]) <= 256
    tokenizer = AutoTokenizer.from_pretrained(Path(made[-1]["path"]) / "tokenizer")
    assert tokenizer.decode(row["input_ids"]).strip()


def test_a_second_run_does_no_work_and_a_changed_bound_recomputes_from_clean_on(store: Path, tmp_path: Path) -> None:
    first = recipe(tmp_path / "both.yaml")
    prep("run", str(first), "--workers", "1", "--quiet")
    before = files(store)
    again = prep("run", str(first), "--workers", "1")
    assert again.stderr.count("already there, nothing to do") == 5
    assert files(store) == before
    changed = prep("run", str(recipe(tmp_path / "other.yaml", bound=40)), "--workers", "1").stderr
    assert [line.partition("@")[0] for line in changed.splitlines() if "already there" in line] == [
        "ingest/web", "ingest/chats", "clean/chats",
    ]  # fmt: skip


def test_one_worker_and_two_write_the_same_bytes(store: Path, tmp_path: Path) -> None:
    path = str(recipe(tmp_path / "both.yaml"))
    for workers in ("1", "2"):
        prep("run", path, "--workers", workers, "--store", str(tmp_path / workers), "--quiet")
    assert files(tmp_path / "1") == files(tmp_path / "2")


def test_every_shipped_recipe_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.flow import NO_INGEST, problems_of
    from pipeline.recipe import load

    monkeypatch.chdir(ROOT)
    for path in sorted((ROOT / "configs").glob("*.yaml")):
        assert [problem for problem in problems_of(load(path)) if problem != NO_INGEST] == [], path
