"""Spans -> what the stage does about them: drop, strip, strip_sentence, strip_line, truncate, redact.

    drop             a document whose hits lie outside the bounds goes; every action does that where bounds are set
    strip            the span is cut out of the text; strip_sentence, strip_line: all of the sentence or line that it touches
    truncate         a conversation ends before the turn with the first hit, and before the question it answers; a text before
                     the line
    redact           the span gives way to a placeholder: "[{label}]"

What was cut is written down with its place. A document from which everything was cut goes, and a conversation in which a turn
was emptied.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.word_count import word_count
from pipeline.cleaning.batches import SHARD
from pipeline.cleaning.bounds import span_bounds
from pipeline.cleaning.cutting import emptied, shortened, widened, without
from pipeline.cleaning.hits import Hits, Mask, evidence, hits_of
from pipeline.cleaning.looking import Ints
from pipeline.cleaning.picking import chosen
from pipeline.cleaning.plan import Step
from pipeline.documents import EDITS, EVIDENCE, STRING, flat_text, ledger, with_texts

MOST_EVIDENCE = 100  # spans a removed document in the ledger; `value` counts them all


@dataclass
class Deed:
    """What became of documents: those that stay as they are now, which those are, and what was written down."""

    documents: pa.Table
    stays: Mask
    removed: list[pa.Table] = field(default_factory=list)
    rejected: list[pa.Table] = field(default_factory=list)
    edits: list[pa.Table] = field(default_factory=list)
    changed: int = 0


def act(step: Step, documents: pa.Table, answer: pa.Table) -> Deed:
    """Act on what a spans filter found."""
    texts, offsets, message = flat_text(documents, step.on)
    hits = hits_of(answer, offsets, message)
    failed = answer["failed"].is_valid().to_numpy()
    stays = ~failed
    deed = Deed(documents, stays)
    if failed.any():
        deed.rejected.append(refused(step, chosen(documents, failed), answer["failed"].drop_null()))
    for measure, end, bound in span_bounds(step.bounds):
        values = _values(measure, hits, texts, offsets)
        gone = stays & (values < bound if end == "min" else values > bound)
        if gone.any():
            deed.removed.append(_removed(step, documents, gone, texts, hits, measure, values, f"{end} {bound:.15g}"))
            stays &= ~gone
    if step.bounds["action"] == "drop":
        deed.documents = chosen(documents, stays)
        return deed
    return _altered(step, documents, texts, offsets, hits.where(stays[hits.document]), deed)


def _values(measure: str, hits: Hits, texts: pa.Array, offsets: Ints) -> npt.NDArray[np.float64]:
    count = np.bincount(hits.document, minlength=len(offsets) - 1).astype(np.float64)
    return count if measure == "hits" else count * 1000 / np.maximum(1, word_count(texts, offsets))


def rejected_schema(documents: pa.Schema) -> pa.Schema:
    """Return the schema of documents that a filter could not look at: their own columns, the filter, and the reason.

    A document's own column of such a name is `own_filter`, `own_error` here.
    """
    own = [field.with_name(f"own_{field.name}") if field.name in ("filter", "error") else field for field in documents]
    return pa.schema([*own, pa.field("filter", STRING), pa.field("error", STRING)])


def refused(step: Step, documents: pa.Table, errors: pa.ChunkedArray) -> pa.Table:
    """Return documents that a filter could not look at, with the reason."""
    names = pa.repeat(pa.scalar(step.filter.name, STRING), documents.num_rows)
    return pa.table([*documents.columns, names, errors], schema=rejected_schema(documents.schema))


def _removed(
    step: Step, documents: pa.Table, gone: Mask, texts: pa.Array, hits: Hits, measure: str, values: npt.NDArray[np.float64],
    bound: str,
) -> pa.Table:  # fmt: skip
    first = np.searchsorted(hits.document, hits.document)
    shown = hits.where(gone[hits.document] & (np.arange(len(hits.document)) - first < MOST_EVIDENCE))
    told = evidence(texts, shown, documents.num_rows).filter(pa.array(gone))
    return ledger(chosen(documents, gone), step.filter.name, measure=measure, value=values[gone], bound=bound, evidence=told)


def _altered(step: Step, documents: pa.Table, texts: pa.Array, offsets: Ints, hits: Hits, deed: Deed) -> Deed:
    """Cut, and write down what was cut; then let those go of which nothing is left."""
    action = step.bounds["action"]
    if action == "truncate" and "messages" in documents.column_names:
        after, cut, blank = shortened(documents, hits)
    else:
        cut = widened(action, texts, hits)
        changed_texts = without(texts, cut, _placeholders(step, cut.label) if action == "redact" else None)
        blank = emptied(texts, changed_texts, offsets, cut)
        after = with_texts(documents, changed_texts, step.on) if len(cut.text) else documents
    altered = np.zeros(documents.num_rows, dtype=bool)
    altered[cut.document] = True
    gone = deed.stays & blank
    told = evidence(texts, cut, documents.num_rows, silent=action == "redact")
    if gone.any():
        why: dict[str, Any] = {"measure": "text left", "value": np.zeros(int(gone.sum())), "bound": "min 1"}
        deed.removed.append(ledger(chosen(documents, gone), step.filter.name, **why, evidence=told.filter(pa.array(gone))))
        deed.stays &= ~gone
    kept = altered & deed.stays
    deed.edits.append(edits(documents, np.flatnonzero(kept), step.filter.name, action, chosen(told, kept)))
    deed.changed = int(kept.sum())
    deed.documents = chosen(after, deed.stays)
    return deed


def edits_schema(documents: pa.Schema) -> pa.Schema:
    """Return the schema of what was altered in documents, with the column that tells shards apart, if they have it."""
    return pa.schema([*EDITS, *(field for field in documents if field.name == SHARD)])


def edits(documents: pa.Table, rows: Ints, filter_: str, action: str, told: pa.Array | None = None) -> pa.Table:
    """Return rows of what was altered in documents that stay, those in some rows."""
    schema = edits_schema(documents.schema)
    ids, *shards = (documents[name].take(pa.array(rows)) for name in ("id", *schema.names[len(EDITS) :]))
    said = [pa.repeat(pa.scalar(word, STRING), len(rows)) for word in (filter_, action)]
    return pa.table([ids, *said, pa.nulls(len(rows), EVIDENCE) if told is None else told, *shards], schema=schema)


def _placeholders(step: Step, labels: pa.Array) -> pa.Array:
    distinct = labels.dictionary_encode()
    filled = [step.bounds["placeholder"].replace("{label}", label) for label in distinct.dictionary.to_pylist()]
    return pa.array(filled, STRING).take(distinct.indices)
