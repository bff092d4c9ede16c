import gzip
import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.conversations.shapes import ALPACA, PAIRS
from pipeline.documents import FULL_MESSAGES, MESSAGES, Rejection, Remark, Rows
from pipeline.ingesting.forming import form
from pipeline.readers.jsonl import jsonl, pieces, sniff
from pipeline.sources import Source

USER, ASSISTANT = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}


def parts_of(tmp_path, raw, name="rows.jsonl", **settings):
    (tmp_path / name).write_bytes(raw)
    return jsonl(Source(name, str(tmp_path / name)), **settings)


def read_bytes(tmp_path, raw, name="rows.jsonl", **settings):
    got = list(parts_of(tmp_path, raw, name, **settings))
    rows = [row for part in got if isinstance(part, Rows) for row in part.table.to_pylist()]
    places = [place for part in got if isinstance(part, Rows) for place in part.places]
    return rows, places, [part for part in got if isinstance(part, Rejection)]


def read(tmp_path, *objects, **settings):
    return read_bytes(tmp_path, b"\n".join(map(orjson.dumps, objects)), **settings)


def formed(tmp_path, *objects, **settings):
    """Return the conversations of rows as they are formed, and all rejections."""
    chats, rejected = [], []
    for part in parts_of(tmp_path, b"\n".join(map(orjson.dumps, objects)), **settings):
        if isinstance(part, Rejection):
            rejected.append(part)
        elif isinstance(part, Rows):
            documents, more = form(Source("rows", "rows.jsonl", "jsonl"), part)
            chats += documents.to_pylist()
            rejected += more
    return chats, rejected


def whole(tmp_path, row, **settings):
    ((got,), rejected) = formed(tmp_path, row, **settings)
    assert rejected == []
    return got


def chat(tmp_path, row, **settings):
    return [(turn["role"], turn["content"]) for turn in whole(tmp_path, row, **settings)["messages"]]


def why(tmp_path, row, **settings):
    chats, (rejected,) = formed(tmp_path, row, **settings)
    assert chats == []
    assert rejected.raw == orjson.dumps(row)
    return rejected.error


def test_an_objects_cells_are_text_or_null(tmp_path):
    rows, places, _ = read(tmp_path, {"text": "Hi", "n": 1, "x": 1.5, "ok": True, "no": None, "tags": ["a"]})
    assert rows == [{"text": "Hi", "n": "1", "x": "1.5", "ok": "true", "no": None, "tags": '["a"]'}]
    assert places == ["1"]


def test_a_column_that_comes_later_is_null_before_it_in_its_batch(tmp_path):
    rows, *_ = read_bytes(tmp_path, b'{"a": "1"}\n{"b": "2"}\n')
    assert rows == [{"a": "1", "b": None}, {"a": None, "b": "2"}]


