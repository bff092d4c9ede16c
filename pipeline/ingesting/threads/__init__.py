"""Rows of a table -> conversations: the rows of one thread are its turns.

turns      a batch of rows -> the same rows, each with its thread, role, content and order
spill      turns as they come -> all turns of some threads at a time, in bounded memory
nesting    all turns of some threads -> a row of `messages` a thread
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.documents import Found, Rows
from pipeline.ingesting.threads.nesting import nested
from pipeline.ingesting.threads.spill import Spill
from pipeline.ingesting.threads.turns import Columns, turns
from pipeline.sources import Source


def threads(
    source: Source,
    found: Iterator[Found],
    work: Path,
    *,
    chat_by: str,
    role_column: str,
    order_by: str | None = None,
    roles: Mapping[str, str] | None = None,
    text_column: str | None = None,
) -> Iterator[Found]:
    """Make conversations of what a reader found: of all rows with the same `chat_by` one, a turn a row.

    `role_column` says who speaks: by the usual names of roles, or by those that `roles` maps to them. `text_column`, a column
    or a template, is what is said; the default is the column `content`, else `text`. Turns stand in the order of `order_by`:
    by number in a thread where all are numbers, else by text, as ISO dates are; without it as they come. A conversation's place
    is `thread=17` (the column, and what it holds); beside `messages` it has the columns of its first turn.

    A row without a thread is a rejection. So is a thread with a role that is not known, or a turn whose order is NULL; its
    bytes are its rows as JSON. Up to 64 MiB of rows, conversations come in the order of their first rows; more go through
    files in `work`, and come by a hash of the thread.
    """
    columns = Columns(chat_by, role_column, order_by, text_column)
    with Spill(work) as spill:
        for piece in found:
            if isinstance(piece, Rows):
                taken, rejected = turns(source, piece, columns)
                spill.add(taken)
                yield from rejected
            else:
                yield piece
        for some in spill.parts():
            yield from nested(some, columns, roles or {})
