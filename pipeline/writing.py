"""A table -> a Parquet file of an artifact, and what such a file holds once it is read."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.artifacts import atomic
from pipeline.errors import BrokenArtifact

HUGE = 48 << 20  # bytes of a table: shards are written at 32 MiB, readers give 16 MiB at a time: a large document is in it


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table, packed by zstd; raises `StoreError` where the disk refuses.

    Of a huge document Arrow makes seven copies, for a dictionary and the least and the greatest text. Without these, and in
    pages of the second version, it makes one and a half (a text of 300 MB: 2,080 MB beside it, or 440 MB).
    """
    lean = {"use_dictionary": False, "write_statistics": False, "data_page_version": "2.0"} if table.nbytes > HUGE else {}
    with atomic(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", **lean)


def shard_size(path: Path) -> tuple[int, int]:
    """Return a shard's rows and the bytes of its columns, unpacked, by its footer; raises `BrokenArtifact`."""
    try:
        footer = pq.read_metadata(path)
    except (pa.ArrowInvalid, OSError) as error:
        why = " ".join(str(error).split())
        raise BrokenArtifact(f"{path}: cannot be read ({why}). `prep verify` lists what is broken.") from error
    return footer.num_rows, sum(footer.row_group(number).total_byte_size for number in range(footer.num_row_groups))
