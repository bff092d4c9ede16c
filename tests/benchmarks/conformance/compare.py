"""Do our measures equal datatrove's, value by value? Prints, for each measure, on how many pages, and lists the differences.

    DATATROVE=PYTHON CORPUS=FOLDER PYTHONPATH=. python tests/benchmarks/conformance/compare.py [PAGES]

`DATATROVE` is the Python that datatrove is installed for; `CORPUS` a folder of Parquet files with `id` and `text`, of which so
many pages (1,000) are taken, spread over all files.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.fineweb import fineweb_quality
from filters.quality import gopher_quality
from filters.repetition import gopher_repetition

MOST_SHOWN = 20
CLOSE = 1e-12


def pages(folder: Path, most: int) -> pa.Table:
    """Take pages at equal distances out of all files."""
    table = pa.concat_tables(pq.read_table(file, columns=["id", "text"]) for file in sorted(folder.glob("*.parquet")))
    return table.take(np.linspace(0, len(table) - 1, min(most, len(table))).astype(np.int64))


def theirs(table: pa.Table) -> list[dict[str, float]]:
    """Let datatrove compute its values."""
    lines = "".join(json.dumps(page) + "\n" for page in table.to_pylist())
    script = str(Path(__file__).with_name("datatrove_values.py"))
    answer = subprocess.run([os.environ["DATATROVE"], script], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in answer.stdout.splitlines()]


def ours(table: pa.Table) -> dict[str, np.ndarray]:
    texts = table["text"].combine_chunks().cast(pa.large_string())
    offsets = np.arange(len(texts) + 1)
    return {
        name: values
        for measures in (gopher_quality, gopher_repetition, fineweb_quality)
        for name, values in measures(texts, offsets).items()
    }


def main() -> None:
    table = pages(Path(os.environ["CORPUS"]), int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    expected, found = theirs(table), ours(table)
    print(f"{'measure':40} {'equal':>6} {'close':>6} {'differ':>6} {'missing':>7}   of {len(table)} pages")
    differences = []
    for name, values in found.items():
        wanted = np.array([row.get(name, np.nan) for row in expected])
        missing = np.isnan(wanted)
        equal = values == wanted
        close = ~equal & (np.abs(values - wanted) <= CLOSE)
        wrong = np.flatnonzero(~(equal | close | missing))
        print(f"{name:40} {equal.sum():6} {close.sum():6} {len(wrong):6} {missing.sum():7}")
        differences += [(name, table["id"][int(row)], values[row], wanted[row]) for row in wrong]
    for name, page, value, wanted in differences[:MOST_SHOWN]:
        print(f"{page}: {name} is {value:.6f} here, {wanted:.6f} in datatrove")
    if len(differences) > MOST_SHOWN:
        print(f"... and {len(differences) - MOST_SHOWN} more")


if __name__ == "__main__":
    main()
