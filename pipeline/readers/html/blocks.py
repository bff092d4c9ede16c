"""A page's markup -> its blocks of text in document order, and the span of blocks that each of its elements holds.

    <div><p>One <a>two</a></p><ul><li>Three</ul></div>   -> blocks: p "One two", li "Three"; spans: p 0:1, ul 1:2, div 0:2

The tags are found once (`parse`) and walked over in machine code (`blocks_of`). What nobody reads (scripts, pictures, buttons)
is stepped over; what an element or its name calls furniture (navigation, advertisements, comments, related articles) too,
where the walk is `strict`.
"""

import re
from collections.abc import Iterator
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

Longs = NDArray[np.int64]

TITLE = re.compile(rb"<title\b[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)


class Block(NamedTuple):
    """A run of text between two block elements' edges.

    `linked` counts its characters inside links, `first` says that it begins with a link, `row` numbers the table's row that it
    is a cell of (0: none), `item` that it begins a list's item.
    """

    tag: str
    row: int = 0
    item: int = 0
    linked: int = 0
    first: int = 0
    lists: int = 0
    number: int = 0
    quotes: int = 0
    cell: int = 0
    table: int = 0
    code: int = 0
    text: str = ""


@dataclass(frozen=True, slots=True)
class Blocks:
    """A page's blocks: their texts, and a row of numbers for each (`state.TAG` to `state.CODE`), int64.

    A page may have a million: they become `Block`s one at a time, where they are written out.
    """

    texts: list[str]
    fields: Longs

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.texts)

    def __iter__(self) -> Iterator[Block]:
        """Yield one block after the other."""
        for fields, text in zip(self.fields, self.texts, strict=True):
            tag, *numbers = fields.tolist()
            yield Block._make((NAMES[tag], *numbers, text))

    def chosen(self, start: int, stays: NDArray[np.bool_]) -> "Blocks":
        """Return those blocks from `start` on that stay."""
        places = start + np.flatnonzero(stays)
        return Blocks([self.texts[place] for place in places.tolist()], self.fields[places])


class TooDeepError(Exception):
    """The page's elements are nested more than `MAX_DEPTH` deep."""


class Page(NamedTuple):
    """A page's bytes in UTF-8, its tags as `tokens.tags_of` finds them, and what each element is called."""

    data: bytes
    tags: NDArray[np.int16]
    begins: Longs
    ends: Longs
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


def _kinds(tags: NDArray[np.int16], key_ends: Longs, keys: NDArray[np.uint8]) -> NDArray[np.int8]:
    kinds: NDArray[np.int8] = UNNAMED[np.maximum(tags, 0)]
    begins = np.concatenate(([0], key_ends[:-1])) if len(key_ends) else key_ends
    named = np.flatnonzero(key_ends > begins)
    content = keys[: key_ends[-1] if len(key_ends) else 0].tobytes()
    places = zip(tags[named].tolist(), begins[named].tolist(), key_ends[named].tolist(), strict=True)
    kinds[named] = _heard([(tag, content[begin:end]) for tag, begin, end in places])
    return kinds


def _heard(names: list[tuple[int, bytes]]) -> list[int]:
    """Return the kinds of elements by their tags and keys; names beyond all that a real page has are not heard."""
    kinds = dict.fromkeys(names, 0)
    read = 0
    for tag, key in kinds:
        read += len(key)
        kinds[tag, key] = kind_of_element(NAMES[tag], key if read <= MOST_OF_NAMES else b"")
    return [kinds[name] for name in names]


MOST_OF_NAMES = 1_000_000  # bytes of different names; pages of 10 MB from manuals have 0.4 million
UNNAMED = np.array([kind_of_element(name, b"") for name in NAMES], np.int8)


def blocks_of(page: Page, strict: bool = True) -> tuple[Blocks, Longs]:
    """Return a page's blocks that have text, and its elements' spans, inner ones before outer; raises `TooDeepError`.

    A span is a row of four numbers, int64: the blocks `start:end` that an element holds, its kind as `names` tells it, its tag.
    """
    most = len(page.tags) + 1  # between two tags lies one block at most, and each element has one span, the page another
    now = np.zeros(s.NUMBERS, np.int64)
    now[s.STRICT] = strict
    out = np.empty(len(page.data) + 1, np.uint8)
    blocks, spans = np.empty((most, s.BLOCK_FIELDS), np.int64), np.empty((most, s.SPAN_FIELDS), np.int64)
    opened = np.zeros((MAX_DEPTH + 1, s.OPEN_FIELDS), np.int64)
    array = np.frombuffer(page.data, np.uint8)
    if not walk(array, page.tags, page.begins, page.ends, page.kinds, out, blocks, spans, opened, now):
        raise TooDeepError
    text = out[: now[s.OUT]].tobytes().decode()
    return _filled(text, blocks[: now[s.BLOCKS]], spans[: now[s.SPANS]])


def _filled(text: str, fields: Longs, spans: Longs) -> tuple[Blocks, Longs]:
    ends = fields[:, s.CHAR_END].tolist()
    texts = [text[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]
    escaped = [place for place, said in enumerate(texts) if "&" in said] if "&" in text else []
    for place in {*escaped, *np.flatnonzero(fields[:, s.TAG] == PRE).tolist()}:
        texts[place] = _layout(unescape(texts[place]), fields[place, s.TAG] == PRE)
    some = np.fromiter(map(bool, texts), np.bool_, len(texts))
    spans = spans.copy()
    spans[:, : s.SPAN_KIND] = np.concatenate(([0], np.cumsum(some)))[spans[:, : s.SPAN_KIND]]
    return Blocks(texts, fields[:, : s.CHAR_END]).chosen(0, some), spans[spans[:, s.SPAN_END] > spans[:, s.SPAN_START]]


PRE = IDS["pre"]


def _layout(text: str, pre: bool) -> str:
    if pre:
        return text.strip("\n") if not text.isspace() else ""
    if "\n" not in text:
        return " ".join(text.split())
    return "\n".join(line for line in (" ".join(line.split()) for line in text.split("\n")) if line)
