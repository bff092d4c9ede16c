"""A folder that is filled shard by shard -> an artifact. The folder is locked while a run fills it, and kept after a crash."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pipeline.artifacts.artifact import Artifact, keep_only
from pipeline.artifacts.files import LOCK, atomic, entry_of, files_below, refusals
from pipeline.artifacts.identity import Identity, checked_name
from pipeline.artifacts.manifest import MANIFEST, Manifest
from pipeline.code_version import code_version
from pipeline.errors import DraftInUse, RowsLost
from pipeline.timing import phase

if TYPE_CHECKING:
    from pipeline.artifacts.store import Store

SEALING = 8  # files on their way to the disk or to a bucket
COUNTED = {"documents": "kept", "removed": "removed", "rejected": "rejected"}


class Outgoing(Protocol):
    """Where the files of a draft go as they are sealed."""

    def send(self, entry: dict[str, Any]) -> None:
        """Take a file, which will not change any more."""
        ...

    def commit(self, manifest: Manifest) -> Manifest:
        """Publish what was sent; return the manifest that is published, another prep's where that was first."""
        ...

    def close(self) -> None:
        """Give up what is under way."""
        ...


class Stays:
    """A draft that becomes an artifact where it lies."""

    def send(self, entry: dict[str, Any]) -> None:
        """Leave the file where it is."""

    def commit(self, manifest: Manifest) -> Manifest:
        """Return the manifest."""
        return manifest

    def close(self) -> None:
        """Do nothing."""


class Draft:
    """An artifact being made: a locked folder that is filled shard by shard. A task in it is done once its answer is there."""

    def __init__(self, store: "Store", identity: Identity, name: str) -> None:
        self.identity = identity
        self.name = checked_name(name)
        self.ref = f"{identity.stage}/{name}@{identity.fingerprint}"
        self.path = store.root / self.ref
        self.work = self.path / "work"
        self._store = store
        self._done = self.path / ".done"
        self._started = time.time()
        self._sealing = ThreadPoolExecutor(SEALING)
        self._sealed: dict[str, Future[dict[str, Any]]] = {}
        self._outgoing: Outgoing = Stays() if store.mirror is None else store.mirror.outbox(self.ref)

    def __enter__(self) -> "Draft":
        with refusals(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.path / LOCK, os.O_CREAT | os.O_RDWR)
        try:
            self._begin()
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def _begin(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DraftInUse(self.ref) from error
        with refusals(self.path):
            if (self.path / MANIFEST).exists():  # published by another prep between the look into the store and the lock
                (self.path / LOCK).unlink(missing_ok=True)
                raise DraftInUse(self.ref)
            self._clear()
            made_by = self.work / "code_version"
            if self.work.exists() and (not made_by.exists() or made_by.read_text() != code_version()):
                for part in [entry for entry in self.path.iterdir() if entry.is_dir()]:
                    shutil.rmtree(part)  # other code's answers: none of them is gone on from
            if not made_by.exists():
                with atomic(made_by) as temporary:
                    temporary.write_text(code_version())

    def _clear(self) -> None:
        """Remove the work that an earlier `publish` has put aside."""
        if self._done.exists():
            shutil.rmtree(self._done)

    def __exit__(self, *_: object) -> None:
        self._outgoing.close()
        self._sealing.shutdown(cancel_futures=True)
        os.close(self._lock)

    def seal(self, path: Path) -> None:
        """Begin to put a file that will not change any more where it is kept, whoever wrote it, and to hash it."""
        name = path.relative_to(self.path).as_posix()
        self._sealed[name] = self._sealing.submit(self._kept, name)

    def _kept(self, name: str) -> dict[str, Any]:
        entry = entry_of(self.path, name)
        self._outgoing.send(entry)
        return entry

    @phase("publish")
    def publish(
        self, rows: dict[str, int], *, counts: Iterable[dict[str, Any]] = (), versions: dict[str, str], run: dict[str, Any]
    ) -> Artifact:
        """Check that no row is lost, then write the manifest: from here on the artifact exists and never changes."""
        rows = {key: rows.get(key, 0) for key in ("in", "kept", "removed", "rejected")}
        if rows["in"] != rows["kept"] + rows["removed"] + rows["rejected"]:
            raise RowsLost(self.ref, rows)
        files = self._all_sealed()
        self._count(rows, files)
        run = {**run, "seconds": round(time.time() - self._started, 3), "finished": _utc_now()}
        identity = self.identity
        own = Manifest(
            self.ref, identity.fingerprint, identity.stage, self.name, identity.recipe, list(identity.parents),
            identity.sources, rows, list(counts), files, versions, run,
        )  # fmt: skip
        manifest = self._outgoing.commit(own)
        with refusals(self.path):
            self.work.rename(self._done)  # at once, so that a run that is killed here leaves no half of it to go on from
            self._clear()
            for leftover in self.path.rglob("*.tmp"):
                leftover.unlink()
            if manifest is not own:
                keep_only(manifest, self.path)
        with atomic(self.path / MANIFEST) as temporary:
            temporary.write_text(manifest.text(), encoding="utf-8")
        with refusals(self.path):
            (self.path / LOCK).unlink(missing_ok=True)
        return Artifact(self._store.at(self.path), manifest)

    def _all_sealed(self) -> list[dict[str, Any]]:
        """Seal what has not been; return what the manifest says of each file, in order."""
        names = [name for name in sorted(files_below(self.path)) if name != LOCK and not name.startswith("work/")]
        for name in names:
            if name not in self._sealed and not name.endswith(".tmp"):
                self.seal(self.path / name)
        with refusals(self.path):
            return [self._sealed[name].result() for name in names if name in self._sealed]

    def _count(self, rows: dict[str, int], files: list[dict[str, Any]]) -> None:
        for part, name in COUNTED.items():
            on_disk = sum(entry["rows"] for entry in files if entry["path"].startswith(f"{part}/"))
            counted = self.identity.stage in ("ingest", "clean") or (self.path / part).exists()  # tokens are rows of their own
            if counted and on_disk != rows[name]:
                raise RowsLost(self.ref, {**rows, f"{name} on the disk": on_disk})


def _utc_now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
