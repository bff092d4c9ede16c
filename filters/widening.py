"""Spans -> the whole sentences or lines that they touch, so that those can be cut out.

Both part a text without a gap: the white space behind a sentence belongs to it, and the line break to its line.
"""

import numpy as np
import pyarrow as pa

from filters import kernels
from filters.kernels import Ints, kernel
from filters.kernels.lines import line_bounds
from filters.kernels.sentences import sentence_ends
from filters.kinds import Spans, Texts


def to_sentences(texts: Texts, spans: Spans) -> Spans:
    """Widen each span to the whole sentences that it touches; spans may come to overlap.

    >>> found = Spans(np.array([0]), np.array([7]), np.array([9]), np.array([0]), ["an am"])
    >>> to_sentences(pa.array(["Hi. I am. You are."], pa.large_string()), found)[1:3]
    (array([4]), array([10]))
    """
    row, data, offsets = _touched(texts, spans)
    return _widened(spans, row, offsets, *sentence_ends(data, offsets))


def to_lines(texts: Texts, spans: Spans) -> Spans:
    r"""Widen each span to the whole lines that it touches, line breaks included; spans may come to overlap.

    >>> found = Spans(np.array([0]), np.array([5]), np.array([6]), np.array([0]), ["a b"])
    >>> to_lines(pa.array(["one\nabc\r\ntwo"], pa.large_string()), found)[1:3]
    (array([4]), array([9]))
    """
    row, data, offsets = _touched(texts, spans)
    bounds, _, ends = line_bounds(data, offsets)
    return _widened(spans, row, offsets, bounds, ends)


def _touched(texts: Texts, spans: Spans) -> tuple[Ints, kernels.Bytes, Ints]:
    """Return the texts that hold spans, as bytes and offsets, and which of them each span is in.

    Where all do nothing is copied, for one of them may be huge.
    """
    hit = np.zeros(len(texts), dtype=bool)
    hit[spans.text] = True
    if hit.all():
        return spans.text, *kernels.buffers(texts)
    row = np.cumsum(hit) - 1
    return row[spans.text], *kernels.buffers(texts.filter(pa.array(hit)))


def _widened(spans: Spans, row: Ints, offsets: Ints, bounds: Ints, ends: Ints) -> Spans:
    start, end = _widen(row, spans.start, spans.end, offsets, bounds, ends)
    return spans._replace(start=start, end=end)


@kernel
def _widen(row: Ints, start: Ints, end: Ints, offsets: Ints, bounds: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """Widen spans of texts to whole pieces; one at the very end touches the last piece."""
    first_byte, last_byte = np.zeros(len(row), dtype=np.int64), np.zeros(len(row), dtype=np.int64)
    for span in range(len(row)):
        text = row[span]
        pieces, base = ends[bounds[text] : bounds[text + 1]], offsets[text]
        if len(pieces) == 0:
            continue
        first = min(np.searchsorted(pieces, base + start[span], side="right"), len(pieces) - 1)
        last = min(max(np.searchsorted(pieces, base + end[span]), first), len(pieces) - 1)
        first_byte[span] = pieces[first - 1] - base if first > 0 else 0
        last_byte[span] = pieces[last] - base
    return first_byte, last_byte
