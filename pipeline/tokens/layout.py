"""What is known of all pieces -> the row of each: which are held out, and how rows are filled.

documents   -> groups -> trained or held out          `split`: near duplicates and, on wish, sources stay together
documents   -> copies of each                         `copies`: epochs and shares of the artifacts that are mixed
pieces      -> rows of each split                     packed, joined end to end, or a row each

All pieces must be known before any has a row. While rows are filled a dozen bytes a piece are held, and four when that is
done; what else there is to say of a piece is read from its shard's folder when it is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from pipeline.run import Run
from pipeline.timing import phase
from pipeline.tokens import near, split
from pipeline.tokens.copies import Copies, Flags
from pipeline.tokens.encoded import Encoded, place_of
from pipeline.tokens.orders import concatenate, end_to_end, inverse, length_grouped, permutation
from pipeline.tokens.packed_rows import Int32s, Places, place
from pipeline.tokens.packing import pack, shuffled
from pipeline.tokens.rows import Ints, offsets_of

Packing = Literal["best_fit", "concatenate", "none", "length_grouped"]
GROUPED = 8  # rows of a batch that rows of like length are meant for


@dataclass(frozen=True)
class Wanted:
    """How rows are to be filled."""

    packing: Packing
    sequence_length: int
    seed: int


@phase("hold out")
def held_out(
    encoded: Encoded,
    parents: Sequence[Path],
    share: float,
    by: Literal["document", "source"],
    similarity: float | None,
    work: Path,
    run: Run,
) -> Flags:
    """Say which documents are held out for validation; `bool[documents]`.

    `parents` are the shards that they come from; `work` is a folder to search in.
    """
    shards = range(len(encoded.folders))
    groups = None
    if share > 0 and similarity is not None:
        groups = near.groups(list(map(place_of, parents, encoded.folders)), similarity, work, run)
    if share > 0 and by == "source":
        groups = split.joined(groups, np.concatenate([encoded.sources(shard) for shard in shards]))
    return split.held_out_of(map(encoded.ids, shards), groups, share)


@dataclass(frozen=True)
class Taken:
    """The pieces that a split takes, shard after shard in their order, and where they go.

    `to` is the row of each, `int32`; or where they are `joined` end to end, in rows of so many tokens, its place among all
    tokens, `int64`.
    """

    copies: Copies
    held_out: bool
    bounds: Ints  # of each shard's among all
    to: npt.NDArray[np.int32] | Ints
    rows: int
    joined: int | None = None

    def of(self, shard: int) -> Places:
        """Return where a shard's pieces go, in their order."""
        number, length = self.copies.pieces(shard, held_out=self.held_out), self.copies.encoded.length(shard).astype(np.int64)
        start, length = offsets_of(length)[:-1][number], length[number]
        to = self.to[self.bounds[shard] : self.bounds[shard + 1]].astype(np.int64)
        if self.joined is None:
            return Places(to, start, length, number)
        order = np.lexsort((to, number))
        row, own, first, stop = concatenate(length[order], self.joined, to[order])
        own, first, length = order[own], first - to[order][own], stop - first
        return Places(row, start[own] + first, length, number[own])


def taken(copies: Copies, wanted: Wanted, *, held_out: bool) -> Taken:
    """Fill rows with the pieces of a split's documents, each as often as its document is taken."""
    lengths, bounds = _lengths(copies, held_out)
    if wanted.packing == "concatenate":
        to = end_to_end(lengths, permutation(len(lengths), wanted.seed))
        rows = -(-int(lengths.sum(dtype=np.int64)) // wanted.sequence_length)
        return Taken(copies, held_out, bounds, to, rows, wanted.sequence_length)
    row = _rows(lengths, wanted)
    return Taken(copies, held_out, bounds, row, int(row.max(initial=-1)) + 1)


def _lengths(copies: Copies, held_out: bool) -> tuple[Int32s, Ints]:
    """Return the tokens of the pieces that a split takes, and where each shard's begin."""
    parts = [
        copies.encoded.length(shard)[copies.pieces(shard, held_out=held_out)] for shard in range(len(copies.encoded.folders))
    ]
    return np.concatenate([np.zeros(0, np.int32), *parts]), offsets_of(np.array([len(part) for part in parts], np.int64))


def _rows(lengths: Int32s, wanted: Wanted) -> Int32s:
    if wanted.packing == "best_fit":
        return shuffled(pack(lengths, wanted.sequence_length), wanted.seed)
    if wanted.packing == "length_grouped":
        return inverse(length_grouped(lengths, GROUPED, wanted.seed))
    return inverse(permutation(len(lengths), wanted.seed))


def place_all(rows: Taken, folder: Path) -> None:
    """Write for each shard where its pieces go, into a folder below `folder`."""
    for shard, own in enumerate(rows.copies.encoded.folders):
        to = rows.of(shard)
        place(folder / own.name, to.row, to.length, to.start, to.number)
