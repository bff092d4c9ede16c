"""What a document is, and the two steps around it: rows of a source -> documents -> flat text with offsets.

A reader yields `Rows` (columns of a source as they are) and `Rejection`s (what it could not read). `form` makes documents
of rows. `flat_text` lays a batch's text out for the filters: one flat array of texts and the offsets of the documents in it.

    text   id, text, source, ...            one web page, row or file
    chat   id, messages, source, ...        messages: list<struct<role, content>>

Strings have 64-bit offsets (`large_string`), so a batch may hold more than 2 GiB and a kernel knows one width only.
"""

import base64
import string
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import SourceError, did_you_mean
from pipeline.sources import Source

Kind = Literal["text", "chat"]
Offsets = npt.NDArray[np.int64]

STRING = pa.large_string()
MESSAGES = pa.list_(pa.struct([pa.field("role", STRING, nullable=False), pa.field("content", STRING, nullable=False)]))
CORE = ("id", "text", "messages", "source")

ROLES = {
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bing", "bard", "model"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "observation", "function", "function_response"), "tool"),
}
"""The names that speakers have in the usual formats (OpenAI, ShareGPT and its kin), and the roles they stand for."""

REJECTED = pa.schema(
    [
        pa.field("source", STRING, nullable=False),
        pa.field("place", STRING, nullable=False),
        pa.field("error", STRING, nullable=False),
        pa.field("raw", pa.large_binary(), nullable=False),
    ]
)

EVIDENCE = pa.list_(
    pa.struct([("label", STRING), ("text", STRING), ("message", pa.int32()), ("start", pa.int64()), ("end", pa.int64())])
)
WHY = [
    pa.field("filter", STRING, nullable=False),
    pa.field("measure", STRING),
    pa.field("value", pa.float64()),
    pa.field("bound", STRING),
    pa.field("evidence", EVIDENCE),
    pa.field("twin", STRING),
    pa.field("similarity", pa.float64()),
]


class Rejection(NamedTuple):
    """A piece of a source that is no document: where it stands, what is wrong with it, and its bytes."""

    place: str
    error: str
    raw: bytes


class Rows(NamedTuple):
    """Rows of a source as it holds them.

    `table` has the source's own columns; a reader of pages or files gives `text`, a reader of chats `messages`. `places` says
    where each row stands (`1042`, `posts:17`), or is empty where the source is one document: it becomes the end of the id.
    `raw`, where a reader still has them, gives the bytes of a row.
    """

    table: pa.Table
    places: Sequence[str]
    raw: Callable[[int], bytes] | None = None


def schema(kind: Kind, extra: Sequence[pa.Field] = ()) -> pa.Schema:
    """Return the schema of documents of a kind, with extra columns behind the fixed ones.

    >>> schema("text").names
    ['id', 'text', 'source']
    """
    body = pa.field("text", STRING, nullable=False) if kind == "text" else pa.field("messages", MESSAGES, nullable=False)
    return pa.schema([pa.field("id", STRING, nullable=False), body, pa.field("source", STRING, nullable=False), *extra])


def ledger_schema(documents: pa.Schema) -> pa.Schema:
    """Return the schema of removed documents: their own columns and why they went.

    `evidence` lists what was found: its label (a phrase, a kind), the text, the message's number and the bytes in it. A
    document's own column that has a reason's name is `own_value`, `own_filter`, ... here.
    """
    reasons = {field.name for field in WHY}
    own = [field.with_name(f"own_{field.name}") if field.name in reasons else field for field in documents]
    return pa.schema([*own, *WHY])


def ledger(documents: pa.Table, filter_: str, **why: Any) -> pa.Table:  # noqa: ANN401  a column, or one value for all
    """Return removed documents with the reason in the ledger's columns; a reason's column that is not given is null."""
    known: dict[str, Any] = {**why, "filter": filter_}
    columns = documents.columns
    for field in WHY:
        value = known.pop(field.name, None)
        if value is None or isinstance(value, str):
            value = pa.repeat(pa.scalar(value, field.type), documents.num_rows)
        columns.append(value.cast(field.type) if isinstance(value, pa.Array | pa.ChunkedArray) else pa.array(value, field.type))
    if known:
        raise TypeError(f"the ledger has no column {', '.join(known)}")
    return pa.table(columns, schema=ledger_schema(documents.schema))


