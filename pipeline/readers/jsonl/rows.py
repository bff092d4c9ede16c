"""Values of a JSON file -> rows, and a `Rejection` for each that is none."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain

import numpy as np
import pyarrow as pa

from pipeline.conversations.calls import json_text
from pipeline.conversations.rooms import is_discord, left_out, of_discord, turns_of_room
from pipeline.conversations.shapes import LISTS, Row, Shape, Turn, chat, fields_left_out, shape_of, unread
from pipeline.conversations.turns import CALLERS
from pipeline.documents import FULL_MESSAGES, MESSAGES, STRING, Rejection, Remark, Rows
from pipeline.places import Places
from pipeline.readers.jsonl.pieces import Item

HUGE = 16 << 20  # bytes of a row


class Batch:
    """Items -> rows; remembers from one batch to the next the kind of the file's first row, and the columns seen.

    It counts what is left out besides: fields of turns by their names, and messages of rooms.
    """

    def __init__(self, shape: Shape, assistants: Sequence[str] = ()) -> None:
        self.shape, self.assistants = shape, assistants
        self.unread: Counter[str] = Counter()
        self.unsaid: Counter[str] = Counter()
        self.kind = ""
        self.columns: dict[str, None] = {}
        self.messages = MESSAGES

    def read(self, items: Sequence[Item]) -> Iterator[Rows | Rejection]:
        """Yield a batch's rows, then a `Rejection` for each item that is none."""
        rows, rejected = self._sorted(items)
        del items  # a huge text stands in them a second time, as a string of up to four bytes a character
        if rows is not None:
            yield rows
        yield from rejected

    def _sorted(self, items: Sequence[Item]) -> tuple[Rows | None, list[Rejection]]:
        rows: list[Row] = []
        chats: list[list[Turn]] = []
        places: list[int] = []
        raws: list[bytes] = []
        rejected: list[Rejection] = []
        for place, value, raw in items:
            try:
                row, turns = self._row(value)
            except ValueError as error:
                rejected.append(Rejection(str(place), str(error), raw))
                continue
            if len(raw) > HUGE:
                _encode(row)
            rows.append(row)
            chats.append(turns)
            places.append(place)
            raws.append(raw)
        found = Rows(self.table(rows, chats), Places("", pa.array(places)), raws.__getitem__) if rows else None
        return found, rejected

    def told(self) -> Iterator[Remark]:
        """Say what was left out of all batches."""
        if self.unread:
            yield Remark(fields_left_out(self.unread))
        if self.unsaid:
            yield Remark(left_out(self.unsaid))

    def _row(self, value: object) -> tuple[Row, list[Turn]]:
        if isinstance(value, ValueError):
            raise value
        if not isinstance(value, dict):
            raise ValueError(f"not an object but {json_text(value)[:40]}")
        if not value:
            raise ValueError("the object is empty")
        shape = self._shape(value)
        kind = "text" if shape == "text" else "chat"
        self.kind = self.kind or kind
        if kind != self.kind:
            raise ValueError(f"a {kind} row, but the file's first row is {self.kind}")
        if shape == "chosen" != self.shape:
            raise ValueError("a preference row (chosen, rejected). `shape: chosen` for this source takes the chosen answers")
        row, turns = (value, []) if kind == "text" else self._chat(value, shape)
        for name, cell in row.items():
            if type(cell) is not str and cell is not None:
                row[name] = json_text(cell)
        return row, turns

    def _shape(self, value: Row) -> Shape:
        if self.shape != "auto":
            return self.shape
        return "discord" if is_discord(value) else shape_of(value)

    def _chat(self, value: Row, shape: Shape) -> tuple[Row, list[Turn]]:
        if shape == "discord":
            turns = turns_of_room(of_discord(value, self.unsaid), self.assistants)
            return {name: cell for name, cell in value.items() if name != "messages"}, turns
        self.unread.update(name for key in LISTS.get(shape, ()) for name in unread(value.get(key)))
        return chat(value, shape)

    def table(self, rows: list[Row], chats: list[list[Turn]]) -> pa.Table:
        """Lay rows out, with their conversations' turns where they have some."""
        for row in rows:
            if not row.keys() <= self.columns.keys():
                self.columns.update(dict.fromkeys(row))
        arrays = {"messages": self._messages(chats)} if self.kind != "text" else {}
        for name in self.columns:
            arrays[name] = pa.array([row.get(name) for row in rows], STRING)
        return pa.table(arrays)

    def _messages(self, chats: Sequence[Sequence[Turn]]) -> pa.Array:
        """Lay the turns out; once one had more than role and content, all messages have the full type."""
        columns = list(zip(*chain.from_iterable(chats), strict=True)) or [()] * len(FULL_MESSAGES.value_type)
        full = any(column.count(None) < len(column) for column in columns[2:])
        if full or any(isinstance(name, str) and name.lower() in CALLERS for name in set(columns[0])):
            self.messages = FULL_MESSAGES
        fields = [field.with_nullable(True) for field in self.messages.value_type]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, fields, strict=False)]
        offsets = np.cumsum([0, *map(len, chats)], dtype=np.int32)
        return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(arrays, fields=fields))


def _encode(row: Row) -> None:
    """Make UTF-8 of a huge row's texts, one by one; Arrow takes it as it is, and of a string keeps the UTF-8 beside it."""
    for name, cell in row.items():
        row[name] = cell.encode() if isinstance(cell, str) else cell
