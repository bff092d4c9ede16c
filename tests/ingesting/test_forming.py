"""Rows become documents, or rejections that lose nothing."""

import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.conversations.settle import Repaired
from pipeline.documents import FULL_MESSAGES, MESSAGES, STRING, Rows, ledger, ledger_schema, schema
from pipeline.errors import SourceError
from pipeline.ingesting.forming import form
from pipeline.sources import Source

SOURCE = Source("posts.csv", "/data/posts.csv", "csv")

TALK = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]
ROLES = ("system", "user", "assistant")
TURNS = st.fixed_dictionaries({"role": st.sampled_from(ROLES), "content": st.text(max_size=6)})
CHATS = st.lists(st.lists(TURNS, max_size=4), max_size=5)


def rows(**columns):
    table = pa.table(columns)
    return Rows(table, [str(number) for number in range(1, table.num_rows + 1)])


def chats_of(chats):
    return pa.table({"id": [""] * len(chats), "messages": pa.array(chats, MESSAGES)})


def refused(**settings):
    with pytest.raises(SourceError) as caught:
        form(SOURCE, rows(title=["A"], body=["B"]), **settings)
    return str(caught.value)


def test_a_column_becomes_the_text_and_the_place_the_id():
    documents, rejected = form(SOURCE, rows(title=["A"], body=["B"]), text_column="body")
    assert documents.to_pylist() == [{"id": "posts.csv:1", "text": "B", "source": "posts.csv"}]
    assert documents.schema == schema("text")
    assert rejected == []


def test_a_source_that_is_one_document_has_its_name_as_id():
    documents, _ = form(Source("pages/a.html", "", "html"), Rows(pa.table({"text": ["Hi"]}), [""]))
    assert documents["id"].to_pylist() == ["pages/a.html"]


def test_a_template_joins_columns_and_a_null_in_it_is_empty():
    documents, _ = form(SOURCE, rows(title=["A", None], body=["B", "C"]), text_column="# {title}\n\n{body} {{1}}")
    assert documents["text"].to_pylist() == ["# A\n\nB {1}", "# \n\nC {1}"]


def test_numbers_and_bytes_become_text():
    documents, _ = form(SOURCE, rows(n=[7], raw=[b"caf\xc3\xa9\xff"]), text_column="{n} {raw}")
    assert documents["text"].to_pylist() == ["7 café\ufffd"]


@pytest.mark.parametrize(
    ("text", "error"), [(None, "the text is NULL"), ("", "the text is empty"), (" \n\u2003", "the text is empty")]
)
def test_a_row_without_text_is_rejected_with_its_cells(text, error):
    documents, rejected = form(SOURCE, rows(text=["x", text], n=[1, 2]))
    assert documents.num_rows == 1
    assert [(r.place, r.error, json.loads(r.raw)) for r in rejected] == [("2", error, {"text": text, "n": 2})]


def test_a_conversation_without_messages_is_rejected():
    table = pa.table({"messages": pa.array([[], None, TALK], MESSAGES)})
    documents, rejected = form(SOURCE, Rows(table, ["1", "2", "3"]))
    assert (documents["id"].to_pylist(), documents.schema) == (["posts.csv:3"], schema("chat"))
    assert [(r.place, r.error) for r in rejected] == [("1", "the conversation is empty"), ("2", "the conversation is empty")]


def test_the_sources_own_id_is_kept_and_a_null_id_is_rejected():
    documents, rejected = form(SOURCE, rows(text=["a", "b"], key=[7, None]), id_column="key")
    assert documents["id"].to_pylist() == ["7"]
    assert [(r.place, r.error) for r in rejected] == [("2", "the id column 'key' is NULL")]


def test_columns_ride_along_under_their_names_and_each_once():
    documents, _ = form(SOURCE, rows(text=["a"], n=[1], m=[2]), keep_columns=["m", "n", "m"])
    assert documents.schema.names == ["id", "text", "source", "m", "n"]
    assert form(SOURCE, rows(text=["a"], n=[1], m=[2]), keep_columns="all")[0].schema.names == [
        "id",
        "text",
        "source",
        "n",
        "m",
    ]


def test_an_unknown_column_says_which_there_are():
    assert refused(text_column="bdy") == "/data/posts.csv: no column 'bdy'. Did you mean 'body'? It has: title, body."
    assert refused(text_column="{nope}") == "/data/posts.csv: no column 'nope'. It has: title, body."
    assert refused(text_column="{0}") == "/data/posts.csv: no column '0'. It has: title, body."
    assert refused(text_column="body", id_column="key") == "/data/posts.csv: no column 'key'. It has: title, body."
    assert refused(text_column="body", keep_columns=["x"]) == "/data/posts.csv: no column 'x'. It has: title, body."


def test_rows_without_a_text_column_ask_for_one():
    assert refused() == (
        "/data/posts.csv: which column holds the text? It has: title, body. "
        "Choose one with --text-column, or several with --text-column '{a} {b}'."
    )


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{title", "expected '}' before end of string"),
        ("{title} }", "Single '}' encountered in format string"),
        ("{}", "it names no column"),
        ("{{title}}", "it names no column"),
        ("{title!r}", "a column's name stands alone in its braces"),
        ("{title:>9}", "a column's name stands alone in its braces"),
    ],
)
def test_a_malformed_template_says_how_one_is_written(template, why):
    assert refused(text_column=template) == (
        f"/data/posts.csv: {template!r} is no template ({why}). Write columns in braces, like '{{title}} {{body}}'; "
        "a brace of the text itself is doubled."
    )


