"""What made an artifact -> one canonical text, and its hash, the fingerprint."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.errors import UsageError

STAGES = ("ingest", "clean", "tokenize", "train")
FORMAT = 1  # of the artifact's folder; it enters the fingerprint


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


def checked_name(name: str) -> str:
    """Return an artifact's name if it can be one; raises `UsageError`.

    >>> checked_name("wiki-2024.v2")
    'wiki-2024.v2'
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise UsageError(f"{name!r} cannot be an artifact's name. Use letters, digits, '.', '_' and '-'; see --name.")
    return name
