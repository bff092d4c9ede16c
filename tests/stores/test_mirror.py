"""A bucket as several machines see it: what one publishes the others find, and fetch when they open it."""

import os
import pickle
import shutil
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from pipeline.artifacts import Identity, Store, read_shard
from pipeline.errors import ArtifactNotFound, BrokenArtifact, DraftInUse, StoreError

PAST = (1, 1)


def copies(store):
    """Return what has been fetched, or kept, of a store, but for manifests."""
    paths = (path for path in store.root.rglob("*") if path.is_file())
    return sorted(path.name for path in paths if path.name not in ("manifest.json", "bucket.json"))


def test_a_published_artifact_is_found_on_another_machine(machine, publish):
    made = publish(machine("a"), more={"empty": b""})
    found = machine("b").find("wiki")
    assert machine("b").verify(found) == found.verify() == []
    assert (found.ref, found.manifest) == (made.ref, made.manifest)
    assert found.place == f"s3://box/sets/{made.ref}"


def test_a_bucket_holds_what_a_folder_would(machine, publish, s3, tmp_path):
    publish(machine("a"))
    publish(Store(tmp_path / "store"))
    here = sorted(path.relative_to(tmp_path / "store").as_posix() for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert s3.holds() == [f"sets/{name}" for name in here]


def test_looking_fetches_no_file_and_opening_one_fetches_that_one(machine, publish):
    publish(machine("a"), more={"x": b"x", "y": b"y"})
    store = machine("b")
    files = store.find("wiki").files("more")
    assert copies(store) == []
    assert files[1].read_bytes() == b"y"
    assert copies(store) == ["y"]


def test_whatever_reads_a_shard_has_it_fetched(machine, publish):
    publish(machine("a"), rows=3)
    for number, read in enumerate(
        (read_shard, pq.read_table, pq.ParquetFile, lambda path: pq.read_table(str(shutil.copy(path, "/dev/shm"))))
    ):
        (shard,) = machine(f"b{number}").find("wiki").files("documents")
        assert read(shard) is not None


def test_opening_a_folder_fetches_what_is_in_it(machine, publish):
    publish(machine("a"), more={"x": b"x", "y": b"y"})
    store = machine("b")
    assert sorted(path.name for path in (store.find("wiki").path / "more").iterdir()) == ["x", "y"]
    assert copies(store) == ["x", "y"]


def test_any_driver_of_fsspec_will_do(tmp_path, monkeypatch, publish):
    stores = []
    for name in ("a", "b"):
        monkeypatch.setenv("PREP_CACHE", str(tmp_path / name))
        stores.append(Store("memory://box/sets"))
    made = publish(stores[0], more={"x": b"x"})
    found = stores[1].find("wiki")
    assert found.files("more")[0].read_bytes() == b"x"
    assert stores[1].verify(found) == []
    assert stores[1].answer(Identity("clean", {"made": "wiki"}), "wiki").ref == made.ref
    stores[1].mirror.remove(made.ref)
    assert Store("memory://box/sets").list() == []


def test_a_path_that_is_in_no_artifact_is_not_there(machine, publish):
    publish(machine("a"))
    found = machine("b").find("wiki")
    assert not (found.path / "tokenizer").is_dir()
    assert not (found.path / "doc").exists()


WORKERS = """
import pyarrow.parquet as pq
from pipeline.artifacts import Store
from pipeline.engine.local import Local
if __name__ == "__main__":
    engine = Local(2)
    shards = [shard for artifact in Store("s3://box/sets").list() for shard in artifact.files("documents")]
    print(sorted(table.num_rows for table in engine.map(pq.read_table, shards)))
    engine.close()
"""


def test_workers_fetch_what_they_read(machine, publish, tmp_path):
    for name in ("one", "two", "three"):
        publish(machine("a"), name, rows=len(name))
    store = machine("b")
    (tmp_path / "workers.py").write_text(WORKERS)
    done = subprocess.run([sys.executable, str(tmp_path / "workers.py")], capture_output=True, text=True, check=True)
    assert done.stdout == "[3, 3, 5]\n"
    assert copies(store) == ["00000.parquet"] * 3


def test_a_path_that_was_sent_to_a_worker_still_fetches(machine, publish):
    publish(machine("a"))
    (shard,) = machine("b").find("wiki").files("documents")
    assert pq.read_table(pickle.loads(pickle.dumps(shard))).num_rows == 2


def test_what_one_has_just_made_is_not_fetched(machine, publish, s3):
    made = publish(machine("a"))
    s3.kill()
    assert pq.read_table(made.files("documents")[0]).num_rows == 2


def test_a_file_that_is_damaged_in_the_bucket_is_not_taken(machine, publish, s3):
    made = publish(machine("a"), more={"x": b"x"})
    (s3.box / "sets" / made.ref / "more/x").write_bytes(b"y")
    (path,) = machine("b").find("wiki").files("more")
    with pytest.raises(BrokenArtifact) as caught:
        path.read_bytes()
    assert str(caught.value) == (
        f"s3://box/sets/{made.ref}/more/x: its checksum is not the manifest's. `prep verify {made.ref}` lists what is broken."
    )
    assert copies(machine("b")) == []


def test_the_newest_is_the_last_made_or_asked_for_on_any_machine(machine, publish, s3):
    first = publish(machine("a"), recipe=1)
    os.utime(s3.box / "sets" / first.ref / "manifest.json", PAST)
    second = publish(machine("b"), recipe=2)
    os.utime(s3.box / "sets" / second.ref / "manifest.json", (2, 2))
    assert [found.ref for found in machine("c").list()] == [second.ref, first.ref]
    machine("d").answer(Identity("clean", {"made": 1}), "wiki")
    assert machine("b").find("wiki").ref == first.ref
    assert machine("c").newest("clean").ref == first.ref


def test_within_a_second_a_machine_knows_what_it_did_last(machine, publish):
    made = [publish(machine("a"), recipe=number).ref for number in range(3)]
    assert [found.ref for found in machine("a").list()] == made[::-1]


def test_what_is_removed_from_the_bucket_is_gone_everywhere(machine, publish, s3):
    made = publish(machine("a"))
    machine("b").list()
    machine("c").mirror.remove(made.ref)
    assert s3.holds() == []
    for name in ("a", "b"):
        assert machine(name).list() == []
        assert machine(name).answer(Identity("clean", {"made": "wiki"}), "wiki") is None
        assert copies(machine(name)) == []


def test_an_unknown_ref_names_the_bucket(machine, publish):
    publish(machine("a"))
    with pytest.raises(ArtifactNotFound, match=r"^no artifact 'wikki' in s3://box/sets\. Did you mean 'wiki'\?$"):
        machine("b").find("wikki")


def test_an_empty_bucket_holds_no_artifact(machine):
    assert machine("a").list() == []
    with pytest.raises(Exception, match="s3://box/sets holds no clean artifact yet"):
        machine("a").newest("clean")


def test_what_is_made_again_with_other_bytes_is_fetched_as_it_is_now(machine, publish, s3):
    for second, content in enumerate((b"old", b"new")):
        made = publish(machine("a"), more={"x": content})
        os.utime(s3.box / "sets" / made.ref / "manifest.json", (second, second))
        (path,) = machine("b").find("wiki").files("more")
        assert path.read_bytes() == content
        machine("a").mirror.remove(made.ref)
        assert machine("a").list() == []


def test_a_cache_may_be_thrown_away(machine, publish):
    store = machine("a")
    publish(store, rows=7)
    shutil.rmtree(store.root)
    (shard,) = machine("a").find("wiki").files("documents")
    assert pq.read_table(shard).num_rows == 7


def test_a_draft_of_what_another_machine_has_published_is_taken_for_that(machine, publish):
    store, identity = machine("a"), Identity("clean", {"made": "wiki"})
    with store.draft(identity, "wiki") as draft:
        (draft.path / "documents").mkdir()
        (draft.path / "documents" / "00000.parquet").write_bytes(b"of other versions")
    made = publish(machine("b"), rows=4)
    found = machine("a").answer(identity, "wiki")
    assert (found.ref, found.verify()) == (made.ref, [])
    assert pq.read_table(found.files("documents")[0]).num_rows == 4


def test_a_draft_that_a_run_is_filling_is_left_to_it_though_another_machine_has_published_it(machine, publish):
    identity = Identity("clean", {"made": "wiki"})
    with machine("a").draft(identity, "wiki") as draft:
        publish(machine("b"))
        assert machine("a").list() == []
        with pytest.raises(DraftInUse), machine("a").draft(identity, "wiki"):
            pass
        assert draft.work.exists()
    assert len(machine("a").list()) == 1


def test_a_disk_that_is_full_says_so(machine, publish, monkeypatch):
    async def full(*_given, **_named):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("s3fs.S3FileSystem._get_file", full)
    publish(machine("a"))
    (shard,) = machine("b").find("wiki").files("documents")
    with pytest.raises(StoreError, match=r"00000\.parquet: cannot write \(No space left on device\)"):
        shard.read_bytes()
