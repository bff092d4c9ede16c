"""Parts of documents -> how many have an id that stands elsewhere already; sources' own ids need not be unique."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from filters import kernels
from pipeline.documents import strings_of

HELD = 16  # bytes of a document: its id's hash, and once more when those of all parts are put together
SEED = 0x1D5


def repeated_ids(parts: Sequence[Path], most: int) -> int:
    """Count them in rounds, each over a share of all hashes that takes at most so many bytes.

    Two ids that share a hash of 64 bits would count as one: among a billion of them the odds are one in forty.
    """
    documents = sum(pq.read_metadata(part).num_rows for part in parts)
    rounds = max(1, -(-documents * HELD // most))
    return sum(_round(parts, number, rounds) for number in range(rounds))


def _round(parts: Sequence[Path], number: int, rounds: int) -> int:
    """Count those repeated whose hash leaves this number when it is divided by the number of rounds."""
    hashes = np.concatenate([np.zeros(0, np.uint64), *(own[own % rounds == number] for own in map(_hashes, parts))])
    hashes.sort()
    return int((hashes[1:] == hashes[:-1]).sum())


def _hashes(part: Path) -> kernels.Hashes:
    return kernels.hash_texts(strings_of(pq.read_table(part, columns=["id"])["id"]), SEED)
