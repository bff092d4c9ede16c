"""What a document is, what comes before one and after it; and a batch's flat text with the offsets of the documents in it.

A reader yields `Rows` (columns of a source as they are), `Rejection`s (what it could not read), `Remark`s (what it found out);
`forming` makes documents of rows. `flat_text` lays a batch's text out for the filters. What they remove goes to a `ledger`.

    text   id, text, source, ...            one web page, row or file
    chat   id, messages, source, ...        messages: list<struct<role, content>>; where there are tool calls `FULL_MESSAGES`

Strings have 64-bit offsets (`large_string`), so a batch may hold more than 2 GiB and a kernel knows one width only. A single
text has less: `LONGEST` bytes are the most that a cell of a Parquet file holds.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Kind = Literal["text", "chat"]
Part = Literal["conversation", "prompt", "response"]
Offsets = npt.NDArray[np.int64]

LONGEST = (1 << 31) - 1  # bytes of a text
STRING = pa.large_string()
BINARY = pa.large_binary()
MESSAGES = pa.list_(pa.struct([pa.field("role", STRING, nullable=False), pa.field("content", STRING, nullable=False)]))
MORE = (
    pa.field("name", STRING),
    pa.field("tool_calls", STRING),
    pa.field("tool_call_id", STRING),
    pa.field("weight", pa.float64()),
)
"""What a message may have besides: its speaker's or its function's name; the calls it makes, OpenAI's list as JSON; the call it
answers; and whether it is trained (0: not)."""
FULL_MESSAGES = pa.list_(pa.struct([*MESSAGES.value_type, *MORE]))
CORE = ("id", "text", "messages", "source")

REJECTED = pa.schema(
    [
        pa.field("source", STRING, nullable=False),
        pa.field("place", STRING, nullable=False),
        pa.field("error", STRING, nullable=False),
        pa.field("raw", BINARY, nullable=False),
    ]
)

REMARKS = pa.schema([("source", STRING), ("text", STRING), ("before", BINARY), ("after", BINARY), ("settings", STRING)])

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


EDITS = pa.schema(
    [
        pa.field("id", STRING, nullable=False),
        pa.field("filter", STRING, nullable=False),
        pa.field("action", STRING, nullable=False),
        pa.field("evidence", EVIDENCE),
    ]
)
"""What was altered in documents that stay: what was cut out or rewritten, and where it stood."""


class Rejection(NamedTuple):
    """A piece of a source that is no document: where it stands, what is wrong with it, and its bytes."""

    place: str
    error: str
    raw: bytes


class Remark(NamedTuple):
    """What a reader found out about a source that the user had not said: how its bytes are to be read.

    The bytes of a rejected row between `before` and `after` (a table's header, a statement's head) are a source of that one
    row, read with the reader's `settings`.
    """

    text: str
    before: bytes = b""
    after: bytes = b""
    settings: Mapping[str, Any] | None = None


class Rows(NamedTuple):
    """Rows of a source as it holds them.

    `table` has the source's own columns; a reader of pages or files gives `text`, a reader of chats `messages`. `places` says
    where each row stands (`1042`, `posts:17`; `pipeline.places.Places` where they are many), or is empty where the source is
    one document: it becomes the end of the id. `raw`, where a reader still has them, gives the bytes of a row.
    """

    table: pa.Table
    places: Sequence[str]
    raw: Callable[[int], bytes] | None = None


Found = Rows | Rejection | Remark
"""What a reader yields."""


def schema(kind: Kind, extra: Sequence[pa.Field] = (), messages: pa.DataType = MESSAGES) -> pa.Schema:
    """Return the schema of documents of a kind, with extra columns behind the fixed ones.

    `messages` is the type of a chat's: `MESSAGES` or `FULL_MESSAGES`.

    >>> schema("text").names
    ['id', 'text', 'source']
    """
    body = pa.field("text", STRING, nullable=False) if kind == "text" else pa.field("messages", messages, nullable=False)
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


def flat_text(
    documents: pa.Table, roles: Sequence[str] | None = None, part: Part = "conversation", *, calls: bool = False
) -> tuple[pa.LargeStringArray, Offsets, Offsets]:
    """Lay a table's text out for the filters.

    Returns `(texts, offsets, message)`: a flat array of all texts, `int64[documents + 1]` offsets of the documents in it, and
    `int64[texts]` the position of each text in its document. With `roles`, only messages of those roles are taken; of a
    conversation, `prompt` is what stands before the assistant's first turn, `response` the assistant's turns. With `calls`,
    the JSON of a message's tool calls stands behind its content, so that messages which differ in their calls differ.

    >>> chat = pa.table({"messages": pa.array([[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]])})
    >>> texts, offsets, message = flat_text(chat, roles=["assistant"])
    >>> texts.to_pylist(), offsets.tolist(), message.tolist()
    (['Yo'], [0, 1], [1])
    >>> flat_text(chat, part="prompt")[0].to_pylist()
    ['Hi']
    """
    if "text" in documents.column_names:
        texts = one_chunk(documents["text"])
        return texts, np.arange(len(texts) + 1, dtype=np.int64), np.zeros(len(texts), dtype=np.int64)
    values, offsets = messages_of(documents)
    message = np.arange(len(values), dtype=np.int64) - np.repeat(offsets[:-1], np.diff(offsets))
    contents = values.field("content").cast(STRING)
    if calls and values.type.get_field_index("tool_calls") >= 0:
        contents = pc.binary_join_element_wise(contents, values.field("tool_calls").fill_null(""), pa.scalar("", STRING))
    chosen = np.ones(len(values), dtype=bool)
    if roles is not None:
        chosen &= pc.is_in(values.field("role"), pa.array(list(roles), STRING)).to_numpy(zero_copy_only=False)
    if part != "conversation":
        assistant = pc.equal(values.field("role"), "assistant").to_numpy(zero_copy_only=False)
        chosen &= assistant if part == "response" else ~_since_the_first(assistant, offsets)
    if not chosen.all():
        contents, message = contents.filter(pa.array(chosen)), message[chosen]
        offsets = np.concatenate([[0], np.cumsum(chosen)]).astype(np.int64)[offsets]
    return contents, offsets, message


def _since_the_first(hits: npt.NDArray[np.bool_], offsets: Offsets) -> npt.NDArray[np.bool_]:
    """Say of each entry whether it, or one before it in its list, is a hit."""
    until = np.concatenate([[0], np.cumsum(hits)])
    return until[1:] > np.repeat(until[offsets[:-1]], np.diff(offsets))


def with_texts(documents: pa.Table, texts: pa.LargeStringArray, roles: Sequence[str] | None = None) -> pa.Table:
    """Put texts back where `flat_text` with the same roles took them from."""
    if "text" in documents.column_names:
        place = documents.column_names.index("text")
        return documents.set_column(place, documents.schema.field("text"), texts)
    values, offsets = messages_of(documents)
    if roles is not None:
        chosen = pc.is_in(values.field("role").cast(STRING), pa.array(list(roles), STRING))
        texts = pc.replace_with_mask(values.field("content").cast(STRING), chosen, texts)
    fields = list(values.type)
    struct = [texts if field.name == "content" else values.field(field.name) for field in fields]
    return with_messages(documents, pa.StructArray.from_arrays(struct, fields=fields), offsets)


def messages_of(documents: pa.Table) -> tuple[pa.StructArray, Offsets]:
    """Return all messages behind one another, and the `int64[documents + 1]` offsets of the conversations in them."""
    lists = one_chunk(documents["messages"])
    offsets = lists.offsets.to_numpy().astype(np.int64)
    values = lists.values.slice(offsets[0], offsets[-1] - offsets[0])  # not .flatten(): wrong on slices with nulls
    return values, offsets - offsets[0]


def with_messages(documents: pa.Table, messages: pa.StructArray, offsets: Offsets) -> pa.Table:
    """Return conversations with these messages, laid out as `messages_of` has them."""
    place = documents.column_names.index("messages")
    field = documents.schema.field("messages")
    nested = pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), messages, type=field.type)
    return documents.set_column(place, field, nested)


def one_chunk(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """Return a column as one array; what is one chunk already is not copied."""
    if isinstance(column, pa.Array):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def strings_of(column: pa.ChunkedArray | pa.Array) -> pa.LargeStringArray:
    """Return a column of strings as one array of `STRING`, as kernels want it; what is that already is not copied.

    >>> strings_of(pa.chunked_array([["a"], ["b"]])).type
    DataType(large_string)
    """
    return one_chunk(column.cast(STRING))
