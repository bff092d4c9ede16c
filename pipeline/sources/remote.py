"""URLs of files elsewhere (s3://, gs://, https://) -> sources; and their files -> this disk, each in one go.

A file is copied to the store's disk before it is hashed and read: so it is sent once and not two or three times (hash, survey,
rows), what was hashed is what is read whatever happens to it over there, Parquet files and archives can be sought in, and no
reader knows of networks. The copy is removed when the stage is done. URLs are printed without user, password and query.
"""

import errno
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from pipeline.errors import SourceError
from pipeline.sources import Source, printable
from pipeline.sources.data_sets import bookkeeping
from pipeline.sources.folders import is_hidden, static_root
from pipeline.sources.walking import CARD_BYTES

DRIVERS = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "http": "aiohttp", "https": "aiohttp"}
PLAIN = {"client_kwargs": {"auto_decompress": False}, "headers": {"Accept-Encoding": "identity"}}  # a web file as it lies there
START = 1 << 20  # bytes by which the format of a file without a suffix is told; bzip2 packs 900 kB into one piece
AT_ONCE = 8  # files on their way
VERSIONS = ("ETag", "etag", "generation", "md5Hash")
OF_THIS_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


@dataclass(frozen=True)
class RemoteSource(Source):
    """A file elsewhere. `path` is its URL without secrets; before it is on this disk only its start can be opened."""

    url: str = field(default="", repr=False)
    facts: tuple[Any, ...] = ()  # its size and version, as it was listed

    @property
    def place(self) -> str:
        """Return its whole URL, for two may differ in their query alone."""
        return self.url


def shown(named: str) -> str:
    """Return a URL of these schemes without user, password and query; an empty string for what is none.

    >>> shown("https://me:secret@example.org/a.csv?X-Amz-Signature=secret"), shown("s3://bucket/pages/"), shown("posts.csv")
    ('https://example.org/a.csv', 's3://bucket/pages', '')
    """
    scheme, colon, rest = named.partition("://")
    scheme = scheme.lower()
    if not colon or scheme not in DRIVERS:
        return ""
    if scheme in ("http", "https"):
        rest = urlsplit(named)._replace(scheme="", query="", fragment="").geturl().removeprefix("//")
        host, slash, path = rest.partition("/")
        rest = f"{host.rpartition('@')[2]}{slash}{unquote(path)}"
    return f"{scheme}://{printable(rest.rstrip('/'))}"


def remote_sources(named: str) -> list[RemoteSource] | None:
    """Find the files that a URL means: one, or all below a prefix, or those of a glob; None for what is no such URL.

    They have the names that a copy on this disk would have. Hidden files and empty markers of folders are passed over, what
    only tells of the others is found as such. Raises `SourceError`, which shows no secret, where nothing can be found.
    """
    where = shown(named)
    if not where:
        return None
    web = where.startswith("http")
    if web and "*" not in where:
        if named.partition("?")[0].endswith("/") or where.count("/") < 3:
            raise SourceError(f"{where}: a web server lists no folders. Name a file there.")
        return [RemoteSource(where.rpartition("/")[2], where, alone=True, part=partial(_start, named, START), url=named)]
    with _told(named):
        files, path = _system(named)
        files.invalidate_cache()
        return _listed(files, path, named)


def _listed(files: Any, path: str, named: str) -> list[RemoteSource]:  # noqa: ANN401  fsspec has no types
    try:
        known = None if path.startswith("http") else files.info(path)
    except FileNotFoundError:
        if not set(path) & set("*?["):
            raise
        known = None
    if known and known["type"] == "file":
        return [_remote(files, path.rpartition("/")[2], known, "", alone=True)]
    root = path.rstrip("/") if known else static_root(path)
    hidden = not known and is_hidden(path.removeprefix(root))
    found = {name: facts for name, facts in _files(files, path, known) if hidden or not is_hidden(name.removeprefix(root))}
    if not found:
        what = "holds no files" if known else "matches no file"
        raise SourceError(f"{shown(named)}: {what}. Check the URL; hidden files are passed over.")
    below = {name.removeprefix(f"{root}/"): name for name in found}
    told = bookkeeping(below, partial(_beginning, files, root)) if known else {}
    name = root.rpartition("/")[2]
    return [_remote(files, f"{name}/{path}", found[whole], told.get(path, "")) for path, whole in below.items()]


def _files(files: Any, path: str, known: object) -> Iterator[tuple[str, Mapping[str, Any]]]:  # noqa: ANN401
    for name, facts in (files.find(path, detail=True) if known else files.glob(path, detail=True)).items():
        if facts["type"] == "file" and not name.endswith("/"):  # an empty object of such a name marks a folder
            yield name, facts


