"""An artifact comes to a bucket whole or not at all, whoever is killed, and whoever else makes it."""

import signal
import subprocess
import sys

import pytest
import s3fs

from pipeline.artifacts import Identity
from pipeline.artifacts.bucket import Bucket
from pipeline.artifacts.outbox import Outbox

PUBLISHING = """
from pipeline.artifacts import Identity, Store, atomic
with Store("s3://box/sets").draft(Identity("train", {"made": "wiki"}), "wiki") as draft:
    for number in range(4):
        if not (draft.path / "more" / str(number)).exists():
            with atomic(draft.path / "more" / str(number)) as temporary:
                temporary.write_bytes(bytes([number]) * (12 << 20))
    for number in range(4):
        draft.seal(draft.path / "more" / str(number))
        if number == 0:
            draft._sealed["more/0"].result()
            print("one is there", flush=True)
    draft.publish({}, versions={}, run={})
"""


def manifest(s3, ref):
    return s3.box / "sets" / ref / "manifest.json"


def test_the_manifest_is_written_last(machine, publish, s3, monkeypatch):
    there = []
    create = Bucket.create
    monkeypatch.setattr(Bucket, "create", lambda *given: there.extend(s3.holds()) or create(*given))
    made = publish(machine("a"), more={"x": b"x"})
    assert there == [f"sets/{made.ref}/documents/00000.parquet", f"sets/{made.ref}/more/x"]


def test_a_run_that_is_killed_while_it_sends_leaves_no_artifact_and_goes_on_where_it_was(machine, s3):
    store = machine("a")
    child = [sys.executable, "-c", PUBLISHING]
    with subprocess.Popen(child, stdout=subprocess.PIPE) as killed:
        assert killed.stdout.readline() == b"one is there\n"
        killed.send_signal(signal.SIGKILL)
    (first,) = s3.box.rglob("more/0")
    before = first.stat().st_mtime_ns
    assert store.list() == []
    assert list(s3.box.rglob("manifest.json")) == []
    assert subprocess.run(child, stdout=subprocess.PIPE, check=True).stdout == b"one is there\n"
    (made,) = machine("b").list()
    assert machine("b").verify(made) == []
    assert first.stat().st_mtime_ns == before


def test_a_run_that_is_killed_right_behind_the_manifest_has_published(machine, publish, monkeypatch):
    real = Outbox.commit

    def killed(self, own):
        real(self, own)
        raise KeyboardInterrupt

    monkeypatch.setattr(Outbox, "commit", killed)
    with pytest.raises(KeyboardInterrupt):
        publish(machine("a"))
    monkeypatch.setattr(Outbox, "commit", real)
    found = machine("a").answer(Identity("clean", {"made": "wiki"}), "wiki")
    assert found.verify() == []
    assert sorted(path.name for path in found.path.iterdir()) == ["documents", "manifest.json"]


def test_of_two_machines_that_make_the_same_the_first_manifest_stays(machine, publish, s3):
    store = machine("a")
    theirs = publish(machine("b"), more={"x": b"of other versions of libraries"})
    before = manifest(s3, theirs.ref).read_bytes()
    ours = publish(store, more={"x": b"of this one's", "y": b"too much"})
    assert ours.manifest == theirs.manifest
    assert manifest(s3, theirs.ref).read_bytes() == before
    assert ours.files("more")[0].read_bytes() == b"of other versions of libraries"
    assert ours.verify() == store.verify(ours) == []


def test_other_bytes_of_another_machine_are_not_published_under_this_ones_manifest(machine, s3, publish, monkeypatch):
    real = Bucket.read

    def written_over(self, name):
        (path,) = s3.box.rglob("more/x")
        path.write_bytes(b"of other versions")
        monkeypatch.setattr(Bucket, "read", real)
        return real(self, name)

    monkeypatch.setattr(Bucket, "read", written_over)
    made = publish(machine("a"), more={"x": b"x"})
    assert machine("b").verify(made) == []


def test_what_other_code_has_sent_of_a_draft_goes_when_it_is_published(machine, publish, s3):
    left = s3.box / "sets" / "clean"
    ref = f"wiki@{Identity('clean', {'made': 'wiki'}).fingerprint}"
    (left / ref / "documents").mkdir(parents=True)
    (left / ref / "documents" / "00001.parquet").write_bytes(b"left")
    made = publish(machine("a"))
    assert machine("b").verify(made) == []


def test_a_server_that_knows_how_writes_a_manifest_only_where_there_is_none(lead_to):
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        lead_to(f"http://{host}:{port}")
        bucket = Bucket("s3://box")
        s3fs.S3FileSystem().mkdir("box")
        assert bucket.create("manifest.json", "the first")
        assert not bucket.create("manifest.json", "the second")
        assert bucket.read("manifest.json") == "the first"
    finally:
        server.stop()
