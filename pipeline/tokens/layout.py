"""What is known of all pieces -> the row of each: which are held out, how often each is taken, and how rows are filled.

documents   -> groups -> trained or held out          `split`: near duplicates and, on wish, sources stay together
documents   -> copies of each                         epochs and shares of the artifacts that are mixed; training only
pieces      -> rows of each split                     packed, joined end to end, or a row each
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.run import Run
from pipeline.timing import phase
from pipeline.tokens import split
from pipeline.tokens.encoded import Encoded
from pipeline.tokens.orders import concatenate, length_grouped, permutation
from pipeline.tokens.packed_rows import place
from pipeline.tokens.packing import pack, shuffled
from pipeline.tokens.rows import Ints, offsets_of

Flags = npt.NDArray[np.bool_]
Packing = Literal["best_fit", "concatenate", "none", "length_grouped"]
GROUPED = 8  # rows of a batch that rows of like length are meant for


@dataclass(frozen=True)
class Wanted:
    """How rows are to be filled."""

    packing: Packing
    sequence_length: int
    seed: int


class Taken(NamedTuple):
    """Pieces as rows take them: `int64` each; the piece, its row, and which of its tokens: all, unless rows are joined."""

    piece: Ints
    row: Ints
    start: Ints
    length: Ints

    @property
    def rows(self) -> int:
        """Return the number of rows."""
        return int(self.row.max()) + 1 if len(self.row) else 0


@phase("hold out")
def held_out(
    encoded: Encoded, share: float, by: Literal["document", "source"], similarity: float | None, work: Path, run: Run
) -> Flags:
    """Say which documents are held out for validation; `bool[documents]`. `work` is a folder to search in."""
    if share == 0:
        return np.zeros(len(encoded.ids), dtype=bool)
    groups = np.arange(len(encoded.ids))
    if similarity is not None:
        groups = split.near([folder / split.NEAR for folder in encoded.folders], similarity, work, run)
    if by == "source":
        groups = split.joined(groups, encoded.sources)
    return split.held_out(encoded.ids, groups, share)


def copies(encoded: Encoded, names: Ints, epochs: Mapping[int, float], mix: Mapping[int, float], held: Flags) -> Ints:
    """Return how often each document is taken into the training rows; `int64[documents]`, 1 for those held out.

    `names` is the number of the artifact of each document. An artifact's documents are taken `epochs` times: of 1.5 epochs, all
    once, and the half whose ids hash lowest once more. `mix` gives the artifacts shares of all training tokens: as many of each
    are taken, after its epochs, as all shares allow.
    """
    times = np.array([epochs.get(number, 1.0) for number in range(int(names.max(initial=-1)) + 1)])
    if mix:
        tokens = np.bincount(names[encoded.document], encoded.length * ~held[encoded.document], len(times)) * times
        shares = np.array([mix.get(number, 0.0) for number in range(len(times))])
        shares /= shares.sum()
        total = min(tokens[number] / shares[number] for number in range(len(times)) if shares[number])
        times = times * np.divide(shares * total, tokens, out=np.zeros(len(times)), where=tokens > 0)
    own = times[names]
    drawn = split.drawn(encoded.ids)
    taken: Ints = np.floor(own).astype(np.int64) + (drawn < own - np.floor(own) - 1e-12)
    return np.where(held, 1, taken)


def taken(encoded: Encoded, chosen: Flags, times: Ints, wanted: Wanted) -> Taken:
    """Fill rows with the pieces of the chosen documents, each as often as its document is taken."""
    counts = np.where(chosen, times, 0)[encoded.document]
    piece = np.repeat(np.arange(len(counts)), counts)
    length = encoded.length[piece].astype(np.int64)
    start, row = np.zeros(len(piece), dtype=np.int64), np.zeros(len(piece), dtype=np.int64)
    if wanted.packing == "best_fit":
        row = shuffled(pack(length, wanted.sequence_length), wanted.seed).astype(np.int64)
    elif wanted.packing == "concatenate":
        order = permutation(len(piece), wanted.seed)
        pieces = concatenate(length[order], wanted.sequence_length)
        whole = offsets_of(length[order])[:-1]
        piece, start = piece[order[pieces.document]], pieces.start - whole[pieces.document]
        row, length = pieces.row, pieces.stop - pieces.start
    else:
        order = permutation(len(piece), wanted.seed)
        if wanted.packing == "length_grouped":
            order = length_grouped(length, GROUPED, wanted.seed)
        row[order] = np.arange(len(piece))
    return Taken(piece, row, start, length)


def place_all(encoded: Encoded, rows: Taken, folder: Path) -> list[Path]:
    """Write for each shard where its pieces go; returns the shards' folders below `folder`."""
    bounds = offsets_of(encoded.pieces)
    order = np.argsort(rows.piece, kind="stable")
    cuts = np.searchsorted(rows.piece[order], bounds)
    folders = []
    for shard in range(len(encoded.folders)):
        own = order[cuts[shard] : cuts[shard + 1]]
        first, last = bounds[shard], bounds[shard + 1]
        number = rows.piece[own] - first
        starts = offsets_of(encoded.length[first:last].astype(np.int64))[:-1][number] + rows.start[own]
        folders.append(folder / f"{shard:05}")
        place(folders[-1], rows.row[own], rows.length[own], starts, number)
    return folders
