"""What nothing needs goes, and nothing else: drafts, leftovers, answers, superseded artifacts."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.artifacts import Artifact, Identity, Store
from pipeline.cli import main
from pipeline.code_version import code_version
from pipeline.engine.node import ground
from pipeline.errors import StoreError
from pipeline.garbage import garbage, remove


def made(store: Store, stage: str, number: int, name: str = "wiki", parents: tuple[str, ...] = ()) -> Artifact:
    with store.draft(Identity(stage, {"number": number}, parents), name) as draft:
        for part in ("documents", "removed", "rejected"):
            (draft.path / part).mkdir(exist_ok=True)
        return draft.publish({}, versions={}, run={})


def given_up(store: Store, name: str = "lost") -> Path:
    with store.draft(Identity("clean", {"given": "up"}), name) as draft:
        (draft.work / "part").write_text("half")
    return draft.path


def names(store: Store, **asked: bool) -> list[tuple[str, str]]:
    return [(waste.kind, waste.name.partition("@")[0]) for waste in garbage(store, **asked)]


def test_a_store_that_is_not_there_holds_nothing_to_remove(store):
    assert garbage(store) == []


def test_a_draft_that_was_given_up_goes_with_all_its_bytes(store):
    path = given_up(store)
    (found,) = garbage(store)
    assert (found.kind, found.name) == ("draft", f"clean/{path.name}")
    assert found.bytes >= len("half")
    assert remove(store, found)
    assert not path.exists()
    assert [entry.name for entry in store.root.iterdir()] == ["clean"]


def test_a_draft_that_a_run_is_filling_stays(store):
    with store.draft(Identity("clean", {}), "wiki"):
        assert garbage(store) == []


def test_a_draft_that_a_run_takes_up_after_it_was_listed_stays(store):
    path = given_up(store)
    (found,) = garbage(store)
    with store.draft(Identity("clean", {"given": "up"}), "lost"):
        assert not remove(store, found)
    assert path.exists()


def test_a_draft_that_was_published_after_it_was_listed_stays(store):
    given_up(store)
    (found,) = garbage(store)
    with store.draft(Identity("clean", {"given": "up"}), "lost") as draft:
        published = draft.publish({}, versions={}, run={})
    assert not remove(store, found)
    assert published.verify() == []


def test_a_published_artifact_stays_unless_superseded_ones_are_asked_for(store):
    made(store, "clean", 1)
    made(store, "clean", 2)
    assert names(store) == []
    assert names(store, superseded=True) == [("superseded", "clean/wiki")]


def test_what_the_newest_was_made_from_stays_though_newer_ones_have_its_name(store):
    old = made(store, "ingest", 1)
    made(store, "clean", 1, parents=(old.ref,))
    made(store, "ingest", 2)
    assert names(store, superseded=True) == []


def test_superseded_artifacts_of_several_stages_go_together(store):
    old = made(store, "ingest", 1)
    made(store, "clean", 1, parents=(old.ref,))
    new = made(store, "ingest", 2)
    made(store, "clean", 2, parents=(new.ref,))
    assert names(store, superseded=True) == [("superseded", "clean/wiki"), ("superseded", "ingest/wiki")]


def test_answers_about_an_artifact_that_is_gone_go(store):
    artifact = made(store, "ingest", 1)
    for fingerprint in (artifact.manifest.fingerprint, "0123456789ab"):
        (store.root / "answers" / code_version() / fingerprint).mkdir(parents=True)
    assert [waste.name for waste in garbage(store)] == [f"answers/{code_version()}/0123456789ab"]
    assert len(garbage(store, answers=True)) == 2


@pytest.mark.parametrize("asked", ["answers", "superseded"])
def test_while_a_run_is_under_way_nothing_goes_that_it_may_read(store, asked):
    with store.draft(Identity("clean", {}), "wiki"), pytest.raises(StoreError, match=r"clean/wiki@.* is being made"):
        garbage(store, **{asked: True})


def test_a_removal_that_is_killed_leaves_no_half_of_an_artifact_and_the_next_one_ends_it(store, monkeypatch):
    made(store, "clean", 1)
    newest = made(store, "clean", 2)
    (found,) = garbage(store, superseded=True)

    def killed(path: Path) -> None:
        next(path.rglob("manifest.json")).unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        remove(store, found)
    monkeypatch.undo()
    assert [artifact.ref for artifact in store.list()] == [newest.ref]
    (left,) = garbage(store)
    assert left.kind == "left over"
    assert remove(store, left)
    assert garbage(store, superseded=True) == []


def test_the_command_lists_what_went_and_how_much(store):
    path = given_up(store)
    flags = ["gc", "--store", str(store.root)]
    dry = CliRunner().invoke(main, [*flags, "--dry-run"])
    assert dry.stdout.splitlines()[0] == "kind\tfolder\tbytes"
    assert dry.stdout.splitlines()[-1].endswith("to be removed: run it without --dry-run")
    assert path.exists()
    assert f"draft\tclean/{path.name}" in CliRunner().invoke(main, flags).stdout
    assert not path.exists()
    assert CliRunner().invoke(main, flags).stdout == "0.0 MB removed\n"


def test_all_artifacts_are_verified_and_each_broken_one_is_named(store):
    sound, broken = made(store, "ingest", 1), made(store, "clean", 1)
    (broken.path / "extra").touch()
    result = CliRunner().invoke(main, ["verify", "--all", "--store", str(store.root)])
    assert result.exit_code == 1
    assert result.stdout == f"{sound.ref}: 0 files as the manifest says\n"
    assert f"{broken.ref}: broken." in result.stderr
    shutil.rmtree(broken.path)
    assert CliRunner().invoke(main, ["verify", "--all", "--store", str(store.root)]).exit_code == 0


@pytest.mark.parametrize("asked", [[], ["--all", "wiki"]])
def test_verify_takes_refs_or_all_of_them(store, asked):
    result = CliRunner().invoke(main, ["verify", *asked, "--store", str(store.root)])
    assert result.exit_code == 2
    assert "Name artifacts, or give --all." in result.stderr


DEAD = 2**22 + 1  # more than any process' number


@pytest.mark.parametrize("name", [".mark-0a", ".jobs-0a", ".live-x", ".gc-x"])
def test_what_killed_drivers_have_left_in_the_store_goes(store, name):
    path = store.root / name
    if name.startswith(".mark"):
        store.root.mkdir()
        path.touch()
    else:
        (path / "within").mkdir(parents=True)
        (path / "within" / "file").write_text("half")
    (found,) = garbage(store)
    assert (found.kind, found.name) == ("left over", name)
    assert remove(store, found)
    assert list(store.root.iterdir()) == []


def test_what_a_driver_holds_stays_until_it_has_ended(store):
    common = ground(store.root)
    jobs = Path(common.mark.replace(".mark-", ".jobs-"))
    jobs.mkdir()
    assert garbage(store) == []
    common.remove()
    assert [waste.name for waste in garbage(store)] == [jobs.name]


def test_a_driver_that_is_killed_leaves_a_mark_and_jobs_that_go(store):
    script = """
