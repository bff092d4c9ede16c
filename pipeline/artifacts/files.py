"""Files that are written whole or not at all; what the disk refuses is a `StoreError`; work whose answer is kept."""

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from pipeline.artifacts.shards import parquet_rows
from pipeline.errors import StoreError

if TYPE_CHECKING:
    import numpy.typing as npt

LOCK = ".lock"
REMOVED = ".gc-"  # begins the name of what is being removed


def remembered(answer: Path, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Do the work and keep its answer as JSON, or return the answer that is there from an earlier run."""
    if answer.exists():
        known: dict[str, Any] = json.loads(answer.read_text())
        return known
    result = work()
    with atomic(answer) as temporary:
        temporary.write_text(json.dumps(result))
    return result


@contextlib.contextmanager
def atomic(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Give a temporary name to write to; on leaving it becomes `path`, whole and on the disk, or it is gone.

    What is not `durable` may be lost with the machine: only for what nothing that is kept relies on. Raises `StoreError` where
    the disk refuses.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with refusals(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            if durable:
                with temporary.open("rb") as written:
                    os.fsync(written.fileno())
            temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def save(array: "npt.NDArray[Any]", path: Path, *, durable: bool = True) -> None:
    """Write an array that `np.load` reads, whole or not at all; raises `StoreError` where the disk refuses."""
    import numpy as np

    with atomic(path, durable=durable) as temporary, temporary.open("wb") as file:
        array = np.ascontiguousarray(array)
        header = np.lib.format.header_data_from_array_1_0(array)  # type: ignore[no-untyped-call]
        np.lib.format.write_array_header_1_0(file, header)  # type: ignore[no-untyped-call]
        append(array, file)


def append(array: "npt.NDArray[Any]", file: BinaryIO) -> None:
    """Write an array's numbers to a file, row by row; raises `OSError` where the disk refuses.

    `tofile` and `np.save` do not: they lose the last 4 KB of what a full disk refuses, and say nothing (NumPy 2.3).
    """
    import numpy as np

    file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def reserve(path: Path, size: int) -> None:
    """Make a file of a size, whose room on the disk is taken; raises `StoreError` where there is none.

    Where a file that is mapped finds the disk full, the system kills the process.
    """
    with refusals(path), path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.truncate(size)


@contextlib.contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Turn an `OSError` into a `StoreError` that says what the disk refused, and where."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else f"the disk is full or failing: {error}"
        raise StoreError(
            f"{path}: cannot write ({reason}). Mend that or choose another --store, and run the same command "
            f"again: finished shards are kept."
        ) from error


def remove_at_once(path: Path, root: Path) -> None:
    """Remove a folder so that whoever looks meanwhile finds it whole or not at all; a removal that is killed leaves `.gc-*`."""
    aside = Path(tempfile.mkdtemp(prefix=REMOVED, dir=root))
    path.rename(aside / "removed")
    shutil.rmtree(aside)


def files_below(root: Path) -> Iterator[str]:
    """Yield the files below a folder, by their paths from there."""
    for path in root.rglob("*"):
        if path.is_file():
            yield path.relative_to(root).as_posix()


def entry_of(root: Path, name: str) -> dict[str, Any]:
    """Put a file on the disk for good; return what a manifest says of it: path, bytes, SHA-256 and, of Parquet, rows."""
    path = root / name
    with path.open("rb") as written:
        os.fsync(written.fileno())
    entry: dict[str, Any] = {"path": name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}
    if path.suffix == ".parquet":
        entry["rows"] = parquet_rows(path)
    return entry


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
