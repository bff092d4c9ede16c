"""The URL of a database on a server -> a source; the password stays in its address, which is never printed."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from pipeline.errors import SourceError
from pipeline.sources import Source

DIALECTS = {"postgresql": "postgresql", "postgres": "postgresql", "mysql": "mysql", "mariadb": "mysql"}
_SCHEME = re.compile(r"([a-z][a-z0-9]*)(?:\+[a-z0-9]+)?://", re.IGNORECASE)


@dataclass(frozen=True)
class Address:
    """A database on a server. `shown` is its URL without user, password and options: what is printed of it."""

    dialect: str
    shown: str
    database: str
    host: str = ""
    port: int | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    options: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    def said(self, error: object) -> str:
        """Return what a driver says as a part of one line, in which no password stands."""
        line = " ".join(str(error).split()).rstrip(".?")
        secrets = [self.password, *(value for name, value in self.options if "pass" in name)]
        forms = {form for secret in secrets if secret for form in (secret, quote(secret, ""))}
        for form in sorted(forms, key=len, reverse=True):
            line = line.replace(form, "***")
        return line


def address(named: str) -> Address | None:
    """Read a database's URL; returns None for what is none.

    `SCHEME://USER:PASSWORD@HOST:PORT/DATABASE?OPTION=VALUE`; special characters are percent-encoded. Raises `SourceError`,
    which never quotes the URL, for one that cannot be read, and for databases that no driver is known for.

    >>> address("postgresql://me:secret@db.example.org:5433/shop").shown
    'postgresql://db.example.org:5433/shop'
    >>> address("posts.csv") is None
    True
    """
    start = _SCHEME.match(named)
    scheme = start[1].lower() if start else ""
    if start is None or (scheme not in DIALECTS and "@" not in named.partition("://")[2].partition("/")[0]):
        return None
    if scheme not in DIALECTS:
        raise SourceError(f"{scheme}://...: no driver for this kind of database. There are: {', '.join(DIALECTS)}.")
    try:
        url = urlsplit(f"{scheme}://{named[start.end() :]}")
        host, port, database = unquote(url.hostname or ""), url.port, unquote(url.path[1:])
        options = tuple(parse_qsl(url.query, strict_parsing=bool(url.query)))
    except ValueError:  # its message quotes the URL
        raise _unreadable(scheme) from None
    if not database or url.fragment or "@" in url.path or "/" in database:
        raise _unreadable(scheme)
    shown = f"{scheme}://{host}{f':{port}' if port else ''}/{database}"
    return Address(
        DIALECTS[scheme], shown, database, host, port, unquote(url.username or ""), unquote(url.password or ""), options
    )


@dataclass(frozen=True)
class LiveSource(Source):
    """A database on a server, named like the database; `path` is its URL without user and password.

    Once its rows are on this disk, in `spool`, it has their hash in `digest`, the bytes of all cells in `size`, and no address.
    """

    address: Address | None = field(default=None, repr=False)
    spool: str = ""
    digest: str = ""
    size: int = 0


def live_source(named: str) -> LiveSource | None:
    """Return the source that a database's URL means; None for what is none. Raises `SourceError` for an unreadable one."""
    found = address(named)
    return None if found is None else LiveSource(found.database, found.shown, "live_database", address=found)


def _unreadable(scheme: str) -> SourceError:
    return SourceError(
        f"{scheme}://...: the URL cannot be read. Write {scheme}://USER:PASSWORD@HOST:PORT/DATABASE, and in user and password "
        f"%40 for @, %3A for :, %2F for /, %23 for #, %3F for ?, %25 for %."
    )
