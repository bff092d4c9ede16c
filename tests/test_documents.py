"""Documents: their kinds, and flat texts and back."""

from itertools import pairwise

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents import FULL_MESSAGES, MESSAGES, STRING, flat_text, kind_of, schema, strings_of, with_texts

ROLES = ("system", "user", "assistant")
TEXTS = st.lists(st.text(max_size=6), max_size=6)
TURNS = st.fixed_dictionaries({"role": st.sampled_from(ROLES), "content": st.text(max_size=6)})
CHATS = st.lists(st.lists(TURNS, max_size=4), max_size=5)


def texts_of(texts):
    return pa.table({"id": [""] * len(texts), "text": pa.array(texts, STRING)})


def chats_of(chats):
    return pa.table({"id": [""] * len(chats), "messages": pa.array(chats, MESSAGES)})


@given(TEXTS, st.data())
def test_flat_texts_of_a_slice_put_back_are_the_slice(texts, data):
    start = data.draw(st.integers(0, len(texts)))
    documents = texts_of(texts).slice(start, data.draw(st.integers(0, len(texts))))
    flat, offsets, message = flat_text(documents)
    assert (flat.to_pylist(), len(offsets), set(message)) == (
        documents["text"].to_pylist(),
        len(documents) + 1,
        {0} if len(flat) else set(),
    )
    assert with_texts(documents, flat) == documents


@given(CHATS, st.sets(st.sampled_from(ROLES)) | st.none(), st.data())
def test_flat_messages_of_a_slice_are_those_of_the_roles_and_put_back_they_are_the_slice(chats, roles, data):
    start = data.draw(st.integers(0, len(chats)))
    documents = chats_of(chats).slice(start, data.draw(st.integers(0, len(chats))))
    flat, offsets, message = flat_text(documents, roles)
    told = [
        [(n, m["content"]) for n, m in enumerate(chat) if roles is None or m["role"] in roles]
        for chat in documents["messages"].to_pylist()
    ]
    read = list(zip(message.tolist(), flat.to_pylist(), strict=True))
    assert [read[a:b] for a, b in pairwise(offsets)] == told
    assert with_texts(documents, flat, roles)["messages"].to_pylist() == documents["messages"].to_pylist()


@given(CHATS, st.sets(st.sampled_from(ROLES)))
def test_only_the_messages_of_the_roles_are_replaced(chats, roles):
    documents = chats_of(chats)
    flat, *_ = flat_text(documents, roles)
    after = with_texts(documents, pa.array(["!"] * len(flat), STRING), roles)["messages"].to_pylist()
    assert after == [[{**m, "content": "!"} if m["role"] in roles else m for m in chat] for chat in chats]


CALLED = [
    {"role": "user", "content": "Hi", "name": "Ann", "tool_calls": None, "tool_call_id": None, "weight": None},
    {"role": "assistant", "content": "", "name": None, "tool_calls": "[1]", "tool_call_id": None, "weight": 0.0},
    {"role": "tool", "content": "Yo", "name": "f", "tool_calls": None, "tool_call_id": "c", "weight": None},
]


@pytest.mark.parametrize("roles", [None, ["tool", "assistant"]])
def test_what_messages_have_besides_stays_where_their_texts_are_replaced(roles):
    documents = pa.table({"id": ["", ""], "messages": pa.array([CALLED[:1], CALLED], FULL_MESSAGES)}).slice(1)
    flat, *_ = flat_text(documents, roles)
    after = with_texts(documents, pa.array(["!"] * len(flat), STRING), roles)
    assert after.schema == documents.schema
    assert after["messages"].to_pylist() == [
        [{**m, "content": "!"} if roles is None or m["role"] in roles else m for m in CALLED]
    ]


def test_messages_that_differ_in_their_calls_differ_where_these_are_asked_for():
    documents = pa.table({"messages": pa.array([CALLED], FULL_MESSAGES)})
    assert flat_text(documents)[0].to_pylist() == ["Hi", "", "Yo"]
    assert flat_text(documents, calls=True)[0].to_pylist() == ["Hi", "[1]", "Yo"]
    assert flat_text(chats_of([[{"role": "user", "content": "Hi"}]]), calls=True)[0].to_pylist() == ["Hi"]


def test_tables_of_several_chunks_are_laid_out_as_one():
    one = chats_of([[{"role": "user", "content": "Hi"}]])
    flat, offsets, message = flat_text(pa.concat_tables([one, one]))
    assert (flat.to_pylist(), offsets.tolist(), message.tolist()) == (["Hi", "Hi"], [0, 1, 2], [0, 0])


def test_strings_of_one_chunk_are_not_copied():
    column = pa.chunked_array([pa.array(["a", "b"], STRING)])
    before, after = column.chunk(0).buffers()[2], strings_of(column).buffers()[2]
    assert after.address == before.address


@pytest.mark.parametrize("column", [pa.array(["a", "b"]), pa.chunked_array([["a"], ["b"]]), pa.chunked_array([], pa.string())])
def test_strings_of_any_kind_become_one_array_of_64_bit_offsets(column):
    assert strings_of(column).equals(pa.array(column.to_pylist(), STRING))


def test_the_kind_is_told_by_the_columns():
    assert (kind_of(schema("chat")), kind_of(schema("text"))) == ("chat", "text")
