"""Rows of a source -> documents, and rejections of those that are none: the same for every format."""

import base64
import string
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.conversations.settle import Repaired, settle
from pipeline.documents import CORE, LONGEST, STRING, Kind, Rejection, Rows, schema
from pipeline.errors import SourceError, did_you_mean
from pipeline.places import Places
from pipeline.sources import Source

TOO_LONG = f"the text has more than {LONGEST} bytes"


def form(
    source: Source,
    rows: Rows,
    *,
    text_column: str | None = None,
    id_column: str | None = None,
    keep_columns: Sequence[str] | Literal["all"] = (),
    repair: bool = False,
) -> tuple[pa.Table, list[Rejection | Repaired]]:
    """Make documents of a source's rows.

    `text_column` names a column, or is a template over columns (`"{title}\\n\\n{body}"`); the default is the column `text` or
    `messages`. A row whose text is NULL, empty or white space is no document, and neither is one without an id where
    `id_column` is set: they come back as rejections with their bytes, or else their cells as JSON, bytes in base64. So does a
    conversation that breaks the rules of `conversations.rules`; with `repair` it is mended where it can be, and what was
    mended is counted. A chat's column `tools`, the functions that it may call, always rides along.

    >>> rows = Rows(pa.table({"body": ["Hello", None]}), ["1", "2"])
    >>> documents, rejected = form(Source("posts.csv", "posts.csv", "csv"), rows, text_column="body")
    >>> documents["id"].to_pylist(), [(r.place, r.error) for r in rejected]
    (['posts.csv:1'], [('2', 'the text is NULL')])
    """
    table = rows.table
    names = table.column_names
    besides: list[Rejection | Repaired] = []
    if text_column is None and "messages" in names:
        kind: Kind = "chat"
        body, why, repaired = settle(table["messages"], repair=repair)
        besides += [repaired] if repaired.conversations else []
    else:
        kind = "text"
        body = text_of(source, table, text_column)
        why = _why_no_text(body)
    ids, why_id = _ids(source, rows, id_column)
    why = pc.coalesce(why, why_id)
    body_name = "text" if kind == "text" else "messages"
    columns = {"id": ids, body_name: body}
    columns["source"] = pa.repeat(pa.scalar(source.name, STRING), table.num_rows)
    if kind == "chat" and "tools" in names:
        columns["tools"] = as_text(table["tools"])
    extra = names if keep_columns == "all" else list(dict.fromkeys(keep_columns))
    for name in extra:
        if name not in CORE:
            columns.setdefault(name, column_of(source, table, name))
        elif name != (text_column or body_name):  # that is the body itself
            columns[f"own_{name}"] = column_of(source, table, name)
    fields = [pa.field(name, column.type) for name, column in list(columns.items())[3:]]
    formed = pa.table(columns)
    bad = why.is_valid()
    if pc.any(bad).as_py():
        besides += rejections(rows, why)
        formed = formed.filter(pc.invert(bad))
    return formed.cast(schema(kind, fields, body.type)), besides


def column_of(source: Source, table: pa.Table, name: str) -> pa.ChunkedArray:
    """Return a column; raises `SourceError` where the source has none of this name."""
    try:
        return table[name]  # `column_names` is a list, made anew: of 20,000 columns to ask it for each takes minutes
    except KeyError:
        raise no_column(source, name, table.column_names) from None


