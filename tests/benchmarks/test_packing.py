"""How full packed rows are beside the peers' ways to pack, how long packing takes, and two ways to gather rows from a disk.

The lengths are log-normal, clipped to the capacity; with these sigmas the share of tokens among batches padded to their longest
row is 0.43, 0.46 and 0.71. The peers' ways are written out here in simple form. `TOKENS` says how many tokens the rows to
gather have, in millions (32 unless told), and `ROWS` how many of them are gathered at a time. Prints figures, asserts none;
`pytest -s` shows them.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numba
import numpy as np

from pipeline.tokens.packed_rows import SpillWriter, exchange, gather, place
from pipeline.tokens.packing import fewest_rows, pack, shuffled
from pipeline.tokens.rows import Tokens, offsets_of, windows

CAPACITY = 2048
SIGMA = {120: 0.7, 600: 0.8, 1500: 0.6}  # of the lengths with each median
BATCH, GROUP, MOST_IN_ROW = 8, 100_000, 200  # padded together; first fit as Axolotl has it
SHARDS = 16
ROWS = int(os.environ.get("ROWS", "8192"))  # gathered at a time; 8192 are 16 M tokens
MILLION = 1_000_000


def lengths_of(count, median, seed=0):
    drawn = np.random.default_rng(seed).lognormal(np.log(median), SIGMA[median], count)
    return np.clip(drawn, 1, CAPACITY).astype(np.int32)


def padded(lengths):
    """Return how many rows' worth of tokens the batches take, each padded to its longest row."""
    batches = lengths[: len(lengths) // BATCH * BATCH].reshape(-1, BATCH)
    return BATCH * batches.max(axis=1).sum() / CAPACITY * len(lengths) / batches.size


@numba.njit
def next_fit(lengths):
    rows, left = 0, 0
    for length in lengths:
        if length > left:
            rows, left = rows + 1, CAPACITY
        left -= length
    return rows


@numba.njit
def first_fit(lengths):
    """Return the rows that groups take, each document of a group in the first row that holds it."""
    total = 0
    for begin in range(0, len(lengths), GROUP):
        left, held, rows = np.full(GROUP, CAPACITY), np.zeros(GROUP, np.int64), 0
        for length in lengths[begin : begin + GROUP]:
            row = 0
            while row < rows and (left[row] < length or held[row] == MOST_IN_ROW):
                row += 1
            rows = max(rows, row + 1)
            left[row] -= length
            held[row] += 1
        total += rows
    return total


def best_fit(lengths, together):
    """Return the rows that best-fit-decreasing takes for so many documents at a time."""
    return sum(int(pack(lengths[at : at + together], CAPACITY).max()) + 1 for at in range(0, len(lengths), together))


def bound(lengths):
    """Return the rows that no packing can do without (Martello and Toth 1990): documents above half a row share none."""
    most = fewest_rows(lengths, CAPACITY)
    for small in range(1, CAPACITY // 2 + 1):
        alone = int((lengths > CAPACITY - small).sum())
        large = lengths[(lengths > CAPACITY // 2) & (lengths <= CAPACITY - small)].astype(np.int64)
        middle = lengths[(lengths >= small) & (lengths <= CAPACITY // 2)].sum(dtype=np.int64)
        over = int(middle) - (len(large) * CAPACITY - int(large.sum()))
        most = max(most, alone + len(large) + max(0, -(-over // CAPACITY)))
    return most


WAYS = {
    "padded to 8's longest": padded,
    "next fit": next_fit,
    "first fit": first_fit,
    "best fit, 1,000s": lambda lengths: best_fit(lengths, 1000),
    "ours, all": lambda lengths: best_fit(lengths, len(lengths)),
    "no packing is above": bound,
}


def test_how_full_rows_are():
    print(f"\n{'':8}", *(f"{name:>21}" for name in WAYS))
    for median in SIGMA:
        lengths = lengths_of(20_000, median)
        least = lengths.sum() / CAPACITY
        print(f"{median:8}", *(f"{least / rows(lengths):21.4f}" for rows in WAYS.values()))


def test_how_long_packing_takes():
    run = [sys.executable, __file__, "pack"]
    print()
    for median in SIGMA:
        for count in (20_000, MILLION, 10 * MILLION):
            done = subprocess.run([*run, str(median), str(count)], check=True, stdout=subprocess.PIPE, text=True)
            print(f"median {median:4}, {count:10,} documents: {done.stdout.strip()}")


def packing_time(median, count):
    shuffled(pack([1], CAPACITY), 0)
    lengths = lengths_of(count, median)
    before, start = peak_memory(), time.perf_counter()
    rows = pack(lengths, CAPACITY)
    packed = time.perf_counter()
    shuffled(rows, 0)
    end = time.perf_counter()
    taken = f"pack {packed - start:6.3f} s, shuffle {end - packed:6.3f} s"
    print(f"{taken}, {rows.max() + 1:9,} rows, peak {before:4.0f} + {peak_memory() - before:4.0f} MB")


def peak_memory():
    """Return megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def test_gathering_rows():
    """Warm: what was read stays in memory. Cold: it is dropped before each step, as where there is more than fits."""
    with tempfile.TemporaryDirectory() as folder:
        rows = spilled(Path(folder), int(os.environ.get("TOKENS", "32")) * MILLION)
        print(f"\n{rows:,} rows, {SHARDS} spills")
        for way in ("warm", "cold"):
            for step in ("direct", "exchange", "exchanged"):
                command = [sys.executable, __file__, step, way, folder, str(rows)]
                done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                print(f"{way} {step:10}", done.stdout.strip())


def spilled(folder, tokens):
    """Write spills with so many tokens and place their documents in rows; return the number of rows."""
    lengths = lengths_of(tokens // 740, 600)  # 740 is their mean
    rows = shuffled(pack(lengths, CAPACITY), 0)
    for shard, documents in enumerate(np.array_split(np.arange(len(lengths)), SHARDS)):
        offsets = offsets_of(lengths[documents])
        ids = np.random.default_rng(shard).integers(0, 32_000, offsets[-1], dtype=np.int32)
        with SpillWriter(folder / f"{shard:02}", narrow=False) as writer:
            writer.write(Tokens(ids, ids % 3 > 0, offsets), windows(offsets, np.ones(len(documents), bool), CAPACITY))
        place(folder / f"{shard:02}", rows[documents], lengths[documents])
    return rows.max() + 1


def gathering_time(step, way, folder, rows):
    spills = sorted(path for path in Path(folder).iterdir() if path.name.endswith("x") == (step == "exchanged"))
    works = [lambda at=at: gather(spills, at, min(at + ROWS, rows)) for at in range(0, rows, ROWS)]
    if step == "exchange":
        works = [lambda spill=spill: exchange(spill, spill.with_name(f"{spill.name}x")) for spill in spills]
    seconds, held = [], []
    for work in [works[0], *works]:  # the first time compiles
        if way == "cold":
            forget(spills)
        start = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - start)
        held.append(own_memory())
        del result
    print(
        f"{sum(seconds[1:]):6.2f} s, a table or spill {min(seconds[1:]):.2f} to {max(seconds[1:]):.2f} s, "
        f"peak {peak_memory():5.0f} MB with what is mapped, {max(held):4.0f} MB without"
    )


def forget(spills):
    """Drop what the machine keeps in memory of files."""
    for file in (file for spill in spills for file in spill.iterdir()):
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def own_memory():
    """Return the megabytes that are no part of a file."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["RssAnon"].split()[0]) / 1024


if __name__ == "__main__":
    if sys.argv[1] == "pack":
        packing_time(int(sys.argv[2]), int(sys.argv[3]))
    else:
        gathering_time(*sys.argv[1:4], int(sys.argv[4]))
