"""A folder -> the files below it, in the order of their paths, one folder's names in memory at a time; nothing is opened.

What is no plain file, a link that leads out of the folder, and a folder that cannot be listed are found with the reason why
they cannot be read. Hidden files and folders are passed over; what only tells of the other files is found as such.
"""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from pipeline.sources.data_sets import ASKING, ATTRIBUTES, documents_of, in_folder

NOT_PLAIN = "no plain file, but a link to nothing, a pipe or a device"
LEADS_OUT = "a link that leads out of the folder. Name what it leads to as a source of its own"
BESIDE = "a link to a folder in here, whose files are read under their own names"
CARD_BYTES = 4096  # of a README, by which a data set's card is told
TELLING = {*ASKING, "state.json"}  # without one of these, and without a name that begins with `_`, no file tells of others

Fate = tuple[str, str]
"""What a file that is not to be read counts as (`foreign`, `passed_over`), and why; two empty strings for one to be read."""

PLAIN: Fate = ("", "")


def walked(root: str) -> Iterator[tuple[str, Fate]]:
    """Yield the files below a folder, by their paths from there, sorted; raises `OSError` where it cannot be listed itself.

    A folder that cannot be listed stands where its files would, which is not always its own place in the order.
    """
    home = home_of(root)
    waiting = [_listed(root, "", home)]
    while waiting:
        folder, names, fates = waiting[-1]
        for name in names:
            if not name.endswith("/"):
                yield folder + name, fates.get(name, PLAIN) if fates else PLAIN
                continue
            try:
                waiting.append(_listed(root, folder + name, home))
                break
            except OSError as error:
                yield folder + name[:-1], ("foreign", f"the folder cannot be listed ({error.strerror})")
        else:
            waiting.pop()


def _listed(root: str, folder: str, home: str) -> tuple[str, Iterator[str], dict[str, Fate]]:
    """Return a folder (`""`, `a/b/`), its files and folders (with a slash behind), sorted, and the fates of some files.

    A folder's slash counts where it is sorted: `a-b/` and `a.txt` come before what is in `a/`.
    """
    names, fates = [], dict[str, Fate]()
    with os.scandir(f"{root}/{folder}") as listed:
        for entry in listed:
            name = entry.name
            if name[0] == ".":
                continue
            if entry.is_dir(follow_symlinks=False):
                names.append(f"{name}/")
                continue
            names.append(name)
            if not entry.is_file(follow_symlinks=False) and (fate := fate_of(entry.path, home)) != PLAIN:
                fates[name] = fate
    names.sort()
    fates.update((name, ("passed_over", why)) for name, why in _telling(root, folder, names, fates))
    return folder, iter(names), fates


def _telling(root: str, folder: str, names: list[str], fates: dict[str, Fate]) -> Iterator[tuple[str, str]]:
    """Yield the plain files of a folder that only tell of others, and what they are."""
    if not TELLING.isdisjoint(names) or any(name[0] == "_" for name in names):
        plain = {name for name in names if name[-1] != "/" and name not in fates}
        yield from in_folder(plain, partial(_below, f"{root}/{folder}"), lambda name: _start(f"{root}/{folder}{name}"))
    if "attributes/" in folder:
        for name in names:
            if name not in fates and any(_is_plain(root, path) for path in documents_of(folder + name)):
                yield name, ATTRIBUTES


def _below(where: str, wanted: str) -> bool:
    """Say whether a file of a name, or any file where the name is empty, lies in one of a folder's folders."""
    for folder, folders, files in os.walk(where):
        folders[:] = [name for name in folders if name[0] != "."]
        if folder != where and any(wanted in ("", name) for name in files if name[0] != "."):
            return True
    return False


def _is_plain(root: str, path: str) -> bool:
    inside = os.path.realpath(root)
    folder, _, name = path.rpartition("/")
    real = os.path.realpath(f"{root}/{folder}") == f"{inside}/{folder}".rstrip("/")
    return real and os.path.lexists(f"{root}/{folder}/{name}") and fate_of(f"{root}/{folder}/{name}", home_of(root)) == PLAIN


def home_of(root: str | Path) -> str:
    """Return the folder that links may not leave: in the hub's cache, where every file is a link, the data set's own."""
    real = Path(os.path.realpath(root))
    for folder in (real, *real.parents):
        if folder.parent.name == "snapshots" and (folder.parent.parent / "blobs").is_dir():
            return str(folder.parent.parent)
    return str(real)


def fate_of(path: str, home: str) -> Fate:
    """Say what a link in a folder counts as, and why; nothing, where it leads to a file in `home`."""
    target = os.path.realpath(path)
    if os.path.commonpath([target, home]) != home:
        return "foreign", LEADS_OUT
    if Path(target).is_dir():
        return "passed_over", BESIDE
    return PLAIN if Path(target).is_file() else ("foreign", NOT_PLAIN)


def _start(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(CARD_BYTES)
    except OSError:
        return b""  # whoever reads the file meets the error again
