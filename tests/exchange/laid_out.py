"""Keys and sets of a few documents -> an exchange, laid out as a stage would."""

import itertools

import numpy as np

from pipeline.artifacts import save
from pipeline.exchange import Exchange, begun
from pipeline.exchange.parts import write_offsets


def exchange_of(folder, keys, cuts, most, others=0):
    """Lay out shards with these keys, `[documents][bands]`, cut at some documents; so many `others` are of another artifact."""
    edges = sorted({0, len(keys), *cuts})
    files = []
    for first, last in itertools.pairwise(edges):
        files.append(folder / f"{first:05}.keys.npy")
        save(np.ascontiguousarray(np.array(keys[first:last], np.uint64).T), files[-1], durable=False)
    found = begun(Exchange(folder, "x", others, most), files, [file.with_suffix(".sets") for file in files])
    save(np.ones(len(keys), bool), found.file("eligible.npy"), durable=False)
    return found


def write_sets(exchange, sets):
    """Write the sets of all documents, as if each were a candidate."""
    candidates, starts = exchange.candidates(), exchange.starts()
    own = [[sets[one] for one in candidates if first <= one < last] for first, last in itertools.pairwise(starts)]
    for file, group in zip(exchange.sets(), own, strict=True):
        with file.open("wb") as to:
            np.save(to, np.array([item for one in group for item in sorted(one)], np.uint64))
    write_offsets(exchange, [np.array([len(one) for one in group], np.int64) for group in own])
