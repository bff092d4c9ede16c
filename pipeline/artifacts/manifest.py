"""A manifest: what an artifact is, what made it and what is in it <-> its text."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

MANIFEST = "manifest.json"


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

    def text(self) -> str:
        """Return the manifest as the JSON that is kept."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"


def manifest_of(text: str) -> Manifest:
    """Return the manifest that a text is; raises `ValueError` or `TypeError` where it is none."""
    return Manifest(**json.loads(text))
