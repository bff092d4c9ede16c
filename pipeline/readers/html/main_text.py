"""A page's blocks of text -> its main text, and how far it can be trusted.

    each block's value: its words, less those in links, less a fee for being a block        (`values`)
    the element whose blocks are worth the most together holds the article                  (`richest`)
    of its blocks, those stay that look like an article's                                   (`weights.looks`)
    they are laid out: items, rows of tables, code                                          (`lay_out`)

What the walk takes for furniture is at first not even looked into; a page that seems to have little else is walked again.
"""

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.readers.html import state as s
from pipeline.readers.html.blocks import Blocks, Longs, Page, blocks_of, parse
from pipeline.readers.html.markdown import markdown
from pipeline.readers.html.names import CAPTION, CONTENTS
from pipeline.readers.html.tags import IDS
from pipeline.readers.html.weights import CELL, CODE, HEADING, ITEM, QUOTE, Measured, looks, measure

Floats = NDArray[np.float64]

WORD = 6  # characters, its space among them
FEE = 4.0  # words that a block must bring before it counts for its element
MOST = 80.0  # words of a block that count: one long list of names is not an article
WORTH = np.array([1.0, 1.0, 0.6, 0.3, 1.0, 0.5, 0.7])  # of a word by its block's kind, see `weights.KINDS`
LINKED = 0.3  # of a word in a link is taken off, where the text comes in small pieces, as in a manual
SOMETHING, WORTHLESS = 0.1, -2.0  # words: of a small piece of plain text; of furniture, at most
SCATTERED = 0.4  # of a page's value is in the richest element: less is no prose
MOSTLY_LINKS = 0.8  # of a block's characters
NAMED_IN_REFERENCE = 2.0  # there the page's own word counts for more than our sums
FEW_SCRIPTS = 8  # and frames: a page with no more is a manual or a plain site, all of whose text counts
SCRIPTS = (IDS["script"], IDS["iframe"])
OWN_SCRIPT = re.compile(rb"""<script[^>]{0,200}?\ssrc=["']?(?!https?:|/|data:)""")  # that lies beside the page: a manual's, too
NAMED = 1.12  # an element that is called the article is preferred by so much
SMALL_PART = 0.2  # of a page's value: furniture that holds more than that is none
CERTAIN = (IDS["nav"], IDS["footer"])
LITTLE = 600  # characters: a page that seems to have less is walked again
LITTLE_OF_MANUAL = 1500  # characters: a chapter's introduction above its table of contents
LONGEST_RUN = 12  # blocks of links amid a manual's text that are part of it; navigation has more
MUCH_MORE = 1.5  # times the text: then the second walk is believed
UNSURE = 0.3  # of a page's value is in the chosen element: less is not to be trusted
PLAIN = 0.3  # of a block's characters in links, at most
WORTH_TRYING = 500  # characters of unlinked text on a page: with less there is nothing to choose from


class MainText(NamedTuple):
    """A page's main text; `any_text`: the page has some text; `unsure`: it should be read more carefully."""

    text: str
    title: str | None
    any_text: bool
    unsure: bool


class _Walked(NamedTuple):
    blocks: Blocks
    spans: Longs
    measured: Measured


class _Found(NamedTuple):
    kept: Blocks
    share: float
    unlinked: float
    any_text: bool
    named: bool = False
    listing: bool = False

    @property
    def size(self) -> int:
        return sum(map(len, self.kept.texts))


def main_text(markup: str, as_markdown: bool = False) -> MainText:
    """Return a page's main text, plain or as Markdown; raises `TooDeepError`.

    >>> main_text("<nav>Home</nav><p>Bread is baked.<ul><li>white<li>brown</ul>").text
    'Bread is baked.\\n\\n- white\\n- brown'
    """
    page = parse(markup)
    plain, manual = _scripted(page)
    if plain:
        page.kinds[page.kinds == CAPTION] = 0
    found = _find(_walked(page), plain)
    if found.size < LITTLE or found.share < UNSURE or (manual and (found.size < LITTLE_OF_MANUAL or found.listing)):
        found = _find_again(page, found, plain, manual)
    unsure = not plain and found.share < UNSURE and found.unlinked > WORTH_TRYING
    text = markdown(page, found.kept) if as_markdown else lay_out(found.kept)
    return MainText(text, page.title(), found.any_text, unsure)


