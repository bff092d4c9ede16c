"""A page's tags, and what each element is -> its blocks of text and the spans of its elements, in one compiled walk."""

import numpy as np
from numpy.typing import NDArray

from filters.kernels.compiled import kernel, part
from pipeline.readers.html import state as s
from pipeline.readers.html.nesting import DD, DT, LI, TABLE, TD, TH, TR, A, P, find, find_item, forget, holds_blocks, pop, push
from pipeline.readers.html.tags import IDS, IS_ENDING_P, IS_HEADING, IS_IDLE, IS_IN_TABLE, IS_INLINE, IS_VOID
from pipeline.readers.html.writing import break_line, say

Bytes = NDArray[np.uint8]
Longs = NDArray[np.int64]

BODY, BR, CAPTION = IDS["body"], IDS["br"], IDS["caption"]


@kernel
def walk(
    data: Bytes,
    tags: NDArray[np.int16],
    begins: Longs,
    ends: Longs,
    kinds: NDArray[np.int8],
    out: Bytes,
    blocks: Longs,
    spans: Longs,
    opened: Longs,
    now: Longs,
) -> bool:
    """Fill in a page's text, blocks and spans (see `state`); False where its elements are nested too deep for `opened`.

    `now` is zeros but for STRICT; its BLOCKS, SPANS and OUT say how much has been filled in.
    """
    opened[0, s.OPEN_TAG], opened[0, s.OPEN_BLOCK] = BODY, 1
    now[s.DEPTH], now[s.TAG], now[s.CHANGES] = 1, BODY, 1
    before = 0
    for token in range(len(tags) + 1):
        is_last = token == len(tags)
        begin = len(data) if is_last else begins[token]
        if not now[s.SKIP]:
            say(data, before, begin, now, out)
        tag = -BODY if is_last else tags[token]
        before = len(data) if is_last else ends[token]
        now[s.TOKEN] = token
        if (tag == BR or tag == -BR) and not now[s.SKIP]:
            break_line(now, out)
        elif is_last or not (IS_IDLE[tag] if tag > 0 else IS_IDLE[-tag]):
            place = 0 if is_last else _ended_by(tag, now, opened) if tag > 0 else _closed_by(-tag, now, opened)
            while (place or is_last) and now[s.DEPTH] > place:
                pop(now, opened, blocks, spans)
            if now[s.DEPTH] == len(opened):
                return False
            if tag > 0:
                push(tag, 0 if now[s.PRE] else kinds[token], now, opened, blocks)
                if IS_VOID[tag]:
                    pop(now, opened, blocks, spans)
    return True


@part
def _ended_by(tag: int, now: Longs, opened: Longs) -> int:
    """Return the place of the open element that ends where this one begins, or 0."""
    if tag == A:
        place = find(A, now, opened, False)
        if place and holds_blocks(place, now, opened):
            forget(place, now, opened)
            return 0
        return place
    place = find_item(tag, now, opened) if tag == LI or tag == DT or tag == DD else 0
    if not place and IS_ENDING_P[tag] and now[s.PARAGRAPHS]:
        place = find(P, now, opened, False)
    if IS_IN_TABLE[tag] and tag != TABLE:
        return _ended_in_table(tag, now, opened)
    if IS_HEADING[tag] and IS_HEADING[opened[now[s.DEPTH] - 1, s.OPEN_TAG]]:
        return int(now[s.DEPTH]) - 1
    return place


@part
def _ended_in_table(tag: int, now: Longs, opened: Longs) -> int:
    place = 0
    at = int(now[s.DEPTH]) - 1
    is_cell = tag == TD or tag == TH
    while at > 0 and opened[at, s.OPEN_TAG] != TABLE:
        open_tag = opened[at, s.OPEN_TAG]
        ends_always = open_tag == TD or open_tag == TH or open_tag == CAPTION
        is_group = IS_IN_TABLE[open_tag] and not ends_always and open_tag != TR
        if ends_always or (open_tag == TR and not is_cell) or (is_group and not is_cell and tag != TR):
            place = at
        at -= 1
    return place if at > 0 else 0


@part
def _closed_by(tag: int, now: Longs, opened: Longs) -> int:
    """Return the place of the open element that an end tag closes, or 0."""
    place = find(tag, now, opened, IS_IN_TABLE[tag])
    if IS_HEADING[tag] and not place and IS_HEADING[opened[now[s.DEPTH] - 1, s.OPEN_TAG]]:
        return int(now[s.DEPTH]) - 1
    if place and IS_INLINE[tag] and holds_blocks(place, now, opened):
        forget(place, now, opened)
        return 0
    return place
