import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.documents import Rejection, Remark, Rows
from pipeline.ingesting.forming import form
from pipeline.readers import parquet as module
from pipeline.readers.parquet import parquet, sniff
from pipeline.sources import Source

USER, ASSISTANT = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}


def read(path):
    got = list(parquet(Source(path.name, str(path))))
    return [part for part in got if isinstance(part, Rows)], [part for part in got if isinstance(part, Rejection)]


def written(tmp_path, columns, **options):
    pq.write_table(pa.table(columns), tmp_path / "x.parquet", **options)
    return tmp_path / "x.parquet"


def chats(tmp_path, *conversations, column="messages", **others):
    """Return the conversations of a file as they are formed, and the rejections of reader and forming."""
    path = written(tmp_path, {column: pa.array(conversations), **others})
    rows, rejected = read(path)
    formed = [form(Source("x", str(path), "parquet"), part) for part in rows]
    got = [chat for documents, _ in formed for chat in documents["messages"].to_pylist()]
    return got, [(r.place, r.error) for r in rejected + [r for _, more in formed for r in more]]


def test_columns_stay_as_they_are(tmp_path):
    table = pa.table({"text": pa.array(["a", None]), "n": [1, 2], "raw": [b"\xff", b""]})
    (rows,), _ = read(written(tmp_path, table))
    assert rows.table.equals(table)
    assert list(rows.places) == ["1", "2"]


def test_row_groups_are_numbered_through(tmp_path):
    rows, _ = read(written(tmp_path, {"text": ["a", "b", "c"]}, row_group_size=2))
    assert [list(part.places) for part in rows] == [["1", "2"], ["3"]]


