import gzip
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents import MESSAGES, Rejection, Rows
from pipeline.readers import jsonl as module
from pipeline.readers.jsonl import jsonl, sniff
from pipeline.sources import Source

USER, ASSISTANT = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}


def read_bytes(tmp_path, raw, name="rows.jsonl", **settings):
    path = tmp_path / name
    path.write_bytes(raw)
    got = list(jsonl(Source(name, str(path)), **settings))
    rows = [row for part in got if isinstance(part, Rows) for row in part.table.to_pylist()]
    places = [place for part in got if isinstance(part, Rows) for place in part.places]
    return rows, places, [part for part in got if isinstance(part, Rejection)]


def read(tmp_path, *objects, **settings):
    return read_bytes(tmp_path, b"\n".join(map(orjson.dumps, objects)), **settings)


def chat(tmp_path, row, **settings):
    ((got,), _, rejected) = read(tmp_path, row, **settings)
    assert rejected == []
    return [(turn["role"], turn["content"]) for turn in got["messages"]]


def why(tmp_path, row, **settings):
    rows, _, (rejected,) = read(tmp_path, row, **settings)
    assert rows == []
    return rejected.error


def test_an_objects_cells_are_text_or_null(tmp_path):
    rows, places, _ = read(tmp_path, {"text": "Hi", "n": 1, "x": 1.5, "ok": True, "no": None, "tags": ["a"]})
    assert rows == [{"text": "Hi", "n": "1", "x": "1.5", "ok": "true", "no": None, "tags": '["a"]'}]
    assert places == ["1"]


def test_a_column_that_comes_later_is_null_before_it_in_its_batch(tmp_path):
    rows, *_ = read_bytes(tmp_path, b'{"a": "1"}\n{"b": "2"}\n')
    assert rows == [{"a": "1", "b": None}, {"a": None, "b": "2"}]


def test_a_column_once_seen_is_in_every_later_batch(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 4)
    rows, *_ = read(tmp_path, {"a": "1"}, {"b": "2"})
    assert rows == [{"a": "1"}, {"a": None, "b": "2"}]


def test_a_broken_line_is_rejected_and_the_rest_goes_on(tmp_path):
    rows, places, rejected = read_bytes(tmp_path, b'{"text": "a"}\n{"text": \n\n{"text": "b"}\n')
    assert ([row["text"] for row in rows], places) == (["a", "b"], ["1", "4"])
    (broken,) = rejected
    assert (broken.place, broken.raw) == ("2", b'{"text": ')
    assert broken.error.startswith("not JSON: ")
    assert broken.error.endswith("(column 10)")


@pytest.mark.parametrize(("value", "error"), [(5, "not an object but 5"), ({}, "the object is empty")])
def test_a_line_that_is_no_row_is_rejected(tmp_path, value, error):
    assert why(tmp_path, value) == error


@pytest.mark.parametrize("indent", [None, 2])
def test_a_list_is_read_by_its_elements(tmp_path, indent):
    raw = json.dumps([{"text": "a"}, 7, {"text": "b"}], indent=indent).encode()
    rows, places, rejected = read_bytes(tmp_path, b"\xef\xbb\xbf " + raw, "rows.json")
    assert ([row["text"] for row in rows], places) == (["a", "b"], ["1", "3"])
    assert rejected == [Rejection("2", "not an object but 7", b"7")]


def test_a_single_object_over_several_lines_is_one_row(tmp_path):
    rows, *_ = read_bytes(tmp_path, b'{\n  "text": "a"\n}\n', "row.json")
    assert rows == [{"text": "a"}]


def test_a_broken_list_is_rejected_whole(tmp_path):
    raw = b'[{"text": "a"},\n{"text": ]'
    rows, _, (broken,) = read_bytes(tmp_path, raw, "rows.json")
    assert (rows, broken.place, broken.raw) == ([], "2", raw)


def test_messages_are_read_as_they_are(tmp_path):
    assert chat(tmp_path, {"messages": [USER, ASSISTANT]}) == [("user", "Hi"), ("assistant", "Yo")]


def test_messages_have_the_type_of_documents(tmp_path):
    (tmp_path / "x.jsonl").write_bytes(orjson.dumps({"messages": [USER]}))
    (rows,) = jsonl(Source("x.jsonl", str(tmp_path / "x.jsonl")))
    assert rows.table.schema.field("messages").type == MESSAGES


def test_content_in_parts_is_joined(tmp_path):
    parts = [{"type": "text", "text": "Hi"}, {"type": "text", "text": " there"}]
    assert chat(tmp_path, {"messages": [{"role": "user", "content": parts}]}) == [("user", "Hi there")]


@pytest.mark.parametrize(
    ("said", "role"),
    [("human", "user"), ("gpt", "assistant"), ("system", "system"), ("observation", "tool"), ("Prompter", "user")],
)
def test_the_names_of_sharegpt_become_roles(tmp_path, said, role):
    row = {"conversations": [{"from": said, "value": "Hi"}, {"from": "human", "value": "Yo"}]}
    assert chat(tmp_path, row) == [(role, "Hi"), ("user", "Yo")]


