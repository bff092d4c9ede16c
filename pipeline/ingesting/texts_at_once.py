"""The small texts of a pack -> documents, all of a run of them in one go, the bytes and the shards of one by one."""

from collections.abc import Iterator
from itertools import groupby

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.documents import BINARY, STRING, schema
from pipeline.ingesting.hashing import Held
from pipeline.readers.text import at_once
from pipeline.sources.planned import Kinds
from pipeline.timing import timed

OFFSETS = 24  # bytes of a document in memory beside its id, its text and its source

Documents = tuple[pa.Table, npt.NDArray[np.int64]]
"""Documents, and the bytes of each."""


def texts_at_once(held: Held, common: Kinds, places: range) -> Iterator[tuple[range, Documents | None]]:
    """Cut places, in order, into runs: of texts, with their documents, and of what has to be read one by one."""
    contents = pa.array([held.contents.get(place, b"") for place in places], BINARY)
    with timed("text", contents.nbytes):
        texts, sound = at_once(contents)
    at = places.start
    for good, run in groupby(sound.tolist()):
        some = range(at, at + len(list(run)))
        at = some.stop
        yield some, _documents(held.names(common, some), texts.slice(some.start - places.start, len(some))) if good else None


def _documents(named: list[str], texts: pa.LargeStringArray) -> Documents:
    names = pa.array(named, STRING)
    sizes = pc.add(pc.multiply(pc.binary_length(names), 2), pc.binary_length(texts)).to_numpy() + OFFSETS
    return pa.table([names, texts, names], schema=schema("text")), sizes
