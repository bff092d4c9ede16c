"""Buckets of all bands -> the candidates in an order that keeps those together which buckets connect; the buckets of each."""

import numpy as np

from filters import clusters
from pipeline.artifacts import append, atomic, save
from pipeline.exchange import Exchange, Ints
from pipeline.exchange.buckets import of_band

HELD = 64  # bytes a member of a bucket, while the buckets of documents are sorted


def write(exchange: Exchange, rank: Ints) -> Ints:
    """Write each candidate's buckets, and the candidates by rank, those connected together; return where these groups start.

    `rank` is a number for each candidate, by which those of a group are sorted.
    """
    parent = np.arange(len(rank))
    counts = np.zeros(len(rank), dtype=np.int64)
    for band in range(exchange.bands):
        members, offsets = of_band(exchange, band)
        clusters.connect(members, offsets, parent)
        counts += np.bincount(members, minlength=len(rank))
    bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    save(bounds, exchange.file("bounds.npy"), durable=False)
    _write_buckets(exchange, bounds)
    order, starts = clusters.in_order(clusters.roots(parent), rank)
    save(order, exchange.file("order.npy"), durable=False)
    return starts


def _write_buckets(exchange: Exchange, bounds: Ints) -> None:
    """Write the buckets of each candidate side by side, some candidates a round; buckets are counted through all bands."""
    with atomic(exchange.file("buckets.bin"), durable=False) as temporary, temporary.open("wb") as file:
        first = 0
        while first < len(bounds) - 1:
            enough = np.searchsorted(bounds, bounds[first] + exchange.most // HELD, side="right") - 1
            last = max(first + 1, int(enough))
            append(_buckets_of(exchange, first, last), file)
            first = last


def _buckets_of(exchange: Exchange, first: int, last: int) -> Ints:
    documents, buckets, before = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    for band in range(exchange.bands):
        members, offsets = of_band(exchange, band)
        chosen = np.flatnonzero((members >= first) & (members < last))
        documents.append(members[chosen])
        buckets.append(before + np.searchsorted(offsets, chosen, side="right") - 1)
        before += len(offsets) - 1
    order = np.argsort(np.concatenate(documents), kind="stable")
    found: Ints = np.concatenate(buckets)[order]
    return found
