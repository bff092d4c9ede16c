"""A path, folder or glob -> the files that it means, each with the path its documents' ids begin with; nothing is opened.

What lies below a folder, `walking` says.
"""

import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import SourceError
from pipeline.sources.walking import Fate, fate_of, home_of, walked


class Found(NamedTuple):
    """A file: its name, where it lies, and, if it is not to be read, what it counts as (`foreign`, `passed_over`) and why."""

    name: str
    path: str
    format: str = ""
    why: str = ""


class Folder(NamedTuple):
    """A folder that was named: what the names of its files begin with, and its path."""

    name: str
    path: str

    def files(self) -> Iterator[tuple[str, Fate]]:
        """Yield the files below it by their paths from there, in order; raises `SourceError` where there are none."""
        found = False
        try:
            for below in walked(self.path):
                found = True
                yield below
        except OSError as error:
            raise SourceError(f"{self.path}: cannot list this folder ({error.strerror}). Check its permissions.") from error
        if not found:
            raise SourceError(f"{self.path}: the folder holds no files. Check the path; hidden files are passed over.")

    def found(self, below: str, fate: Fate) -> Found:
        """Return a file below it."""
        return Found(_joined(self.name, below), _joined(self.path, below), *fate)


def folder(argument: str) -> Folder | None:
    """Return the folder that a path means, None where it means none."""
    path = Path(argument)
    return Folder(path.resolve().name, str(path)) if argument.strip() and os.path.isdir(argument) else None  # noqa: PTH112


def find(argument: str) -> list[Found]:
    """Find the files that a path means; raises `SourceError` where there are none, or it cannot be looked at."""
    if not argument.strip():
        raise SourceError("an empty path names nothing. Name a file or a folder; `.` is the folder you are in.")
    try:
        os.stat(argument)  # noqa: PTH116  a Path would drop a slash at the end, which a file cannot have
    except (FileNotFoundError, NotADirectoryError, ValueError):
        if glob.has_magic(argument):
            return _globbed(argument)
        raise SourceError(f"{argument}: no such file or folder. Check the path.") from None
    except OSError as error:
        raise SourceError(f"{argument}: cannot be opened ({error.strerror}). Check the path and its permissions.") from error
    if within := folder(argument):
        return [within.found(*below) for below in within.files()]
    path = Path(argument)
    if not path.is_file():
        raise SourceError(f"{argument}: no plain file, but a pipe or a device. Write it to a file first.")
    return [Found(path.name, argument)]


def is_hidden(path: str) -> bool:
    """Tell a path one part of which begins with a dot.

    >>> is_hidden("a/.git/b"), is_hidden("a/b.c")
    (True, False)
    """
    return "/." in f"/{path}"


def static_root(pattern: str) -> str:
    """Return the folder that a glob's fixed part means, without a slash at its end.

    >>> static_root("pages/2024/*/a.html"), static_root("*.csv")
    ('pages/2024', '')
    """
    parts = pattern.split("/")[:-1]
    fixed = next((place for place, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return "/".join(parts[:fixed])


def _joined(folder: str, path: str) -> str:
    return path if folder in ("", ".") else f"{folder.rstrip('/')}/{path}"


def _globbed(argument: str) -> list[Found]:
    root = Path(static_root(argument) or ("/" if argument.startswith("/") else "."))
    pattern = Path(argument).relative_to(root).as_posix()
    name, home = root.resolve().name, home_of(root)
    files = []
    for match in root.glob(pattern):
        below = match.relative_to(root).as_posix()
        if not match.is_dir() and (not is_hidden(below) or "/." in f"/{pattern}"):
            format, why = fate_of(str(match), home)
            files.append(Found(_joined(name, below), str(match), format, why))
    if not files:
        raise SourceError(f"no file matches {argument!r}. Check the path, and quote it, so that the shell leaves it alone.")
    return files
