"""A batch of documents -> tokens of those that stay, and for the ledger why the others go.

A conversation that fails a proof goes (`chat_template`); what is too long, where it is neither split nor truncated
(`sequence_length`); and what trains nothing (`supervised_tokens`).
"""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.documents import EDITS, STRING, flat_text, kind_of, ledger
from pipeline.errors import TokenizerError
from pipeline.tokens.chat import Chat, Unfit
from pipeline.tokens.encoded import Cut, Overlong, cut
from pipeline.tokens.encoding.encoder import Encoder
from pipeline.tokens.masks import TrainOn, encode
from pipeline.tokens.rows import Ints, Tokens, counted, encode_texts
from pipeline.tokens.tool_calls import conversations

FILTERS = ("chat_template", "sequence_length", "supervised_tokens")


@dataclass(frozen=True)
class Bounds:
    """What is trained of a document, how long a row is, and what is done with a document that is longer."""

    sequence_length: int
    train_on: TrainOn
    overlong: Overlong


class Sifted(NamedTuple):
    """The documents of a batch that stay, their rows in it, tokens and pieces, and the ledger's entries for the others."""

    documents: pa.Table
    rows: Ints
    tokens: Tokens
    pieces: Cut
    removed: list[pa.Table]


def sifted(bounds: Bounds, encoder: Encoder, documents: pa.Table) -> Sifted:
    """Encode a batch and sift it; raises `TokenizerError` for a document that is too long and may not be."""
    documents = documents.replace_schema_metadata()
    gone: list[pa.Table] = []
    if kind_of(documents.schema) == "text":
        tokens, rows = encode_texts(encoder, flat_text(documents)[0]), np.arange(documents.num_rows)
        overlong = bounds.overlong.replace("auto", "split")
    else:
        tokens, rows, gone = _conversations(bounds, encoder, documents)
        documents = documents.take(pa.array(rows))
        overlong = bounds.overlong.replace("auto", "drop")
    too_long = (tokens.lengths > bounds.sequence_length) & (overlong in ("drop", "error"))
    if overlong == "error" and too_long.any():
        raise _too_long(documents, tokens, int(too_long.argmax()), bounds.sequence_length)
    pieces = cut(tokens, bounds.sequence_length, overlong)  # type: ignore[arg-type]
    supervised = _supervised(tokens, pieces)
    silent = ~too_long & (supervised == 0)
    gone.append(_entries(documents, too_long, "sequence_length", "tokens", tokens.lengths, f"max {bounds.sequence_length}"))
    gone.append(_entries(documents, silent, "supervised_tokens", "supervised_tokens", supervised, "min 1"))
    stays = ~(too_long | silent)
    if not stays.all():
        tokens, documents, rows = tokens.chosen(stays), documents.filter(pa.array(stays)), rows[stays]
        pieces = cut(tokens, bounds.sequence_length, overlong)  # type: ignore[arg-type]
    return Sifted(documents, rows, tokens, pieces, gone)


def _conversations(bounds: Bounds, encoder: Encoder, documents: pa.Table) -> tuple[Tokens, Ints, list[pa.Table]]:
    chat = Chat(encoder.reference.tokenizer)
    tokens, fit, unfit = encode(chat, conversations(documents), bounds.train_on, encoder)
    return tokens, np.array(fit, dtype=np.int64), [_unfit_entries(documents, unfit)]


def _unfit_entries(documents: pa.Table, unfit: dict[int, Unfit]) -> pa.Table:
    places = sorted(unfit)
    problems = [unfit[place] for place in places]
    evidence = [[{"label": problem.measure, "text": problem.reason, "message": problem.message}] for problem in problems]
    measure = pa.array([problem.measure for problem in problems], STRING)
    entries = documents.take(pa.array(places, pa.int64()))
    return ledger(entries, "chat_template", measure=measure, evidence=evidence)


def _too_long(documents: pa.Table, tokens: Tokens, first: int, most: int) -> TokenizerError:
    return TokenizerError(
        f"{documents['id'][first].as_py()} has {tokens.lengths[first]} tokens, and a row holds {most}. "
        f"Choose a longer --sequence-length, or what else is to be done with --overlong."
    )


def _entries(
    documents: pa.Table, flags: npt.NDArray[np.bool_], filter_: str, measure: str, values: Ints, bound: str
) -> pa.Table:
    value = pa.array(values[flags].astype(np.float64))
    return ledger(documents.filter(pa.array(flags)), filter_, measure=measure, value=value, bound=bound)


def _supervised(tokens: Tokens, cut: Cut) -> Ints:
    """Return how many supervised tokens of each document are predicted in the pieces of it."""
    pieces = cut.pieces
    of_piece = counted(tokens.supervised, np.minimum(pieces.start + 1, pieces.stop), pieces.stop)
    sums: Ints = np.bincount(pieces.document, of_piece, len(tokens.lengths)).astype(np.int64)
    return sums


def truncated(batch: Sifted, lost: Counter[str]) -> pa.Table:
    """Count what truncation took, and return what is to be noted of the documents that it cut (`EDITS`)."""
    documents, _, tokens, pieces, _ = batch
    rows = np.flatnonzero(pieces.lost)
    ends = tokens.offsets[1:][rows]
    supervised = counted(tokens.supervised, ends - pieces.lost[rows], ends)
    lost.update({"documents": len(rows), "tokens": int(pieces.lost.sum()), "supervised_tokens": int(supervised.sum())})
    evidence = [
        [{"label": "tokens", "text": f"{gone} of {length} tokens, {own} of them supervised", "message": None}]
        for gone, length, own in zip(pieces.lost[rows], tokens.lengths[rows], supervised, strict=True)
    ]
    ids = documents["id"].take(pa.array(rows)).combine_chunks()
    columns = [ids, *(pa.repeat(pa.scalar(word, STRING), len(rows)) for word in ("sequence_length", "truncate"))]
    return pa.table([*columns, pa.array(evidence, EDITS.field("evidence").type)], schema=EDITS)
