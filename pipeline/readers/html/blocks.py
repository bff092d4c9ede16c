"""A page's markup -> its blocks of text in document order, and the span of blocks that each of its elements holds.

    <div><p>One <a>two</a></p><ul><li>Three</ul></div>   -> blocks: p "One two", li "Three"; spans: p 0:1, ul 1:2, div 0:2

The tags are found once (`parse`) and walked over in machine code (`blocks_of`). What nobody reads (scripts, pictures, buttons)
is stepped over; what an element or its name calls furniture (navigation, advertisements, comments, related articles) too,
where the walk is `strict`.
"""

import re
from dataclasses import dataclass
from html import unescape
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.readers.html import state as s
from pipeline.readers.html.depth import MAX_DEPTH
from pipeline.readers.html.names import kind_of_element
from pipeline.readers.html.tags import IDS, NAMES
from pipeline.readers.html.tokens import STATE, tags_of
from pipeline.readers.html.walk import walk

TITLE = re.compile(rb"<title\b[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)


@dataclass(slots=True)
class Block:
    """A run of text between two block elements' edges.

    `linked` counts its characters inside links, `first` says that it begins with a link, `row` numbers the table's row that it
    is a cell of (0: none), `item` that it begins a list's item.
    """

    tag: str
    row: int = 0
    item: bool = False
    linked: int = 0
    first: bool = False
    lists: int = 0
    number: int = 0
    quotes: int = 0
    cell: int = 0
    table: int = 0
    code: int = 0
    text: str = ""


class Span(NamedTuple):
    """The blocks `start:end` that an element holds, and its kind as `names` tells it."""

    start: int
    end: int
    kind: int
    tag: str


class TooDeepError(Exception):
    """The page's elements are nested more than `MAX_DEPTH` deep."""


class Page(NamedTuple):
    """A page's bytes in UTF-8, its tags as `tokens.tags_of` finds them, and what each element is called."""

    data: bytes
    tags: NDArray[np.int16]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    kinds: NDArray[np.int8]

    def title(self) -> str | None:
        """Return the page's title in one line."""
        for token in np.flatnonzero(self.tags == IDS["title"])[:1]:
            found = TITLE.match(self.data, self.begins[token], self.ends[token])
            return found and (" ".join(unescape(found[1].decode()).split()) or None)
        return None


def parse(markup: str) -> Page:
    """Find a page's tags."""
    data = markup.encode("utf-8", "replace").replace(b"\0", b"\xef\xbf\xbd")
    array = np.frombuffer(data, np.uint8)
    most = markup.count("<")
    tags, (begins, ends, key_ends) = np.empty(most, np.int16), np.empty((3, most), np.int64)
    keys = np.empty(len(data) + 2, np.uint8)
    count = tags_of(array, tags, begins, ends, key_ends, keys, np.zeros(STATE, np.int64))
    kinds = _kinds(tags[:count], key_ends[:count], keys)
    return Page(data, tags[:count], begins[:count], ends[:count], kinds)


def _kinds(tags: NDArray[np.int16], key_ends: NDArray[np.int64], keys: NDArray[np.uint8]) -> NDArray[np.int8]:
    kinds: NDArray[np.int8] = UNNAMED[np.maximum(tags, 0)]
    begins = np.concatenate(([0], key_ends[:-1])) if len(key_ends) else key_ends
    named = np.flatnonzero(key_ends > begins)
    content = keys[: key_ends[-1] if len(key_ends) else 0].tobytes()
    places = zip(tags[named].tolist(), begins[named].tolist(), key_ends[named].tolist(), strict=True)
    kinds[named] = [kind_of_element(NAMES[tag], content[begin:end]) for tag, begin, end in places]
    return kinds


UNNAMED = np.array([kind_of_element(name, b"") for name in NAMES], np.int8)


def blocks_of(page: Page, strict: bool = True) -> tuple[list[Block], list[Span]]:
    """Return a page's blocks that have text, and its elements' spans, inner ones before outer; raises `TooDeepError`."""
    most = 2 * len(page.tags) + 2
    now = np.zeros(s.NUMBERS, np.int64)
    now[s.STRICT] = strict
    out = np.empty(len(page.data) + 1, np.uint8)
    blocks, spans = np.empty((most, s.BLOCK_FIELDS), np.int32), np.empty((most, s.SPAN_FIELDS), np.int32)
    opened = np.zeros((MAX_DEPTH + 1, s.OPEN_FIELDS), np.int64)
    array = np.frombuffer(page.data, np.uint8)
    if not walk(array, page.tags, page.begins, page.ends, page.kinds, out, blocks, spans, opened, now):
        raise TooDeepError
    text = out[: now[s.OUT]].tobytes().decode()
    return _filled(text, blocks[: now[s.BLOCKS]].tolist(), spans[: now[s.SPANS]])


def _filled(text: str, fields: list[list[int]], spans: NDArray[np.int32]) -> tuple[list[Block], list[Span]]:
    found: list[Block] = []
    places = [0]
    begin = 0
    for tag, row, item, linked, first, lists, number, quotes, cell, table, code, end in fields:
        said = text[begin:end]
        begin = end
        if "&" in said or tag == PRE:
            said = _layout(unescape(said), tag == PRE)
        if said:
            found.append(Block(NAMES[tag], row, item == 1, linked, first == 1, lists, number, quotes, cell, table, code, said))
        places.append(len(found))
    starts, ends = np.array(places)[spans[:, : s.SPAN_KIND].T]
    some = ends > starts
    kinds, tags = spans[some, s.SPAN_KIND].tolist(), spans[some, s.SPAN_TAG].tolist()
    rows = zip(starts[some].tolist(), ends[some].tolist(), kinds, tags, strict=True)
    return found, [Span(start, end, kind, NAMES[tag]) for start, end, kind, tag in rows]


PRE = IDS["pre"]


def _layout(text: str, pre: bool) -> str:
    if pre:
        return text.strip("\n") if not text.isspace() else ""
    return "\n".join(line for line in (" ".join(line.split()) for line in text.split("\n")) if line)
