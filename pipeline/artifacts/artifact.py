"""A published folder: its manifest and its files, which never change again."""

import shutil
from collections.abc import Set
from dataclasses import dataclass
from pathlib import Path

from pipeline.artifacts.files import LOCK, files_below, sha256_of
from pipeline.artifacts.lazy import Lazy
from pipeline.artifacts.manifest import MANIFEST, Manifest, manifest_of
from pipeline.errors import BrokenArtifact


@dataclass(frozen=True)
class Artifact:
    """A published artifact."""

    path: Path
    manifest: Manifest

    @property
    def ref(self) -> str:
        """Return `<stage>/<name>@<fingerprint>`."""
        return self.manifest.ref

    @property
    def place(self) -> str:
        """Return where it is kept, for people: a folder, or a URL."""
        return self.path.place if isinstance(self.path, Lazy) else str(self.path)

    def files(self, part: str) -> list[Path]:
        """Return the files of a part (`documents`, `removed`, ...), in order."""
        return [self.path / entry["path"] for entry in self.manifest.files if entry["path"].startswith(f"{part}/")]

    def verify(self) -> list[str]:
        """Recompute every checksum; return what is wrong, one line each."""
        expected = {entry["path"]: entry["sha256"] for entry in self.manifest.files}
        found = set(files_below(self.path)) - {MANIFEST, LOCK}  # a run that was killed behind the manifest leaves its lock
        wrong = {name for name in expected.keys() & found if sha256_of(self.path / name) != expected[name]}
        return problems(expected.keys(), found, wrong)


def problems(expected: Set[str], found: Set[str], wrong: Set[str]) -> list[str]:
    """Say which files are missing, which are too much, and which have another checksum.

    >>> problems({"a", "b"}, {"b", "c"}, {"b"})
    ['a: missing', 'c: not in the manifest', "b: its checksum is not the manifest's"]
    """
    said = [f"{name}: missing" for name in sorted(expected - found)]
    said += [f"{name}: not in the manifest" for name in sorted(found - expected)]
    return said + [f"{name}: its checksum is not the manifest's" for name in sorted(wrong)]


def load(path: Path) -> Artifact:
    """Return the artifact in a folder; raises `BrokenArtifact` where its manifest is none."""
    try:
        return Artifact(path, manifest_of((path / MANIFEST).read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise BrokenArtifact(
            f"{path / MANIFEST}: not a manifest ({error}). Remove the folder and run its stage again."
        ) from error


def keep_only(manifest: Manifest, path: Path) -> None:
    """Remove from a folder what is not as a manifest says, but for its lock."""
    expected = {entry["path"]: entry["sha256"] for entry in manifest.files}
    parts = {name.partition("/")[0] for name in expected}
    for folder in [entry for entry in path.iterdir() if entry.is_dir() and entry.name not in parts]:
        shutil.rmtree(folder)
    for name in set(files_below(path)) - {LOCK}:
        if name not in expected or sha256_of(path / name) != expected[name]:
            (path / name).unlink()
