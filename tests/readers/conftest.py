"""Real database servers for the readers' tests: each starts once a session, in a short folder of its own, on its socket."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest


@dataclass(frozen=True)
class Server:
    """A running server: where its socket and its programs are, and the options with which its programs reach it."""

    socket: str
    programs: Path
    options: tuple[str, ...]

    def run(self, program: str, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run one of the server's own programs against it and return what it prints."""
        command = [str(self.programs / program), *self.options, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout


@contextmanager
def _folder(user: str) -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="db-", dir="/tmp"))  # a socket's path has at most 107 bytes
    try:
        if os.getuid() == 0:
            shutil.chown(path, user)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _running(command: list[str], ready: Callable[[], bool], how: dict[str, Any], log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, **how)
    try:
        patience = monotonic() + 30
        while not ready():
            assert process.poll() is None, log.read_text()
            assert monotonic() < patience, f"{command[0]} does not answer: {log.read_text()}"
            sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _as(user: str) -> dict[str, Any]:
    """Servers refuse to run as root; as root, run them as their package's user."""
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if os.getuid() == 0 else {}


@pytest.fixture(scope="session")
def mariadb() -> Iterator[Server]:
    """A MariaDB with an empty database `test`, reached as `root` without a password."""
    daemon = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    install = shutil.which("mariadb-install-db")
    if daemon is None or install is None:
        pytest.skip("MariaDB's server is not installed (mariadbd, mariadb-install-db)")
    with _folder("mysql") as path:
        how, data, socket = {**_as("mysql"), "cwd": path}, f"--datadir={path}/data", str(path / "s")
        base = ["--no-defaults", data, "--auth-root-authentication-method=normal", "--skip-test-db"]
        installed = subprocess.run([install, *base], check=False, capture_output=True, text=True, **how)
        assert installed.returncode == 0, installed.stdout + installed.stderr
        start = [daemon, "--no-defaults", data, f"--socket={socket}", "--skip-networking", "--innodb-flush-log-at-trx-commit=0"]
        server = Server(socket, Path(install).parent, ("--no-defaults", f"--socket={socket}", "--user=root"))
        with _running([*start, "--max-allowed-packet=64M"], Path(socket).exists, how, path.with_suffix(".log")):
            server.run("mariadb", "-e", "CREATE DATABASE test CHARACTER SET utf8mb4")
            yield server
        path.with_suffix(".log").unlink()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL with an empty database `postgres`, reached as `postgres` without a password."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    initdb = shutil.which("initdb", path=":".join([*map(str, folders[::-1]), os.environ["PATH"]]))
    if initdb is None:
        pytest.skip("PostgreSQL's server is not installed (initdb, postgres)")
    programs = Path(initdb).resolve().parent
    with _folder("postgres") as path:
        how, data = {**_as("postgres"), "cwd": path}, str(path / "data")
        base = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run([initdb, *base], check=True, capture_output=True, **how)
        start = [str(programs / "postgres"), "-D", data, "-k", str(path), "-c", "listen_addresses=", "-c", "fsync=off"]
        ask = [str(programs / "pg_isready"), "-q", "-h", str(path)]
        ready = lambda: subprocess.run(ask, check=False).returncode == 0
        with _running(start, ready, how, path.with_suffix(".log")):
            yield Server(str(path), programs, ("-h", str(path), "-U", "postgres"))
        path.with_suffix(".log").unlink()