def test_wide_rows_come_in_smaller_batches(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH_BYTES", 2000)
    rows, _ = read(written(tmp_path, {"text": [f"{n}" * 500 for n in range(10, 20)]}, compression="none"))
    assert max(part.table.num_rows for part in rows) <= 2
    assert sum(part.table.num_rows for part in rows) == 10


@pytest.mark.parametrize("new", [pa.ipc.new_file, pa.ipc.new_stream])
def test_arrow_files_and_streams_are_read(tmp_path, new):
    table = pa.table({"text": ["a", "b"]})
    with new(tmp_path / "x.arrow", table.schema) as writer:
        writer.write_table(table, max_chunksize=1)
    rows, _ = read(tmp_path / "x.arrow")
    assert [(part.table["text"].to_pylist(), list(part.places)) for part in rows] == [(["a"], ["1"]), (["b"], ["2"])]


def test_a_packed_file_is_unpacked(tmp_path):
    raw = written(tmp_path, {"text": ["a"]}).read_bytes()
    (tmp_path / "x.parquet.gz").write_bytes(gzip.compress(raw))
    (rows,), _ = read(tmp_path / "x.parquet.gz")
    assert rows.table.to_pylist() == [{"text": "a"}]


def test_conversations_become_messages(tmp_path):
    turns = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yo"}]
    assert chats(tmp_path, turns, column="conversations") == ([[USER, ASSISTANT]], [])


def test_a_list_of_strings_is_told_in_turn(tmp_path):
    assert chats(tmp_path, ["Hi", "Yo"], column="data") == ([[USER, ASSISTANT]], [])


def test_texts_with_a_column_of_strings_named_data_are_no_chats(tmp_path):
    (rows,), _ = read(written(tmp_path, {"text": ["a"], "data": [["b"]]}))
    assert rows.table.column_names == ["text", "data"]


def test_what_is_no_conversation_is_rejected_with_the_reason(tmp_path):
    narrator, silent = {"role": "narrator", "content": "x"}, {"role": "assistant", "content": None}
    got, rejected = chats(tmp_path, [USER, ASSISTANT], [], None, [USER, silent], [USER, narrator])
    assert got == [[USER, ASSISTANT]]
    assert rejected == [
        ("2", "the conversation is empty"),
        ("3", "the conversation is empty"),
        ("4", "turn 2 (assistant) is empty"),
        ("5", "turn 2 has an unknown role 'narrator'"),
    ]


def test_nested_tool_calls_become_json_without_nulls(tmp_path):
    add, sub = ({"name": name, "arguments": {key: 1}} for name, key in (("add", "a"), ("sub", "b")))
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": add}]}
    other = {"role": "assistant", "content": None, "tool_calls": [{"id": "c2", "type": "function", "function": sub}]}
    result = {"role": "tool", "content": "2", "tool_call_id": "c1", "name": "add"}
    ((user, called, answered, said), _), rejected = chats(tmp_path, [USER, call, result, ASSISTANT], [USER, other])
    assert rejected == []
    assert called["tool_calls"] == '[{"id":"c1","type":"function","function":{"name":"add","arguments":{"a":1}}}]'
    assert (answered["tool_call_id"], answered["name"], user["tool_calls"], said["tool_calls"]) == ("c1", "add", None, None)


def test_functions_become_the_column_tools(tmp_path):
    tools = pa.array([[{"name": "add", "description": None}]])
    (rows,), _ = read(written(tmp_path, {"messages": [[USER, ASSISTANT]], "functions": tools}))
    assert rows.table["tools"].to_pylist() == ['[{"type":"function","function":{"name":"add"}}]']


def test_content_in_parts_is_joined_and_parts_that_are_no_text_are_rejected(tmp_path):
    parts = [{"type": "text", "text": "H"}, {"type": "text", "text": "i"}]
    said = [{"role": "user", "content": parts}, {"role": "assistant", "content": parts[:1]}]
    seen = [{"role": "user", "content": [{"type": "image", "text": None}]}]
    got, rejected = chats(tmp_path, said, seen)
    assert [turn["content"] for turn in got[0]] == ["Hi", "H"]
    assert rejected == [("2", 'turn 1 (user) has a part that is not text: [{"type":"image"}]')]


def test_a_rejected_row_keeps_its_cells(tmp_path):
    calls = [[USER | {"tool_calls": "x"}], [USER]]
    _, (rejected,) = read(written(tmp_path, {"messages": calls, "n": [1, 2], "raw": [b"\xff", b""]}))
    assert rejected.error == 'turn 1 (user) has no calls but "x"'
    assert rejected.raw.endswith(',"n":1,"raw":"\ufffd"}'.encode())


def test_a_row_that_is_not_utf8_is_rejected(tmp_path):
    text = pa.array([b"a", b"\xff", b"c"]).view(pa.string())
    (rows,), rejected = read(written(tmp_path, {"text": text}))
    assert (rows.table["text"].to_pylist(), list(rows.places)) == (["a", "c"], ["1", "3"])
    assert rejected == [Rejection("2", "the column 'text' is not UTF-8", b"\xff")]


@pytest.mark.parametrize("raw", [b"", b"PAR1 nonsense", b"ARROW1 nonsense", b"nonsense"])
def test_a_file_that_is_none_is_rejected_with_its_bytes(tmp_path, raw):
    (tmp_path / "x.parquet").write_bytes(raw)
    rows, (rejected,) = read(tmp_path / "x.parquet")
    assert (rows, rejected.place, rejected.raw) == ([], "", raw)
    assert rejected.error.startswith("not a readable Parquet or Arrow file")


def test_of_a_damaged_file_the_sound_row_groups_are_kept(tmp_path):
    path = written(tmp_path, {"text": ["first" * 50, "second" * 50, "third" * 50]}, row_group_size=1, compression="zstd")
    raw = bytearray(path.read_bytes())
    place = pq.ParquetFile(path).metadata.row_group(1).column(0).dictionary_page_offset
    raw[place : place + 40] = bytes(40)
    path.write_bytes(raw)
    rows, (rejected,) = read(path)
    assert [place for part in rows for place in part.places] == ["1", "3"]
    assert rejected.error.startswith("rows from 2 to 2 cannot be read")


def test_parquet_and_arrow_are_told_by_their_magic_bytes():
    assert sniff(b"PAR1")
    assert not sniff(b"parquet")


@pytest.mark.parametrize(
    ("more", "told"),
    [({"reasoning_content": "2 + 2"}, "'reasoning_content'"), ({"name": 7}, "'name'"), ({"weight": "high"}, "'weight'")],
)
def test_fields_of_turns_that_are_left_out_are_counted(tmp_path, more, told):
    path = written(tmp_path, {"messages": pa.array([[USER, {**ASSISTANT, **more}], [USER, ASSISTANT]])}, row_group_size=1)
    assert list(parquet(Source("x", str(path))))[-1] == Remark(f"fields of turns that are left out: {told} (1)")


def test_nothing_is_told_of_turns_that_are_read_whole(tmp_path):
    turns = [{**USER, "name": "Ann", "weight": 0}, {**ASSISTANT, "tool_calls": [{"name": "f"}], "thinking": None}]
    path = written(tmp_path, {"messages": pa.array([turns])})
    assert all(isinstance(part, Rows) for part in parquet(Source("x", str(path))))
