"""Texts and conversations without what was found in them, and which of them say nothing any more."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import kernels
from filters.kernels import kernel
from filters.kinds import Spans
from filters.widening import to_lines, to_sentences
from pipeline.cleaning.hits import Hits, Mask
from pipeline.cleaning.looking import Ints
from pipeline.documents import messages_of, with_messages


def widened(action: str, texts: pa.Array, hits: Hits) -> Hits:
    """Widen hits to what is cut, each piece of text once, with the first hit's label."""
    label = np.arange(len(hits.text))
    spans = Spans(hits.text, hits.start, hits.end, label, [])
    if action == "strip_sentence":
        spans = to_sentences(texts, spans)
    elif action in ("strip_line", "truncate"):
        spans = to_lines(texts, spans)
    ends = kernels.buffers(texts)[1]
    end = ends[spans.text + 1] - ends[spans.text] if action == "truncate" else spans.end
    order = np.lexsort((spans.label, spans.start, spans.text))
    chosen, last = _merged(order, spans.text, spans.start, end, not_touching=action == "redact")
    return Hits(
        hits.document[spans.label[chosen]], spans.text[chosen], hits.message[spans.label[chosen]], spans.start[chosen], last,
        hits.label.take(pa.array(spans.label[chosen])),
    )  # fmt: skip


@kernel
def _merged(order: Ints, text: Ints, start: Ints, end: Ints, not_touching: bool) -> tuple[Ints, Ints]:
    """Merge spans, taken in order, that overlap or, unless `not_touching`, meet: the first of each run, and where it ends."""
    first, last = np.empty(len(order), dtype=np.int64), np.empty(len(order), dtype=np.int64)
    runs = 0
    for span in order:
        joined = runs > 0 and text[first[runs - 1]] == text[span]
        if joined and (start[span] < last[runs - 1] or (start[span] == last[runs - 1] and not not_touching)):
            last[runs - 1] = max(last[runs - 1], end[span])
        else:
            first[runs], last[runs], runs = span, end[span], runs + 1
    return first[:runs].copy(), last[:runs].copy()


def without(texts: pa.Array, cut: Hits, placeholders: pa.Array | None) -> pa.Array:
    """Return texts without spans, or with a placeholder in the place of each."""
    data, offsets = kernels.buffers(texts)
    if not len(cut.text):
        return texts
    fill, fill_offsets = kernels.buffers(placeholders) if placeholders is not None else _nothing(len(cut.text))
    bounds = np.searchsorted(cut.text, np.arange(len(texts) + 1))
    return kernels.strings(*_replaced(data, offsets, bounds, cut.start, cut.end, fill, fill_offsets, placeholders is None))


def _nothing(spans: int) -> tuple[kernels.Bytes, Ints]:
    return np.zeros(0, dtype=np.uint8), np.zeros(spans + 1, dtype=np.int64)


@kernel
def _replaced(
    data: kernels.Bytes,
    offsets: Ints,
    bounds: Ints,
    start: Ints,
    end: Ints,
    fill: kernels.Bytes,
    fill_offsets: Ints,
    trim: bool,
) -> tuple[kernels.Bytes, Ints]:
    """Copy texts without their spans, and something in the place of each; with `trim`, no blanks before a cut end."""
    out = np.empty(offsets[-1] - offsets[0] + fill_offsets[-1] - fill_offsets[0], dtype=np.uint8)
    out_offsets = np.zeros(len(offsets), dtype=np.int64)
    to = 0
    for text in range(len(offsets) - 1):
        base, at, begin = offsets[text], offsets[text], to
        for span in range(bounds[text], bounds[text + 1]):
            size = base + start[span] - at
            out[to : to + size] = data[at : at + size]
            to += size
            size = fill_offsets[span + 1] - fill_offsets[span]
            out[to : to + size] = fill[fill_offsets[span] : fill_offsets[span + 1]]
            to, at = to + size, base + end[span]
        size = offsets[text + 1] - at
        out[to : to + size] = data[at : at + size]
        to += size
        if trim and size == 0 and bounds[text] < bounds[text + 1]:
            while to > begin and (out[to - 1] == 32 or 9 <= out[to - 1] <= 13):
                to -= 1
        out_offsets[text + 1] = to
    return out[:to], out_offsets


def emptied(before: pa.Array, after: pa.Array, offsets: Ints, cut: Hits) -> Mask:
    """Say of each document whether a text of it that said something says nothing now."""
    nothing = np.zeros(len(offsets) - 1, dtype=bool)
    touched = np.unique(cut.text)
    now, then = (_blank(*kernels.buffers(texts), touched, kernels.classes()) for texts in (after, before))
    rows = touched[now & ~then]
    nothing[np.searchsorted(offsets, rows, side="right") - 1] = True
    return nothing


@kernel
def _blank(data: kernels.Bytes, offsets: Ints, rows: Ints, classes: kernels.Bytes) -> Mask:
    """Say of each of some texts whether nothing but white space stands in it."""
    blank = np.ones(len(rows), dtype=np.bool_)
    for number in range(len(rows)):
        at, end = offsets[rows[number]], offsets[rows[number] + 1]
        while at < end and blank[number]:
            code, at = kernels.decode(data, at, end)
            blank[number] = code < len(classes) and classes[code] == kernels.SPACE
    return blank


def shortened(documents: pa.Table, hits: Hits) -> tuple[pa.Table, Hits, Mask]:
    """End conversations before the turn with the first hit, and before what the assistant leaves without an answer then."""
    first = np.concatenate([[True], hits.document[1:] != hits.document[:-1]]) if len(hits.document) else np.zeros(0, dtype=bool)
    cut = hits.where(first)
    values, offsets = messages_of(documents)
    length = np.diff(offsets)
    length[cut.document] = cut.message
    assistant = pc.equal(values.field("role"), "assistant").to_numpy(zero_copy_only=False)
    _end_with_an_answer(offsets, length, cut.document, assistant)
    place = np.arange(len(values)) - np.repeat(offsets[:-1], np.diff(offsets))
    kept = values.filter(pa.array(place < np.repeat(length, np.diff(offsets))))
    after = with_messages(documents, kept, np.concatenate([[0], np.cumsum(length)]))
    return after, cut, length == 0


@kernel
def _end_with_an_answer(offsets: Ints, length: Ints, cut: Ints, assistant: Mask) -> None:
    for document in cut:
        while length[document] > 0 and not assistant[offsets[document] + length[document] - 1]:
            length[document] -= 1
