"""A JSON or JSONL file -> its rows: an object a line, or a list of objects.

    {"text": ...}, any object                         its own columns: strings as they are, the rest as JSON text
    {"instruction", "input"?, "output"|"response"}    alpaca: two turns
    {"conversations": [{"from", "value"}]}            ShareGPT
    {"messages": [{"role", "content"}]}               OpenAI
    {"prompt", "response"|"completion"}               two turns; so are question and answer, input and output

All but the first are chats and give the column `messages`. A file holds one kind, that of its first row.
"""

import zlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Literal

import numpy as np
import orjson
import pyarrow as pa

from pipeline.documents import MESSAGES, ROLES, STRING, Rejection, Rows
from pipeline.sources import Source, blocks_of

SUFFIXES = (".jsonl", ".ndjson", ".json")

BLOCK = 4 << 20
BATCH = 10_000
BOM = b"\xef\xbb\xbf"
DAMAGE = (OSError, EOFError, zlib.error)
LISTS = {"messages": "messages", "sharegpt": "conversations"}
ALPACA = (("instruction", "output"), ("instruction", "response"))
PAIRS = (("prompt", "response"), ("prompt", "completion"), ("question", "answer"), ("input", "output"))
Shape = Literal["auto", "text", "alpaca", "sharegpt", "messages", "prompt"]
Row = dict[str, Any]
Turn = tuple[str, str]
Item = tuple[int, object, bytes]  # where a row stands; its value, or why it has none; its bytes if at hand


def sniff(head: bytes) -> bool:
    """Tell JSON by its first character.

    >>> sniff(b' {"text": "Hi"}'), sniff(b"Hi")
    (True, False)
    """
    return head.removeprefix(BOM).lstrip()[:1] in (b"{", b"[")


def jsonl(source: Source, *, shape: Shape = "auto") -> Iterator[Rows | Rejection]:
    """Read a JSON file; a row's place is its line, from 1, in a list its number.

    Every batch has the columns seen up to it; a row is NULL in those it lacks. A chat has at least one turn beside the
    system's, and no empty one (an empty system turn is left out); it is a `Rejection` otherwise, as are an unknown
    role, a tool call, a row that lacks what `shape` asks for, and one of another kind than the file's first. Lines are
    streamed, a list is read whole. Integers beyond 64 bits lose digits.
    """
    batch = Batch(shape)
    for items in _batches(source):
        yield from batch.read(items)


class Batch:
    """Items -> rows; remembers from one batch to the next the kind of the file's first row, and the columns seen."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.kind = ""
        self.columns: dict[str, None] = {}

    def read(self, items: Sequence[Item]) -> Iterator[Rows | Rejection]:
        """Yield a batch's rows, then a `Rejection` for each item that is none."""
        rows: list[Row] = []
        chats: list[list[Turn]] = []
        places: list[str] = []
        raws: list[bytes] = []
        rejected: list[Rejection] = []
        for place, value, raw in items:
            try:
                row, turns = self._row(value)
            except ValueError as error:
                rejected.append(Rejection(str(place), str(error), raw or _json(value).encode()))
                continue
            rows.append(row)
            chats.append(turns)
            places.append(str(place))
            raws.append(raw or _json(value).encode())
        if rows:
            yield Rows(self._table(rows, chats), places, raws.__getitem__)
        yield from rejected

    def _row(self, value: object) -> tuple[Row, list[Turn]]:
        if isinstance(value, ValueError):
            raise value
        if not isinstance(value, dict):
            raise ValueError(f"not an object but {_json(value)[:40]}")
        if not value:
            raise ValueError("the object is empty")
        shape = _shape(value) if self.shape == "auto" else self.shape
        kind = "text" if shape == "text" else "chat"
        self.kind = self.kind or kind
        if kind != self.kind:
            raise ValueError(f"a {kind} row, but the file's first row is {self.kind}")
        return (value, []) if kind == "text" else _chat(value, shape)

    def _table(self, rows: list[Row], chats: list[list[Turn]]) -> pa.Table:
        for row in rows:
            if not row.keys() <= self.columns.keys():
                self.columns.update(dict.fromkeys(row))
        arrays = {"messages": _messages(chats)} if self.kind == "chat" else {}
        for name in self.columns:
            cells = [row.get(name) for row in rows]
            texts = [cell if cell is None or type(cell) is str else _json(cell) for cell in cells]
            arrays[name] = pa.array(texts, STRING)
        return pa.table(arrays)


