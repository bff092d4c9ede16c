"""A JSON or JSONL file -> its rows: an object a line, or a list of objects.

    {"text": ...}, any object             its own columns: strings as they are, the rest as JSON text
    {"messages": [...]}, {"prompt", "response"}, {"instruction", "output"} ...      chats: `conversations.shapes` has them all

Chats give the column `messages`. A file holds one kind, that of its first row.

pieces.py   blocks of the file    -> its lines, or its list's elements, each parsed or with the reason why it cannot be
lists.py    a block of a list     -> where its elements end
rows.py     values                -> rows and rejections
slack.py    a day of a channel    -> conversations and rejections
"""

from collections.abc import Iterator
from itertools import chain

from pipeline.conversations.shapes import Shape
from pipeline.documents import Found
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


def jsonl(source: Source, *, shape: Shape = "auto", assistants: list[str] | None = None) -> Iterator[Found]:
    """Read a JSON file; a row's place is its line, from 1, in a list its number.

    Every batch has the columns seen up to it; a row is NULL in those it lacks. A row that lacks what `shape` asks for is a
    `Rejection`, as are a content that is no text, calls that are none, a row of another kind than the file's first, and a line
    or an element of 2 GiB or more, block by block. Lines and lists are streamed; an object over several lines is read whole.
    Integers beyond 64 bits lose digits. Fields of turns that no message has are left out, and a `Remark` counts them.

    A file of DiscordChatExporter is one conversation. With `shape: slack` each day of a channel in a Slack export is one, its
    place the time of its first message, and each thread another one, which begins anew where it goes on on another day.
    `assistants` names those who are the assistant, by name or number; without it the bots are. `repair` joins the turns of
    several people in a row. Messages without text, and those that a program wrote of joins and the like, are left out, counted.
    """
    from pipeline.readers.jsonl.pieces import items
    from pipeline.readers.jsonl.rows import Batch
    from pipeline.readers.jsonl.slack import slack

    found = items(blocks_of(source, BLOCK))
    if shape == "slack":
        yield from slack(found, assistants or ())
        return
    batch = Batch(shape, assistants or ())
    yield from chain.from_iterable(map(batch.read, found))  # nobody but `read` holds the items, and it lets them go
    yield from batch.told()
