"""Artifacts: what a stage leaves behind, named by what made it, and the store that holds them.

    Identity   what made an artifact, in one canonical form; its hash is the fingerprint
    Draft      a folder being filled, locked, kept after a crash; `publish` writes the manifest, last
    Artifact   a published folder: manifest and files, never changed again
    Store      finds, lists and drafts artifacts below one folder: <store>/<stage>/<name>@<fingerprint>/

A folder without `manifest.json` is a draft. Whatever is written goes to a temporary name first and is renamed when whole.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.code_version import code_version
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
from pipeline.timing import phase

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

STAGES = ("ingest", "clean", "tokenize", "train")
FORMAT = 1  # of the artifact's folder; it enters the fingerprint
MANIFEST = "manifest.json"
LOCK = ".lock"
COUNTED = {"documents": "kept", "removed": "removed", "rejected": "rejected"}

Answer = TypeVar("Answer")


def canonical(value: object) -> str:
    """Return the one JSON text of a value; raises `TypeError` for what has no stable form.

    >>> canonical({"b": 1, "a": ["x", None]})
    '{"a":["x",null],"b":1}'
    >>> canonical({1, 2})
    Traceback (most recent call last):
    TypeError: a set has no stable form: {1, 2}. Use text, numbers, booleans, lists and mappings.
    """

    def refuse(unstable: object) -> object:
        kind = type(unstable).__name__
        raise TypeError(f"a {kind} has no stable form: {unstable!r}. Use text, numbers, booleans, lists and mappings.")

    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=refuse)


@dataclass(frozen=True)
class Identity:
    """What made an artifact: never paths, engine, workers, clock or host."""

    stage: str
    recipe: dict[str, Any]
    parents: tuple[str, ...] = ()
    sources: str = ""

    @property
    def fingerprint(self) -> str:
        """Return the first 12 hex digits of the SHA-256 of the canonical form."""
        return hashlib.sha256(canonical({"format": FORMAT, **asdict(self)}).encode()).hexdigest()[:12]


@dataclass
class Manifest:
    """What an artifact is, what made it and what is in it; all but `run` is the same for every run of the same recipe."""

    ref: str
    fingerprint: str
    stage: str
    name: str
    recipe: dict[str, Any]
    parents: list[str]
    sources: str
    rows: dict[str, int]
    counts: list[dict[str, Any]] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Artifact:
    """A published artifact."""

    path: Path
    manifest: Manifest

    @property
    def ref(self) -> str:
        """Return `<stage>/<name>@<fingerprint>`."""
        return self.manifest.ref

    def files(self, part: str) -> list[Path]:
        """Return the files of a part (`documents`, `removed`, ...), in order."""
        return [self.path / entry["path"] for entry in self.manifest.files if entry["path"].startswith(f"{part}/")]

    def verify(self) -> list[str]:
        """Recompute every checksum; return what is wrong, one line each."""
        expected = {entry["path"]: entry for entry in self.manifest.files}
        found = set(_files_below(self.path)) - {MANIFEST, LOCK}  # a run that was killed behind the manifest leaves its lock
        problems = [f"{name}: missing" for name in sorted(expected.keys() - found)]
        problems += [f"{name}: not in the manifest" for name in sorted(found - expected.keys())]
        for name in sorted(expected.keys() & found):
            if _sha256(self.path / name) != expected[name]["sha256"]:
                problems.append(f"{name}: its checksum is not the manifest's")
        return problems


Artifacts = list[Artifact]


class Draft:
    """An artifact being made: a locked folder that is filled shard by shard. A task in it is done once its answer is there."""

    def __init__(self, store: "Store", identity: Identity, name: str) -> None:
        self.identity = identity
        self.name = checked_name(name)
        self.ref = f"{identity.stage}/{name}@{identity.fingerprint}"
        self.path = store.root / identity.stage / f"{name}@{identity.fingerprint}"
        self.work = self.path / "work"
        self._done = self.path / ".done"
        self._started = time.time()
        self._sealing = ThreadPoolExecutor()
        self._sealed: dict[str, Future[dict[str, Any]]] = {}

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
        self._sealing.shutdown(cancel_futures=True)
        os.close(self._lock)

    def seal(self, path: Path) -> None:
        """Begin to put a file that will not change any more on the disk, whoever wrote it, and to hash it for the manifest."""
        name = path.relative_to(self.path).as_posix()
        self._sealed[name] = self._sealing.submit(_entry, self.path, name)

    @phase("publish")
    def publish(
        self, rows: dict[str, int], *, counts: Iterable[dict[str, Any]] = (), versions: dict[str, str], run: dict[str, Any]
    ) -> Artifact:
        """Check that no row is lost, then write the manifest: from here on the artifact exists and never changes."""
        rows = {key: rows.get(key, 0) for key in ("in", "kept", "removed", "rejected")}
        if rows["in"] != rows["kept"] + rows["removed"] + rows["rejected"]:
            raise RowsLost(self.ref, rows)
        names = [name for name in sorted(_files_below(self.path)) if name != LOCK and not name.startswith("work/")]
        for name in names:
            if name not in self._sealed and not name.endswith(".tmp"):
                self.seal(self.path / name)
        with refusals(self.path):
            files = [self._sealed[name].result() for name in names if name in self._sealed]
        self._count(rows, files)
        run = {**run, "seconds": round(time.time() - self._started, 3), "finished": _utc_now()}
        identity = self.identity
        manifest = Manifest(
            self.ref, identity.fingerprint, identity.stage, self.name, identity.recipe, list(identity.parents),
            identity.sources, rows, list(counts), files, versions, run,
        )  # fmt: skip
        with refusals(self.path):
            self.work.rename(self._done)  # at once, so that a run that is killed here leaves no half of it to go on from
            self._clear()
            for leftover in self.path.rglob("*.tmp"):
                leftover.unlink()
        with atomic(self.path / MANIFEST) as temporary:
            temporary.write_text(json.dumps(asdict(manifest), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        with refusals(self.path):
            (self.path / LOCK).unlink(missing_ok=True)
        return Artifact(self.path, manifest)

    def _count(self, rows: dict[str, int], files: list[dict[str, Any]]) -> None:
        for part, name in COUNTED.items():
            on_disk = sum(entry["rows"] for entry in files if entry["path"].startswith(f"{part}/"))
            counted = self.identity.stage in ("ingest", "clean") or (self.path / part).exists()  # tokens are rows of their own
            if counted and on_disk != rows[name]:
                raise RowsLost(self.ref, {**rows, f"{name} on the disk": on_disk})


class Store:
    """All artifacts below one folder, which need not be there yet; raises `StoreError` where it is a file."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)
        if self.root.exists() and not self.root.is_dir():
            raise StoreError(f"{root} is a file, and a store is a folder. Choose another with --store.")

    def list(self, stage: str | None = None) -> "Artifacts":
        """Return the artifacts, newest first: the last made or asked for."""
        stages = (stage,) if stage else STAGES
        paths = [path for name in stages for path in (self.root / name).glob(f"*@*/{MANIFEST}")]
        paths.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [_load(path.parent) for path in paths]

    def find(self, ref: str, stage: str | None = None) -> Artifact:
        """Find `clean/wiki@8c2f`, `clean/wiki` (newest), `wiki` (newest, of `stage` if given) or `@8c2f`.

        Raises `ArtifactNotFound`, `AmbiguousRef`.
        """
        place, _, prefix = ref.rstrip("/").partition("@")
        wanted, _, name = place.rpartition("/")
        known = self.list(wanted or stage)
        if not name and not prefix:
            raise ArtifactNotFound(ref, self.root, self._names())
        matches = [a for a in known if name in ("", a.manifest.name) and a.manifest.fingerprint.startswith(prefix)]
        if not matches:
            elsewhere = None if wanted or stage is None else next(iter(self._of_any_stage(name, prefix)), None)
            raise ArtifactNotFound(ref, self.root, self._names(), stage=stage, elsewhere=elsewhere)
        fingerprints = {match.manifest.fingerprint for match in matches}
        if prefix and len(fingerprints) > 1:
            raise AmbiguousRef(ref, sorted(match.ref for match in matches))
        return matches[0]

    def _of_any_stage(self, name: str, prefix: str) -> Sequence[str]:
        return [a.ref for a in self.list() if name in ("", a.manifest.name) and a.manifest.fingerprint.startswith(prefix)]

    def _names(self) -> Iterator[str]:
        for found in (artifact.manifest for artifact in self.list()):
            yield from (found.name, f"{found.stage}/{found.name}", found.ref)

    def newest(self, stage: str) -> Artifact:
        """Return the newest artifact of a stage; raises `ArtifactNotFound` where there is none."""
        found = self.list(stage)
        if not found:
            raise PrepError(f"{self.root} holds no {stage} artifact yet. Run `prep {stage}` first.")
        return found[0]

    def answer(self, identity: Identity, name: str) -> Artifact | None:
        """Return the artifact that was made by the same recipe on the same input, from now on the newest, or None."""
        path = self.root / identity.stage / f"{checked_name(name)}@{identity.fingerprint}"
        if not (path / MANIFEST).exists():
            return None
        with contextlib.suppress(OSError):  # a store that is read-only still answers
            os.utime(path / MANIFEST)
            (path / LOCK).unlink(missing_ok=True)  # of a run that ended between the manifest and its removal
        return _load(path)

    def draft(self, identity: Identity, name: str) -> Draft:
        """Return a draft to be entered with `with`; raises `DraftInUse`, `StoreError` there."""
        return Draft(self, identity, name)

    def lineage(self, artifact: Artifact) -> "Artifacts":
        """Return the artifact and all that it was made from, nearest first; parents that are gone are left out."""
        found, queue = [artifact], list(artifact.manifest.parents)
        while queue:
            with contextlib.suppress(ArtifactNotFound):
                parent = self.find(queue.pop(0))
                if parent.ref not in {known.ref for known in found}:
                    found.append(parent)
                    queue += parent.manifest.parents
        return found


