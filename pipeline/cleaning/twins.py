"""Bucket keys of all shards -> verified duplicates -> for each document that goes, the twin that stays.

Four maps, of which none holds more than a part of the sets, and whose results do not depend on how the work was divided. What
they hand on is made anew by a run that goes on after a crash; only the twins are kept.

    keys      a shard's bucket keys, band by band                            (when the batch has gone through its steps)
    buckets   some bands of all shards: documents that share a key there     -> candidates
    sets      a shard's candidates: the set of each one's shingles
    twins     candidates that buckets connect, in order of rank: survivors, and for each other document the one it goes for

Documents of the artifacts in `against` take part, stand before all others, and stay.
"""

from collections.abc import Sequence
from functools import partial
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.artifacts import Artifact, remembered
from pipeline.cleaning.batches import batches
from pipeline.cleaning.looking import look, part_of
from pipeline.cleaning.plan import BEST, Step, measures
from pipeline.cleaning.search import Place, Search, sets
from pipeline.cleaning.survivors import of_blocks, of_whole
from pipeline.cleaning.tables import read, save, write
from pipeline.documents import STRING, flat_text, ledger, one_chunk
from pipeline.errors import FilterError
from pipeline.exchange import buckets, mapped, order, parts
from pipeline.run import Run
from pipeline.timing import phase, timed

Ints = npt.NDArray[np.int64]
Int32s = npt.NDArray[np.int32]
ALARM = 0.1  # a cluster with a larger share of the documents is told


def write_keys(step: Step, answer: pa.Table, documents: pa.Table, place: Place) -> None:
    """Write what the search needs of a shard: keys band by band, which documents have a text at all, and their rank."""
    column = one_chunk(answer["keys"])
    keys = column.flatten().to_numpy().reshape(len(column), column.type.list_size)
    save(np.ascontiguousarray(keys.T), place.file(f"keys-{step.number}.npy"))
    save(answer["eligible"].to_numpy(), place.file(f"eligible-{step.number}.npy"))
    save(_scores(step, answer, documents), place.file(f"scores-{step.number}.npy"))


def _scores(step: Step, answer: pa.Table, documents: pa.Table) -> npt.NDArray[np.float64]:
    """Return a number a document; of duplicates the one with the highest stays."""
    if step.bounds["keep"] == "longest":
        return np.asarray(answer["bytes"].to_numpy(), dtype=np.float64)
    best = BEST.fullmatch(step.bounds["keep"])
    if best is None:
        return np.zeros(documents.num_rows)
    texts, offsets, _ = flat_text(documents, step.on, part_of(step))
    values = measures()[best[2]].function(texts, offsets)
    chosen: npt.NDArray[np.float64] = values[best[2].rpartition(".")[2]] if isinstance(values, dict) else values
    return -chosen if best[1] else chosen


def foreign(step: Step, artifacts: Sequence[Artifact], work: Path, run: Run) -> list[Place]:
    """Have the keys of other artifacts' documents made; return their batches."""
    found = [(batch, artifact.ref) for artifact in artifacts for batch in batches(artifact)]
    places = [Place(work / "against", number, batch, ref) for number, (batch, ref) in enumerate(found)]
    list(run.progress.track("against", run.engine.map(partial(_foreign_keys, step), places), len(places)))
    return places


def _foreign_keys(step: Step, place: Place) -> dict[str, Any]:
    def make() -> dict[str, Any]:
        documents = place.table()
        with timed(step.filter.name, documents.nbytes):
            write_keys(step, look(step, documents), documents, place)
        return {"documents": documents.num_rows}

    return remembered(place.file(f"keys-{step.number}.json"), make)


def find(search: Search, gone: npt.NDArray[np.bool_], run: Run) -> dict[str, Any]:
    """Find the duplicates among all documents but those of this run that are `gone`; write each shard's down.

    Returns the step's counts. Raises `FilterError` where a cluster has a larger share than `max_cluster`.
    """

    def work() -> dict[str, Any]:
        begun = search.begin()
        candidates = _candidates(begun, gone, run)
        _write_sets(begun, run)
        twin, similarity = _twins_of(begun, candidates, run)
        others = int(begun.exchange.candidates_before(begun.first))
        count = {
            "step": search.step.number,
            "in": int((~gone).sum()),
            "removed": int((twin >= 0).sum()),
            "candidates": len(candidates) - others,
            "largest_cluster": _largest(twin, others),
        }
        _guard(begun, count["largest_cluster"], count["in"], run)
        _write_twins(begun, candidates, twin, similarity)
        recall = search.step.filter.recall
        return count | ({"recall": round(recall(**search.step.settings), 3)} if recall else {})

    return remembered(search.file("found.json"), work)


def _candidates(search: Search, gone: npt.NDArray[np.bool_], run: Run) -> Int32s:
    """Group all documents by their keys; return those that share a bucket with another one."""
    eligible = search.gathered("eligible")
    eligible[search.first :] &= ~gone
    save(eligible, search.exchange.file("eligible.npy"), durable=False)
    return buckets.find(search.exchange, run.engine.workers, partial(search.map, run))


def _write_sets(search: Search, run: Run) -> None:
    """Have the sets of all candidates made, and write down where each one's begins among them."""
    starts = search.exchange.starts()
    bounds = search.exchange.candidates_before(starts)
    items = list(zip(search.places, pairwise(bounds.tolist()), starts[:-1].tolist(), strict=True))
    parts.write_offsets(search.exchange, search.map(run, partial(sets, search.step, search.exchange), items))


