"""A web archive's records and pages -> rows and rejections."""

import io
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any

import pyarrow as pa

from pipeline.documents import STRING, Rejection, Rows
from pipeline.readers.html import html
from pipeline.readers.warc import OF_ARCHIVE, SCHEMA
from pipeline.readers.warc.records import records
from pipeline.readers.warc.responses import Page, page_of
from pipeline.readers.warc.runs import runs
from pipeline.sources import Source

BATCH_ROWS, BATCH_BYTES = 1000, 16 << 20

Row = tuple[pa.Table, Page]


def read(source: Source, settings: dict[str, Any]) -> Iterator[Rows | Rejection]:
    """Read an archive's pages with the settings of the reader `html`."""
    batch: list[Row] = []
    held, met = 0, False
    for record in chain.from_iterable(map(records, runs(source))):
        met = True
        page = record if isinstance(record, Rejection) else page_of(record)
        found = _row(source, page, settings) if isinstance(page, Page) else page
        if isinstance(found, Rejection):
            yield found
        elif found is not None:
            batch.append(found)
            held += found[0].nbytes
        if len(batch) >= BATCH_ROWS or held >= BATCH_BYTES:
            yield _rows(batch)
            batch, held = [], 0
    if batch:
        yield _rows(batch)
    if not met:
        yield Rejection("", "the file is empty", b"")


def _row(source: Source, page: Page, settings: dict[str, Any]) -> Row | Rejection:
    if page.is_text:
        return pa.table({"text": pa.array([page.content.decode("utf-8", "replace").strip()], STRING)}), page
    alone = replace(source, path=f"{source.path}:{page.place}.html", part=partial(io.BytesIO, page.content))
    (found,) = html(alone, **settings)
    return found._replace(place=page.place) if isinstance(found, Rejection) else (found.table, page)


def _rows(batch: list[Row]) -> Rows:
    pages = [page for _, page in batch]
    own = pa.concat_tables([table for table, _ in batch], promote_options="default")
    columns = {name: own[name] for name in own.column_names}
    for field in OF_ARCHIVE:
        columns[field.name] = pa.array([getattr(page, field.name) for page in pages], field.type)
    cells = [columns.get(field.name, pa.nulls(len(pages), field.type)) for field in SCHEMA]
    return Rows(pa.table(cells, schema=SCHEMA), [page.place for page in pages])
