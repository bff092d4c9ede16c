"""An artifact's rejected rows <-> lines of JSON that can be read, mended and given back.

    {"source": "posts.csv", "place": "17", "error": "4 fields, not 3", "raw": "7;a;b;c"}

`raw` is text, in the encoding that the source was found to have; where it is none, `raw_base64` holds the bytes.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.artifacts import Artifact, read_shard
from pipeline.errors import SourceError, UsageError

Raw = str | bytes
Mended = dict[tuple[str, str], list[Raw]]


class Frame(NamedTuple):
    """What makes a source of a rejected row's bytes: what stands before and after it, and its reader's settings."""

    before: bytes = b""
    after: bytes = b""
    settings: dict[str, Any] = {}  # noqa: RUF012  nobody writes to it

    @property
    def encoding(self) -> str:
        """Return the encoding of a row."""
        return str(self.settings.get("encoding") or "utf-8")

    def bytes_of(self, raw: Raw) -> bytes:
        """Return a row's bytes, in the source's encoding where that knows them."""
        if isinstance(raw, bytes):
            return raw
        try:
            return raw.encode(self.encoding)
        except UnicodeEncodeError:
            return raw.encode()

    def around(self, raw: Raw) -> tuple[bytes, dict[str, str]]:
        """Put a row into its frame; a text that the encoding does not know is put there in UTF-8, and a setting says so."""
        if isinstance(raw, bytes):
            return self.before + raw + self.after, {}
        try:
            return self.before + raw.encode(self.encoding) + self.after, {}
        except UnicodeEncodeError:
            before, after = self.before.decode(self.encoding), self.after.decode(self.encoding)
            return (before + raw + after).encode(), {"encoding": "utf-8"}


def frames(artifact: Artifact) -> dict[str, Frame]:
    """Return the frame of each source that has one, by name."""
    found: dict[str, Frame] = {}
    for file in artifact.files("remarks"):
        for row in read_shard(file).to_pylist():
            found.setdefault(row["source"], Frame(row["before"], row["after"], json.loads(row["settings"])))
    return found


def rejected(artifact: Artifact) -> Iterator[dict[str, str]]:
    """Return an artifact's rejected rows, as they are printed; raises `UsageError` where it is none of ingest."""
    if artifact.manifest.stage != "ingest":
        raise UsageError(f"{artifact.ref} is no ingest artifact. `prep list ingest` shows those there are.")
    of_source = frames(artifact)
    for file in artifact.files("rejected"):
        for row in read_shard(file).to_pylist():
            head = {key: row[key] for key in ("source", "place", "error")}
            yield {**head, **_shown(row["raw"], of_source.get(row["source"], Frame()).encoding)}


def _shown(raw: bytes, encoding: str) -> dict[str, str]:
    try:
        text = raw.decode(encoding)
        if text.encode(encoding) == raw:
            return {"raw": text}
    except UnicodeError:
        pass
    return {"raw_base64": base64.b64encode(raw).decode()}


def mended(files: Sequence[str]) -> Mended:
    """Read mended rows, as `rejected` gives them; returns what stands now for each source and place.

    Raises `SourceError`, which names the line, for what is no such row.
    """
    found: Mended = {}
    for name in files:
        try:
            lines = Path(name).read_bytes().split(b"\n")
        except OSError as error:
            raise SourceError(f"{name}: cannot be read ({error.strerror}). Check the path.") from error
        for number, line in enumerate(lines, 1):
            if line.strip():
                key, raw = _row(line, f"{name}, line {number}")
                found.setdefault(key, []).append(raw)
    return found


def _row(line: bytes, where: str) -> tuple[tuple[str, str], Raw]:
    try:
        row = json.loads(line)
        raw = row["raw"] if "raw" in row else base64.b64decode(row["raw_base64"], validate=True)
        key = row["source"], row["place"]
    except (ValueError, TypeError, KeyError, binascii.Error) as error:
        why = f"no {error}" if isinstance(error, KeyError) else error
        raise SourceError(f"{where}: not a row as `prep rejected REF` prints it ({why}).") from error
    if not all(isinstance(part, str) for part in key) or not isinstance(raw, str | bytes):
        raise SourceError(f"{where}: source, place and raw are texts.")
    return key, raw
