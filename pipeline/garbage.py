"""What lies in a store and nothing needs -> a list of it, and then its disk space.

    draft        a folder without a manifest that no run is filling; its run would have to begin anew
    left over    what a killed run or a killed removal has left: `.live-*`, `.gc-*`
    answers      answers of filters about an artifact that is gone (of every artifact, where asked)
    superseded   where asked: an artifact that is not the newest of its stage and name, and that nothing kept was made from

What goes is renamed first, so that whoever looks meanwhile finds it whole or not at all, and a removal that is killed leaves no
half of an artifact.
"""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifacts import LOCK, MANIFEST, STAGES, Artifact, Store, refusals
from pipeline.errors import StoreError

REMOVED = ".gc-"


@dataclass(frozen=True)
class Waste:
    """A folder that nothing needs: its kind, its place below the store, the bytes in it."""

    kind: str
    name: str
    bytes: int


def garbage(store: Store, *, answers: bool = False, superseded: bool = False) -> list[Waste]:
    """List what nothing needs, by kind and place.

    Raises `StoreError` where more than drafts and leftovers is asked for while a run is under way: it takes its parents and its
    answers from the store, and which these are is told only when it publishes.
    """
    busy = [path for path in _drafts(store) if _held(path)]
    if (superseded or answers) and busy:
        raise StoreError(f"{_name(store, busy[0])} is being made, maybe of what would go. Run `prep gc` again when it is done.")
    found = [("draft", path) for path in _drafts(store) if path not in busy]
    found += [
        ("left over", path) for pattern in (".live-*", f"{REMOVED}*") for path in store.root.glob(pattern) if not _held(path)
    ]
    gone = [artifact.path for artifact in _superseded(store)] if superseded else []
    kept = {artifact.manifest.fingerprint for artifact in store.list() if artifact.path not in gone}
    found += [("answers", path) for path in store.root.glob("answers/*/*") if answers or path.name not in kept]
    found += [("superseded", path) for path in gone]
    return [Waste(kind, _name(store, path), _bytes(path)) for kind, path in sorted(found)]


def remove(store: Store, waste: Waste) -> bool:
    """Remove a folder; False where a run has taken it up since it was listed. Raises `StoreError`."""
    path = store.root / waste.name
    with refusals(path), _lock(path) as free:
        if not free or (waste.kind == "draft" and (path / MANIFEST).exists()):
            return False
        aside = Path(tempfile.mkdtemp(prefix=REMOVED, dir=store.root))
        path.rename(aside / "removed")
        shutil.rmtree(aside)
    return True


def _drafts(store: Store) -> list[Path]:
    folders = [path for stage in STAGES for path in (store.root / stage).glob("*@*")]
    return [path for path in folders if path.is_dir() and not (path / MANIFEST).exists()]


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
    """Hold what a run would hold of a folder, its lock file or itself; False where a run holds it or it is gone."""
    try:
        lock = os.open(path / LOCK if (path / LOCK).exists() else path, os.O_RDONLY)
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


def _name(store: Store, path: Path) -> str:
    return path.relative_to(store.root).as_posix()


def _bytes(path: Path) -> int:
    return sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir())