def test_a_column_with_braces_in_its_name_is_found_by_its_name():
    assert form(SOURCE, rows(**{"{odd": ["x"]}), text_column="{odd")[0]["text"].to_pylist() == ["x"]


@given(st.lists(st.one_of(st.none(), st.text(max_size=3), st.sampled_from(["", " ", "\n"])), max_size=8))
def test_every_row_becomes_a_document_or_a_rejection(texts):
    given_rows = Rows(pa.table({"text": pa.array(texts, STRING)}), [str(number) for number in range(len(texts))])
    documents, rejected = form(SOURCE, given_rows)
    places = [row.rpartition(":")[2] for row in documents["id"].to_pylist()] + [row.place for row in rejected]
    assert sorted(places, key=int) == given_rows.places


@given(CHATS)
def test_every_conversation_becomes_a_document_or_a_rejection(chats):
    documents, rejected = form(SOURCE, Rows(chats_of(chats), [str(number) for number in range(len(chats))]))
    places = [row.rpartition(":")[2] for row in documents["id"].to_pylist()] + [row.place for row in rejected]
    assert sorted(places, key=int) == [str(number) for number in range(len(chats))]


def test_what_was_mended_is_remarked():
    rows = Rows(pa.table({"messages": pa.array([[*TALK, TALK[0]], TALK[:1]], MESSAGES)}), ["1", "2"])
    documents, (remark, rejected) = form(SOURCE, rows, repair=True)
    assert documents["messages"].to_pylist() == [TALK]
    assert (remark, rejected.place) == (Repaired(1, 0, 1), "2")


def test_the_functions_of_a_conversation_ride_along_unasked():
    rows = Rows(pa.table({"messages": pa.array([TALK], MESSAGES), "tools": ["[]"], "n": [1]}), ["1"])
    assert form(SOURCE, rows)[0].column_names == ["id", "messages", "source", "tools"]
    assert form(SOURCE, rows, keep_columns="all")[0].column_names == ["id", "messages", "source", "tools", "n"]


def test_a_chat_with_tool_calls_has_the_full_type_of_messages():
    calls = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "", "tool_calls": "[{}]"}]
    documents, _ = form(SOURCE, Rows(pa.table({"messages": pa.array([calls], FULL_MESSAGES)}), ["1"]))
    assert documents.schema == schema("chat", messages=FULL_MESSAGES)


def test_the_ledger_holds_the_document_and_the_reason():
    documents = form(SOURCE, rows(text=["a"]))[0]
    (row,) = ledger(documents, "word_count", measure="word_count", value=[1.0], bound="min 2").to_pylist()
    assert (row["text"], row["filter"], row["value"], row["bound"], row["twin"]) == ("a", "word_count", 1.0, "min 2", None)


def test_a_documents_column_named_like_a_reason_keeps_its_cells_in_the_ledger():
    documents = form(SOURCE, rows(text=["a"], value=["mine"]), keep_columns="all")[0]
    names = ledger_schema(documents.schema).names
    assert len(names) == len(set(names))
    (row,) = ledger(documents, "slop", value=[2.0]).to_pylist()
    assert (row["own_value"], row["value"]) == ("mine", 2.0)


def test_a_reason_that_the_ledger_does_not_know_is_a_defect():
    with pytest.raises(TypeError, match="the ledger has no column why"):
        ledger(form(SOURCE, rows(text=["a"]))[0], "slop", why=[1])


def test_a_column_with_the_name_of_one_of_ours_is_kept_under_another_when_it_is_asked_for():
    rows = Rows(pa.table({"text": ["Hi"], "source": ["mail"]}), ["1"])
    documents, _ = form(Source("a.csv", "a.csv"), rows, keep_columns=["source"])
    assert documents.column_names == ["id", "text", "source", "own_source"]
    assert documents["own_source"].to_pylist() == ["mail"]


def test_a_nested_column_taken_for_the_text_is_its_json():
    rows = Rows(pa.table({"tags": [["a", "b"], None]}), ["1", "2"])
    documents, rejected = form(Source("a.parquet", "a.parquet"), rows, text_column="tags")
    assert documents["text"].to_pylist() == ['["a","b"]']
    assert [entry.error for entry in rejected] == ["the text is NULL"]


@pytest.mark.parametrize(
    ("text_column", "kept"), [(None, []), ("text", []), ("body", ["own_text", "body"]), ("{text} {body}", ["own_text", "body"])]
)
def test_of_all_columns_the_one_that_is_the_text_is_not_kept_twice(text_column, kept):
    table = pa.table({"text": ["Hi"], "body": ["Ho"]}) if kept else pa.table({"text": ["Hi"]})
    documents, _ = form(Source("a.csv", "a.csv"), Rows(table, ["1"]), text_column=text_column, keep_columns="all")
    assert documents.column_names == ["id", "text", "source", *kept]


def test_a_chat_keeps_its_column_named_text_when_it_is_asked_for():
    table = pa.table({"messages": pa.array([TALK], MESSAGES), "text": ["aside"]})
    documents, _ = form(Source("a.jsonl", "a.jsonl"), Rows(table, ["1"]), keep_columns=["text"])
    assert documents["own_text"].to_pylist() == ["aside"]