def _scripted(page: Page) -> tuple[bool, bool]:
    """Tell whether a page has few scripts, and whether it has few but those that lie beside it."""
    places = np.flatnonzero(np.isin(page.tags, SCRIPTS)).tolist()
    own = (
        sum(OWN_SCRIPT.match(page.data, page.begins[place]) is not None for place in places) if len(places) > FEW_SCRIPTS else 0
    )
    return len(places) <= FEW_SCRIPTS, len(places) - own <= FEW_SCRIPTS


def _find_again(page: Page, found: _Found, plain: bool, manual: bool) -> _Found:
    walked = _walked(page, strict=False)
    again = _find(walked, plain)
    is_little = found.size < LITTLE or found.share < UNSURE
    if is_little and again.size > MUCH_MORE * found.size and not (manual and found.named):
        found = again
    found = found._replace(any_text=again.any_text)
    if manual and len(walked.blocks):
        listed = _find_listed(walked)
        if listed.size > MUCH_MORE * found.size:
            return listed
    return found


def _walked(page: Page, strict: bool = True) -> _Walked:
    blocks, spans = blocks_of(page, strict)
    return _Walked(blocks, spans, measure(blocks))


def _find(walked: _Walked, plain: bool) -> _Found:
    blocks, spans, measured = walked
    if not len(blocks):
        return _Found(blocks, 0.0, 0.0, False)
    worth = values(measured)
    furniture = _furniture(spans, worth, SMALL_PART)
    worth[furniture] = np.minimum(worth[furniture], WORTHLESS)
    best, share = richest(spans, worth, NAMED)
    prose = share >= SCATTERED and not plain
    if not prose:
        worth = _values_in_reference(measured)
        worth[furniture] = WORTHLESS
        best, share = richest(spans, worth, NAMED_IN_REFERENCE)
    start, end, kind, _ = best
    inside = slice(start, end)
    stays = (_stay if prose else _stay_in_reference)(measured.part(inside), ~furniture[inside])
    unlinked = float((measured.length - measured.linked).sum())
    return _Found(blocks.chosen(start, stays), share, unlinked, True, kind > 0, float(measured.linked.sum()) > unlinked)


def _find_listed(walked: _Walked) -> _Found:
    """Find the text of a page that is a list of links, as an index or a table of contents is."""
    blocks, spans, measured = walked
    worth = np.minimum(measured.length / WORD, MOST)
    furniture = _furniture(spans[spans[:, s.SPAN_KIND] != CONTENTS], worth, 1.0)
    worth[furniture] = WORTHLESS
    (start, end, _, _), share = richest(spans, worth, NAMED_IN_REFERENCE)
    return _Found(blocks.chosen(start, ~furniture[start:end]), share, float(measured.length.sum()), True)


def _stay_in_reference(measured: Measured, candidate: NDArray[np.bool_]) -> NDArray[np.bool_]:
    stays: NDArray[np.bool_] = (measured.density < MOSTLY_LINKS) | np.isin(measured.kind, (CODE, HEADING))
    stays &= candidate
    return stays | _short_runs(~stays) & candidate if stays.any() else stays


