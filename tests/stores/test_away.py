"""A server that is away for a while is waited for; one that stays away, or does not let in, is one line with what to do."""

import os
import re
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.artifacts import Identity, Store
from pipeline.artifacts.bucket import Bucket
from pipeline.artifacts.patience import ask
from pipeline.cli import main
from pipeline.errors import BrokenArtifact, StoreError

SAMPLE = str(Path(__file__).parents[2] / "configs" / "demo.yaml")
LARGE = 48 << 20  # bytes: three parts
AGAIN = "Check the network and AWS_ENDPOINT_URL, and run the same command again: finished shards are kept."


@pytest.fixture
def impatient(monkeypatch):
    for name, value in {"PATIENCE": 1.0, "FIRST": 1.0, "PAUSES": (0.2, 0.5)}.items():
        monkeypatch.setattr(f"pipeline.artifacts.patience.{name}", value)


def prep(*arguments):
    """Run a command; return its exit code and what it said on stderr."""
    result = CliRunner().invoke(main, [*arguments, "--store", "s3://box/sets"])
    return result.exit_code, result.stderr.strip()


def test_a_server_that_is_killed_and_started_again_during_an_upload_is_waited_for(machine, publish, s3):
    content = os.urandom(LARGE)
    arriving = lambda: any(path.stat().st_size > LARGE // 4 for path in s3.box.rglob("*rclone_temp*"))
    with s3.killed_once(arriving):
        made = publish(machine("a"), more={"large": content})
    assert machine("b").verify(made) == []
    assert (s3.box / "sets" / made.ref / "more/large").read_bytes() == content


def test_a_server_that_is_killed_and_started_again_during_a_download_is_waited_for(machine, publish, s3):
    content = os.urandom(LARGE)
    publish(machine("a"), more={"large": content})
    store = machine("b")
    (path,) = store.find("wiki").files("more")
    with s3.killed_once(lambda: any(copy.stat().st_blocks * 512 > LARGE // 4 for copy in store.root.glob(".copy-*"))):
        assert path.read_bytes() == content
    assert list(store.root.glob(".copy-*")) == []


def test_a_server_that_stays_away_during_an_upload_ends_the_run_and_the_next_one_goes_on(
    machine, publish, s3, impatient, monkeypatch
):
    put = Bucket.put

    def gone(self, path, name):
        if path.name == "y":
            s3.kill()
        put(self, path, name)

    store = machine("a")
    monkeypatch.setattr(Bucket, "put", gone)
    with pytest.raises(StoreError) as caught:
        publish(store, more={"x": b"x", "y": b"y"})
    assert re.fullmatch(rf"s3://box/sets: no answer in \d s \(.*\)\. {re.escape(AGAIN)}", str(caught.value))
    monkeypatch.setattr(Bucket, "put", put)
    s3.start()
    assert store.list() == []
    made = publish(machine("a"), more={"x": b"x", "y": b"y"})
    assert machine("b").verify(made) == []


def stumble(draft):
    (draft.path / "x").write_bytes(b"x")
    draft.seal(draft.path / "x")
    raise ZeroDivisionError


def test_a_run_that_fails_gives_up_at_once_what_it_was_waiting_for(machine, s3, monkeypatch):
    monkeypatch.setattr("pipeline.artifacts.patience.PAUSES", (600.0, 600.0))
    monkeypatch.setattr("pipeline.artifacts.patience.PATIENCE", 3600.0)
    store = machine("a")
    store.list()
    s3.kill()
    with pytest.raises(ZeroDivisionError), store.draft(Identity("train", {}), "wiki") as draft:
        stumble(draft)


def test_a_file_that_is_damaged_ends_the_waiting_for_others(machine, publish, s3, monkeypatch):
    monkeypatch.setattr("pipeline.artifacts.patience.PAUSES", (600.0, 600.0))
    monkeypatch.setattr("pipeline.artifacts.patience.PATIENCE", 3600.0)
    get = Bucket.get

    def late(self, name, path):
        if name.endswith("/x"):
            self._ask(lambda _files: (_ for _ in ()).throw(ConnectionError))
        get(self, name, path)

    monkeypatch.setattr(Bucket, "get", late)
    made = publish(machine("a"), more={"x": b"x", "y": b"y"})
    (s3.box / "sets" / made.ref / "more/y").write_bytes(b"z")
    folder = machine("b").find("wiki").path / "more"
    with pytest.raises(BrokenArtifact, match="more/y: its checksum is not the manifest's"):
        folder.is_dir()


def test_no_server_is_one_line(machine, s3, impatient):
    machine("a")
    s3.kill()
    code, said = prep("list")
    assert code == 1
    assert re.fullmatch(rf"Error: s3://box/sets: no answer in \d s \(Could not connect .*\)\. {re.escape(AGAIN)}", said)


def test_a_host_that_is_not_there_is_one_line(machine, lead_to, impatient):
    machine("a")
    lead_to("http://nowhere.invalid:9000")
    code, said = prep("list")
    assert code == 1
    assert said.startswith("Error: s3://box/sets: no answer in ")
    assert len(said.splitlines()) == 1


def test_a_bucket_that_is_not_there_is_one_line(machine):
    machine("a")
    expected = "Error: s3://nobox/sets: no such bucket, or an object in it has gone. Make the bucket, or check --store."
    for command in (["list"], ["verify", "--all"], ["show", "wiki"], ["gc"], ["run", SAMPLE]):
        result = CliRunner().invoke(main, [*command, "--store", "s3://nobox/sets"])
        assert (result.exit_code, result.stderr.strip()) == (1, expected)


def test_wrong_credentials_are_one_line_and_are_written_nowhere(machine, publish, monkeypatch, lead_to, s3):
    made = publish(machine("a"))
    lead_to(s3.url)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wr0ng-s3cr3t")
    driver = "Check the credentials that the driver finds; they must allow to list, read, write and remove objects there."
    for command in (["list"], ["verify", "--all"], ["gc"]):
        assert prep(*command) == (1, f"Error: s3://box/sets: no permission. {driver}")
    everything = [path.read_bytes() for path in (*made.path.rglob("*"), *s3.box.rglob("*")) if path.is_file()]
    assert not any(secret in content for content in everything for secret in (b"s3cr3t", b"prep-tests"))


def test_no_credentials_are_one_line(machine, monkeypatch, tmp_path, lead_to, s3):
    machine("a")
    lead_to(s3.url)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    assert prep("list") == (
        1,
        "Error: s3://box/sets: no credentials are found. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what else your "
        "cloud's driver looks for.",
    )


def test_what_is_no_server_is_one_line(machine, lead_to):
    machine("a")
    lead_to("nonsense")
    assert prep("list") == (
        1, "Error: s3://box/sets: cannot be used (Invalid endpoint: nonsense). Check --store and AWS_ENDPOINT_URL.",
    )  # fmt: skip


def test_a_scheme_that_nobody_knows_is_one_line(machine):
    machine("a")
    with pytest.raises(StoreError, match=r"^xyz://box: cannot be used \(Protocol not known: xyz\)\. Check --store\.$"):
        Store("xyz://box").list()


def test_a_missing_driver_says_what_to_install(machine, monkeypatch, lead_to, s3):
    machine("a")
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(StoreError, match=r"gs://box: gs:// needs a driver\. Install it with: pip install 'prep\[cloud\]'$"):
        Store("gs://box").list()


def test_azure_says_in_its_own_way_that_there_is_no_object():
    error = FileNotFoundError("none")
    error.__cause__ = OSError("not found")
    error.__cause__.response = object()  # botocore has a dictionary there

    def question():
        raise error

    with pytest.raises(FileNotFoundError):
        ask("abfs://box", question, threading.Event())


def test_only_of_s3_is_the_address_of_s3_told(impatient):
    def question():
        raise ConnectionError("refused")

    with pytest.raises(StoreError, match=r"^abfs://box: no answer in 1 s \(refused\)\. Check the network, and run the same"):
        ask("abfs://box", question, threading.Event())
