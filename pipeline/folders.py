"""A path, folder or glob -> the files that it means, each with the path its documents' ids begin with; nothing is opened.

In a folder, what is no plain file, a link that leads out of it, and a folder that cannot be listed are found with the reason
why they cannot be read. Hidden files and folders are passed over; what only tells of the other files is found as such.
"""

import glob
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pipeline.data_sets import bookkeeping
from pipeline.errors import SourceError

NOT_PLAIN = "no plain file, but a link to nothing, a pipe or a device"
LEADS_OUT = "a link that leads out of the folder. Name what it leads to as a source of its own"
BESIDE = "a link to a folder in here, whose files are read under their own names"
CARD_BYTES = 4096  # of a README, by which a data set's card is told


class Found(NamedTuple):
    """A file: its name, where it lies, and, if it is not to be read, what it counts as (`foreign`, `passed_over`) and why."""

    name: str
    path: str
    format: str = ""
    why: str = ""


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
    path = Path(argument)
    if path.is_dir():
        return _folder(path)
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


def _folder(root: Path) -> list[Found]:
    try:
        below = {path: (format, why) for path, format, why in _walked(root)}
    except OSError as error:
        raise SourceError(f"{root}: cannot list this folder ({error.strerror}). Check its permissions.") from error
    if not below:
        raise SourceError(f"{root}: the folder holds no files. Check the path; hidden files are passed over.")
    plain = [path for path, (format, _) in below.items() if not format]
    below.update((path, ("passed_over", why)) for path, why in bookkeeping(plain, lambda path: _start(root / path)).items())
    name, where = root.resolve().name, str(root)
    return [Found(_joined(name, path), _joined(where, path), *below[path]) for path in below]


def _joined(folder: str, path: str) -> str:
    return path if folder in ("", ".") else f"{folder.rstrip('/')}/{path}"


def _walked(root: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the files below a folder: the path below it, what it counts as, and why; raises `OSError` for the folder itself."""
    home = _home(root)
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(f"{root}/{folder}") as listed:
                entries = [entry for entry in listed if not entry.name.startswith(".")]
        except OSError as error:
            if not folder:
                raise
            yield folder, "foreign", f"the folder cannot be listed ({error.strerror})"
            continue
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append(path)
            else:
                format, why = ("", "") if entry.is_file(follow_symlinks=False) else _unplain(entry.path, home)
                yield path, format, why


def _home(root: Path) -> str:
    """Return the folder that links may not leave: in the hub's cache, where every file is a link, the data set's own."""
    real = Path(os.path.realpath(root))
    for folder in (real, *real.parents):
        if folder.parent.name == "snapshots" and (folder.parent.parent / "blobs").is_dir():
            return str(folder.parent.parent)
    return str(real)


def _unplain(path: str, home: str) -> tuple[str, str]:
    """Say what a link in a folder counts as, and why; nothing, where it leads to a file in `home`."""
    target = os.path.realpath(path)
    if os.path.commonpath([target, home]) != home:
        return "foreign", LEADS_OUT
    if Path(target).is_dir():
        return "passed_over", BESIDE
    return ("", "") if Path(target).is_file() else ("foreign", NOT_PLAIN)


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(CARD_BYTES)
    except OSError:
        return b""  # whoever reads the file meets the error again


def _globbed(argument: str) -> list[Found]:
    root = Path(static_root(argument) or ("/" if argument.startswith("/") else "."))
    pattern = Path(argument).relative_to(root).as_posix()
    name, home = root.resolve().name, _home(root)
    files = []
    for match in root.glob(pattern):
        below = match.relative_to(root).as_posix()
        if not match.is_dir() and (not is_hidden(below) or "/." in f"/{pattern}"):
            format, why = _unplain(str(match), home)
            files.append(Found(_joined(name, below), str(match), format, why))
    if not files:
        raise SourceError(f"no file matches {argument!r}. Check the path, and quote it, so that the shell leaves it alone.")
    return files
