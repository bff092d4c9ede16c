"""What a spans filter found in a batch, as columns; and pieces of text as the ledger shows them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters import kernels
from filters.kernels import kernel
from pipeline.cleaning.looking import Ints, flattened
from pipeline.documents import EVIDENCE, STRING

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Hits:
    """Spans in a batch: of each, its document, its text in the flat array, its message, its bytes in the text, its label."""

    document: Ints
    text: Ints
    message: Ints
    start: Ints
    end: Ints
    label: pa.Array

    def where(self, chosen: Mask) -> "Hits":
        """Return some of the hits; where that is all of them nothing is copied."""
        if chosen.all():
            return self
        document, text, message = self.document[chosen], self.text[chosen], self.message[chosen]
        return Hits(document, text, message, self.start[chosen], self.end[chosen], self.label.filter(pa.array(chosen)))


def hits_of(answer: pa.Table, offsets: Ints, message: Ints) -> Hits:
    """Return the spans of a filter's answer; `offsets` and `message` as `documents.flat_text` gives them."""
    document, text, entries = flattened(answer["spans"], offsets)
    return Hits(
        document,
        text,
        message[text],
        entries.field("start").to_numpy(),
        entries.field("end").to_numpy(),
        entries.field("label"),
    )


def evidence(texts: pa.Array, hits: Hits, documents: int, *, silent: bool = False) -> pa.Array:
    """Return the hits of each document as the ledger has them; `silent` ones keep what was found to themselves."""
    found = pa.nulls(len(hits.document), STRING) if silent else excerpts(texts, hits.text, hits.start, hits.end)
    columns = [hits.label, found, pa.array(hits.message, pa.int32()), pa.array(hits.start), pa.array(hits.end)]
    entries = pa.StructArray.from_arrays(columns, fields=list(EVIDENCE.value_type))
    bounds = np.searchsorted(hits.document, np.arange(documents + 1)).astype(np.int32)
    none = np.append(np.diff(bounds) == 0, False)
    return pa.ListArray.from_arrays(pa.array(bounds, mask=none), entries, type=EVIDENCE)


def excerpts(texts: pa.Array, text: Ints, start: Ints, end: Ints) -> pa.Array:
    """Return pieces of texts, by their bytes; what is not UTF-8 in them is shown as U+FFFD."""
    data, offsets = kernels.buffers(texts)
    found = kernels.strings(*_excerpts(data, offsets[text] + start, offsets[text] + end))
    try:
        found.validate(full=True)
    except pa.ArrowInvalid:
        pieces = found.cast(pa.large_binary()).to_pylist()
        return pa.array([piece.decode("utf-8", "replace") for piece in pieces], STRING)
    return found


@kernel
def _excerpts(data: kernels.Bytes, start: Ints, end: Ints) -> tuple[kernels.Bytes, Ints]:
    bounds = np.zeros(len(start) + 1, dtype=np.int64)
    for piece in range(len(start)):
        bounds[piece + 1] = bounds[piece] + end[piece] - start[piece]
    out = np.empty(bounds[-1], dtype=np.uint8)
    for piece in range(len(start)):
        out[bounds[piece] : bounds[piece + 1]] = data[start[piece] : end[piece]]
    return out, bounds