def _batches(source: Source) -> Iterator[list[Item]]:
    held: list[bytes] = []
    before, error = 0, ""
    blocks = blocks_of(source, BLOCK)
    try:
        start = next(blocks, b"").removeprefix(BOM)
        whole = start.lstrip()[:1] == b"[" or start.lstrip().partition(b"\n")[0].rstrip() == b"{"
        for block in chain([start], blocks):
            held.append(block)
            if whole or b"\n" not in block:
                continue
            lines = b"".join(held).split(b"\n")
            held = [lines.pop()]
            yield _parsed(lines, before)
            before += len(lines)
    except DAMAGE as damage:
        error = f"the file cannot be read to its end ({damage})"
    rest = b"".join(held)
    if error:
        yield [(before + 1, ValueError(error), rest)]
    elif whole:
        yield from _elements(rest)
    else:
        yield _parsed([rest], before)


def _parsed(lines: Sequence[bytes], before: int) -> list[Item]:
    items: list[Item] = []
    for place, line in enumerate(lines, before + 1):
        try:
            items.append((place, orjson.loads(line), line))
        except orjson.JSONDecodeError as error:
            if line.strip():
                items.append((place, ValueError(f"not JSON: {error.msg} (column {error.colno})"), line))
    return items


def _elements(raw: bytes) -> Iterator[list[Item]]:
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        why = f"not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        yield [(error.lineno, ValueError(why), raw)]
        return
    elements = value if isinstance(value, list) else [value]
    for start in range(0, len(elements), BATCH):
        yield [(place, element, b"") for place, element in enumerate(elements[start : start + BATCH], start + 1)]


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _shape(row: Row) -> Shape:
    if "messages" in row:
        return "messages"
    if isinstance(row.get("conversations"), list):
        return "sharegpt"
    if "instruction" in row and ("output" in row or "response" in row):
        return "alpaca"
    return "prompt" if _pair(row, PAIRS) else "text"


def _pair(row: Row, pairs: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    return next((pair for pair in pairs if pair[0] in row and pair[1] in row), None)


def _chat(row: Row, shape: Shape) -> tuple[Row, list[Turn]]:
    """Return what is left of a row beside its conversation, and the conversation's turns."""
    used, turns = _told(row, shape) if shape in LISTS else _asked(row, shape)
    if row.get("system") and turns and turns[0][0] != "system":
        turns.insert(0, ("system", _content(row["system"], "'system'")))
    turns = [turn for turn in turns if turn[0] != "system" or turn[1].strip()]
    if all(role == "system" for role, _content in turns):
        raise ValueError("the conversation is empty")
    for number, (role, content) in enumerate(turns, 1):
        if not content.strip():
            raise ValueError(f"turn {number} ({role}) is empty")
    return {name: cell for name, cell in row.items() if name not in (*used, "system", "messages")}, turns


def _told(row: Row, shape: Shape) -> tuple[Sequence[str], list[Turn]]:
    key = LISTS[shape]
    if not isinstance(row.get(key), list):
        raise ValueError(f"{key!r} is not a list" if key in row else f"no {key!r}")
    return (key,), [_turn(turn, number) for number, turn in enumerate(row[key], 1)]


def _asked(row: Row, shape: Shape) -> tuple[Sequence[str], list[Turn]]:
    pairs = ALPACA if shape == "alpaca" else PAIRS
    found = _pair(row, pairs)
    if found is None:
        raise ValueError("none of " + ", ".join(f"{first!r} with {second!r}" for first, second in pairs))
    question, answer = (_content(row[name], repr(name)) for name in found)
    if shape != "alpaca":
        return found, [("user", question), ("assistant", answer)]
    more = _content(row.get("input"), "'input'")
    question = f"{question}\n\n{more}" if more.strip() else question
    return (*found, "input"), [("user", question), ("assistant", answer)]


def _turn(turn: object, number: int) -> Turn:
    if not isinstance(turn, dict):
        raise ValueError(f"turn {number} is not an object")
    name = turn.get("role", turn.get("from"))
    role = ROLES.get(name.lower()) if isinstance(name, str) else None
    if role is None:
        raise ValueError(f"turn {number}: unknown role {name!r}")
    if turn.get("tool_calls") or turn.get("function_call"):
        raise ValueError(f"turn {number}: tool calls are not supported yet")
    return role, _content(turn.get("content", turn.get("value")), f"turn {number}")


def _content(value: object, where: str) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    if not isinstance(value, list):
        raise ValueError(f"{where} is not a text but {_json(value)[:40]}")
    texts = []
    for part in value:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise ValueError(f"{where} has a part that is not text: {_json(part)[:40]}")
        texts.append(part["text"])
    return "".join(texts)


def _messages(chats: Sequence[Sequence[Turn]]) -> pa.Array:
    turns = [turn for chat in chats for turn in chat]
    struct = pa.StructArray.from_arrays(
        [pa.array([turn[side] for turn in turns], STRING) for side in (0, 1)], fields=list(MESSAGES.value_type)
    )
    offsets = np.cumsum([0, *map(len, chats)], dtype=np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), struct, type=MESSAGES)