def test_a_column_once_seen_is_in_every_later_batch(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.readers.jsonl.BLOCK", 4)
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
    assert [(r.place, r.error, r.raw.strip()) for r in rejected] == [("2", "not an object but 7", b"7")]


def test_a_single_object_over_several_lines_is_one_row(tmp_path):
    rows, *_ = read_bytes(tmp_path, b'{\n  "text": "a"\n}\n', "row.json")
    assert rows == [{"text": "a"}]


def test_of_a_cut_list_the_rows_before_the_cut_are_kept(tmp_path):
    rows, places, (broken,) = read_bytes(tmp_path, b'[{"text": "a"},\n{"text": ', "rows.json")
    assert (rows, places) == ([{"text": "a"}], ["1"])
    assert (broken.place, broken.raw) == ("2", b'\n{"text": ')


def test_a_list_that_is_cut_behind_an_element_is_told(tmp_path):
    rows, _, (cut,) = read_bytes(tmp_path, b'[{"text": "a"}', "rows.json")
    assert (len(rows), cut) == (1, Rejection("2", "the list has no end: the file may be cut", b""))


def test_what_stands_behind_a_list_is_rejected(tmp_path):
    rows, _, (behind,) = read_bytes(tmp_path, b'[{"text": "a"}]\n{"text": "b"}', "rows.json")
    assert (len(rows), behind) == (1, Rejection("2", "behind the end of the list", b'\n{"text": "b"}'))


@pytest.mark.parametrize("block", [1, 3, 64])
@given(st.lists(st.dictionaries(st.text(max_size=3), st.text('a\\"[]{},é', max_size=5), min_size=1), max_size=4))
def test_a_list_in_blocks_of_any_size_is_that_of_its_parser(block, objects):
    raw = orjson.dumps(objects)
    found = pieces.items(raw[at : at + block] for at in range(0, len(raw), block))
    assert [value for items in found for _, value, _ in items] == objects


@pytest.mark.parametrize(("head", "tail"), [(b"", b'\n{"text": "b"}'), (b"[", b',{"text": "b"}]'), (b'[{"text": "a"},', b"]")])
def test_a_line_or_element_that_is_too_long_comes_block_by_block_and_the_rest_goes_on(tmp_path, monkeypatch, head, tail):
    monkeypatch.setattr(pieces, "LONGEST", 100)
    monkeypatch.setattr("pipeline.readers.jsonl.BLOCK", 16)
    long = b'{"text": "' + b"x" * 1000 + b'"}'
    rows, _, rejected = read_bytes(tmp_path, head + long + tail, "rows.json")
    assert len(rows) == 1
    assert b"".join(one.raw for one in rejected) == long
    assert max(len(one.raw) for one in rejected) <= 16
    assert {one.error for one in rejected} == {"more than 100 bytes without an end; here are some of them"}


@pytest.mark.parametrize(
    "raw", [b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000, b'{"a":' + b"[" * 500 + b"]" * 500 + b"}"]
)
def test_deep_nesting_is_one_rejection(tmp_path, raw):
    rows, _, (rejected,) = read_bytes(tmp_path, raw, shape="text")
    assert (rows, rejected.place) == ([], "1")


def test_messages_are_read_as_they_are(tmp_path):
    assert chat(tmp_path, {"messages": [USER, ASSISTANT]}) == [("user", "Hi"), ("assistant", "Yo")]


def test_content_in_parts_is_joined(tmp_path):
    parts = [{"type": "text", "text": "Hi"}, {"type": "text", "text": " there"}]
    assert chat(tmp_path, {"messages": [{"role": "user", "content": parts}, ASSISTANT]})[0] == ("user", "Hi there")


@pytest.mark.parametrize(("key", "names"), [("conversations", ("human", "gpt")), ("conversation", ("Prompter", "model"))])
def test_sharegpt_and_its_kin_are_read(tmp_path, key, names):
    row = {key: [{"from": name, "value": said} for name, said in zip(names, ("Hi", "Yo"), strict=True)]}
    assert chat(tmp_path, row) == [("user", "Hi"), ("assistant", "Yo")]


def test_a_pair_of_speakers_as_keys_is_two_turns(tmp_path):
    row = {"conversation": [{"human": "Hi", "assistant": "Yo"}, {"human": "Ho", "assistant": "So"}]}
    assert [said for _, said in chat(tmp_path, row)] == ["Hi", "Yo", "Ho", "So"]


def test_a_list_of_strings_is_told_in_turn(tmp_path):
    assert chat(tmp_path, {"id": "1", "data": ["Hi", "Yo"]}) == [("user", "Hi"), ("assistant", "Yo")]


@pytest.mark.parametrize("pair", ALPACA)
def test_alpaca_is_two_turns(tmp_path, pair):
    row = {pair[0]: "Add.", "input": "1+1", pair[1]: "2"}
    assert chat(tmp_path, row) == [("user", "Add.\n\n1+1"), ("assistant", "2")]


def test_alpaca_without_input_asks_the_instruction_alone(tmp_path):
    assert chat(tmp_path, {"instruction": "Hi", "input": "", "output": "Yo"})[0] == ("user", "Hi")


def test_alpacas_history_stands_before_the_instruction_and_behind_the_system(tmp_path):
    row = {"instruction": "Hi", "output": "Yo", "history": [["Q", "A"]], "system": "Be."}
    assert [said for _, said in chat(tmp_path, row)] == ["Be.", "Q", "A", "Hi", "Yo"]


@pytest.mark.parametrize("pair", PAIRS)
def test_prompt_and_response_are_two_turns(tmp_path, pair):
    assert chat(tmp_path, dict(zip(pair, ["Hi", "Yo"], strict=True))) == [("user", "Hi"), ("assistant", "Yo")]


def test_prompt_and_completion_may_be_turns(tmp_path):
    assert chat(tmp_path, {"prompt": [USER], "completion": [ASSISTANT]}) == [("user", "Hi"), ("assistant", "Yo")]


@pytest.mark.parametrize("name", ["system", "system_prompt"])
def test_a_system_column_is_the_first_turn(tmp_path, name):
    assert chat(tmp_path, {name: "Be brief.", "question": "Hi", "response": "Yo"})[0] == ("system", "Be brief.")


@pytest.mark.parametrize("chosen", ["Yo", [ASSISTANT], [USER, ASSISTANT]])
def test_of_a_preference_row_the_chosen_answer_is_taken_when_asked_for(tmp_path, chosen):
    row = {"prompt": "Hi", "chosen": chosen, "rejected": "No"}
    assert chat(tmp_path, row, shape="chosen") == [("user", "Hi"), ("assistant", "Yo")]
    assert why(tmp_path, row) == (
        "a preference row (chosen, rejected). `shape: chosen` for this source takes the chosen answers"
    )


def test_a_chats_other_columns_are_text(tmp_path):
    ((row,), *_) = read(tmp_path, {"id": 7, "prompt": "Hi", "response": "Yo"})
    assert (row["id"], sorted(row)) == ("7", ["id", "messages"])


CALL = {"name": "add", "arguments": '{"a": 1}'}
CALLS = '[{"type":"function","function":{"name":"add","arguments":"{\\"a\\": 1}"}}]'
OPENAI = [{"id": "c1", "type": "function", "function": CALL}]


@pytest.mark.parametrize(
    ("turn", "calls"),
    [
        ({"role": "assistant", "content": None, "tool_calls": OPENAI}, CALLS.replace("{", '{"id":"c1",', 1)),
        ({"role": "assistant", "content": None, "function_call": CALL}, CALLS),
        ({"role": "assistant", "tool_calls": [CALL]}, CALLS),
        ({"from": "function_call", "value": orjson.dumps(CALL).decode()}, CALLS),
    ],
)
def test_calls_of_all_kinds_become_those_of_openai(tmp_path, turn, calls):
    made = whole(tmp_path, {"messages": [USER, turn]})["messages"][1]
    assert (made["role"], made["content"], made["tool_calls"]) == ("assistant", "", calls)


@pytest.mark.parametrize("role", ["tool", "function", "observation"])
def test_the_answer_of_a_tool_keeps_its_name_and_its_call(tmp_path, role):
    answer = {"role": role, "content": "2", "name": "add", "tool_call_id": "c1"}
    row = {"messages": [USER, {"role": "assistant", "tool_calls": [CALL]}, answer, ASSISTANT]}
    made = whole(tmp_path, row)["messages"][2]
    assert (made["role"], made["name"], made["tool_call_id"]) == ("tool", "add", "c1")


def test_calls_inside_the_text_stay_there(tmp_path):
    said = {"from": "gpt", "value": '<tool_call>{"name": "add"}</tool_call>'}
    others = [{"from": name, "value": "2"} for name in ("human", "tool", "gpt")]
    assert chat(tmp_path, {"conversations": [others[0], said, *others[1:]]})[1] == ("assistant", said["value"])


@pytest.mark.parametrize("name", ["tools", "functions"])
@pytest.mark.parametrize("pack", [lambda value: value, lambda value: orjson.dumps(value).decode()])
def test_functions_become_openais_tools(tmp_path, name, pack):
    row = whole(tmp_path, {"messages": [USER, ASSISTANT], name: pack([{"name": "add"}])})
    assert row["tools"] == '[{"type":"function","function":{"name":"add"}}]'


def test_a_turn_that_is_not_to_be_trained_has_weight_0(tmp_path):
    row = {"messages": [USER, ASSISTANT | {"weight": 0}, USER, ASSISTANT | {"train": True}]}
    assert [turn["weight"] for turn in whole(tmp_path, row)["messages"]] == [None, 0.0, None, 1.0]


def test_messages_have_the_full_type_from_the_first_call_on(tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.readers.jsonl.BLOCK", 4)
    chats = [{"messages": [USER, turn]} for turn in (ASSISTANT, {"role": "assistant", "tool_calls": [CALL]}, ASSISTANT)]
    parts = parts_of(tmp_path, b"\n".join(map(orjson.dumps, chats)))
    formed = [form(Source("x", "x", "jsonl"), part)[0].schema.field("messages").type for part in parts]
    assert formed == [MESSAGES, FULL_MESSAGES, FULL_MESSAGES]


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ({"messages": []}, "the conversation is empty"),
        ({"messages": [USER, {"role": "assistant", "content": " "}]}, "turn 2 (assistant) is empty"),
        ({"messages": [{"role": "narrator", "content": "x"}]}, "turn 1 has an unknown role 'narrator'"),
        ({"messages": [{"content": "x"}]}, "turn 1 has no role"),
        ({"messages": [7]}, "turn 1 is not an object"),
        ({"messages": "x"}, "'messages' is not a list"),
        ({"messages": [USER, ASSISTANT | {"tool_calls": [{"id": "1"}]}]}, 'turn 2 has a call without a name: {"id":"1"}'),
        ({"messages": [{"from": "function_call", "value": "f(x)"}]}, 'turn 1 (assistant) has no calls but "f(x)"'),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            'turn 1 has a part that is not text: {"type":"image_url"}',
        ),
        ({"messages": [{"role": "user", "content": 5}]}, "turn 1 is not a text but 5"),
        ({"prompt": "Hi", "response": None}, "turn 2 (assistant) is empty"),
        ({"instruction": "Hi", "output": "Yo", "history": [["Q"]]}, "'history' has no question and answer at 1"),
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
    rows, _, rejected = read(tmp_path, {"messages": 5}, {"text": "a"}, {"messages": [USER]})
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


def test_fields_of_turns_that_are_left_out_are_counted(tmp_path):
    thought = {**ASSISTANT, "reasoning_content": "2 + 2", "at": None}
    rows = [{"messages": [USER, thought]}, {"messages": [USER, {**thought, "thinking": "..."}]}]
    found = list(parts_of(tmp_path, b"\n".join(map(orjson.dumps, rows))))
    assert [part for part in found if isinstance(part, Remark)] == [
        Remark("fields of turns that are left out: 'reasoning_content' (2), 'thinking' (1)")
    ]


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        ({**ASSISTANT, "name": 7}, "'name'"),
        ({**ASSISTANT, "tool_call_id": ["a"]}, "'tool_call_id'"),
        ({**ASSISTANT, "weight": "high"}, "'weight'"),
        ({**ASSISTANT, "weight": 1, "train": False}, "'train'"),
        ({**ASSISTANT, "value": "another text"}, "'value'"),
        ({**ASSISTANT, "from": "gpt"}, "'from'"),
        ({"human": "Hi", "assistant": "Yo", "context": {"page": 3}}, "'context'"),
    ],
)
def test_a_field_of_a_turn_that_is_not_read_is_told(tmp_path, turn, told):
    found = list(parts_of(tmp_path, orjson.dumps({"messages": [USER, turn]})))
    assert found[-1] == Remark(f"fields of turns that are left out: {told} (1)")


