"""Folders of files of one line -> for each number of files a line of JSON: seconds, files a second, and peak memory.

    python tests/benchmarks/small_files.py 20000 200000 1000000 --work /tmp/small --memory 2GB

A file takes a block of the disk, mostly 4 KB: a million have 4 GB. With `--links` all have a few hundred bodies, by hard links,
which is enough to see what memory a number of files takes, but not how long a disk takes. With `--clean` the documents are
cleaned too, by the default recipe.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from processes import Used, measured

PREP = [sys.executable, "-c", "from pipeline.cli import main; main()"]
A_FOLDER = 1000  # files
A_BODY = 60_000  # links; ext4 takes 65,000


def written(count: int, root: Path, *, links: bool) -> None:
    """Write files of one line each, numbered, a thousand in a folder."""
    body = ""
    for number in range(count):
        folder = f"{root}/{number // A_FOLDER:05}"
        if number % A_FOLDER == 0:
            os.makedirs(folder)  # noqa: PTH103
        path = f"{folder}/{number % A_FOLDER:03}.txt"
        if links and number % A_BODY:
            os.link(body, path)
            continue
        body = path
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.write(file, f"This is the note number {number}, and it has one line of words.\n".encode())
        os.close(file)


def said(stage: str, count: int, used: Used) -> str:
    """Say what a stage took."""
    rate = round(count / used.seconds)
    facts = {"stage": stage, "files": count, "seconds": round(used.seconds, 1), "a_second": rate, "peak_mb": used.peak // 10**6}
    return json.dumps(facts)


def taken(count: int, work: Path, flags: list[str], stages: list[str]) -> Iterator[str]:
    """Run the stages on a number of files."""
    store = ["--store", str(work / "store"), "--quiet", *flags]
    for stage in stages:
        what = [str(work / "files"), "--name", "small"] if stage == "ingest" else ["small"]
        yield said(stage, count, measured([*PREP, stage, *what, *store]))


def main() -> None:
    """Make the files, measure, print, and remove them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("counts", type=int, nargs="+")
    parser.add_argument("--work", type=Path, required=True, help="a folder that is not there yet, for files and stores")
    parser.add_argument("--memory")
    parser.add_argument("--workers")
    parser.add_argument("--links", action="store_true")
    parser.add_argument("--clean", action="store_true")
    given = parser.parse_args()
    flags = [part for name in ("memory", "workers") if getattr(given, name) for part in (f"--{name}", getattr(given, name))]
    for count in given.counts:
        given.work.mkdir()
        written(count, given.work / "files", links=given.links)
        for line in taken(count, given.work, flags, ["ingest", *["clean"] * given.clean]):
            print(line, flush=True)
        shutil.rmtree(given.work)


if __name__ == "__main__":
    main()
