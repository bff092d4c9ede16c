"""A folder -> an export in it, whole or not there at all.

An export is written to a folder beside it with a temporary name, and gets its own name last. `.export.json` in it says what
made it and how large its files are, so that the same export is not written twice and nothing else is ever overwritten.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import StoreError, UsageError

CARD = ".export.json"  # hidden: `datasets.load_dataset` passes it over


class Export(NamedTuple):
    """What an exporter wrote: rows by split, and the command line or expression that uses them."""

    rows: dict[str, int]
    use: str


@dataclass
class Folder:
    """An export being written: `path` is where it is now, `home` the absolute path that it will have."""

    path: Path
    home: Path
    made: Export = field(default_factory=lambda: Export({}, ""))


def earlier(home: Path, card: dict[str, Any]) -> Export | None:
    """Return the export that a folder holds if it has this card; raises `UsageError` for a folder that holds anything else."""
    if not home.exists() and not home.is_symlink():
        return None
    if not home.is_dir():
        raise UsageError(f"{home} is a file, and an export is a folder. Name another one.")
    if not any(home.iterdir()):
        return None
    found = _told(home / CARD)
    if found.get("card") == card and all(_size(home / name) == size for name, size in found["files"].items()):
        return Export(found["rows"], found["use"])
    raise UsageError(f"{home} is not empty, and holds no equal export. Name another folder, or remove this one.")


def _told(path: Path) -> dict[str, Any]:
    """Return what a card says; nothing, where there is none, or a file that is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextlib.contextmanager
def filled(home: Path, card: dict[str, Any]) -> Iterator[Folder]:
    """Give a folder to fill; on leaving it is on the disk under its own name, or it is gone. Raises `StoreError`."""
    temporary = home.with_name(f".{home.name}.{os.getpid()}.tmp")
    try:
        with _refusals(home):
            temporary.mkdir(parents=True)
            folder = Folder(temporary, home)
            yield folder
            files = {path.relative_to(temporary).as_posix(): path for path in sorted(temporary.rglob("*")) if path.is_file()}
            told = {"card": card, **folder.made._asdict(), "files": {name: _size(path) for name, path in files.items()}}
            (temporary / CARD).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            for path in (*files.values(), temporary / CARD):
                _to_disk(path)
            temporary.replace(home)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _to_disk(path: Path) -> None:
    with path.open("rb") as written:
        os.fsync(written.fileno())


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


@contextlib.contextmanager
def _refusals(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else f"the disk is full or failing: {error}"
        raise StoreError(
            f"{home}: cannot write ({reason}). Mend that, or name a folder elsewhere; nothing was left there."
        ) from error
