"""A page's tree -> its blocks of text in document order, and the span of blocks that each of its elements holds.

    <div><p>One <a>two</a></p><ul><li>Three</ul></div>   -> blocks: p "One two", li "Three"; spans: p 0:1, ul 1:2, div 0:2

One walk, start tag by end tag. What nobody reads (scripts, pictures, buttons) is stepped over; what an element or its name
calls furniture (navigation, advertisements, comments, related articles) too, where the walk is `strict`.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from lxml import etree

from pipeline.readers.html.depth import MAX_DEPTH
from pipeline.readers.html.names import kind_of_element

if TYPE_CHECKING:
    from lxml.etree import HTMLParser, _Element

SKIPPED = frozenset(
    (
        *("script", "style", "noscript", "template", "head", "svg", "math", "canvas", "iframe", "object", "embed", "audio"),
        *("video", "map", "button", "select", "textarea", "input"),
    )
)
INLINE = frozenset(
    (
        *("a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "img"),
        *("ins", "kbd", "mark", "nobr", "q", "rp", "rt", "ruby", "s", "samp", "small", "span", "strike", "strong", "sub"),
        *("sup", "time", "tt", "u", "var", "wbr", "amp-img"),
    )
)
BREAK = "\0"  # a <br>; a page's own NULs are gone by then


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
    parts: list[str] = field(default_factory=list)
    text: str = ""


@dataclass(slots=True)
class Span:
    """The blocks `start:end` that an element holds, and its kind: 1 the article, -1 furniture."""

    start: int
    end: int
    kind: int
    tag: str


class TooDeepError(Exception):
    """The page's elements are nested more than `MAX_DEPTH` deep."""


def parse(markup: str) -> "_Element | None":
    """Parse a page into lxml's tree; None for a page without an element or text."""
    try:
        return etree.fromstring(markup.replace("\0", "\ufffd").encode("utf-8", "replace"), parser=_parser())
    except etree.XMLSyntaxError:
        return None


@cache
def _parser() -> "HTMLParser":
    return etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True, collect_ids=False)


def blocks_of(tree: "_Element", strict: bool = True) -> tuple[list[Block], list[Span]]:
    """Return a page's blocks that have text, and its elements' spans, inner ones before outer; raises `TooDeepError`."""
    walk = _Walk()
    events = etree.iterwalk(tree, events=("start", "end"))
    depth = 0
    for event, element in events:
        if event == "end":
            depth -= 1
            walk.close(element)
            continue
        depth += 1
        if depth > MAX_DEPTH:
            raise TooDeepError
        tag = element.tag
        kind = 0 if tag in SKIPPED or walk.in_code else kind_of_element(element, tag)
        if tag in SKIPPED or (strict and kind < 0):
            events.skip_subtree()
            walk.step_over(element, tag)
        else:
            walk.open(element, tag, kind)
    return walk.blocks, walk.spans


class _Walk:
    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self.spans: list[Span] = []
        self._now = Block("body")
        self._opened: list[tuple[_Element, int, int]] = []  # the block elements we are in: element, its first block, its kind
        self._links = self._rows = 0
        self._pre: _Element | None = None
        self._skipped: _Element | None = None

    @property
    def in_code(self) -> bool:
        return self._pre is not None  # there a class names the colour of a word: "comment" is no comment of a reader's

    def open(self, element: "_Element", tag: str, kind: int) -> None:
        if tag == "br":
            self._say("\n" if self._pre is not None else BREAK)
        elif self._pre is None and (kind < 0 or tag not in INLINE):
            self._rows += tag == "tr"
            in_item = tag == "p" and element.getparent() is not None and element.getparent().tag == "li" and not self._now.parts
            self._turn(tag, in_item or tag == "li")
            self._opened.append((element, len(self.blocks), kind))
            self._pre = element if tag == "pre" else None
        elif tag == "a":
            self._links += 1
        if element.text:
            self._say(element.text)

    def close(self, element: "_Element") -> None:
        tag = element.tag
        if element is self._skipped:
            self._skipped = None
        elif self._opened and self._opened[-1][0] is element:
            _, start, kind = self._opened.pop()
            self._turn(self._opened[-1][0].tag if self._opened else "body", False)
            if len(self.blocks) > start:
                self.spans.append(Span(start, len(self.blocks), kind, tag))
            if element is self._pre:
                self._pre = None
        elif tag == "a":
            self._links -= 1
        if element.tail:
            self._say(element.tail)

    def step_over(self, element: "_Element", tag: str) -> None:
        self._skipped = element
        if tag not in INLINE and tag not in SKIPPED:
            self._turn(self._now.tag, False)

    def _say(self, text: str) -> None:
        now = self._now
        if not now.parts and self._pre is None and (text.isspace() or text == BREAK):
            return
        if self._links:
            now.first = now.first or not now.parts
            now.linked += len(text.strip())
        now.parts.append(text)

    def _turn(self, tag: str, item: bool) -> None:
        now = self._now
        row = self._rows if tag in ("td", "th") else 0
        if not now.parts:
            now.tag, now.row, now.item = tag, row, item
            return
        now.text = _layout("".join(now.parts), now.tag == "pre")
        if now.text:
            self.blocks.append(now)
        self._now = Block(tag, row, item)


def _layout(text: str, pre: bool) -> str:
    if pre:
        return text.strip("\n") if not text.isspace() else ""
    if BREAK in text:
        return "\n".join(line for line in (" ".join(line.split()) for line in text.split(BREAK)) if line)
    return " ".join(text.split())
