"""A source -> a dump, in the charset that it is in: the statements of its tables, each of which is read or passed over."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from pipeline.documents import Rejection
from pipeline.errors import SourceError
from pipeline.readers.sql_dump.signs import LINES, MYSQL
from pipeline.readers.sql_dump.statements import (
    UNSAFE,
    Session,
    Statement,
    TableName,
    codec_of,
    dialect_of,
    session_of,
    statements,
)
from pipeline.readers.sql_dump.window import Window
from pipeline.sources import Source

_OTHER_FORMATS = {
    b"PGDMP": "an archive of pg_dump. Make a plain dump of it: pg_restore --file=dump.sql {path}",
    b"SQLite format 3\0": "an SQLite database. Make a dump of it: sqlite3 {path} .dump > dump.sql",
}


@contextmanager
def unreadable_charset(source: Source) -> Iterator[None]:
    """Raise `SourceError` where a dump is found to be in a charset that cannot be read."""
    try:
        yield
    except LookupError as error:
        raise SourceError(
            f"{source.path}: cannot read the charset {error}. Make the dump in UTF-8 "
            "(--default-character-set=utf8mb4, --encoding=UTF8)."
        ) from error


class Dump:
    """A dump that is being read, in its own charset or in one that is given."""

    def __init__(self, source: Source, file: BinaryIO, encoding: str = "") -> None:
        self.source = source
        self.window = Window(file)
        head = self.window.peek(1 << 16)
        for magic, what in _OTHER_FORMATS.items():
            if head.startswith(magic):
                raise SourceError(f"{source.path} is {what.format(path=source.path)}.")
        codec = self._recode(dialect_of(head), encoding) if encoding else ""
        head = self.window.peek(1 << 16)
        if head.startswith((b"\xff\xfe", b"\xfe\xff")) and not codec:
            head = self._as_utf8(source)
        if head.startswith(b"\xef\xbb\xbf"):
            self.window.start += 3
        self.session: Session = session_of(head)
        self.session.codec, self.session.fixed = codec or self.session.codec, bool(codec)
        self.met: list[TableName] = []

    def _recode(self, dialect: int, encoding: str) -> str:
        """Read on in a given encoding; returns the codec of texts from here on. MySQL's blobs stand in a dump as they are."""
        try:
            codec = codec_of(encoding, dialect)
        except LookupError as error:
            line = f"{self.source.path}: unknown encoding {encoding!r}. Try utf-8, cp1252 or latin1."
            raise SourceError(line) from error
        if dialect == MYSQL and codec in UNSAFE:
            raise LookupError(encoding)
        if codec == "utf-8" or dialect == MYSQL:
            return codec
        self.window.recode(codec)
        return "utf-8"

    def _as_utf8(self, source: Source) -> bytes:
        """Read on in UTF-8, if it is a script that its tool writes in UTF-16; returns how it begins."""
        self.window.recode("utf-16")
        head = self.window.peek(1 << 16)
        if dialect_of(head) < LINES:
            what = "UTF-16. Let the dump tool write the file itself (--result-file, --file) instead of redirecting"
            raise SourceError(f"{source.path} is {what}.")
        return head

    def is_wanted(self, wanted: str, table: TableName) -> bool:
        """Say whether a table is meant by a name, bare or with its schema; SQL Server and Oracle know no case in names."""
        if self.session.dialect >= LINES:
            return wanted.lower() in (table.name.lower(), str(table).lower())
        return wanted in (table.name, str(table))

    def statements(self) -> Iterator[Statement]:
        """Yield the statements with rows, noting their tables."""
        for statement in statements(self.window, self.session):
            if statement.table not in self.met and statement.table.name:
                self.met.append(statement.table)
            yield statement

    def skip(self, statement: Statement) -> None:
        """Pass over a statement's rows."""
        window, session = self.window, self.session
        if statement.kind == "insert":
            window.skip(session.dialect, session.strings, statement.head)
        elif statement.kind == "copy" and window.peek(2) != b"\\.":
            window.skip_past(b"\n\\.")
            window.skip_line()

    def broken(self, statement: Statement, label: str, number: int) -> Rejection:
        """Reject a statement as the `number`th row of a table."""
        what = "the dump ends in the middle of a statement" if statement.kind == "cut" else "a statement that cannot be read"
        return Rejection(f"{label}:{number}", f"byte {statement.place}: {what}", self.window.original(statement.head))
