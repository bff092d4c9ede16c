"""A step's filter looks at documents -> its answer as a table with a row a document, ready to be kept and taken from.

    rewrite     changes: list<struct<text, after>>      the texts that changed, by their place in the document
    measure     a column a measure                      float64, or a label
    spans       spans: list<struct<text, start, end, label>>, failed
    duplicates  keys: fixed_size_list<uint64>, eligible, bytes
    recurring   pieces: list<struct<text, start, end, key>>

Filters see one flat array of texts; in an answer a text is known by its place in its document, so an answer holds whichever
documents stand around it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.kinds import Keyed, Spans
from pipeline.cleaning.picking import taken
from pipeline.cleaning.plan import Step
from pipeline.documents import STRING, Part, flat_text, one_chunk
from pipeline.errors import FilterError

Ints = npt.NDArray[np.int64]


def look(step: Step, documents: pa.Table) -> pa.Table:
    """Let a step's filter look at documents; raises `FilterError` for an answer that is none."""
    texts, offsets, _ = flat_text(documents, step.on, part_of(step), calls=step.filter.kind == "duplicates")
    match step.filter.kind:
        case "rewrite":
            return _changes(texts, offsets, step.filter.function(texts, **step.settings))
        case "measure":
            return _values(step, step.filter.function(texts, offsets, **step.settings))
        case "spans":
            return _spans(offsets, step.filter.function(texts, **step.settings))
        case "recurring":
            return _pieces(offsets, step.filter.function(texts, **step.settings))
    return _keys(texts, offsets, step.filter.function(texts, offsets, **step.settings))


def part_of(step: Step) -> Part:
    """Return the part of a conversation that a step is about."""
    part: Part = step.bounds.get("key", "conversation")
    return part


def flattened(lists: pa.ChunkedArray | pa.Array, offsets: Ints) -> tuple[Ints, Ints, pa.StructArray]:
    """Return of a column of lists: the document of each entry, the flat text that it is in, and the entries."""
    column = one_chunk(lists)
    document = pc.list_parent_indices(column).to_numpy().astype(np.int64, copy=False)
    ends = column.offsets
    entries = column.values.slice(ends[0].as_py(), ends[-1].as_py() - ends[0].as_py())  # `list_flatten` copies
    return document, offsets[document] + entries.field("text").to_numpy(), entries


def _changes(before: pa.Array, offsets: Ints, after: pa.Array) -> pa.Table:
    same = after is before
    changed = (
        np.zeros(0, dtype=np.int64) if same else np.flatnonzero(pc.not_equal(after, before).to_numpy(zero_copy_only=False))
    )
    document, text = _places(changed, offsets)
    return pa.table({"changes": _lists(document, len(offsets) - 1, text=text, after=taken(after, changed))})


def _values(step: Step, answer: Any) -> pa.Table:  # noqa: ANN401  an array, or a mapping of arrays
    named = {name: answer[name] for name in step.filter.names} if step.filter.names else {step.filter.name: answer}
    for name, values in named.items():
        if isinstance(values, np.ndarray) and np.isnan(values).any():
            count = int(np.isnan(values).sum())
            raise FilterError(f"{step.filter.name}: {name} answered {count} documents with no number (NaN).")
    return pa.table({name: pa.array(values) for name, values in named.items()})


def _spans(offsets: Ints, found: Spans) -> pa.Table:
    document, text = _places(found.text, offsets)
    labels = pa.array(found.labels, STRING).take(pa.array(found.label))
    spans = _lists(document, len(offsets) - 1, text=text, start=found.start, end=found.end, label=labels)
    failed: list[str | None] = [None] * (len(offsets) - 1)
    for row, reason in found.failed:
        failed[int(np.searchsorted(offsets, row, side="right")) - 1] = reason
    return pa.table({"spans": spans, "failed": pa.array(failed, STRING)})


def _pieces(offsets: Ints, found: Keyed) -> pa.Table:
    document, text = _places(found.text, offsets)
    return pa.table({"pieces": _lists(document, len(offsets) - 1, text=text, start=found.start, end=found.end, key=found.key)})


def _keys(texts: pa.Array, offsets: Ints, keys: npt.NDArray[np.uint64]) -> pa.Table:
    length = np.concatenate([[0], np.cumsum(pc.binary_length(texts).to_numpy())]).astype(np.int64)
    listed = pa.FixedSizeListArray.from_arrays(pa.array(keys.reshape(-1)), keys.shape[1])
    return pa.table({"keys": listed, "eligible": np.diff(offsets) > 0, "bytes": np.diff(length[offsets])})


def _places(text: Ints, offsets: Ints) -> tuple[Ints, Ints]:
    """Return the document of each flat text, and the text's place in it."""
    document = np.searchsorted(offsets, text, side="right") - 1
    return document, text - offsets[document]


def _lists(document: Ints, documents: int, **columns: Any) -> pa.LargeListArray:  # noqa: ANN401  arrays
    """Return a list of structs for each document; the entries are in order of the documents."""
    bounds = np.searchsorted(document, np.arange(documents + 1))
    arrays = [pa.array(column) for column in columns.values()]
    return pa.LargeListArray.from_arrays(pa.array(bounds), pa.StructArray.from_arrays(arrays, names=list(columns)))
