"""A web archive -> one row a page: what the reader of web pages makes of it, its URL, date, HTTP status and content type.

runs.py       the file        -> runs of unpacked bytes, each from one sound place on
records.py    a run           -> its records; what is broken is cut out at the next record's beginning
responses.py  a record        -> the page it holds, decoded, or why it holds none
read.py       records, pages  -> rows and rejections
"""

from collections.abc import Iterator
from functools import wraps
from typing import Any

import pyarrow as pa

from pipeline.documents import STRING, Rejection, Rows
from pipeline.readers import html as pages
from pipeline.sources import Source

SUFFIXES = (".warc", ".wet")

OF_ARCHIVE = [
    pa.field("url", STRING),
    pa.field("date", STRING),
    pa.field("status", pa.int64()),
    pa.field("content_type", STRING),
]
SCHEMA = pa.schema([*(field for field in pages.SCHEMA if field.name not in {own.name for own in OF_ARCHIVE}), *OF_ARCHIVE])


def sniff(head: bytes) -> bool:
    """Tell a web archive by the first line of its first record.

    >>> sniff(b"WARC/1.0 ..."), sniff(b"WARCRAFT")
    (True, False)
    """
    return head.startswith(b"WARC/")


@wraps(pages.html, assigned=("__annotations__",), updated=())  # whatever that reader can be set to, this one can
def warc(source: Source, **settings: Any) -> Iterator[Rows | Rejection]:  # noqa: ANN401  they are checked by name
    """Read a web archive (WARC, packed or not): a page's place is the id of its record, or else its offset.

    Pages are the `response` records of status 200 and `resource` records that hold HTML, read by the reader `html` with its
    settings, and the texts of `conversion` records (Common Crawl's `.wet`). Any other response, a `revisit` and a record
    that is broken are a `Rejection`. `warcinfo`, `request` and `metadata` records tell of the crawl and are no documents.
    """
    from pipeline.readers.warc.read import read

    return read(source, settings)
