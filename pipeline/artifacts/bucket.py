"""What a store asks of object storage: names below a prefix -> what is there, texts, files, removals.

fsspec does the asking, as it does for sources (see `pipeline.sources.remote`): s3fs for s3://, gcsfs for gs://, adlfs for abfs://.
Chosen over `pyarrow.fs`: it tells the version of an object, it can write one only where there is none, it works with servers
that refuse Arrow's chunked uploads (`rclone serve s3` does), and one driver with one set of credentials serves sources and
stores. botocore sends a checksum with each upload, which S3 compares before it takes it.
"""

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from copy import copy
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pipeline.artifacts.patience import Forbidden, ask, wait_for
from pipeline.errors import StoreError
from pipeline.sources.remote import VERSIONS

Item = TypeVar("Item")
Answer = TypeVar("Answer")

CHUNK = 16 << 20  # bytes of a part of a larger file; at most eight files of two parts each are under way: 256 MB
AT_ONCE = 8  # objects asked for, or on their way
AT_A_TIME = 1000  # objects that S3 removes at one request
S3: dict[str, Any] = {
    "use_listings_cache": False,
    "max_concurrency": 2,
    "default_block_size": CHUNK,
    "config_kwargs": {"connect_timeout": 10, "read_timeout": 60, "retries": {"total_max_attempts": 2}},
}
OPTIONS: dict[str, dict[str, Any]] = {"s3": S3, "s3a": S3}
TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")


class Facts(NamedTuple):
    """What a bucket knows of an object: its size in bytes, what names its version, when it was written (seconds, epoch)."""

    bytes: int
    version: str
    modified: float


class Bucket:
    """A prefix in a bucket. Every question raises `StoreError`, in one line without secrets, where no answer comes."""

    def __init__(self, url: str, *, heard: bool = False) -> None:
        self.url = url
        self.closed = threading.Event()  # set: nobody waits for the answers any more
        if heard:
            wait_for(url)

    def another(self) -> "Bucket":
        """Return one of the same connection that is closed by itself."""
        other = copy(self)
        other.closed = threading.Event()
        return other

    def each(self, work: Callable[["Bucket", Item], Answer], items: Iterable[Item]) -> list[Answer]:
        """Do some work on items, several at a time; the first that fails ends it all at once, and its error is raised."""
        bucket = self.another()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            running = [pool.submit(work, bucket, item) for item in items]
            try:
                wait(running, return_when=FIRST_EXCEPTION)
                for done in sorted(running, key=lambda one: not one.done()):
                    done.result()
                return [done.result() for done in running]
            finally:
                bucket.closed.set()
                pool.shutdown(wait=False, cancel_futures=True)

    def folders(self, name: str) -> list[str]:
        """Return the names of what lies in a folder; none where it is not there."""
        with contextlib.suppress(FileNotFoundError):
            found = self._ask(lambda files: files.ls(self._path(name), detail=False))
            return [entry.rstrip("/").rpartition("/")[2] for entry in found]
        return []

    def below(self, name: str) -> dict[str, Facts]:
        """Return all objects below a folder, by their names from there."""
        with contextlib.suppress(FileNotFoundError):
            found = self._ask(lambda files: files.find(self._path(name), detail=True))
            return {whole.removeprefix(f"{self._path(name)}/"): _facts(entry) for whole, entry in found.items()}
        return {}

    def facts(self, name: str) -> Facts | None:
        """Return what is known of an object, or None where there is none."""
        with contextlib.suppress(FileNotFoundError):
            found = self._ask(lambda files: files.info(self._path(name)))
            return _facts(found) if found["type"] == "file" else None
        return None

    def ensure_there(self) -> None:
        """Raise `StoreError` where there is no such bucket; where one may not ask, there is one."""
        with contextlib.suppress(Forbidden), self._named():
            self._ask(lambda files: files.info(self._path("").partition("/")[0]))

    def read(self, name: str) -> str | None:
        """Return the text of an object, or None where there is none."""
        with contextlib.suppress(FileNotFoundError):
            return bytes(self._ask(lambda files: files.cat_file(self._path(name)))).decode()
        return None

    def sha256(self, name: str) -> str:
        """Read an object; return its SHA-256 in hex."""

        def digest(files: Any) -> str:  # noqa: ANN401
            with files.open(self._path(name), "rb", block_size=CHUNK) as file:
                return hashlib.file_digest(file, "sha256").hexdigest()

        with self._named():
            return self._ask(digest)

    def get(self, name: str, path: Path) -> None:
        """Write an object to a file; raises `OSError` where this disk refuses."""
        with self._named():
            self._ask(lambda files: files.get_file(self._path(name), str(path)))

    def put(self, path: Path, name: str) -> None:
        """Write a file to an object."""
        options = {"chunksize": CHUNK} if self._scheme in OPTIONS else {}
        with self._named():
            self._ask(lambda files: files.put_file(str(path), self._path(name), **options))

    def create(self, name: str, text: str) -> bool:
        """Write a text where there is none; False where there is one, as far as the server knows how to tell."""
        with contextlib.suppress(FileExistsError), self._named():
            self._ask(lambda files: files.pipe_file(self._path(name), text.encode(), mode="create"))
            return True
        return False

    def write(self, name: str, text: str) -> None:
        """Write a text to an object."""
        with self._named():
            self._ask(lambda files: files.pipe_file(self._path(name), text.encode()))

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects, many at a time; one that has gone already is no trouble."""
        todo = list(names)
        for first in range(0, len(todo), AT_A_TIME):
            with contextlib.suppress(FileNotFoundError):
                self._ask(partial(self._remove, todo[first : first + AT_A_TIME]))

    def _remove(self, names: list[str], files: Any) -> None:  # noqa: ANN401
        files.rm([self._path(name) for name in names])

    @property
    def _scheme(self) -> str:
        return self.url.partition("://")[0]

    def _path(self, name: str) -> str:
        root = self._system[1]
        return f"{root}/{name}" if name else root

    @cached_property
    def _system(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        files, root = url_to_fs(self.url, **OPTIONS.get(self._scheme, {}))
        return files, str(root).rstrip("/")

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Say of what should be there that it is not."""
        try:
            yield
        except FileNotFoundError as error:
            raise StoreError(
                f"{self.url}: no such bucket, or an object in it has gone. Make the bucket, or check --store."
            ) from error

    def _ask(self, question: Callable[[Any], Answer]) -> Answer:
        return ask(self.url, lambda: question(self._system[0]), self.closed)


def _facts(entry: dict[str, Any]) -> Facts:
    version = next((str(entry[name]).strip('"') for name in VERSIONS if entry.get(name)), "")
    when = next((entry[name] for name in TIMES if entry.get(name)), 0.0)
    when = datetime.fromisoformat(when) if isinstance(when, str) else when
    return Facts(int(entry["size"] or 0), version, when.timestamp() if isinstance(when, datetime) else float(when))
