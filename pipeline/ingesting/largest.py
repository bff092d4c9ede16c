"""A source -> what its largest document takes while it is read, found out before, without reading all of it.

Of a document of hundreds of megabytes each format makes copies of its own: the parsed row, the text in Arrow, the bytes of a
file that is written. Of what is packed, in an archive or in one long list nothing is known.
"""

from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.documents import LONGEST

STEP = 32 << 20  # bytes between two looks for a line end
LOOK = 1 << 16
PIECES = 6 * (64 << 20)  # bytes held of a text that is too long for a document, which is rejected in pieces
TEXT, JSONL, PAGE, PARQUET = 3, 6, 8, 5  # copies of a document, as measured with one of 1 GB (a page: of 300 MB)


def held(path: str, format: str, size: int, *, split: bool) -> int:
    """Return the bytes that a file's largest document takes; 0 where it is small, or not known. `split`: not one document."""
    if format == "text":
        return 0 if split else TEXT * size if size <= LONGEST else PIECES
    if size < 2 * STEP:
        return 0
    if format == "html":
        return PAGE * size
    if format == "jsonl":
        return JSONL * min(LONGEST, longest_line(Path(path)))
    return PARQUET * mean_row(path) if format == "parquet" else 0


def longest_line(path: Path) -> int:
    """Return the bytes of a JSONL file's longest line to within `STEP`; of a list 0, of an object over several lines all."""
    longest = run = 0
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(LOOK).removeprefix(b"\xef\xbb\xbf").lstrip()
        if start[:1] == b"[":
            return 0
        if start.partition(b"\n")[0].rstrip() == b"{":
            return size
        for at in range(0, size, STEP):
            file.seek(at)
            run = 0 if _line_ends(file) else run + min(STEP, size - at)
            longest = max(longest, run)
    return longest


def _line_ends(file: BinaryIO) -> bool:
    return any(b"\n" in file.read(LOOK) for _ in range(STEP // LOOK))


def mean_row(path: str) -> int:
    """Return the bytes of a row in that group of a Parquet file whose rows are the largest; 0 for what is none."""
    try:
        footer = pq.read_metadata(path)
    except (pa.ArrowException, OSError):
        return 0  # the reader says why
    groups = map(footer.row_group, range(footer.num_row_groups))
    return max((group.total_byte_size // max(1, group.num_rows) for group in groups), default=0)
