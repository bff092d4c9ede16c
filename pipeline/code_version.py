"""Which code is at work: a hash of `prep`'s own sources and of the libraries whose answers its drafts hold."""

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("ftfy", "gigatoken", "numba", "polars", "pyarrow", "resiliparse", "tokenizers", "transformers")


@cache
def code_version() -> str:
    """Return 16 hex digits that change when a source file of `prep` or a library's version does."""
    root = Path(__file__).parent.parent
    content = hashlib.sha256(" ".join(f"{name} {version(name)}" for name in LIBRARIES).encode())
    for package in ("pipeline", "filters", "trainers"):
        for file in sorted((root / package).rglob("*.py")):
            content.update(file.read_bytes())
    return content.hexdigest()[:16]
