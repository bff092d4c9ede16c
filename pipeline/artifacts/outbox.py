"""The files of a draft -> a bucket, as they are sealed, and its manifest last: from then on the artifact exists for everybody.

What was sent is written down in the draft, so that a run which goes on sends only the rest. Two machines that make one artifact
do no harm: its bytes are the same, the first manifest stays, and the second machine takes it for its own. Where other versions
of libraries wrote other bytes, the one that comes to its manifest first sends again what the other has written over.
"""

from pathlib import Path
from typing import Any

from pipeline.artifacts.bucket import Bucket
from pipeline.artifacts.files import remembered
from pipeline.artifacts.manifest import MANIFEST, Manifest, manifest_of
from pipeline.errors import StoreError

TRIES = 3  # of sending what another prep has written over


class Outbox:
    """What a draft sends to a bucket; `ref` is its folder there."""

    def __init__(self, bucket: Bucket, ref: str, draft: Path) -> None:
        self._bucket, self._ref, self._draft = bucket, ref, draft
        self._sent: dict[str, tuple[int, str]] = {}

    def send(self, entry: dict[str, Any]) -> None:
        """Send a file, unless an earlier run has; raises `StoreError` where it is not there as it was sent."""
        record = self._draft / "work" / "sent" / f"{entry['path']}.{entry['sha256'][:12]}.json"
        sent = remembered(record, lambda: self._put(entry))
        self._sent[entry["path"]] = (sent["bytes"], sent["version"])

    def _put(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Send a file, unless the artifact has been published meanwhile: then nothing there is written over."""
        if self._bucket.facts(f"{self._ref}/{MANIFEST}"):
            return {"bytes": 0, "version": ""}
        key = f"{self._ref}/{entry['path']}"
        self._bucket.put(self._draft / entry["path"], key)
        found = self._bucket.facts(key)
        if found is None or found.bytes != entry["bytes"]:
            there = "is not there" if found is None else f"has {found.bytes} bytes"
            raise StoreError(f"{self._bucket.url}/{key}: {there}, and {entry['bytes']} were sent. Run the same command again.")
        return {"bytes": found.bytes, "version": found.version}

    def commit(self, manifest: Manifest) -> Manifest:
        """Write the manifest, once all files are there and no others; return the one that is there."""
        key = f"{self._ref}/{MANIFEST}"
        for _ in range(TRIES):
            if known := self._bucket.read(key):
                return manifest_of(known)
            found = self._bucket.below(self._ref)
            own = {entry["path"]: entry for entry in manifest.files}
            self._bucket.remove(f"{self._ref}/{name}" for name in found.keys() - own.keys())
            changed = [name for name in own if name not in found or found[name][:2] != self._sent[name]]
            if not changed:
                # where the server does not know how to write only what is not there, the last manifest stays: it is as good
                created = self._bucket.create(key, manifest.text())
                return manifest if created else manifest_of(self._bucket.read(key) or manifest.text())
            for name in changed:
                sent = self._put(own[name])
                self._sent[name] = (sent["bytes"], sent["version"])
        raise StoreError(
            f"{self._bucket.url}/{self._ref}: another prep writes there, too. Run the same command again when it is done."
        )

    def close(self) -> None:
        """Give up what is under way."""
        self._bucket.closed.set()
