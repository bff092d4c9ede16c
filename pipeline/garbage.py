"""What lies in a store and nothing needs -> a list of it, and then its disk space.

    draft        a folder without a manifest that no run is filling; its run would have to begin anew
    left over    what a killed run or a killed removal has left
                     .live-*  .copy-*  .gc-*            copies of far sources, packs of small ones, of files in a bucket;
                                                        half a removal
                     .mark-*  .jobs-*                   drivers' marks, jobs' files
                     .lock  .done  work  *.tmp          in a published artifact: of a run that was killed behind its manifest,
                                                        or of a task that outlived its driver
                     answers/**/*.tmp                   half an answer
    answers      answers of filters about an artifact that is gone, or of other code (of every artifact, where asked)
    tensorboard  curves of a training that is gone
    superseded   where asked: an artifact that is not the newest of its stage and name, and that nothing kept was made from
    upload       in a bucket: what a run that was given up has uploaded, a day after its last file
    copies       where asked, of a store in a bucket: what has been fetched of it, or kept here when it was made

What goes is renamed first, so that whoever looks meanwhile finds it whole or not at all, and a removal that is killed leaves no
half of an artifact.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifacts import LOCK, MANIFEST, REMOVED, STAGES, Artifact, Store, refusals, remove_at_once
from pipeline.code_version import code_version
from pipeline.engine.node import JOBS, MARK
from pipeline.errors import StoreError

LEFT = (".live-", ".copy-", REMOVED, MARK, JOBS)
BESIDES = (LOCK, ".done", "work")  # of a draft; a published artifact has none of them


@dataclass(frozen=True)
class Waste:
    """A file or folder that nothing needs: its kind, its place below the store, the bytes in it."""

    kind: str
    name: str
    bytes: int


def garbage(store: Store, *, answers: bool = False, superseded: bool = False, copies: bool = False) -> list[Waste]:
    """List what nothing needs, by kind and place.

    Raises `StoreError` where more than drafts and leftovers is asked for while a run is under way: it takes its parents and its
    answers from the store, and which these are is told only when it publishes.
    """
    busy = [path for path in _drafts(store) if _held(path)]
    if (superseded or answers or copies) and busy:
        raise StoreError(f"{_name(store, busy[0])} is being made, maybe of what would go. Run `prep gc` again when it is done.")
    gone = {artifact.path: artifact for artifact in (_superseded(store) if superseded else ())}
    kept = [artifact for artifact in store.list() if artifact.path not in gone]
    found = [("draft", path) for path in _drafts(store) if path not in busy]
    found += [("left over", path) for path in _left_over(store)]
    found += _answers(store, kept, busy, whole=answers)
    found += _curves(store, [*(artifact.path for artifact in kept), *busy])
    found += [("copies", artifact.path) for artifact in kept if store.mirror and copies]
    wasted = [Waste(kind, _name(store, path), _bytes(Path(path))) for kind, path in sorted(found)]
    wasted += [Waste("superseded", artifact.ref, _kept_bytes(artifact)) for _, artifact in sorted(gone.items())]
    return wasted + [Waste("upload", *upload) for upload in (store.mirror.unfinished() if store.mirror else ())]


def remove(store: Store, waste: Waste) -> bool:
    """Remove a file or folder; False where a run has taken it up since it was listed. Raises `StoreError`."""
    path = store.root / waste.name
    if store.mirror and waste.kind == "upload":
        return store.mirror.discard(waste.name)
    if store.mirror and waste.kind == "superseded":
        store.mirror.remove(waste.name)
    with refusals(path), _lock(path) as free:
        if not free or (waste.kind == "draft" and (path / MANIFEST).exists()):
            return False
        remove_at_once(path, store.root)
    return True


def _drafts(store: Store) -> list[Path]:
    folders = [path for stage in STAGES for path in (store.root / stage).glob("*@*")]
    return [path for path in folders if path.is_dir() and not (path / MANIFEST).exists()]


def _left_over(store: Store) -> Iterator[Path]:
    yield from (path for left in LEFT for path in store.root.glob(f"{left}*") if not _held(path))
    for folder in [Path(artifact.path) for artifact in store.list()]:
        own = [path for name in BESIDES if (path := folder / name).exists()]
        files = [path for path in folder.rglob(".*.tmp") if not any(path.is_relative_to(one) for one in own)]
        if not _held(folder):
            yield from (*own, *files)


def _answers(store: Store, kept: list[Artifact], busy: list[Path], *, whole: bool) -> Iterator[tuple[str, Path]]:
    """Find answers about artifacts that are not kept, or of other code; of the others what is half, where nobody writes it."""
    fingerprints = {artifact.manifest.fingerprint for artifact in kept}
    marked = any(_held(mark) for mark in store.root.glob(f"{MARK}*"))  # then a worker elsewhere may be writing one
    for path in store.root.glob("answers/*/*"):
        if whole or path.name not in fingerprints or path.parent.name != code_version():
            yield "answers", path
        elif not busy and not marked:
            yield from (("left over", file) for file in path.rglob(".*.tmp") if not _alive(file))


def _curves(store: Store, trained: list[Path]) -> Iterator[tuple[str, Path]]:
    names = {path.name for path in trained}
    yield from (("tensorboard", path) for path in store.root.glob("tensorboard/*@*") if path.name not in names)


def _superseded(store: Store) -> list[Artifact]:
    """Return the artifacts that neither are the newest of their stage and name nor in the lineage of one that is."""
    newest: dict[tuple[str, str], Artifact] = {}
    for artifact in store.list():
        newest.setdefault((artifact.manifest.stage, artifact.manifest.name), artifact)
    kept = {ancestor.path for artifact in newest.values() for ancestor in store.lineage(artifact)}
    return [artifact for artifact in store.list() if artifact.path not in kept]


def _held(path: Path) -> bool:
    with _lock(path) as free:
        return not free


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[bool]:
    """Hold what a run would hold of a file or folder; False where a run holds it or it is gone.

    That is its lock file, or itself; of jobs' files it is the mark of their driver.
    """
    held = path / LOCK if (path / LOCK).exists() else path
    if path.name.startswith(JOBS):
        mark = path.with_name(path.name.replace(JOBS, MARK))
        held = mark if mark.exists() else path
    try:
        lock = os.open(held, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield True
    except BlockingIOError:
        yield False
    finally:
        os.close(lock)


def _alive(temporary: Path) -> bool:
    """Say whether the process that a temporary file is named after runs on this machine: `.00000.arrow.4711.tmp`."""
    number = temporary.name.removesuffix(".tmp").rpartition(".")[2]
    try:
        os.kill(int(number), 0)
    except PermissionError:
        return True
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    return True


def _name(store: Store, path: Path) -> str:
    return path.relative_to(store.root).as_posix()


def _kept_bytes(artifact: Artifact) -> int:
    """Return the bytes of an artifact's files where it is kept."""
    return sum(entry["bytes"] for entry in artifact.manifest.files)


def _bytes(path: Path) -> int:
    files = [path] if not path.is_dir() else [file for file in path.rglob("*") if not file.is_dir()]
    return sum(file.lstat().st_size for file in files)