def kind_of(columns: pa.Schema) -> Kind:
    """Say which kind of documents a schema holds."""
    return "chat" if "messages" in columns.names else "text"


def form(
    source: Source,
    rows: Rows,
    *,
    text_column: str | None = None,
    id_column: str | None = None,
    keep_columns: Sequence[str] | Literal["all"] = (),
) -> tuple[pa.Table, list[Rejection]]:
    """Make documents of a source's rows.

    `text_column` names a column, or is a template over columns (`"{title}\\n\\n{body}"`); the default is the column `text` or
    `messages`. A row whose text is NULL, empty or white space is no document, and neither is one without an id where
    `id_column` is set: they come back as rejections with their bytes, or else their cells as JSON, bytes in base64.

    >>> rows = Rows(pa.table({"body": ["Hello", None]}), ["1", "2"])
    >>> documents, rejected = form(Source("posts.csv", "posts.csv", "csv"), rows, text_column="body")
    >>> documents["id"].to_pylist(), [(r.place, r.error) for r in rejected]
    (['posts.csv:1'], [('2', 'the text is NULL')])
    """
    table = rows.table
    names = table.column_names
    if text_column is None and "messages" in names:
        kind: Kind = "chat"
        body = table["messages"].cast(MESSAGES)
        why = _why_no_messages(body)
    else:
        kind = "text"
        body = _text(source, table, text_column)
        why = _why_no_text(body)
    ids, why_id = _ids(source, rows, id_column)
    why = pc.coalesce(why, why_id)
    body_name = "text" if kind == "text" else "messages"
    columns = {"id": ids, body_name: body}
    columns["source"] = pa.repeat(pa.scalar(source.name, STRING), table.num_rows)
    extra = names if keep_columns == "all" else list(dict.fromkeys(keep_columns))
    for name in extra:
        if name not in CORE:
            columns[name] = _column(source, table, name)
        elif name != (text_column or body_name):  # that is the body itself
            columns[f"own_{name}"] = _column(source, table, name)
    fields = [pa.field(name, column.type) for name, column in list(columns.items())[3:]]
    formed = pa.table(columns)
    bad = why.is_valid()
    if not pc.any(bad).as_py():
        return formed.cast(schema(kind, fields)), []
    rejections = list(_rejections(rows, why))
    return formed.filter(pc.invert(bad)).cast(schema(kind, fields)), rejections


def _column(source: Source, table: pa.Table, name: str) -> pa.ChunkedArray:
    if name not in table.column_names:
        raise no_column(source, name, table.column_names)
    return table[name]


def no_column(source: Source, name: str, known: Sequence[str]) -> SourceError:
    """Return the error that says that a source has no such column, and which it has."""
    return SourceError(f"{source.path}: no column {name!r}.{did_you_mean(name, known)} It has: {', '.join(known)}.")


