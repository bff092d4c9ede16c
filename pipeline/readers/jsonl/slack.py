"""The messages of a Slack channel's day -> conversations, the channel's and each thread's, and rejections."""

from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.conversations.rooms import Said, left_out, of_slack, turns_of_room
from pipeline.conversations.shapes import Turn
from pipeline.documents import Found, Rejection, Remark, Rows
from pipeline.readers.jsonl.pieces import Item
from pipeline.readers.jsonl.rows import Batch


def slack(items: Iterator[Sequence[Item]], assistants: Sequence[str]) -> Iterator[Found]:
    """Yield a file's conversations, which are held until its end; one's place is the time of its first message."""
    threads: dict[str, list[tuple[Said, bytes]]] = {}
    left: Counter[str] = Counter()
    for place, value, raw in (item for batch in items for item in batch):
        try:
            if isinstance(value, ValueError):
                raise value
            thread, said = of_slack(value, left)
        except ValueError as error:
            yield Rejection(str(place), str(error), raw)
            continue
        if said is not None:
            threads.setdefault(thread, []).append((said, raw))
    yield from _conversations(threads, assistants)
    if left:
        yield Remark(left_out(left))


def _conversations(threads: dict[str, list[tuple[Said, bytes]]], assistants: Sequence[str]) -> Iterator[Rows | Rejection]:
    chats: list[list[Turn]] = []
    places: list[str] = []
    raws: list[bytes] = []
    for thread, messages in threads.items():
        said = [one for one, _ in messages]
        place, raw = thread or f"{min(one.at for one in said):.6f}", b"[%s]" % b",".join(raw for _, raw in messages)
        try:
            chats.append(turns_of_room(said, assistants))
        except ValueError as error:
            yield Rejection(place, str(error), raw)
            continue
        places.append(place)
        raws.append(raw)
    if chats:
        yield Rows(Batch("slack").table([{} for _ in chats], chats), places, raws.__getitem__)
