"""All artifacts below one folder, or in a bucket with a folder of its own on this disk: to be listed, found and made."""

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.artifacts.artifact import Artifact, load
from pipeline.artifacts.cache import VARIABLE
from pipeline.artifacts.draft import Draft
from pipeline.artifacts.files import LOCK
from pipeline.artifacts.identity import STAGES, Identity, checked_name
from pipeline.artifacts.lazy import Lazy
from pipeline.artifacts.manifest import MANIFEST
from pipeline.errors import AmbiguousRef, ArtifactNotFound, PrepError, StoreError, UsageError

if TYPE_CHECKING:
    from pipeline.artifacts.mirror import Mirror

Artifacts = list[Artifact]


class Store:
    """All artifacts below one folder, which need not be there yet; raises `StoreError` where it is a file.

    In a bucket (`s3://bucket/prefix`) `root` is the folder on this disk that mirrors it.
    """

    def __init__(self, root: Path | str) -> None:
        self.place = str(root)
        self.mirror: Mirror | None = None
        if "://" in self.place:
            from pipeline.artifacts.mirror import mirror_of

            self.mirror = mirror_of(self.place)
        self.root = self.mirror.root if self.mirror else Path(root)
        if self.root.exists() and not self.root.is_dir():
            raise StoreError(f"{root} is a file, and a store is a folder. Choose another with --store.")

    def at(self, path: Path) -> Path:
        """Return the path of a published artifact, whose files in a bucket are fetched when they are opened."""
        return Lazy(path) if self.mirror else path

    def ensure_shared(self) -> None:
        """Raise `UsageError` where what is being made would lie in a folder that only this machine knows to have."""
        if self.mirror and VARIABLE not in os.environ:
            raise UsageError(
                f"the nodes of a cluster share what is being made, and {self.place} takes only what is done. "
                f"Set {VARIABLE} to a folder that every node sees under the same path, on a network file system."
            )

    def list(self, stage: str | None = None) -> "Artifacts":
        """Return the artifacts, newest first: the last made or asked for."""
        stages = (stage,) if stage else STAGES
        if self.mirror:
            self.mirror.refresh([stage for stage in stages if stage in STAGES])
        paths = [path for name in stages for path in (self.root / name).glob(f"*@*/{MANIFEST}")]
        paths.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
        return [load(self.at(path.parent)) for path in paths]

    def find(self, ref: str, stage: str | None = None) -> Artifact:
        """Find `clean/wiki@8c2f`, `clean/wiki` (newest), `wiki` (newest, of `stage` if given) or `@8c2f`.

        Raises `ArtifactNotFound`, `AmbiguousRef`.
        """
        place, _, prefix = ref.rstrip("/").partition("@")
        wanted, _, name = place.rpartition("/")
        known = self.list(wanted or stage)
        if not name and not prefix:
            raise ArtifactNotFound(ref, self.place, self._names())
        matches = [a for a in known if name in ("", a.manifest.name) and a.manifest.fingerprint.startswith(prefix)]
        if not matches:
            elsewhere = None if wanted or stage is None else next(iter(self._of_any_stage(name, prefix)), None)
            raise ArtifactNotFound(ref, self.place, self._names(), stage=stage, elsewhere=elsewhere)
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
            raise PrepError(f"{self.place} holds no {stage} artifact yet. Run `prep {stage}` first.")
        return found[0]

    def answer(self, identity: Identity, name: str) -> Artifact | None:
        """Return the artifact that was made by the same recipe on the same input, from now on the newest, or None."""
        ref = f"{identity.stage}/{checked_name(name)}@{identity.fingerprint}"
        path = self.root / ref
        if self.mirror:
            self.mirror.look_at(ref)
        if not (path / MANIFEST).exists():
            return None
        if self.mirror:
            self.mirror.touch(ref)
        with contextlib.suppress(OSError):  # a store that is read-only still answers
            os.utime(path / MANIFEST)
            (path / LOCK).unlink(missing_ok=True)  # of a run that ended between the manifest and its removal
        return load(self.at(path))

    def draft(self, identity: Identity, name: str) -> Draft:
        """Return a draft to be entered with `with`; raises `DraftInUse`, `StoreError` there."""
        return Draft(self, identity, name)

    def verify(self, artifact: Artifact) -> Sequence[str]:
        """Recompute the checksums of an artifact where it is kept; return what is wrong, one line each."""
        return self.mirror.verify(artifact) if self.mirror else artifact.verify()

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
