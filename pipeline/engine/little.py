"""What a run is given -> whether it is so little that one process is through with it before workers have started."""

import os
from collections.abc import Iterable, Iterator
from itertools import chain

LITTLE = 1 << 20  # bytes: so much JSONL goes through ingest, clean and tokenize while workers start, as measured
A_FILE = 1 << 10  # bytes that are as much work as to open a file


def little(sizes: Iterable[int]) -> bool:
    """Say whether files of some sizes, in bytes, are little together; it takes no more of them than it must.

    >>> little([1000] * 500), little([1000] * 600), little([2 << 20])
    (True, False, False)
    """
    left = LITTLE
    for size in sizes:
        left -= A_FILE + size
        if left < 0:
            return False
    return True


def little_named(named: Iterable[object]) -> bool:
    """Say whether what is named is little: files, and folders of files; nobody knows of a URL or a pattern.

    >>> little_named([__file__]), little_named([__file__, "https://example.org/pages.jsonl"])
    (True, False)
    """
    return little(chain.from_iterable(_sizes(str(one)) for one in named))


def _sizes(path: str) -> Iterator[int]:
    """Yield the bytes of a file, or of each file below a folder; `LITTLE` for anything else."""
    if not os.path.isdir(path):  # noqa: PTH112  of names by the million
        yield os.stat(path).st_size if os.path.isfile(path) else LITTLE  # noqa: PTH113, PTH116
        return
    for folder, _, files in os.walk(path):
        yield from (os.lstat(os.path.join(folder, file)).st_size for file in files)  # noqa: PTH118