import os, signal, sys
from pathlib import Path
from pipeline.engine.node import ground
mark = Path(ground(Path(sys.argv[1])).mark)
mark.with_name(mark.name.replace(".mark-", ".jobs-")).mkdir()
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", script, store.root], check=False).returncode == -signal.SIGKILL
    found = garbage(store)
    assert sorted(waste.name[:6] for waste in found) == [".jobs-", ".mark-"]
    assert all(remove(store, waste) for waste in found)
    assert garbage(store) == []


@pytest.mark.parametrize("name", [".lock", ".done/answer", "work/encoded/ids", "documents/.00000.parquet.7.tmp"])
def test_what_a_late_kill_or_a_late_task_has_left_in_an_artifact_goes(store, name):
    artifact = made(store, "clean", 1)
    path = artifact.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    (found,) = garbage(store)
    assert found.kind == "left over"
    assert f"{artifact.path.name}/{name}".startswith(found.name.partition("/")[2])
    assert remove(store, found)
    assert garbage(store) == []
    assert artifact.verify() == []


def test_what_a_user_has_put_into_an_artifact_stays(store):
    (made(store, "clean", 1).path / "notes.txt").touch()
    assert garbage(store) == []


def half_an_answer(store: Store, pid: int, code: str | None = None) -> str:
    artifact = made(store, "ingest", 1)
    folder = store.root / "answers" / (code or code_version()) / artifact.manifest.fingerprint / "0a"
    folder.mkdir(parents=True)
    (folder / "00000.arrow").touch()
    (folder / f".00000.arrow.{pid}.tmp").touch()
    return folder.relative_to(store.root).as_posix()


def test_half_an_answer_of_a_dead_process_goes_and_the_whole_ones_stay(store):
    folder = half_an_answer(store, DEAD)
    (found,) = garbage(store)
    assert (found.kind, found.name) == ("left over", f"{folder}/.00000.arrow.{DEAD}.tmp")
    assert remove(store, found)
    assert [path.name for path in (store.root / folder).iterdir()] == ["00000.arrow"]


def test_half_an_answer_of_a_process_that_lives_stays(store):
    half_an_answer(store, os.getpid())
    assert garbage(store) == []


def test_while_a_run_or_a_clusters_driver_is_at_it_no_half_answer_goes(store):
    half_an_answer(store, DEAD)
    with store.draft(Identity("clean", {}), "wiki"):
        assert garbage(store) == []
    common = ground(store.root)
    assert [waste.kind for waste in garbage(store)] == ["draft"]
    common.remove()
    assert [waste.kind for waste in garbage(store)] == ["draft", "left over"]


def test_answers_of_other_code_go(store):
    folder = half_an_answer(store, DEAD, code="0ther")
    assert [(waste.kind, waste.name) for waste in garbage(store)] == [("answers", folder.removesuffix("/0a"))]


def test_curves_of_a_training_that_is_gone_go_and_others_stay(store):
    trained = made(store, "train", 1)
    for name in (trained.path.name, "gone@0123456789ab"):
        (store.root / "tensorboard" / name).mkdir(parents=True)
    with store.draft(Identity("train", {}), "now") as draft:
        (store.root / "tensorboard" / draft.path.name).mkdir()
        assert [(waste.kind, waste.name) for waste in garbage(store)] == [("tensorboard", "tensorboard/gone@0123456789ab")]