def _remote(files: Any, name: str, facts: Mapping[str, Any], why: str, *, alone: bool = False) -> RemoteSource:  # noqa: ANN401
    url = files.unstrip_protocol(facts["name"])
    format, part = "passed_over" if why else "", partial(_start, url, START)
    return RemoteSource(printable(name), shown(url), format, alone, part, why=why, url=url, facts=_facts(facts))


def _facts(facts: Mapping[str, Any]) -> tuple[Any, ...]:
    return (facts.get("size"), *(str(facts[name]) for name in VERSIONS if name in facts))


def _system(url: str) -> tuple[Any, str]:
    """Return the driver of a URL, and the URL's path as the driver writes it; raises `ImportError` where it is missing."""
    from fsspec.core import url_to_fs

    files, path = url_to_fs(url, **(PLAIN if url.lower().startswith("http") else {}))
    return files, path


def _beginning(files: Any, root: str, path: str) -> bytes:  # noqa: ANN401
    with files.open(f"{root}/{path}", block_size=CARD_BYTES) as file:
        return bytes(file.read(CARD_BYTES))


def _start(url: str, size: int) -> BinaryIO:
    with _told(url):
        files, path = _system(url)
        with files.open(path, block_size=size) as file:
            return BytesIO(file.read(size))


def fetched(sources: Mapping[int, RemoteSource], folder: Path) -> Iterator[tuple[int, RemoteSource]]:
    """Copy files into a folder, some at once, and return each, in order, with its place there.

    Raises `SourceError` where one cannot be had, or changes on its way, and `OSError` where this disk refuses. One among
    others that may not be read, or has gone, is returned with the reason.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = pool.map(lambda place: _fetched(sources[place], folder / f"{place:07}"), sources)
        try:
            yield from zip(sources, answers, strict=True)
        finally:
            pool.shutdown(cancel_futures=True)


def _fetched(source: RemoteSource, path: Path) -> RemoteSource:
    if source.why:
        return source
    try:
        with _told(source.url):
            files, there = _system(source.url)
            files.get_file(there, str(path))
            if source.facts:
                files.invalidate_cache()
                _compare(source, files.info(there), path.stat().st_size)
    except SourceError as error:
        if source.alone or not isinstance(error.__context__, PermissionError | FileNotFoundError):
            raise
        return replace(source, format="foreign", part=None, why=str(error).removeprefix(f"{source.path}: "))
    return replace(source, part=None, stored=str(path))


def _compare(source: RemoteSource, facts: Mapping[str, Any], copied: int) -> None:
    if _facts(facts) != source.facts or copied != source.facts[0]:
        raise SourceError(f"{source.path}: changed while it was read. Run the same command again when nothing writes to it.")


class _told:  # noqa: N801  it is used like a function
    """Turn what a driver raises into one line that shows no secret; what this disk refuses stays an `OSError`."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __enter__(self) -> None:
        """Do nothing."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise the error as a `SourceError`; its context is the driver's."""
        if not isinstance(error, Exception) or isinstance(error, SourceError):
            return
        if not (isinstance(error, OSError) and error.errno in OF_THIS_DISK):
            raise SourceError(f"{shown(self.url)}: {_why(error, self.url)}") from None


def _why(error: Exception, url: str) -> str:
    scheme = url.partition("://")[0].lower()
    if isinstance(error, ImportError):
        return f"{scheme}:// needs {DRIVERS[scheme]}. Install it with: pip install 'prep[cloud]'"
    if isinstance(error, FileNotFoundError):
        return "no such file, folder or bucket. Check the URL."
    status = getattr(error, "status", 0)
    if isinstance(error, PermissionError) or status in (401, 403):
        return "no permission to read it. Check the credentials that the driver finds, and the URL."
    return f"cannot be read ({_line(error, url)}). Run the same command again, or check the URL."


def _line(error: Exception, url: str) -> str:
    """Return the first line of what a driver says, without the URL's secrets."""
    said = " ".join((str(error) or type(error).__name__).split()).rstrip(".")
    parts = urlsplit(url)
    secrets = [url, parts.query, parts.netloc.rpartition("@")[0], parts.password or ""]
    forms = {form for secret in secrets if secret for form in (secret, unquote(secret))}
    for form in sorted(forms, key=len, reverse=True):
        said = said.replace(form, shown(url) if form == url else "***")
    return said[:200]