def checked_name(name: str) -> str:
    """Return an artifact's name if it can be one; raises `UsageError`.

    >>> checked_name("wiki-2024.v2")
    'wiki-2024.v2'
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UsageError(f"{name!r} cannot be an artifact's name. Use letters, digits, '.', '_' and '-'; see --name.")
    return name


def remembered(answer: Path, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do the work and keep its answer as JSON, or return the answer that is there from an earlier run."""
    if answer.exists():
        known: dict[str, Any] = json.loads(answer.read_text())
        return known
    result = work()
    with atomic(answer) as temporary:
        temporary.write_text(json.dumps(result))
    return result


@contextlib.contextmanager
def atomic(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a temporary name to write to; on leaving it becomes `path`, whole and on the disk, or it is gone.

    What is not `durable` may be lost with the machine: only for what nothing that is kept relies on. Raises `StoreError` where
    the disk refuses.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with refusals(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            if durable:
                with temporary.open("rb") as written:
                    os.fsync(written.fileno())
            temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def save(array: "npt.NDArray[Any]", path: Path, *, durable: bool = True) -> None:
    """Write an array that `np.load` reads, whole or not at all; raises `StoreError` where the disk refuses."""
    import numpy as np

    with atomic(path, durable=durable) as temporary, temporary.open("wb") as file:
        np.save(file, array)


@contextlib.contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Turn an `OSError` into a `StoreError` that says what the disk refused, and where."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else f"the disk is full or failing: {error}"
        raise StoreError(
            f"{path}: cannot write ({reason}). Mend that or choose another --store, and run the same command "
            f"again: finished shards are kept."
        ) from error


def _files_below(root: Path) -> Iterator[str]:
    for path in root.rglob("*"):
        if path.is_file():
            yield path.relative_to(root).as_posix()


def _entry(root: Path, name: str) -> dict[str, Any]:
    path = root / name
    with path.open("rb") as written:
        os.fsync(written.fileno())
    entry: dict[str, Any] = {"path": name, "bytes": path.stat().st_size, "sha256": _sha256(path)}
    if path.suffix == ".parquet":
        entry["rows"] = parquet_rows(path)
    return entry


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_shard(path: Path, columns: list[str] | None = None) -> "pa.Table":
    """Read a Parquet shard, whole or some columns of it; raises `BrokenArtifact` where it is damaged or gone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(path, columns=columns, memory_map=True, partitioning=None)
    except (pa.ArrowInvalid, OSError) as error:
        why = " ".join(str(error).split())
        raise BrokenArtifact(f"{path}: cannot be read ({why}). `prep verify` lists what is broken.") from error


def read_schema(path: Path) -> "pa.Schema":
    """Return a Parquet shard's schema; raises `BrokenArtifact` where it is damaged or gone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_schema(path)
    except (pa.ArrowInvalid, OSError) as error:
        why = " ".join(str(error).split())
        raise BrokenArtifact(f"{path}: cannot be read ({why}). `prep verify` lists what is broken.") from error


def parquet_rows(path: Path) -> int:
    """Return a Parquet file's row count by its footer; raises `BrokenArtifact`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(path).num_rows)
    except pa.ArrowInvalid as error:
        raise BrokenArtifact(f"{path}: not a whole Parquet file. `prep verify` lists what is broken.") from error


def _load(path: Path) -> Artifact:
    try:
        return Artifact(path, Manifest(**json.loads((path / MANIFEST).read_text(encoding="utf-8"))))
    except (ValueError, TypeError) as error:
        raise BrokenArtifact(
            f"{path / MANIFEST}: not a manifest ({error}). Remove the folder and run its stage again."
        ) from error


def _utc_now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
