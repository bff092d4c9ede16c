"""What is held out, epochs and shares of a mix -> how often each document is taken into the rows of a split, shard by shard.

Nothing is held a document but whether it is held out; the rest follows, when a shard is asked for, from its ids' hashes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.tokens.encoded import Encoded, Hashes
from pipeline.tokens.rows import Ints, offsets_of
from pipeline.tokens.split import drawn

Flags = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Copies:
    """How often documents are taken: those held out once, the others into the training rows as often as their artifact is."""

    encoded: Encoded
    held: Flags  # of each document
    epochs: Values  # of each shard

    def held_of(self, shard: int) -> Flags:
        """Return which of a shard's documents are held out."""
        starts = self.starts
        return self.held[starts[shard] : starts[shard + 1]]

    @property
    def starts(self) -> Ints:
        """Return where each shard's documents begin among all; `int64[shards + 1]`."""
        return offsets_of(self.encoded.documents)

    def pieces(self, shard: int, *, held_out: bool) -> Ints:
        """Return which of a shard's pieces are taken into a split: their numbers in order, each as often as it is taken."""
        held = self.held_of(shard)
        times = held if held_out else np.where(held, 0, times_of(self.encoded.ids(shard), self.epochs[shard]))
        counts = times[self.encoded.document(shard)]
        return np.repeat(np.arange(len(counts)), counts)


def times_of(ids: Hashes, epochs: float) -> Ints:
    """Return how often documents are taken: of 1.5 epochs, all once, and the half whose ids hash lowest once more.

    >>> times_of(np.array([3, 4], np.uint64), 2.0).tolist()
    [2, 2]
    """
    whole = int(epochs)
    times = np.full(len(ids), whole, dtype=np.int64)
    return times if epochs == whole else times + (drawn(ids) < epochs - whole - 1e-12)


def copies(
    encoded: Encoded, names: Sequence[int], epochs: Mapping[int, float], mix: Mapping[int, float], held: Flags
) -> Copies:
    """Return how often each document is taken; `names` is the number of the artifact of each shard.

    An artifact's documents are taken `epochs` times. `mix` gives the artifacts shares of all training tokens: as many of each
    are taken, after its epochs, as all shares allow.
    """
    last = max((name for name, documents in zip(names, encoded.documents, strict=True) if documents), default=-1)
    times = np.array([epochs.get(number, 1.0) for number in range(last + 1)])
    once = Copies(encoded, held, np.ones(len(names)))
    if mix:
        tokens = _tokens(once, names, last + 1) * times
        shares = np.array([mix.get(number, 0.0) for number in range(len(times))], dtype=np.float64)
        shares /= shares.sum()
        total = min(tokens[number] / shares[number] for number in range(len(times)) if shares[number])
        times = times * np.divide(shares * total, tokens, out=np.zeros(len(times)), where=tokens > 0)
    own = [times[name] if name <= last else 0.0 for name in names]
    return Copies(encoded, held, np.array(own))


def _tokens(once: Copies, names: Sequence[int], count: int) -> Values:
    """Return the tokens of each artifact that may be trained."""
    tokens = np.zeros(count)
    for shard, name in enumerate(names):
        if once.encoded.documents[shard]:
            length = once.encoded.length(shard)[once.pieces(shard, held_out=False)]
            tokens[name] += length.sum(dtype=np.int64)
    return tokens