def _short_runs(dropped: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which dropped blocks lie between two that stay, few in a row: a row of a table, a list of what else to see."""
    edges = np.flatnonzero(np.diff(dropped, prepend=False, append=False)).reshape(-1, 2)
    short = np.zeros(len(dropped), bool)
    for start, end in edges[edges[:, 1] - edges[:, 0] <= LONGEST_RUN]:
        short[start:end] = start > 0 and end < len(dropped)
    return short


def _stay(measured: Measured, candidate: NDArray[np.bool_]) -> NDArray[np.bool_]:
    stays = looks(measured) & candidate
    if not stays.any():
        return (measured.density < 0.5) & candidate
    return stays | rescued(measured, stays) & candidate


def rescued(measured: Measured, stays: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which blocks stay for their neighbours' sake.

    Those are the items, cells, quotes and headings without links amid the text, and a list or table that ends it.
    """
    first, last = np.flatnonzero(stays)[[0, -1]]
    place = np.arange(len(stays))
    plain = measured.density < PLAIN
    row = plain & np.isin(measured.kind, (ITEM, CELL))
    ends = place > last
    ends &= np.logical_and.accumulate(row | ~ends)
    amid = (place > first) & (place < last) & plain & np.isin(measured.kind, (ITEM, CELL, QUOTE, HEADING))
    rescued: NDArray[np.bool_] = amid | ends
    return rescued


def values(measured: Measured) -> Floats:
    """Return what each block is worth to the element that holds it, in words."""
    words = np.minimum((measured.length - measured.linked) / WORD, MOST) * WORTH[measured.kind]
    free = (measured.kind == CODE) | ((measured.kind == HEADING) & (measured.density < 0.5))  # code and headings cost nothing
    worth: Floats = words - measured.linked / WORD - np.where(free, 0.0, FEE)
    return worth


def _values_in_reference(measured: Measured) -> Floats:
    words = np.minimum((measured.length - measured.linked) / WORD, MOST)
    worth: Floats = words - LINKED * measured.linked / WORD + np.where(measured.density < PLAIN, SOMETHING, 0.0)
    return worth


def richest(spans: Longs, worth: Floats, named_worth: float) -> tuple[list[int], float]:
    """Return the element whose blocks are worth the most, and its share of all that is worth something on the page."""
    sums = np.concatenate(([0.0], np.cumsum(worth)))
    totals = (sums[spans[:, s.SPAN_END]] - sums[spans[:, s.SPAN_START]]) * np.where(spans[:, s.SPAN_KIND] > 0, named_worth, 1.0)
    best = int(np.argmax(totals))
    positive = float(np.maximum(worth, 0).sum())
    return spans[best].tolist(), float(totals[best]) / positive if positive else 0.0


def _furniture(spans: Longs, worth: Floats, at_most: float) -> NDArray[np.bool_]:
    sums = np.concatenate(([0.0], np.cumsum(np.maximum(worth, 0))))
    starts, ends, kinds, tags = spans.T
    is_furniture = (kinds < 0) & (sums[ends] - sums[starts] <= at_most * sums[-1]) | np.isin(tags, CERTAIN)
    most = len(sums)
    within = np.cumsum(np.bincount(starts[is_furniture], minlength=most) - np.bincount(ends[is_furniture], minlength=most))
    inside: NDArray[np.bool_] = within[:-1] > 0
    return inside


MARKS = ("", "\n", "\n\n", " | ")  # what stands between two blocks
NOTHING, LINE, PARAGRAPH, CELLS = range(4)


def lay_out(blocks: Blocks) -> str:
    """Write blocks as text: an empty line between paragraphs, none between items, ` | ` between a row's cells."""
    row, item = blocks.fields[:, s.ROW], blocks.fields[:, s.ITEM]
    in_table, in_list = (row[1:] > 0) & (row[:-1] > 0), (item[1:] > 0) & (item[:-1] > 0)
    between = np.where(in_table | in_list, LINE, PARAGRAPH)
    between[in_table & (row[1:] == row[:-1])] = CELLS
    marks = [mark + bullet for mark in MARKS for bullet in ("", "- ")]
    codes = 2 * np.concatenate(([NOTHING], between))[: len(row)] + item
    return "".join(part for code, text in zip(codes.tolist(), blocks.texts, strict=True) for part in (marks[code], text))
