"""Piecewise: a filter that finds spans in texts -> the same spans, found in the pieces of huge texts one after the other."""

from collections.abc import Callable

import numpy as np

from filters import kernels
from filters.kernels import Bytes, pieces
from filters.kinds import Spans, Texts


def piecewise(texts: Texts, last: Bytes, look: Callable[[Texts], Spans]) -> Spans:
    r"""Let `look` find spans in texts; huge ones are cut behind code points in `last` (see `kernels.pieces`).

    No span may reach over such a cut, nor what decides on one.

    >>> import pyarrow as pa
    >>> def breaks(texts):
    ...     row = np.array([number for number, text in enumerate(texts.to_pylist()) if text == "\n"], dtype=np.int64)
    ...     return Spans(row, row * 0, row * 0 + 1, row * 0, ["break"])
    >>> piecewise(pa.array(["a", "\n"], pa.large_string()), pieces.behind("\n"), breaks).text
    array([1])
    """
    data, offsets = kernels.buffers(texts)
    cut = pieces.pieces(data, offsets, last)
    found = []
    for first, end in pieces.groups(cut.offsets):
        own = look(kernels.strings(data, cut.offsets[first : end + 1]))
        text = cut.text_of(first + own.text)
        moved = cut.offsets[first + own.text] - offsets[text]
        found.append((text, own.start + moved, own.end + moved, own.label))
    text, start, end_, label = (np.concatenate(columns) for columns in zip(*found, strict=True))
    return Spans(text, start, end_, label, own.labels)