@pytest.mark.parametrize("answer", ["output", "response"])
def test_alpaca_is_two_turns(tmp_path, answer):
    row = {"instruction": "Add.", "input": "1+1", answer: "2"}
    assert chat(tmp_path, row) == [("user", "Add.\n\n1+1"), ("assistant", "2")]


def test_alpaca_without_input_asks_the_instruction_alone(tmp_path):
    assert chat(tmp_path, {"instruction": "Hi", "input": "", "output": "Yo"})[0] == ("user", "Hi")


@pytest.mark.parametrize("pair", module.PAIRS)
def test_prompt_and_response_are_two_turns(tmp_path, pair):
    assert chat(tmp_path, dict(zip(pair, ["Hi", "Yo"], strict=True))) == [("user", "Hi"), ("assistant", "Yo")]


def test_a_system_column_is_the_first_turn(tmp_path):
    row = {"system": "Be brief.", "prompt": "Hi", "response": "Yo"}
    assert chat(tmp_path, row)[0] == ("system", "Be brief.")


def test_an_empty_system_turn_is_left_out(tmp_path):
    assert chat(tmp_path, {"messages": [{"role": "system", "content": ""}, USER]}) == [("user", "Hi")]


def test_a_chats_other_columns_are_text(tmp_path):
    ((row,), *_) = read(tmp_path, {"id": 7, "prompt": "Hi", "response": "Yo"})
    assert (row["id"], sorted(row)) == ("7", ["id", "messages"])


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({"messages": []}, "the conversation is empty"),
        ({"messages": [{"role": "system", "content": "Be."}]}, "the conversation is empty"),
        ({"messages": [USER, {"role": "assistant", "content": " "}]}, "turn 2 (assistant) is empty"),
        ({"messages": [{"role": "narrator", "content": "x"}]}, "turn 1: unknown role 'narrator'"),
        ({"messages": [{"content": "x"}]}, "turn 1: unknown role None"),
        ({"messages": ["x"]}, "turn 1 is not an object"),
        ({"messages": "x"}, "'messages' is not a list"),
        (
            {"messages": [USER, {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}]},
            "turn 2: tool calls are not supported yet",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            'turn 1 has a part that is not text: {"type":"image_url"}',
        ),
        ({"messages": [{"role": "user", "content": 5}]}, "turn 1 is not a text but 5"),
        ({"prompt": "Hi", "response": None}, "turn 2 (assistant) is empty"),
    ],
)
def test_what_is_no_conversation_is_rejected_with_the_reason(tmp_path, row, error):
    assert why(tmp_path, row) == error


def test_a_named_shape_rejects_other_rows(tmp_path):
    assert why(tmp_path, {"prompt": "a", "response": "b"}, shape="sharegpt") == "no 'conversations'"


def test_a_named_shape_takes_rows_that_would_pass_for_another(tmp_path):
    ((row,), *_) = read(tmp_path, {"question": "a", "answer": "b"}, shape="text")
    assert row == {"question": "a", "answer": "b"}


def test_a_row_of_another_kind_than_the_first_is_rejected(tmp_path):
    rows, _, rejected = read(tmp_path, {"text": "a"}, {"messages": [USER]}, {"text": "b"})
    assert len(rows) == 2
    assert [(r.place, r.error) for r in rejected] == [("2", "a chat row, but the file's first row is text")]


def test_a_file_whose_first_chat_is_broken_is_still_one_of_chats(tmp_path):
    rows, _, rejected = read(tmp_path, {"messages": []}, {"text": "a"}, {"messages": [USER]})
    assert (len(rows), [r.place for r in rejected]) == (1, ["1", "2"])


def test_an_empty_file_has_no_rows(tmp_path):
    assert read_bytes(tmp_path, b"\n") == ([], [], [])


def test_a_packed_file_that_is_cut_keeps_what_was_read(tmp_path):
    lines = [orjson.dumps({"text": f"{n * 7919 % 10007} words"}) for n in range(5000)]
    rows, _, (cut,) = read_bytes(tmp_path, gzip.compress(b"\n".join(lines))[:-1000], "rows.jsonl.gz")
    assert 3000 < len(rows) < 5000
    assert cut.place == str(len(rows) + 1)
    assert lines[len(rows)].startswith(cut.raw)
    assert cut.error.startswith("the file cannot be read to its end")


def test_json_is_told_by_its_first_character():
    assert sniff(b'\xef\xbb\xbf\n[{"a"')
    assert not sniff(b"a,b")


TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)


@given(st.lists(st.dictionaries(TEXTS.filter(lambda name: name != "messages"), TEXTS, min_size=1, max_size=3), max_size=5))
def test_what_is_written_comes_back(tmp_path_factory, objects):
    rows, places, rejected = read(tmp_path_factory.mktemp("json"), *objects, shape="text")
    assert rejected == []
    assert [{name: cell for name, cell in row.items() if cell is not None} for row in rows] == objects
    assert places == [str(n + 1) for n in range(len(objects))]
