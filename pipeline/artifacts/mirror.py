"""A bucket -> a folder on this disk that holds what the bucket does: manifests before each look, a file when it is opened.

So the folder is a store like any other, and may be thrown away at any time. Of an object's time only the order counts, and the
bucket's clock alone makes it: a manifest here has the time of the one there.
"""

import contextlib
import fcntl
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.artifacts.artifact import Artifact, keep_only, load, problems
from pipeline.artifacts.bucket import Bucket, Facts
from pipeline.artifacts.cache import cache_of, checked_url, root_of, url_of
from pipeline.artifacts.files import LOCK, atomic, refusals, remove_at_once, sha256_of
from pipeline.artifacts.identity import STAGES
from pipeline.artifacts.manifest import MANIFEST, manifest_of
from pipeline.artifacts.outbox import Outbox
from pipeline.artifacts.patience import Forbidden
from pipeline.errors import BrokenArtifact

FRESH = 1.0  # seconds for which a listing holds: a command looks several times
COPY = ".copy-"  # begins the name of a file that is being fetched
AGE = 86_400.0  # seconds after which files without a manifest are taken for given up; a run that still lives sends them again


class Unfinished(NamedTuple):
    """A folder in a bucket without a manifest: what a run that was given up has uploaded."""

    name: str
    bytes: int


