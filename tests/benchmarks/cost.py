"""A folder of Parquet with `text` -> what a run on it takes, and what one on 1 TB and on 100 TB would take by these terms.

    python tests/benchmarks/cost.py CORPUS --work /tmp/cost [--cores 1000]

Every term grows with the text, or with the documents, or with the candidates for near duplicates, whose share is taken for the
same at any size. One search takes 2^31 documents: more are ingested as several artifacts, each cleaned against those before.
"""

import argparse
import shutil
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow.compute as pc
import pyarrow.parquet as pq
from processes import measured
from scale import PREP, STAGES, trained

from pipeline.artifacts import Store
from pipeline.cleaning import twins
from pipeline.cleaning.search import Search
from pipeline.engine.local import Local
from pipeline.run import Run
from pipeline.stages.clean import clean

DOCUMENT = 40  # bytes that the driver holds of a document, nearly all being candidates: 21 to search, as measured, 16 for twins
TB = 10**12


@dataclass(frozen=True)
class Terms:
    """What a run takes: bytes of text, documents, seconds of one processor by stage; and the search for near duplicates.

    `keys` and `sets` are the bytes that the search writes and reads again, `members` how many documents all buckets hold
    together, `alone` the seconds that the driver works and nobody else does.
    """

    text: int
    documents: int
    ingest: float
    clean: float
    tokenize: float
    candidates: int = 0
    keys: int = 0
    sets: int = 0
    members: int = 0
    alone: float = 0.0

    def at(self, text: int) -> "Terms":
        """Return the terms of a text of another size."""
        return Terms(**{name: type(value)(value * text / self.text) for name, value in asdict(self).items()})


def stages(corpus: Path, work: Path) -> Terms:
    """Run all stages, each as a command."""
    files = sorted(corpus.glob("*.parquet"))
    sizes = [pc.binary_length(pq.read_table(file, columns=["text"])["text"]) for file in files]
    tokenizer = trained(corpus, work)
    store = ["--store", str(work / "store"), "--quiet"]
    commands = (["ingest", str(corpus), "--name", "x"], ["clean", "x"], ["tokenize", "x", "--tokenizer", str(tokenizer)])
    used = {name: measured([*PREP, *command, *store]).processors for name, command in zip(STAGES, commands, strict=True)}
    return Terms(sum(pc.sum(one).as_py() for one in sizes), sum(map(len, sizes)), **used)


def searched(store: Path) -> dict[str, Any]:
    """Search for duplicates, in this process and its workers, and look at what the search for near ones has written."""
    found: dict[str, Any] = {}
    mapped = 0.0
    find, map_, write = twins.find, Search.map, twins._write_twins

    def timed_map(*arguments: Any) -> list[Any]:
        nonlocal mapped
        start = time.perf_counter()
        answers = list(map_(*arguments))
        mapped += time.perf_counter() - start
        return answers

    def timed_find(*arguments: Any) -> dict[str, Any]:
        nonlocal mapped
        start, mapped = time.perf_counter(), 0.0
        count = find(*arguments)
        found["alone"] = time.perf_counter() - start - mapped
        return count

    def looked_at(search: Search, candidates: Any, *others: Any) -> None:
        exchange = search.exchange
        found["candidates"] = len(candidates)
        found["keys"], found["sets"] = (
            sum(file.stat().st_size for file in files) for files in (exchange.keys(), exchange.sets())
        )
        found["members"] = sum(file.stat().st_size for file in search.work.glob(f"{exchange.name}.members-*")) // 4
        write(search, candidates, *others)

    engine = Local(2, ["clean"])
    with (
        patch.object(Search, "map", timed_map),
        patch.object(twins, "find", timed_find),
        patch.object(twins, "_write_twins", looked_at),
    ):
        here = Store(store)
        clean(here.newest("ingest"), "again", Run(here, engine), steps=["exact_duplicates", "near_duplicates"])
    engine.close()
    return found


def told(terms: Terms, cores: int) -> list[str]:
    """Say what a run takes, a line a term."""
    work = terms.ingest + terms.clean + terms.tokenize
    memory = DOCUMENT * terms.documents
    return [
        f"{terms.text / TB:10,.4f} TB, {terms.documents:,} documents, {terms.candidates:,} candidates",
        *(f"{name:>10}: {getattr(terms, name) / 3600:12,.2f} core-hours" for name in STAGES),
        f"{'together':>10}: {work / 3600:12,.2f} core-hours, {(work / cores + terms.alone) / 3600:,.2f} hours on {cores} cores",
        f"{'exchanged':>10}: {terms.keys / 1e9:12,.2f} GB of keys, {terms.sets / 1e9:,.2f} GB of sets, {terms.members:,} edges",
        f"{'driver':>10}: {memory / 1e9:12,.2f} GB, alone for {terms.alone / 3600:,.2f} hours",
    ]


def main() -> None:
    """Measure, work out, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="a folder for stores, which are removed")
    parser.add_argument("--cores", type=int, default=1000)
    given = parser.parse_args()
    terms = stages(given.corpus, given.work)
    terms = replace(terms, **searched(given.work / "store"))
    print(f"a document: {terms.keys / terms.documents:.0f} bytes of keys, {terms.members / terms.documents:.2f} edges")
    for size in (terms.text, TB, 100 * TB):
        print("\n".join(told(terms.at(size), given.cores)))
    shutil.rmtree(given.work)


if __name__ == "__main__":
    sys.exit(main())