def no_column(source: Source, name: str, known: Sequence[str]) -> SourceError:
    """Return the error that says that a source has no such column, and which it has."""
    return SourceError(f"{source.path}: no column {name!r}.{did_you_mean(name, known)} It has: {', '.join(known)}.")


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return any column as strings: bytes as UTF-8, replaced where they are not, nested values as JSON."""
    if pa.types.is_large_string(column.type):
        return column
    if pa.types.is_nested(column.type):
        cells = [None if cell is None else as_json(cell).decode() for cell in column.to_pylist()]
        return pa.chunked_array([pa.array(cells, STRING)])
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        cells = [None if cell is None else cell.decode("utf-8", "replace") for cell in column.to_pylist()]
        return pa.chunked_array([pa.array(cells, STRING)])
    return column.cast(STRING)


def text_of(source: Source, table: pa.Table, text_column: str | None) -> pa.ChunkedArray:
    """Return the text of each row: a column's, or a template's over columns; raises `SourceError` where there is none."""
    if text_column is None:
        if "text" not in table.column_names:
            raise SourceError(
                f"{source.path}: which column holds the text? It has: {', '.join(table.column_names)}. "
                f"Choose one with --text-column, or several with --text-column '{{a}} {{b}}'."
            )
        return as_text(table["text"])
    if "{" not in text_column or text_column in table.column_names:
        return as_text(column_of(source, table, text_column))
    parts: list[pa.Scalar | pa.ChunkedArray] = []
    for literal, field in _template(source, text_column):
        parts.append(pa.scalar(literal, STRING))
        if field is not None:
            parts.append(as_text(column_of(source, table, field)).fill_null(""))
    joined = pc.binary_join_element_wise(*parts, pa.scalar("", STRING))
    return joined if isinstance(joined, pa.ChunkedArray) else pa.chunked_array([joined])


def _template(source: Source, text_column: str) -> list[tuple[str, str | None]]:
    """Cut a template into literals, each with the column behind it."""
    why = ""
    try:
        parts = list(string.Formatter().parse(text_column))
    except ValueError as error:
        parts, why = [], str(error)
    if any(spec or conversion for _, _, spec, conversion in parts):
        why = "a column's name stands alone in its braces"
    elif not why and not any(field for _, field, _, _ in parts):
        why = "it names no column"
    if why:
        raise SourceError(
            f"{source.path}: {text_column!r} is no template ({why}). Write columns in braces, like '{{title}} {{body}}'; "
            f"a brace of the text itself is doubled."
        )
    return [(literal, field) for literal, field, _, _ in parts]


def _why_no_text(text: pa.ChunkedArray) -> pa.ChunkedArray:
    empty = pc.or_(pc.equal(pc.binary_length(text), 0), pc.utf8_is_space(text))
    long = pc.if_else(pc.greater(pc.binary_length(text), LONGEST), TOO_LONG, pa.scalar(None, pa.string()))
    return pc.if_else(pc.is_null(text), "the text is NULL", pc.if_else(empty, "the text is empty", long))


def _ids(source: Source, rows: Rows, id_column: str | None) -> tuple[pa.ChunkedArray, pa.Scalar | pa.ChunkedArray]:
    if id_column is not None:
        ids = as_text(column_of(source, rows.table, id_column))
        empty = pc.if_else(pc.equal(ids, ""), f"the id column {id_column!r} is empty", pa.scalar(None, pa.string()))
        return ids, pc.if_else(pc.is_null(ids), f"the id column {id_column!r} is NULL", empty)
    if isinstance(rows.places, Places):
        ids = rows.places.texts(f"{source.name}:")
    else:
        ids = pa.array([f"{source.name}:{place}" if place else source.name for place in rows.places], STRING)
    return pa.chunked_array([ids]), pa.scalar(None, pa.string())


def rejections(rows: Rows, why: pa.ChunkedArray) -> Iterator[Rejection]:
    """Return the rows that have a reason not to be taken, with their bytes, or their cells as JSON."""
    bad = np.flatnonzero(why.is_valid().to_numpy(zero_copy_only=False))
    cells = rows.table.take(pa.array(bad)).to_pylist()
    for index, row in zip(bad, cells, strict=True):
        yield Rejection(rows.places[index], why[int(index)].as_py(), rows.raw(int(index)) if rows.raw else as_json(row))


def as_json(value: object) -> bytes:
    """Return a value as JSON, bytes that are no UTF-8 in base64."""
    import orjson

    return orjson.dumps(value, default=lambda cell: _bytes(cell) if isinstance(cell, bytes) else str(cell))


def _bytes(cell: bytes) -> str | dict[str, str]:
    try:
        return cell.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(cell).decode()}
