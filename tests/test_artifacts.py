"""Artifacts: identity, refs, drafts, the manifest, checksums, lineage."""

import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.artifacts import Identity, Store, append, atomic, canonical, checked_name, remembered, reserve, save
from pipeline.errors import (
    AmbiguousRef,
    ArtifactNotFound,
    BrokenArtifact,
    DraftInUse,
    PrepError,
    RowsLost,
    StoreError,
    UsageError,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def publish(store, name="wiki", rows=2, stage="clean", parents=(), recipe=None):
    """Publish an artifact of some rows; its recipe is its name unless told."""
    identity = Identity(stage, {"made": name} if recipe is None else recipe, parents)
    with store.draft(identity, name) as draft:
        with atomic(draft.path / "documents" / "00000.parquet") as temporary:
            pq.write_table(pa.table({"id": [f"{name}:{row}" for row in range(rows)]}), temporary)
        return draft.publish({"in": rows, "kept": rows}, versions={}, run={})


def older(artifact):
    """Make an artifact older than all others."""
    os.utime(artifact.path / "manifest.json", (1, 1))
    return artifact


@given(JSON)
def test_canonical_text_reads_back_as_the_value(value):
    assert json.loads(canonical(value)) == value


@given(st.dictionaries(st.text(), st.integers()))
def test_the_order_of_keys_does_not_enter_canonical_text(mapping):
    assert canonical(dict(reversed(mapping.items()))) == canonical(mapping)


@pytest.mark.parametrize("value", [{1}, b"bytes", Path("x"), object(), {"deep": [{2}]}])
def test_what_has_no_stable_form_raises(value):
    with pytest.raises(TypeError, match="has no stable form"):
        canonical(value)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_json_does_not_know_raises(value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(value)


def test_a_set_in_a_recipe_raises():
    with pytest.raises(TypeError, match="a set has no stable form"):
        assert Identity("clean", {"lists": {"refusals"}}).fingerprint


def test_every_part_of_an_identity_enters_the_fingerprint():
    whole = Identity("clean", {"min": 1}, ("ingest/a@1",), "sha")
    others = [
        Identity("ingest", {"min": 1}, ("ingest/a@1",), "sha"),
        Identity("clean", {"min": 2}, ("ingest/a@1",), "sha"),
        Identity("clean", {"min": 1}, ("ingest/a@2",), "sha"),
        Identity("clean", {"min": 1}, ("ingest/a@1",), "ash"),
    ]
    assert len({whole.fingerprint, *(other.fingerprint for other in others)}) == 5


def test_a_fingerprint_is_the_same_in_every_process():
    assert Identity("clean", {"steps": ["unicode"]}, ("ingest/a@1",)).fingerprint == "9cac97fb8aa0"


def test_a_published_artifact_is_found_by_its_ref(store):
    made = publish(store)
    assert made.ref == f"clean/wiki@{made.manifest.fingerprint}"
    assert store.find(made.ref).manifest == made.manifest


def test_a_ref_may_leave_out_all_but_some_of_the_fingerprint(store):
    made = publish(store)
    for ref in (
        f"clean/wiki@{made.manifest.fingerprint[:4]}",
        f"@{made.manifest.fingerprint[:4]}",
        "clean/wiki",
        "wiki",
        "wiki/",
    ):
        assert store.find(ref).ref == made.ref


def test_a_name_alone_is_the_newest_of_that_name(store):
    first, second = publish(store, recipe={"v": 1}), publish(store, recipe={"v": 2})
    older(first)
    assert (store.find("wiki").ref, store.find("clean/wiki").ref) == (second.ref, second.ref)
    older(second)
    os.utime(first.path / "manifest.json")
    assert store.find("wiki").ref == first.ref


def test_a_name_alone_is_looked_for_in_the_stage_that_is_asked_for(store):
    ingested = older(publish(store, stage="ingest"))
    cleaned = publish(store, stage="clean")
    assert store.find("wiki", "ingest").ref == ingested.ref
    assert store.find("wiki").ref == cleaned.ref


def test_a_short_fingerprint_of_several_artifacts_is_ambiguous(store):
    made = sorted(publish(store, recipe={"v": number}).ref for number in range(17))
    starts = [ref.partition("@")[2][0] for ref in made]
    twice = next(start for start in starts if starts.count(start) > 1)
    with pytest.raises(AmbiguousRef) as caught:
        store.find(f"@{twice}")
    matches = ", ".join(ref for ref in made if f"@{twice}" in ref)
    assert str(caught.value) == f"'@{twice}' is ambiguous: {matches}. Type more of the fingerprint."


@pytest.mark.parametrize(
    ("ref", "hint"),
    [
        ("wikki", "Did you mean 'wiki'?"),
        ("claen/wiki", "Did you mean 'clean/wiki'?"),
        ("zzzzz", "`prep list` shows what there is."),
    ],
)
def test_an_unknown_ref_says_where_it_was_looked_for_and_what_there_is(store, ref, hint):
    publish(store)
    with pytest.raises(ArtifactNotFound) as caught:
        store.find(ref)
    assert str(caught.value) == f"no artifact {ref!r} in {store.root}. {hint}"


def test_the_newest_of_an_empty_stage_says_what_to_run(store):
    with pytest.raises(PrepError) as caught:
        store.newest("ingest")
    assert str(caught.value) == f"{store.root} holds no ingest artifact yet. Run `prep ingest` first."


def test_the_same_identity_is_answered_and_becomes_the_newest(store):
    first = older(publish(store, recipe={"v": 1}))
    publish(store, recipe={"v": 2})
    assert store.answer(Identity("clean", {"v": 1}), "wiki").ref == first.ref
    assert store.newest("clean").ref == first.ref
    assert store.answer(Identity("clean", {"v": 3}), "wiki") is None


def test_a_folder_without_manifest_is_no_artifact(store):
    with store.draft(Identity("clean", {}), "wiki") as draft:
        (draft.path / "documents").mkdir()
    assert store.list() == []


def test_the_manifest_is_written_last(store):
    made = publish(store)
    manifest = (made.path / "manifest.json").stat().st_mtime_ns
    assert all(file.stat().st_mtime_ns <= manifest for file in made.path.rglob("*"))


def test_nothing_but_the_files_and_the_manifest_is_left(store):
    identity = Identity("clean", {"made": "wiki"})
    with store.draft(identity, "wiki") as draft:
        (draft.path / "documents").mkdir()
        (draft.path / "documents" / ".00000.parquet.77.tmp").write_text("half")
        (draft.work / "answer.json").write_text("{}")
    made = publish(store)
    assert sorted(path.relative_to(made.path).as_posix() for path in made.path.rglob("*")) == [
        "documents",
        "documents/00000.parquet",
        "manifest.json",
    ]


def test_a_manifest_lists_every_file_with_size_rows_and_checksum(store):
    made = publish(store, rows=3)
    (entry,) = made.manifest.files
    assert {key: entry[key] for key in ("path", "rows")} == {"path": "documents/00000.parquet", "rows": 3}
    assert entry["bytes"] == (made.path / "documents/00000.parquet").stat().st_size
    assert len(entry["sha256"]) == 64


def test_a_sealed_file_is_in_the_manifest_as_it_was_then(store):
    with store.draft(Identity("tokenize", {}), "wiki") as draft:
        for number in range(2):
            with atomic(draft.path / "tokens" / f"{number}.arrow", durable=False) as temporary:
                temporary.write_bytes(b"row")
        draft.seal(draft.path / "tokens" / "1.arrow")
        made = draft.publish({}, versions={}, run={})
    assert [entry["path"] for entry in made.manifest.files] == ["tokens/0.arrow", "tokens/1.arrow"]
    assert made.verify() == []


def test_a_file_that_cannot_be_sealed_is_told_when_publishing(store):
    with store.draft(Identity("tokenize", {}), "wiki") as draft:
        path = draft.path / "tokens" / "0.arrow"
        draft.seal(path)
        with atomic(path) as temporary:
            temporary.write_bytes(b"row")
        with pytest.raises(StoreError, match="No such file or directory"):
            draft.publish({}, versions={}, run={})


def test_an_array_is_read_back_as_it_was_saved(tmp_path):
    save(np.arange(3), tmp_path / "deep" / "numbers.npy")
    assert np.load(tmp_path / "deep" / "numbers.npy").tolist() == [0, 1, 2]
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["numbers.npy"]


def test_a_draft_is_kept_after_an_exception(store):
    identity = Identity("clean", {})

    def stumble():
        with store.draft(identity, "wiki") as draft:
            (draft.work / "shard.json").write_text("{}")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stumble()
    with store.draft(identity, "wiki") as again:
        assert (again.work / "shard.json").exists()


def test_a_draft_in_another_process_is_in_use(store, tmp_path):
    held = (
        "import sys\nfrom pipeline.artifacts import Identity, Store\n"
        f"with Store({str(store.root)!r}).draft(Identity('clean', {{}}), 'wiki'):\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        draft = store.draft(Identity("clean", {}), "wiki")
        with pytest.raises(DraftInUse) as caught, draft:
            pass
        other.communicate()
    assert str(caught.value) == f"{draft.ref} is being written by another prep. Wait for it to end, then run this again."
    with draft:
        pass


def test_a_draft_that_was_published_meanwhile_is_not_made_again(store):
    made = publish(store)
    before = sorted(made.path.rglob("*"))
    with pytest.raises(DraftInUse), store.draft(Identity("clean", {"made": "wiki"}), "wiki"):
        pass
    assert sorted(made.path.rglob("*")) == before
    assert made.verify() == []


def test_publishing_that_is_killed_leaves_no_half_of_the_work(store, monkeypatch):
    identity = Identity("clean", {"made": "wiki"})

    def killed(folder):
        next(folder.iterdir()).unlink()
        raise KeyboardInterrupt

    monkeypatch.setattr("shutil.rmtree", killed)
    with store.draft(identity, "wiki") as draft:
        for name in "ab":
            (draft.work / name).write_text(name)
        with pytest.raises(KeyboardInterrupt):
            draft.publish({"in": 0}, versions={}, run={})
    monkeypatch.undo()
    with store.draft(identity, "wiki") as again:
        assert sorted(path.name for path in again.path.iterdir()) == [".lock", "work"]
        assert [path.name for path in again.work.iterdir()] == ["code_version"]
    assert publish(store).verify() == []


def test_rows_that_do_not_add_up_are_not_published(store):
    with store.draft(Identity("clean", {}), "wiki") as draft, pytest.raises(RowsLost) as caught:
        draft.publish({"in": 3, "kept": 1, "removed": 1}, versions={}, run={})
    assert str(caught.value) == (
        f"{draft.ref}: 3 rows in, but 1 kept + 1 removed + 0 rejected. Nothing was published; please report this defect."
    )
    assert store.list() == []


@pytest.mark.parametrize("stage", ["ingest", "clean"])
def test_counts_that_the_disk_does_not_hold_are_not_published(store, stage):
    with store.draft(Identity(stage, {}), "wiki") as draft:
        with atomic(draft.path / "documents" / "00000.parquet") as temporary:
            pq.write_table(pa.table({"id": ["a"]}), temporary)
        with pytest.raises(RowsLost, match="1 kept on the disk"):
            draft.publish({"in": 2, "kept": 2}, versions={}, run={})
    assert store.list() == []


def test_verify_finds_nothing_in_a_sound_artifact(store):
    assert publish(store).verify() == []


def test_verify_finds_a_changed_byte_anywhere(store):
    made = publish(store)
    file = made.path / "documents/00000.parquet"
    sound = file.read_bytes()
    for place in (0, len(sound) // 2, len(sound) - 1):
        file.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        assert made.verify() == ["documents/00000.parquet: its checksum is not the manifest's"]


def test_verify_finds_missing_and_extra_files(store):
    made = publish(store)
    (made.path / "documents/00000.parquet").rename(made.path / "documents/00001.parquet")
    assert made.verify() == ["documents/00000.parquet: missing", "documents/00001.parquet: not in the manifest"]


def test_a_lock_that_a_killed_run_has_left_behind_its_manifest_is_no_problem(store):
    made = publish(store)
    (made.path / ".lock").touch()
    assert made.verify() == []


def test_a_broken_manifest_is_named(store):
    made = publish(store)
    (made.path / "manifest.json").write_text("{")
    with pytest.raises(BrokenArtifact, match="Remove the folder and run its stage again"):
        store.list()


def test_the_lineage_goes_back_to_the_sources_and_leaves_out_what_is_gone(store):
    ingested = publish(store, stage="ingest")
    cleaned = publish(store, stage="clean", parents=(ingested.ref, "ingest/gone@123456789abc"))
    tokens = publish(store, stage="tokenize", parents=(cleaned.ref,))
    assert [found.ref for found in store.lineage(tokens)] == [tokens.ref, cleaned.ref, ingested.ref]


def test_files_of_a_part_come_in_order(store):
    with store.draft(Identity("train", {}), "wiki") as draft:
        for name in ("b/1", "a/2", "a/1"):
            with atomic(draft.path / name) as temporary:
                temporary.write_text(name)
        made = draft.publish({"in": 0}, versions={}, run={})
    assert made.files("a") == [made.path / "a/1", made.path / "a/2"]


def test_a_write_that_fails_leaves_nothing(tmp_path):
    def stumble():
        with atomic(tmp_path / "file") as temporary:
            temporary.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stumble()
    assert list(tmp_path.iterdir()) == []


def test_a_refusal_of_the_disk_says_what_where_and_what_next(tmp_path):
    def write(error):
        with atomic(tmp_path / "file"):
            raise error

    for error, reason in (
        (OSError(28, "ENOSPC"), "No space left on device"),
        (OSError("9 requested and 8 written"), "the disk is full or failing: 9 requested and 8 written"),
    ):
        with pytest.raises(StoreError) as caught:
            write(error)
        assert str(caught.value) == (
            f"{tmp_path}/file: cannot write ({reason}). Mend that or choose another --store, and run the same command again: "
            "finished shards are kept."
        )


def test_work_that_is_remembered_is_not_done_again(tmp_path):
    assert remembered(tmp_path / "answer.json", lambda: {"rows": 1}) == {"rows": 1}
    assert remembered(tmp_path / "answer.json", lambda: {"rows": 1 // 0}) == {"rows": 1}


def test_a_store_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "store").write_text("")
    with pytest.raises(StoreError) as caught:
        Store(tmp_path / "store")
    assert str(caught.value) == f"{tmp_path}/store is a file, and a store is a folder. Choose another with --store."


@pytest.mark.parametrize("name", ["", "bad name", "../up", "a/b", ".hidden", "a@b"])
def test_a_name_that_is_no_folder_name_is_refused(name):
    with pytest.raises(UsageError, match="cannot be an artifact's name"):
        checked_name(name)


def test_a_draft_of_other_code_is_begun_anew(store, monkeypatch):
    identity = Identity("clean", {"made": "wiki"})
    with store.draft(identity, "wiki") as draft:
        (draft.path / "documents").mkdir()
        (draft.work / "00000.json").write_text("{}")
    with store.draft(identity, "wiki") as again:
        assert (again.work / "00000.json").exists()
    monkeypatch.setattr("pipeline.artifacts.draft.code_version", lambda: "newer")
    with store.draft(identity, "wiki") as anew:
        assert not (anew.work / "00000.json").exists()
        assert not (anew.path / "documents").exists()


def test_removed_documents_that_are_in_no_file_are_rows_lost(store):
    with store.draft(Identity("clean", {}), "wiki") as draft, pytest.raises(RowsLost, match="0 removed on the disk"):
        draft.publish({"in": 2, "kept": 0, "removed": 2}, versions={}, run={})


LIMITED = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from pipeline.artifacts import append, atomic, reserve, save
from pipeline.errors import StoreError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
path = Path(sys.argv[1])
numbers = np.arange(200)
try:
    if sys.argv[2] == "save":
        save(numbers, path)
    elif sys.argv[2] == "reserve":
        reserve(path, 1600)
    else:
        with atomic(path) as temporary, temporary.open("wb") as file:
            append(numbers, file)
except StoreError as error:
    sys.exit(str(error))
"""


@pytest.mark.parametrize("way", ["save", "append", "reserve"])
def test_a_disk_that_refuses_the_last_numbers_of_an_array_is_told_of(way, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "a"), way], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"{tmp_path}/a: cannot write (File too large).")


@given(st.lists(st.integers(0, 255)), st.sampled_from([np.uint8, np.int64, np.bool_]), st.booleans())
def test_an_array_is_saved_as_numpy_reads_it(numbers, kind, turned):
    array = np.array([numbers, numbers], dtype=kind)
    array = array.T if turned else array
    with tempfile.TemporaryDirectory() as folder:
        save(array, Path(folder) / "a.npy")
        read = np.load(Path(folder) / "a.npy")
        with (Path(folder) / "a.bin").open("wb") as file:
            append(array, file)
        assert np.array_equal(read, array)
        assert read.dtype == array.dtype
        assert np.array_equal(np.fromfile(Path(folder) / "a.bin", dtype=kind), array.reshape(-1))


def test_a_file_is_as_long_as_was_reserved(tmp_path):
    reserve(tmp_path / "a", 4096)
    assert (tmp_path / "a").stat().st_size == 4096
