"""Text between tags -> the text of blocks, one behind the other in one buffer: spaces are made one, lines of code are kept."""

import numpy as np
from numpy.typing import NDArray

from filters.kernels.compiled import part
from pipeline.readers.html import state as s
from pipeline.readers.html.tags import IDS

Bytes = NDArray[np.uint8]
Longs = NDArray[np.int64]

TD, TH = IDS["td"], IDS["th"]
NEW_LINE, RETURN, BLANK, AND = map(ord, "\n\r &")


@part
def turn(tag: int, item: bool, now: Longs, blocks: Longs) -> None:
    """End the block that is being written, where it has text, and begin the next."""
    if now[s.OUT] > now[s.BEGIN]:
        block = now[s.BLOCKS]
        for field in range(s.CHAR_END):
            blocks[block, field] = now[field]
        blocks[block, s.CHAR_END] = now[s.CHARS]
        now[s.BLOCKS] = block + 1
        now[s.BEGIN] = now[s.OUT]
        now[s.LINKED] = now[s.FIRST] = 0
    now[s.GAP] = s.NO_GAP
    now[s.TAG], now[s.ITEM] = tag, item
    is_cell = tag == TD or tag == TH
    now[s.ROW] = now[s.ROWS] if is_cell else 0
    now[s.CELL] = now[s.CELLS] if is_cell else 0
    now[s.TABLE] = now[s.TABLES] if is_cell else 0
    now[s.LISTS], now[s.QUOTES] = now[s.IN_LISTS], now[s.IN_QUOTES]
    now[s.CODE] = 0
    if not item:
        now[s.NUMBER] = 0


@part
def break_line(now: Longs, out: Bytes) -> None:
    """Write a `<br>`."""
    if now[s.PRE]:
        _put(NEW_LINE, now, out)
    elif now[s.OUT] > now[s.BEGIN]:
        now[s.GAP] = s.LINE


@part
def say(data: Bytes, begin: int, end: int, now: Longs, out: Bytes) -> None:
    """Write a run of text."""
    at = begin
    if now[s.PRE]:
        while at < end:
            if data[at] != RETURN:
                _put(data[at], now, out)
            at += 1
        return
    inside = False
    while at < end:
        blank = space(data, at, end)
        if blank:
            if now[s.GAP] == s.NO_GAP and now[s.OUT] > now[s.BEGIN]:
                now[s.GAP] = s.SPACE
            at += blank
            continue
        if now[s.GAP]:
            out[now[s.OUT]] = BLANK if now[s.GAP] == s.SPACE else NEW_LINE
            now[s.OUT] += 1
            now[s.CHARS] += 1
            now[s.LINKED] += inside and now[s.LINKS] > 0
            now[s.GAP] = s.NO_GAP
        _put(data[at], now, out)
        inside = True
        at += 1


@part
def _put(byte: int, now: Longs, out: Bytes) -> None:
    if now[s.LINKS]:
        if now[s.OUT] == now[s.BEGIN]:
            now[s.FIRST] = 1
        now[s.LINKED] += (byte & 0xC0) != 0x80
    out[now[s.OUT]] = byte
    now[s.OUT] += 1
    now[s.CHARS] += (byte & 0xC0) != 0x80


@part
def space(data: Bytes, at: int, end: int) -> int:
    """Return how many bytes the white space at `at` has, also that of Unicode and `&nbsp;`; 0: there is none."""
    byte = data[at]
    if byte == 32 or 9 <= byte <= 13 or 28 <= byte <= 31:
        return 1
    if byte == 0xC2 and at + 1 < end and (data[at + 1] == 0xA0 or data[at + 1] == 0x85):
        return 2
    if byte == AND and at + 5 < end:
        return _nbsp(data, at)
    if byte < 0xE2 or at + 2 >= end:
        return 0
    second, third = data[at + 1], data[at + 2]
    wide = byte == 0xE3 and second == 0x80 and third == 0x80
    thin = second == 0x80 and (0x80 <= third <= 0x8A or third == 0xA8 or third == 0xA9 or third == 0xAF)
    return 3 if wide or (byte == 0xE2 and (thin or (second == 0x81 and third == 0x9F))) else 0


@part
def _nbsp(data: Bytes, at: int) -> int:
    if data[at + 5] != 59:
        return 0
    named = data[at + 1] == 110 and data[at + 2] == 98 and data[at + 3] == 115 and data[at + 4] == 112
    return 6 if named or (data[at + 1] == 35 and data[at + 2] == 49 and data[at + 3] == 54 and data[at + 4] == 48) else 0
