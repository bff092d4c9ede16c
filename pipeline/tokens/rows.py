"""Documents' tokens -> rows a trainer takes: windows no longer than the sequence length, in Arrow lists over flat buffers.

Tokens of many documents lie side by side in one array; `offsets` says where each document begins. Rows are ranges of it.
A row's first token has none before it that could predict it, so it is never counted as supervised.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.tokens.encoding.encoder import Encoder

SHORTEST = 3  # tokens of a sequence: so can every document of 2 tokens or more be cut into windows of 2 or more
IGNORED = -100  # the label that the loss passes over: `ignore_index` of torch.nn.CrossEntropyLoss
Ints = npt.NDArray[np.int64]
TOKEN_LISTS = pa.list_(pa.int32())
INDEX = pa.schema(
    [
        pa.field("split", pa.string(), nullable=False),
        pa.field("row", pa.int64(), nullable=False),
        pa.field("document", pa.large_string(), nullable=False),
        pa.field("artifact", pa.string(), nullable=False),
        pa.field("window", pa.int32(), nullable=False),
        pa.field("length", pa.int32(), nullable=False),
        pa.field("supervised_tokens", pa.int32(), nullable=False),
    ]
)


class Tokens(NamedTuple):
    """Tokens of documents, side by side: `int32[tokens]` ids, `bool[tokens]` supervised, `int64[documents + 1]` offsets."""

    ids: npt.NDArray[np.int32]
    supervised: npt.NDArray[np.bool_]
    offsets: Ints

    @property
    def lengths(self) -> Ints:
        """Return the number of tokens of each document."""
        return np.diff(self.offsets)

    def chosen(self, documents: npt.NDArray[np.bool_]) -> "Tokens":
        """Return the tokens of the chosen documents alone."""
        if documents.all():
            return self
        stays = np.repeat(documents, self.lengths)
        return Tokens(self.ids[stays], self.supervised[stays], offsets_of(self.lengths[documents]))


class Rows(NamedTuple):
    """Rows as ranges of documents' tokens: `int64[rows]` document, its window, start and stop in the flat arrays."""

    document: Ints
    window: Ints
    start: Ints
    stop: Ints


def concatenated(parts: Sequence[Tokens]) -> Tokens:
    """Lay the tokens of several batches side by side.

    >>> one = Tokens(np.array([7], np.int32), np.array([True]), np.array([0, 1]))
    >>> concatenated([one, one]).offsets.tolist()
    [0, 1, 2]
    """
    ids = np.concatenate([part.ids for part in parts] or [np.zeros(0, np.int32)])
    supervised = np.concatenate([part.supervised for part in parts] or [np.zeros(0, np.bool_)])
    lengths = np.concatenate([part.lengths for part in parts] or [np.zeros(0, np.int64)])
    return Tokens(ids, supervised, offsets_of(lengths))


def offsets_of(lengths: Ints) -> Ints:
    """Return where each of some neighbours begins, and where the last one ends.

    >>> offsets_of(np.array([2, 3])).tolist()
    [0, 2, 5]
    """
    offsets: Ints = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return offsets


def counted(flags: npt.NDArray[np.bool_], start: Ints, stop: Ints) -> Ints:
    """Return how many flags are set in each range.

    >>> counted(np.array([True, False, True]), np.array([0, 1]), np.array([3, 2])).tolist()
    [2, 0]
    """
    if flags.all():  # as those of texts are; summing 55 M flags seven times took a tenth of a run
        return stop - start
    sums = np.concatenate([[0], np.cumsum(flags, dtype=np.int64)])
    counts: Ints = sums[stop] - sums[start]
    return counts


def predicted(supervised: npt.NDArray[np.bool_], start: Ints, stop: Ints) -> Ints:
    """Return how many supervised tokens of each row are predicted: all but its first one.

    >>> predicted(np.array([True, True, True]), np.array([0, 2, 3]), np.array([2, 3, 3])).tolist()
    [1, 0, 0]
    """
    return counted(supervised, np.minimum(start + 1, stop), stop)


def windows(offsets: Ints, chosen: npt.NDArray[np.bool_], length: int) -> Rows:
    """Cut the chosen documents into windows of at most `length` tokens; no token is lost, none stands in two windows.

    A last window of one token, which would train nothing, takes another one from the window before; `length` is at least
    `SHORTEST`.

    >>> rows = windows(np.array([0, 7, 9]), np.array([True, True]), 3)
    >>> rows.document.tolist(), rows.window.tolist(), rows.start.tolist(), rows.stop.tolist()
    ([0, 0, 0, 1], [0, 1, 2, 0], [0, 3, 5, 7], [3, 5, 7, 9])
    """
    pieces = np.where(chosen, -(-np.diff(offsets) // length), 0)
    document = np.repeat(np.arange(len(pieces)), pieces)
    window = np.arange(len(document)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    start = offsets[document] + window * length
    end = offsets[document + 1]
    start -= (window > 0) & (end - start == 1)
    last = window == pieces[document] - 1
    return Rows(document, window, start, np.where(last, end, np.roll(start, -1)))


def encode_texts(encoder: Encoder, texts: pa.Array) -> Tokens:
    """Encode texts (`large_string`) as the tokenizer itself does, each ended by its EOS token, if any; all are supervised.

    A control token is never made of a text's characters: a page that spells one does not steer the model.
    """
    ids, offsets = encoder.texts(texts)
    return Tokens(ids, np.ones(len(ids), dtype=bool), offsets)