class Mirror:
    """A bucket and its folder on this disk."""

    def __init__(self, url: str, root: Path, *, heard: bool = False) -> None:
        self.root = root
        self.bucket = Bucket(url, heard=heard)
        self._looked: dict[str, float] = {}

    def refresh(self, stages: Sequence[str]) -> None:
        """Bring the manifests of stages, and remove what is no longer in the bucket."""
        due = [stage for stage in stages if time.monotonic() - self._looked.get(stage, -FRESH) >= FRESH]
        there = [f"{stage}/{name}" for stage in due for name in self.bucket.folders(stage) if "@" in name]
        if due and not there:
            self.bucket.ensure_there()
        self.bucket.each(self._look_at, there)
        for path in [path for stage in due for path in (self.root / stage).glob(f"*@*/{MANIFEST}")]:
            if (ref := path.parent.relative_to(self.root).as_posix()) not in there:
                self._forget(ref)
        self._looked |= dict.fromkeys(due, time.monotonic())

    def look_at(self, ref: str) -> None:
        """Bring a manifest, or remove it where it is no longer in the bucket."""
        self._look_at(self.bucket, ref)

    def _look_at(self, bucket: Bucket, ref: str) -> None:
        facts = bucket.facts(f"{ref}/{MANIFEST}")
        if facts is None:
            bucket.ensure_there()
            self._forget(ref)
            return
        path = self.root / ref / MANIFEST
        if path.exists() and int(path.stat().st_mtime) == facts.modified:
            return  # S3 tells whole seconds; within one, this machine knows what it did last
        text = bucket.read(f"{ref}/{MANIFEST}")
        if path.exists() and path.read_text(encoding="utf-8") != text:
            self._forget(ref)  # it was removed, and made again by other versions of libraries
        if text is not None and (path.exists() or self._adopt(ref, text)):
            os.utime(path, (facts.modified, facts.modified))

    def touch(self, ref: str) -> None:
        """Make an artifact the newest, by writing its manifest once more; a bucket that is read-only stays as it is."""
        with contextlib.suppress(Forbidden):
            self.bucket.write(f"{ref}/{MANIFEST}", (self.root / ref / MANIFEST).read_text(encoding="utf-8"))

    def _adopt(self, ref: str, text: str) -> bool:
        """Take what was published elsewhere, or by a run that was killed right then; False while a run fills the folder."""
        folder = self.root / ref
        with refusals(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with refusals(folder), _held(folder / LOCK) as free:
            if not free:
                return False
            with contextlib.suppress(ValueError, TypeError):  # a broken manifest is named by whoever loads it
                keep_only(manifest_of(text), folder)
            with atomic(folder / MANIFEST) as temporary:
                temporary.write_text(text, encoding="utf-8")
            (folder / LOCK).unlink(missing_ok=True)
        return True

    def _forget(self, ref: str) -> None:
        """Remove the folder of an artifact that the bucket no longer has: at once, so that nobody sees a half."""
        if (self.root / ref / MANIFEST).exists():
            with refusals(self.root):
                remove_at_once(self.root / ref, self.root)

    def fetch(self, ref: str, entries: Iterable[dict[str, Any]]) -> None:
        """Bring files of an artifact that are not here yet, several at a time; raises `BrokenArtifact`."""
        missing = [entry for entry in entries if not (self.root / ref / entry["path"]).exists()]
        self.bucket.each(partial(self._fetch, ref), missing)

    def _fetch(self, ref: str, bucket: Bucket, entry: dict[str, Any]) -> None:
        path = self.root / ref / entry["path"]
        with refusals(path), _temporary(self.root) as temporary:
            bucket.get(f"{ref}/{entry['path']}", temporary)
            if sha256_of(temporary) != entry["sha256"]:
                raise BrokenArtifact(
                    f"{bucket.url}/{ref}/{entry['path']}: its checksum is not the manifest's. `prep verify {ref}` lists "
                    f"what is broken."
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.replace(path)

    def outbox(self, ref: str) -> Outbox:
        """Return what takes the files of a draft to the bucket."""
        return Outbox(self.bucket.another(), ref, self.root / ref)

    def verify(self, artifact: Artifact) -> list[str]:
        """Read every object of an artifact and compare its checksum; a damaged copy here is removed, and named, too."""
        expected = {entry["path"]: entry["sha256"] for entry in artifact.manifest.files}
        found = self.bucket.below(artifact.ref).keys() - {MANIFEST}
        known = sorted(expected.keys() & found)
        digests = self.bucket.each(lambda bucket, name: bucket.sha256(f"{artifact.ref}/{name}"), known)
        wrong = {name for name, digest in zip(known, digests, strict=True) if digest != expected[name]}
        copies = {name: self.root / artifact.ref / name for name in expected}
        damaged = [name for name, path in copies.items() if path.exists() and sha256_of(path) != expected[name]]
        for name in damaged:
            copies[name].unlink()
        said = [f"{name}: its copy on this disk was damaged, and is removed: {copies[name]}" for name in damaged]
        return problems(expected.keys(), found, wrong) + said

    def remove(self, ref: str) -> None:
        """Remove an artifact, or what is there of one, from the bucket, its manifest first."""
        self.bucket.remove([f"{ref}/{MANIFEST}"])
        self.bucket.remove(f"{ref}/{name}" for name in self.bucket.below(ref))  # the manifest, too, if it was touched meanwhile

    def unfinished(self) -> list[Unfinished]:
        """List what was uploaded without a manifest, and to which nothing has been added for a day."""
        names = [f"{stage}/{name}" for stage in STAGES for name in self.bucket.folders(stage) if "@" in name]
        given_up = {name: self._given_up(name) for name in names}
        return [Unfinished(name, sum(facts.bytes for facts in found.values())) for name, found in given_up.items() if found]

    def discard(self, ref: str) -> bool:
        """Remove what was uploaded without a manifest; False where a run has taken it up since it was listed."""
        objects = self._given_up(ref)
        self.bucket.remove(f"{ref}/{name}" for name in objects)
        return bool(objects)

    def _given_up(self, ref: str) -> dict[str, Facts]:
        """Return the objects of a folder without a manifest that no run here fills, and none elsewhere has for a day."""
        with _held(self.root / ref / LOCK) as free:
            objects = self.bucket.below(ref) if free and not (self.root / ref / MANIFEST).exists() else {}
        if not objects or MANIFEST in objects:
            return {}
        return objects if time.time() - max(facts.modified for facts in objects.values()) > AGE else {}


def mirror_of(url: str) -> Mirror:
    """Return the mirror of a store's URL; raises `UsageError` for one that can be none."""
    checked = checked_url(url)
    return Mirror(checked, cache_of(checked))


def fetch(path: Path) -> None:
    """Bring what an artifact's manifest says lies at a path in a mirror's folder, or below it."""
    root = root_of(path)
    parts = path.relative_to(root).parts if root else ()
    ref, name = "/".join(parts[:2]), "/".join(parts[2:])
    if root is None or len(parts) < 2 or not (root / ref / MANIFEST).exists():
        return
    entries = _entries(root / ref, (root / ref / MANIFEST).stat().st_mtime_ns)
    below = f"{name}/" if name else ""
    wanted = [entries[name]] if name in entries else [entry for place, entry in entries.items() if place.startswith(below)]
    _mirror_at(root).fetch(ref, wanted)


@lru_cache(maxsize=16)
def _entries(folder: Path, _written: int) -> dict[str, dict[str, Any]]:
    return {entry["path"]: entry for entry in load(folder).manifest.files}


@lru_cache(maxsize=4)
def _mirror_at(root: Path) -> Mirror:
    return Mirror(url_of(root), root, heard=True)  # it has a manifest from there


@contextlib.contextmanager
def _held(lock: Path) -> Iterator[bool]:
    """Hold a draft's lock, if there is one; False where a run holds it."""
    if not lock.exists():
        yield True
        return
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextlib.contextmanager
def _temporary(root: Path) -> Iterator[Path]:
    """Give a file to write to that is gone in the end, if not renamed; it is locked, so that nobody takes it for left over."""
    path = root / f"{COPY}{secrets.token_hex(8)}"
    try:
        with path.open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield path
    finally:
        path.unlink(missing_ok=True)