def _twins_of(search: Search, candidates: Int32s, run: Run) -> tuple[Ints, npt.NDArray[np.float64]]:
    """Return for each candidate its twin among them (-1: it stays), and their similarity.

    Candidates that no bucket connects, directly or through others, are no business of one task.
    """
    starts = order.write(search.exchange, _best(search, candidates))
    places, map_ = mapped(search.exchange.file("order.npy")), partial(search.map, run)
    twin, similarity = np.full(len(candidates), -1, dtype=np.int64), np.zeros(len(candidates))
    cuts = parts.cut(search.exchange, starts, run.engine.workers)
    whole = map_(partial(of_whole, search.exchange, search.threshold), cuts.whole)
    for found in chain(whole, *(of_blocks(search.exchange, search.threshold, blocks, map_) for blocks in cuts.blocks)):
        twin[places[found.places]], similarity[places[found.places]] = found.twin, found.similarity
    return twin, similarity


def _best(search: Search, candidates: Int32s) -> Ints:
    """Return the candidates by their score, the best first; those of other artifacts come before all others."""
    score, starts = np.empty(len(candidates)), search.exchange.starts()
    bounds = search.exchange.candidates_before(starts)
    for place, (low, high), (first, last) in zip(
        search.places, pairwise(starts.tolist()), pairwise(bounds.tolist()), strict=True
    ):
        own = np.load(place.file(f"scores-{search.step.number}.npy"), mmap_mode="r")
        score[first:last] = np.inf if high <= search.first else own[candidates[first:last] - low]
    return np.argsort(np.negative(score, out=score), kind="stable")


def _largest(twin: Ints, others: int) -> int:
    """Return how many documents the largest cluster holds: a survivor and those that go for it; others' do not count."""
    gone = np.bincount(twin[twin >= 0], minlength=others)
    return int((gone + (np.arange(len(gone)) >= others) * (gone > 0)).max(initial=0))


def _guard(search: Search, largest: int, total: int, run: Run) -> None:
    """Tell of a cluster that swallows a large share of the documents, or stop."""
    name, most = search.step.filter.name, search.step.bounds["max_cluster"]
    words = f"{name}: one cluster holds {largest} of {total} documents"
    if most is not None and largest > most * total:
        raise FilterError(f"{words}, more than max_cluster {most:.15g}. Look at them with `prep plan`, or raise max_cluster.")
    if most is None and largest > max(100, ALARM * total):
        run.progress.say(f"{words}; set max_cluster to stop at such a share, or raise the threshold")


@phase("write twins")
def _write_twins(search: Search, candidates: Int32s, twin: Ints, similarity: npt.NDArray[np.float64]) -> None:
    """Write for each shard the rows that go, with the id of the twin that stays."""
    starts, gone = search.exchange.starts(), np.flatnonzero(twin >= 0)
    wanted = candidates[np.unique(twin[gone])]
    bounds = np.searchsorted(wanted, starts)
    names = [pa.array([], STRING)]
    for place, start, (first, last) in zip(search.places, starts, pairwise(bounds), strict=False):
        if first < last:
            names += [
                _named(place.ref, chunk)
                for chunk in place.table(["id"])["id"].take(pa.array(wanted[first:last] - start)).chunks
            ]
    twin_ids = pa.chunked_array(names).take(pa.array(np.searchsorted(wanted, candidates[twin[gone]])))
    rows = candidates[gone]
    bounds = np.searchsorted(rows, starts)
    for place, start, (first, last) in zip(search.places, starts, pairwise(bounds), strict=False):
        own = {
            "row": pa.array(rows[first:last] - start),
            "twin": twin_ids[first:last],
            "similarity": similarity[gone[first:last]],
        }
        write(pa.table(own), place.file(f"twins-{search.step.number}.arrow"))


def _named(ref: str, ids: pa.Array) -> pa.Array:
    import pyarrow.compute as pc

    prefix, nothing = pa.scalar(f"{ref}:", STRING), pa.scalar("", STRING)
    return pc.binary_join_element_wise(prefix, ids, nothing) if ref else ids


def gone(search: Search) -> npt.NDArray[np.bool_]:
    """Say of each own document whether the search has found that it goes."""
    found = []
    for place in search.places[search.others :]:
        own = np.zeros(np.load(place.file(f"eligible-{search.step.number}.npy"), mmap_mode="r").size, dtype=bool)
        own[read(place.file(f"twins-{search.step.number}.arrow"))["row"].to_numpy()] = True
        found.append(own)
    return np.concatenate(found)


def entries(step: Step, documents: pa.Table, place: Place) -> tuple[Ints, pa.Table]:
    """Return the rows of a shard that go by a duplicates step, and their rows in the ledger, each with its twin."""
    found = read(place.file(f"twins-{step.number}.arrow"))
    similarity = found["similarity"].to_numpy()
    bound = pa.repeat(pa.scalar(f"below {step.settings.get('threshold', 1.0):.15g}", STRING), found.num_rows)
    why = {"measure": "similarity", "value": similarity, "bound": bound, "similarity": similarity}
    return found["row"].to_numpy(), ledger(documents.take(found["row"]), step.filter.name, twin=found["twin"], **why)
