"""A text file -> one row of `text`: a document a file."""

import zlib
from collections.abc import Iterator

import pyarrow as pa

from pipeline.documents import STRING, Rejection, Rows
from pipeline.sources import Source, open_bytes

SUFFIXES = (".txt", ".md", ".markdown", ".rst")

SCHEMA = pa.schema([pa.field("text", STRING)])


def text(source: Source) -> Iterator[Rows | Rejection]:
    """Read a file of plain text or Markdown as it stands, in UTF-8, or in UTF-16 where a byte order mark says so.

    A file in another encoding, or cut short, is a `Rejection`.
    """
    with open_bytes(source) as file:
        try:
            raw = file.read()
        except (OSError, EOFError, zlib.error) as error:
            yield Rejection("", f"the file cannot be read to its end ({error})", b"")
            return
    try:
        content = raw.decode(_encoding(raw))
    except UnicodeDecodeError as error:
        yield Rejection("", f"the file is not {error.encoding} ({error.reason} at byte {error.start})", raw)
        return
    yield Rows(pa.table([[content]], schema=SCHEMA), [""])


def _encoding(raw: bytes) -> str:
    return "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
