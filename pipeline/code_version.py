"""Which code is at work: a hash of `prep`'s own sources and of the libraries whose answers its drafts hold."""

import hashlib
import os
from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path

LIBRARIES = ("ftfy", "gigatoken", "numba", "polars", "pyarrow", "resiliparse", "tokenizers", "transformers")

installed = cache(version)
"""Return the installed version of a package: it is asked for again and again, and its description is read each time."""


@cache
def code_version() -> str:
    """Return 16 hex digits that change when a source file of `prep` or a library's version does."""
    root = Path(__file__).parent.parent
    content = hashlib.sha256(" ".join(f"{name} {installed(name)}" for name in LIBRARIES).encode())
    for package in ("pipeline", "filters", "trainers"):
        for source in _sources(root / package):
            content.update(source)
    return content.hexdigest()[:16]


def _sources(package: Path) -> Iterator[bytes]:
    """Yield the sources of a package, in an order that is always the same; pathlib would take twice as long."""
    for folder, inner, files in os.walk(package):
        inner.sort()
        for file in sorted(file for file in files if file.endswith(".py")):
            with open(os.path.join(folder, file), "rb") as source:  # noqa: PTH118, PTH123
                yield source.read()
