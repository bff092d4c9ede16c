"""A folder of Parquet with `text` -> time per MB and peak memory of each stage at 1, 10 and 40 times its size, and a picture.

    python tests/benchmarks/scale.py CORPUS --memory 2GB --times 1 10 40 --work /tmp/scale

Copies beyond the first have every fourth word changed, so that none of them duplicates another. The tokenizer is trained once,
on the corpus itself. Flat is what stays within 20 % of the smallest size.
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from processes import measured

from trainers.theme import LIGHT, plain

STAGES = ("ingest", "clean", "tokenize")
PREP = [sys.executable, "-c", "from pipeline.cli import main; main()"]


class Row(NamedTuple):
    """One stage at one size; `size` is bytes of text, `processors` the seconds that all processes have worked."""

    stage: str
    times: int
    size: int
    seconds: float
    peak: int
    processors: float


def copied(corpus: Path, times: int, to: Path) -> int:
    """Write a corpus some times over, each copy with words of its own; return the bytes of its text."""
    size = 0
    to.mkdir(parents=True)
    for number in range(times):
        for file in sorted(corpus.glob("*.parquet")):
            texts = pq.read_table(file, columns=["text"])["text"].cast(pa.large_string())
            if number:
                texts = pc.replace_substring_regex(texts, r"(\w+\W+\w+\W+\w+\W+\w+)", rf"\1x{number}")
            size += pc.sum(pc.binary_length(texts)).as_py()
            pq.write_table(pa.table({"text": texts}), to / f"{number:03}-{file.name}", compression="zstd")
    return size


def rows_of(corpus: Path, times: int, work: Path, memory: str, tokenizer: Path) -> list[Row]:
    """Run all stages on a corpus of a size; what a stage has read goes when it is done, for the disk's sake."""
    size = copied(corpus, times, work / "corpus" / f"x{times}")
    store, name = ["--store", str(work / "store"), "--quiet"], f"x{times}"
    commands = {
        "ingest": ["ingest", str(work / "corpus" / name), "--name", name],
        "clean": ["clean", name],
        "tokenize": ["tokenize", name, "--tokenizer", str(tokenizer)],
    }
    found = []
    for stage, read in zip(STAGES, ("corpus", "store/ingest", "store"), strict=True):
        used = measured([*PREP, *commands[stage], *store, "--memory", memory])
        found.append(Row(stage, times, size, used.seconds, used.peak, used.processors))
        print(line(found[-1]), flush=True)
        shutil.rmtree(work / read)
    return found


def line(row: Row) -> str:
    """Say what a stage took at a size."""
    clock, work = (1e9 * seconds / row.size for seconds in (row.seconds, row.processors))
    size, peak = f"{row.size / 1e6:8,.0f} MB", f"{row.peak / 1e6:6,.0f} MB"
    return f"{row.stage:9} {row.times:3}x {size} {row.seconds:8.1f} s {clock:6.1f} ms/MB, of processors {work:6.1f}; {peak}"


def trained(corpus: Path, work: Path) -> Path:
    """Return a tokenizer that is trained on the corpus."""
    store = ["--store", str(work / "trained"), "--quiet"]
    measured([*PREP, "ingest", *map(str, sorted(corpus.glob("*.parquet"))[:1]), "--name", "x", *store])
    measured([*PREP, "clean", "x", *store])
    measured([*PREP, "tokenize", "x", "--train-tokenizer", *store])
    return next((work / "trained" / "tokenize").glob("x@*")) / "tokenizer"


def drawn(rows: list[Row], path: Path) -> None:
    """Draw time per MB and peak memory against the size of the text."""
    mpl.use("agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, 2, figsize=(9, 3.6), facecolor=LIGHT.paper, layout="constrained")
    colours = dict(zip(STAGES, (LIGHT.train, LIGHT.validation, LIGHT.sample), strict=True))
    for axes, label in zip(panels, ("ms per MB of text", "peak memory in MB"), strict=True):
        plain(axes, LIGHT)
        for stage, mark in zip(STAGES, "os^", strict=True):
            own = [row for row in rows if row.stage == stage]
            heights = [1e9 * row.seconds / row.size if axes is panels[0] else row.peak / 1e6 for row in own]
            axes.plot([row.size / 1e9 for row in own], heights, mark + "-", color=colours[stage], label=stage)
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("GB of text", color=LIGHT.faint)
        axes.set_ylabel(label, color=LIGHT.faint)
    panels[0].legend(frameon=False)
    figure.savefig(path)
    pyplot.close(figure)


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--memory", default="2GB")
    parser.add_argument("--times", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--work", type=Path, required=True, help="a folder for copies and stores, which are removed")
    given = parser.parse_args()
    tokenizer = trained(given.corpus, given.work)
    rows = [row for times in given.times for row in rows_of(given.corpus, times, given.work, given.memory, tokenizer)]
    drawn(rows, given.work / "scale.svg")
    shutil.rmtree(given.work / "trained")
    print(given.work / "scale.svg")


if __name__ == "__main__":
    main()