def test_a_system_column_beside_a_system_turn_stays_a_column(tmp_path):
    system = {"role": "system", "content": "Be kind."}
    (row,), _, _ = read(tmp_path, {"messages": [system, USER, ASSISTANT], "system": "Be brief."})
    assert (len(row["messages"]), row["system"]) == (3, "Be brief.")


def test_of_tools_and_functions_the_second_stays_a_column(tmp_path):
    (row,), _, _ = read(tmp_path, {"messages": [USER, ASSISTANT], "tools": [{"name": "add"}], "functions": [{"name": "sub"}]})
    assert ("add" in row["tools"], row["functions"]) == (True, '[{"name":"sub"}]')


def test_a_history_that_is_no_list_is_rejected(tmp_path):
    _, _, rejected = read(tmp_path, {"instruction": "Add.", "output": "2", "history": "1 + 1"})
    assert [one.error for one in rejected] == ["'history' is not a list"]


def test_a_prompt_that_the_chosen_turns_do_not_repeat_stays_a_column(tmp_path):
    turns = {"chosen": [USER, ASSISTANT], "rejected": [USER, ASSISTANT]}
    told, other = read(tmp_path, {"prompt": "Hi", **turns}, {"prompt": "Ahoy", **turns}, shape="chosen")[0]
    assert (told.get("prompt"), other["prompt"]) == (None, "Ahoy")


def test_nothing_is_told_of_turns_that_are_read_whole(tmp_path):
    (part,) = parts_of(tmp_path, orjson.dumps({"messages": [{**USER, "name": "Ann", "weight": 0}, ASSISTANT]}))
    assert isinstance(part, Rows)


def test_a_huge_row_is_read_as_a_small_one_is(tmp_path, monkeypatch):
    rows = [{"text": "naïve 🙂", "n": 3, "none": None}, {"text": "two"}]
    small = read(tmp_path, *rows)
    monkeypatch.setattr("pipeline.readers.jsonl.rows.HUGE", 20)
    assert read(tmp_path, *rows) == small
