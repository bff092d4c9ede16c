"""A JSON or JSONL file -> its rows: an object a line, or a list of objects.

    {"text": ...}, any object             its own columns: strings as they are, the rest as JSON text
    {"messages": [...]}, {"prompt", "response"}, {"instruction", "output"} ...      chats: `conversations.shapes` has them all

Chats give the column `messages`. A file holds one kind, that of its first row.

pieces.py   blocks of the file    -> its lines, or its list's elements, each parsed or with the reason why it cannot be
lists.py    a block of a list     -> where its elements end
rows.py     values                -> rows and rejections
"""

from collections.abc import Iterator

from pipeline.conversations.shapes import Shape
from pipeline.documents import Rejection, Rows
from pipeline.sources import Source, blocks_of

SUFFIXES = (".jsonl", ".ndjson", ".json")

BLOCK = 4 << 20
BOM = b"\xef\xbb\xbf"


def sniff(head: bytes) -> bool:
    """Tell JSON by its first character.

    >>> sniff(b' {"text": "Hi"}'), sniff(b"Hi")
    (True, False)
    """
    return head.removeprefix(BOM).lstrip()[:1] in (b"{", b"[")


def jsonl(source: Source, *, shape: Shape = "auto") -> Iterator[Rows | Rejection]:
    """Read a JSON file; a row's place is its line, from 1, in a list its number.

    Every batch has the columns seen up to it; a row is NULL in those it lacks. A row that lacks what `shape` asks for is a
    `Rejection`, as are a content that is no text, calls that are none, a row of another kind than the file's first, and a line
    or an element of more than 256 MiB. Lines and lists are streamed; an object over several lines is read whole. Integers
    beyond 64 bits lose digits.
    """
    from pipeline.readers.jsonl.pieces import items
    from pipeline.readers.jsonl.rows import Batch

    batch = Batch(shape)
    for found in items(blocks_of(source, BLOCK)):
        yield from batch.read(found)
