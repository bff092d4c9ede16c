"""Files that no reader knows or can open, found in a folder among others -> a rejection, with the bytes of a small one."""

from collections.abc import Iterator

from pipeline.documents import Rejection, Rows
from pipeline.sources import Source, small_file

SUFFIXES = ()
UNKNOWN = "no reader for this kind of file (--format says how to read it)"


def foreign(source: Source) -> Iterator[Rows | Rejection]:
    """Reject a file whole: a picture, a style sheet, a link to nothing. Beyond 1 MiB its bytes stay where they are."""
    yield Rejection("", source.why or UNKNOWN, b"" if source.why else small_file(source))