def as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return any column as strings: bytes as UTF-8, replaced where they are not, nested values as JSON."""
    if pa.types.is_large_string(column.type):
        return column
    if pa.types.is_nested(column.type):
        cells = [None if cell is None else _json(cell).decode() for cell in column.to_pylist()]
        return pa.chunked_array([pa.array(cells, STRING)])
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        cells = [None if cell is None else cell.decode("utf-8", "replace") for cell in column.to_pylist()]
        return pa.chunked_array([pa.array(cells, STRING)])
    return column.cast(STRING)


def _text(source: Source, table: pa.Table, text_column: str | None) -> pa.ChunkedArray:
    if text_column is None:
        if "text" not in table.column_names:
            raise SourceError(
                f"{source.path}: which column holds the text? It has: {', '.join(table.column_names)}. "
                f"Choose one with --text-column, or several with --text-column '{{a}} {{b}}'."
            )
        return as_text(table["text"])
    if "{" not in text_column or text_column in table.column_names:
        return as_text(_column(source, table, text_column))
    parts: list[pa.Scalar | pa.ChunkedArray] = []
    for literal, field in _template(source, text_column):
        parts.append(pa.scalar(literal, STRING))
        if field is not None:
            parts.append(as_text(_column(source, table, field)).fill_null(""))
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
    empty = pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(text)), 0)
    return pc.if_else(
        pc.is_null(text), "the text is NULL", pc.if_else(empty, "the text is empty", pa.scalar(None, pa.string()))
    )


def _why_no_messages(messages: pa.ChunkedArray) -> pa.ChunkedArray:
    empty = pc.fill_null(pc.equal(pc.list_value_length(messages), 0), True)
    return pc.if_else(empty, "the conversation is empty", pa.scalar(None, pa.string()))


def _ids(source: Source, rows: Rows, id_column: str | None) -> tuple[pa.ChunkedArray, pa.Scalar | pa.ChunkedArray]:
    if id_column is not None:
        ids = as_text(_column(source, rows.table, id_column))
        empty = pc.if_else(pc.equal(ids, ""), f"the id column {id_column!r} is empty", pa.scalar(None, pa.string()))
        return ids, pc.if_else(pc.is_null(ids), f"the id column {id_column!r} is NULL", empty)
    ids = [f"{source.name}:{place}" if place else source.name for place in rows.places]
    return pa.chunked_array([pa.array(ids, STRING)]), pa.scalar(None, pa.string())


def _rejections(rows: Rows, why: pa.ChunkedArray) -> Iterator[Rejection]:
    bad = np.flatnonzero(why.is_valid().to_numpy())
    cells = rows.table.take(pa.array(bad)).to_pylist()
    for index, row in zip(bad, cells, strict=True):
        yield Rejection(rows.places[index], why[int(index)].as_py(), rows.raw(int(index)) if rows.raw else _json(row))


def _json(value: object) -> bytes:
    import orjson

    return orjson.dumps(value, default=lambda cell: _bytes(cell) if isinstance(cell, bytes) else str(cell))


def _bytes(cell: bytes) -> str | dict[str, str]:
    try:
        return cell.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(cell).decode()}


def flat_text(documents: pa.Table, roles: Sequence[str] | None = None) -> tuple[pa.LargeStringArray, Offsets, Offsets]:
    """Lay a table's text out for the filters.

    Returns `(texts, offsets, message)`: a flat array of all texts, `int64[documents + 1]` offsets of the documents in it, and
    `int64[texts]` the position of each text in its document. With `roles`, only messages of those roles are taken.

    >>> chat = pa.table({"messages": pa.array([[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]])})
    >>> texts, offsets, message = flat_text(chat, roles=["assistant"])
    >>> texts.to_pylist(), offsets.tolist(), message.tolist()
    (['Yo'], [0, 1], [1])
    """
    if "text" in documents.column_names:
        texts = _one_chunk(documents["text"])
        return texts, np.arange(len(texts) + 1, dtype=np.int64), np.zeros(len(texts), dtype=np.int64)
    lists = _one_chunk(documents["messages"])
    offsets = lists.offsets.to_numpy().astype(np.int64)
    values = lists.values.slice(offsets[0], offsets[-1] - offsets[0])  # not .flatten(): wrong on slices with nulls
    offsets = offsets - offsets[0]
    lengths = np.diff(offsets)
    message = np.arange(len(values), dtype=np.int64) - np.repeat(offsets[:-1], lengths)
    contents = values.field("content").cast(STRING)
    if roles is not None:
        chosen = pc.is_in(values.field("role"), pa.array(list(roles), STRING)).to_numpy(zero_copy_only=False)
        contents, message = contents.filter(pa.array(chosen)), message[chosen]
        offsets = np.concatenate([[0], np.cumsum(chosen)]).astype(np.int64)[offsets]
    return contents, offsets, message


def with_texts(documents: pa.Table, texts: pa.LargeStringArray, roles: Sequence[str] | None = None) -> pa.Table:
    """Put texts back where `flat_text` with the same roles took them from."""
    if "text" in documents.column_names:
        place = documents.column_names.index("text")
        return documents.set_column(place, documents.schema.field("text"), texts)
    lists = _one_chunk(documents["messages"])
    offsets = lists.offsets.to_numpy().astype(np.int64)
    values = lists.values.slice(offsets[0], offsets[-1] - offsets[0])
    role, content = values.field("role").cast(STRING), values.field("content").cast(STRING)
    if roles is not None:
        chosen = pc.is_in(role, pa.array(list(roles), STRING))
        content = pc.replace_with_mask(content, chosen, texts)
    else:
        content = texts
    struct = pa.StructArray.from_arrays([role, content], fields=list(MESSAGES.value_type))
    nested = pa.ListArray.from_arrays(pa.array((offsets - offsets[0]).astype(np.int32)), struct, type=MESSAGES)
    place = documents.column_names.index("messages")
    return documents.set_column(place, documents.schema.field("messages"), nested)


def _one_chunk(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    if isinstance(column, pa.Array):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
