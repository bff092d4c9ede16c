"""Every command takes a bucket for a store, on the machine that made an artifact and on one that has nothing of it."""

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.artifacts import Identity
from pipeline.artifacts.bucket import Bucket
from pipeline.artifacts.patience import Forbidden
from pipeline.cli import main
from pipeline.garbage import garbage, remove

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
DAY = 86_400


def prep(*arguments, code=0):
    """Run a command on the bucket; return its lines."""
    result = CliRunner().invoke(main, [*arguments, "--store", "s3://box/sets"])
    assert result.exit_code == code, result.output
    return result.stdout.splitlines()


def older(artifact, s3):
    """Make an artifact older than all others: S3 tells seconds, and two may be published in one."""
    os.utime(s3.box / "sets" / artifact.ref / "manifest.json", (1, 1))


def contents(folder):
    """Return a store's files, and of each manifest all but what differs from run to run."""
    found = {}
    for path in (path for stage in ("ingest", "clean", "tokenize") for path in (folder / stage).rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        found[name] = json.loads(path.read_text()) | {"run": None} if path.name == "manifest.json" else path.read_bytes()
    return found


def test_a_recipe_makes_the_same_in_a_bucket_as_in_a_folder_and_all_commands_read_it(machine, s3, tmp_path):
    (tmp_path / "both.yaml").write_text(RECIPE)
    run = ["run", str(tmp_path / "both.yaml"), "--workers", "1", "--quiet"]
    machine("a")
    prep(*run)
    assert CliRunner().invoke(main, [*run, "--store", str(tmp_path / "store")]).exit_code == 0
    assert contents(s3.box / "sets") == contents(tmp_path / "store")
    before = contents(s3.box / "sets")
    machine("b")
    prep(*run)
    assert contents(s3.box / "sets") == before
    shown = prep("show", "tokenize/both")
    assert any(line.startswith("  s3://box/sets/tokenize/both@") for line in shown)
    here = CliRunner().invoke(main, ["show", "tokenize/both", "--store", str(tmp_path / "store")]).stdout.splitlines()
    assert shown[-10:] == here[-10:]
    machine("c")
    assert len(prep("list")) == 6
    assert prep("diff", "ingest/web", "clean/web")[0].startswith("a  ingest/web@")
    assert prep("why", "posts.csv:1")
    prep("export", "clean/web", str(tmp_path / "out"), "--to", "jsonl")
    assert prep("verify", "--all")[-1].endswith("files as the manifest says")


def test_verify_reads_the_bucket_and_not_only_the_copies(machine, publish, s3):
    made = publish(machine("a"), more={"x": b"x", "y": b"y"})
    folder = s3.box / "sets" / made.ref
    (folder / "more/x").write_bytes(b"z")
    machine("b").mirror.bucket.remove([f"{made.ref}/more/y"])
    result = CliRunner().invoke(main, ["verify", made.ref, "--store", "s3://box/sets"])
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f"Error: {made.ref}: broken. Remove s3://box/sets/{made.ref} and run its stage again.",
        "more/y: missing",
        "more/x: its checksum is not the manifest's",
    ]


def test_verify_removes_a_damaged_copy_which_is_fetched_again(machine, publish):
    made = publish(machine("a"), more={"x": b"x"})
    copy = Path(made.path / "more" / "x")
    copy.write_bytes(b"z")
    store = machine("a")
    assert store.verify(made) == [f"more/x: its copy on this disk was damaged, and is removed: {copy}"]
    assert made.files("more")[0].read_bytes() == b"x"
    assert store.verify(made) == []


def test_gc_removes_what_was_uploaded_a_day_ago_and_never_published(machine, publish, s3):
    made = publish(machine("a"))
    for name, age in (("old", 2 * DAY), ("new", 60)):
        path = s3.box / "sets" / "clean" / f"{name}@0123456789ab" / "documents" / "00000.parquet"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age,) * 2)
    assert prep("gc", "--dry-run")[:2] == ["kind\tfolder\tbytes", "upload\tclean/old@0123456789ab\t4"]
    prep("gc")
    assert prep("gc") == ["0.0 MB removed"]
    assert [name.split("@")[0] for name in s3.holds()] == ["sets/clean/new", *["sets/clean/wiki"] * 2]
    assert machine("b").verify(made) == []


def test_what_is_published_after_it_was_listed_as_given_up_stays(machine, publish, s3):
    left = s3.box / "sets" / "clean" / f"wiki@{Identity('clean', {'made': 'wiki'}).fingerprint}" / "more" / "x"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    os.utime(left, (1, 1))
    (found,) = garbage(machine("a"))
    made = publish(machine("b"))
    assert not remove(machine("a"), found)
    assert machine("b").verify(made) == []


def test_gc_removes_superseded_artifacts_from_the_bucket(machine, publish, s3):
    older(publish(machine("a"), recipe=1), s3)
    newest = publish(machine("a"), recipe=2)
    machine("b")
    assert [line.split("\t")[0] for line in prep("gc", "--superseded")[1:-1]] == ["superseded"]
    assert {name.split("/")[2] for name in s3.holds()} == {newest.ref.partition("/")[2]}
    assert [found.ref for found in machine("a").list()] == [newest.ref]


def test_gc_removes_copies_where_asked_and_they_are_fetched_again(machine, publish):
    made = publish(machine("a"), more={"x": b"x" * 1000})
    assert prep("gc") == ["0.0 MB removed"]
    assert [line.split("\t")[:2] for line in prep("gc", "--copies")[1:-1]] == [["copies", made.ref]]
    assert not Path(made.path).exists()
    (found,) = machine("a").list()
    assert found.files("more")[0].read_bytes() == b"x" * 1000


def test_gc_counts_a_superseded_artifact_by_what_the_bucket_holds(machine, publish, s3):
    older(publish(machine("a"), recipe=1, more={"x": b"x" * 100_000}), s3)
    publish(machine("a"), recipe=2)
    machine("b")
    (line,) = prep("gc", "--superseded", "--dry-run")[1:-1]
    assert int(line.split("\t")[2].replace(",", "")) > 100_000


def test_an_answer_is_found_where_the_bucket_may_only_be_read(machine, publish, monkeypatch):
    made = publish(machine("a"))

    def refused(*_given):
        raise Forbidden("no permission")

    monkeypatch.setattr(Bucket, "write", refused)
    assert machine("b").answer(Identity("clean", {"made": "wiki"}), "wiki").ref == made.ref


@pytest.mark.parametrize("what", ["clean/wiki", "wiki"])
def test_show_names_the_bucket_of_an_unknown_ref(machine, what):
    machine("a")
    result = CliRunner().invoke(main, ["show", what, "--store", "s3://box/sets"])
    assert (result.exit_code, result.stderr.strip()) == (
        1, f"Error: no artifact {what!r} in s3://box/sets. `prep list` shows what there is.",
    )  # fmt: skip
