"""Which elements are open at a tag, by the rules of HTML: a paragraph ends where a list begins, an item where the next does.

What an element brings and takes with it (its block, its span, whether it is skipped) is done here as it opens and closes.
"""

import numpy as np
from numpy.typing import NDArray

from filters.kernels.compiled import part
from pipeline.readers.html import state as s
from pipeline.readers.html.tags import IDS, IS_INLINE, IS_SCOPE, IS_SKIPPED, UNKNOWN
from pipeline.readers.html.writing import turn

Longs = NDArray[np.int64]

A, P, LI, TABLE, TR, TD, TH, PRE, UL, OL, QUOTE, DIV, ADDRESS, DT, DD = (
    IDS[name]
    for name in ("a", "p", "li", "table", "tr", "td", "th", "pre", "ul", "ol", "blockquote", "div", "address", "dt", "dd")
)


@part
def push(tag: int, kind: int, now: Longs, opened: Longs, blocks: Longs) -> None:
    """Open an element."""
    depth = now[s.DEPTH]
    is_block = False
    if not now[s.SKIP]:
        if IS_SKIPPED[tag] or (now[s.STRICT] and kind < 0):
            now[s.SKIP] = depth
            if not IS_INLINE[tag] and not IS_SKIPPED[tag]:
                turn(now[s.TAG], False, now, blocks)
        elif not now[s.PRE] and (kind < 0 or not IS_INLINE[tag]):
            is_block = True
            _open_block(tag, now, opened, blocks)
        elif tag == A:
            now[s.LINKS] += 1
    opened[depth, s.OPEN_TAG] = tag
    opened[depth, s.OPEN_BLOCK] = is_block
    below = depth - 1
    opened[depth, s.OPEN_OUTER] = below if opened[below, s.OPEN_BLOCK] else opened[below, s.OPEN_OUTER]
    opened[depth, s.OPEN_START] = now[s.BLOCKS]
    opened[depth, s.OPEN_KIND] = kind
    opened[depth, s.OPEN_ITEMS] = 0
    now[s.DEPTH] = depth + 1
    now[s.CHANGES] += 1
    now[s.PARAGRAPHS] += tag == P


@part
def _open_block(tag: int, now: Longs, opened: Longs, blocks: Longs) -> None:
    above = opened[now[s.DEPTH] - 1, s.OPEN_TAG]
    if tag == TR:
        now[s.ROWS] += 1
        now[s.CELLS] = 0
    elif tag == TABLE:
        now[s.TABLES] += 1
    elif tag == UL or tag == OL:
        now[s.IN_LISTS] += 1
    elif tag == QUOTE:
        now[s.IN_QUOTES] += 1
    elif tag == TD or tag == TH:
        now[s.CELLS] += 1
    item = tag == LI or (now[s.ITEM] == 1 and now[s.OUT] == now[s.BEGIN])  # an item may begin with a paragraph
    turn(tag, item, now, blocks)
    if tag == LI:
        opened[now[s.DEPTH] - 1, s.OPEN_ITEMS] += 1
        now[s.NUMBER] = opened[now[s.DEPTH] - 1, s.OPEN_ITEMS] if above == OL else 0
    if tag == PRE:
        now[s.PRE] = now[s.DEPTH]
        now[s.CODE] = now[s.TOKEN] + 1


@part
def pop(now: Longs, opened: Longs, blocks: Longs, spans: Longs) -> None:
    """Close the innermost open element."""
    top = now[s.DEPTH] - 1
    tag = opened[top, s.OPEN_TAG]
    now[s.DEPTH] = top
    now[s.CHANGES] += 1
    now[s.PARAGRAPHS] -= tag == P
    if now[s.SKIP]:
        if now[s.SKIP] == top:
            now[s.SKIP] = 0
    elif opened[top, s.OPEN_BLOCK]:
        now[s.IN_LISTS] -= tag == UL or tag == OL
        now[s.IN_QUOTES] -= tag == QUOTE
        turn(opened[opened[top, s.OPEN_OUTER], s.OPEN_TAG], False, now, blocks)
        if now[s.PRE] == top:
            now[s.PRE] = 0
        span = now[s.SPANS]
        if now[s.BLOCKS] > opened[top, s.OPEN_START]:
            spans[span, s.SPAN_START], spans[span, s.SPAN_END] = opened[top, s.OPEN_START], now[s.BLOCKS]
            spans[span, s.SPAN_KIND], spans[span, s.SPAN_TAG] = opened[top, s.OPEN_KIND], tag
            now[s.SPANS] = span + 1
    elif tag == A:
        now[s.LINKS] -= 1


@part
def find(tag: int, now: Longs, opened: Longs, in_table: bool) -> int:
    """Return the place of the innermost open element of a name within its scope, or 0."""
    place = int(now[s.DEPTH]) - 1 if now[s.MISSED + tag] != now[s.CHANGES] else 0
    while place > 0 and opened[place, s.OPEN_TAG] != tag:
        if opened[place, s.OPEN_TAG] == TABLE if in_table else IS_SCOPE[opened[place, s.OPEN_TAG]]:
            place = 0
        place -= 1
    if place <= 0:
        now[s.MISSED + tag] = now[s.CHANGES]
    return max(place, 0)


@part
def find_item(tag: int, now: Longs, opened: Longs) -> int:
    """Return the place of the open item that a new one ends, or 0."""
    place = int(now[s.DEPTH]) - 1
    while place > 0:
        at = opened[place, s.OPEN_TAG]
        if at == tag or (tag != LI and (at == DT or at == DD)):
            return place
        if not IS_INLINE[at] and at != DIV and at != P and at != ADDRESS:
            return 0
        place -= 1
    return 0


@part
def forget(place: int, now: Longs, opened: Longs) -> None:
    """End an inline element that holds blocks still open: they stay, it is heard of no more."""
    if opened[place, s.OPEN_TAG] == A and not opened[place, s.OPEN_BLOCK] and not now[s.SKIP]:
        now[s.LINKS] -= 1
    if not opened[place, s.OPEN_BLOCK] and now[s.SKIP] != place:
        opened[place, s.OPEN_TAG] = UNKNOWN
        now[s.CHANGES] += 1


@part
def holds_blocks(place: int, now: Longs, opened: Longs) -> bool:
    """Tell whether an element other than an inline one is open within the one at a place."""
    for above in range(place + 1, now[s.DEPTH]):  # noqa: SIM110  numba compiles no generators here
        if not IS_INLINE[opened[above, s.OPEN_TAG]]:
            return True
    return False
