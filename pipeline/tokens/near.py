"""Documents -> groups of those that near duplicates lead to one another, so that none of them is held out without the others.

Buckets are those of `pipeline.exchange`. Keys are made while documents are encoded, and sets when it is known which of them are
candidates: a set has eight bytes a word, more than the text. What is alike is connected in `pipeline.tokens.connecting`.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from filters.kinds import Sets
from filters.minhash import near_duplicates, shingles
from pipeline.artifacts import save
from pipeline.documents import Offsets, flat_text
from pipeline.engine.memory import Weighed
from pipeline.exchange import Exchange, Hashes, Int32s, Ints, begun, buckets, most_of, parts
from pipeline.run import Run
from pipeline.tokens.connecting import connected
from pipeline.tokens.parents import batches

BANDS, ROWS = 40, 4  # find 92.5 % of the pairs of Jaccard similarity 0.5, 99.6 % at 0.6, all but one of 60,000 at 0.7
NEAR = "near"


class Place(NamedTuple):
    """A shard that takes part in the search.

    `documents` is a parent's shard, and `rows` a file of those of its rows that take part, `int32` (None: all); `work` is the
    folder and name of what the search writes of it.
    """

    documents: Path
    work: Path
    rows: Path | None = None

    def file(self, name: str) -> Path:
        """Return the path of a file that the search writes."""
        return _file(self.work, name)


def keys(texts: pa.LargeStringArray, offsets: Offsets) -> Hashes:
    """Return the bucket keys of some documents; `uint64[documents, bands]`."""
    return near_duplicates(texts, offsets, bands=BANDS, rows=ROWS)


def write_keys(parts: Sequence[Hashes], work: Path) -> None:
    """Write the bucket keys of a shard's documents, which come in one part or several."""
    save(np.ascontiguousarray(np.concatenate(parts).T), _file(work, "keys"))


def _file(work: Path, name: str) -> Path:
    return work.with_name(f"{work.name}.{name}.npy")


def groups(places: Sequence[Place], threshold: float, work: Path, run: Run | None = None) -> Int32s:
    """Return for each document the least one that near duplicates lead to; `int32[documents]`, over all shards in order.

    `work` is a folder for what the search writes; what it holds is bounded (see `pipeline.exchange`). Tasks are done by the
    engine of a run, or here.
    """
    files = ([place.file(name) for place in places] for name in ("keys", "sets"))
    exchange = begun(Exchange(work, NEAR, most=most_of(run.memory if run else None)), *files)
    starts = exchange.starts()
    save(np.ones(starts[-1], dtype=bool), exchange.file("eligible.npy"), durable=False)
    workers, map_ = (run.engine.workers, partial(_mapped, exchange, run)) if run else (1, map)
    candidates = buckets.find(exchange, workers, map_)
    items = list(zip(places, pairwise(exchange.candidates_before(starts).tolist()), starts.tolist(), strict=False))
    parts.write_offsets(exchange, map_(partial(_sets, exchange), items))
    least = np.arange(starts[-1], dtype=np.int32)
    for edges in connected(exchange, threshold, workers, map_):
        one, other = candidates[edges.T]
        least[one] = other
    return least


def _mapped(exchange: Exchange, run: Run, task: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
    answers = run.engine.map(Weighed(task, exchange.need), items)
    return run.progress.track("tokenize, near duplicates", answers, len(items))


def _sets(exchange: Exchange, item: tuple[Place, tuple[int, int], int]) -> Ints:
    """Make the sets of a shard's candidates, some documents at a time; return their sizes."""
    place, (first, last), start = item
    rows = exchange.candidates()[first:last] - start
    rows = rows if place.rows is None else np.load(place.rows)[rows]
    found, read = [Sets(np.zeros(0, np.uint64), np.zeros(1, np.int64))], 0
    for documents in batches(place.documents):
        own = rows[slice(*np.searchsorted(rows, [read, read + documents.num_rows]))] - read
        read += documents.num_rows
        if len(own):
            found.append(shingles(*flat_text(documents.take(pa.array(own)))[:2]))
    save(np.concatenate([sets.hashes for sets in found]), place.file("sets"), durable=False)
    return np.concatenate([np.diff(sets.offsets) for sets in found])
