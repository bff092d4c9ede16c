"""How fast the CSV reader is and how much memory it takes, against pandas' parsers on the same file in the same run.

`CSV` names a file; without it, one of `ROWS` rows (a million) is made up: quoted texts with doubled quotes, numbers, dates.
Each way of reading runs in a process of its own, `ROUNDS` times in turn; MB/s are of its processor time, so that other work on
the machine does not count. Prints figures, asserts none; `pytest -s` shows them.
"""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

ROUNDS = 3
WORDS = "the mill stands by the river and nobody knows when it was built café Zoë"
MEASURE = """
import json, resource, sys, time
import pyarrow, pyarrow.compute, pandas, numpy
from pipeline.readers.csv import csv
from pipeline.sources import Source
{before}
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
idle, start, clock = peak(), time.process_time(), time.perf_counter()
{work}
print(json.dumps([time.process_time() - start, time.perf_counter() - clock, idle, peak(), rows]))
"""
OURS = """
rows = 0
for part in csv(Source("x.csv", {path!r})):
    rows += part.table.num_rows if hasattr(part, "table") else 0
"""
WARM = """
import pathlib, tempfile
with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "x.csv"
    path.write_bytes(b'a,b\\n1,"x ""y"" z"\\n')
    list(csv(Source("x.csv", str(path))))
"""
WAYS = {
    "prep": OURS,
    "pandas, C engine, str": "rows = len(pandas.read_csv({path!r}, dtype=str, na_filter=False))",
    "pandas, C engine, Arrow strings, a million rows at a time": (
        "kind = pandas.ArrowDtype(pyarrow.large_string())\n"
        "rows = sum(map(len, pandas.read_csv({path!r}, dtype=kind, na_filter=False, chunksize=1_000_000)))"
    ),
    "pandas, pyarrow engine, str, all cores": "rows = len(pandas.read_csv({path!r}, dtype=str, engine='pyarrow'))",
}


@pytest.fixture
def path(tmp_path):
    if "CSV" in os.environ:
        return os.environ["CSV"]
    noise = random.Random(3)
    words = WORDS.split()
    with (tmp_path / "made.csv").open("w", encoding="utf-8") as file:
        file.write("id,text,score,date,user\n")
        for number in range(int(os.environ.get("ROWS", "1000000"))):
            words_ = " ".join(noise.choices(words, k=25))
            text = words_.replace("knows", '""knows""') if number % 7 == 0 else words_
            file.write(f'{number},"{text}",{noise.random() * 100:.2f},2024-01-{number % 28 + 1:02},user{number % 99991}\n')
    return str(tmp_path / "made.csv")


def measured(work, path):
    program = MEASURE.format(before=WARM if work is OURS else "", work=work.format(path=path))
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def test_speed_and_memory(path):
    size = Path(path).stat().st_size / 1e6
    found = {name: [] for name in WAYS}
    for _ in range(ROUNDS):
        for name, work in WAYS.items():
            found[name].append(measured(work, path))
    print(f"\n{size:.0f} MB, {found['prep'][0][-1]:,} rows")
    for name, rounds in found.items():
        cpu, wall = (min(column) for column in list(zip(*rounds, strict=True))[:2])
        print(
            f"{name:60} {size / cpu:6.0f} MB/s a core {size / wall:6.0f} MB/s  {rounds[0][2]:5.0f} -> {rounds[0][3]:5.0f} MiB"
        )
