"""Files that no reader knows, found in a folder among others -> a rejection, with the bytes of a small one."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.documents import Rejection, Rows
from pipeline.sources import Source, small_file

SUFFIXES = ()


def foreign(source: Source) -> Iterator[Rows | Rejection]:
    """Reject a file whole: a picture, a style sheet, a link to nothing. Beyond 1 MiB its bytes stay where they are."""
    if not Path(source.path).is_file():
        yield Rejection("", "no plain file, but a link to nothing, a pipe or a device", b"")
        return
    yield Rejection("", "no reader for this kind of file (--format says how to read it)", small_file(source))
