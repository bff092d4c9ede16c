"""References: benchmark files of every format -> texts and the places they were read at."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.contamination import contamination
from pipeline.errors import SourceError
from pipeline.references import load, strings

ROW = {"id": 7, "question": "Which is even?", "choices": {"text": ["three", "four"], "label": ["A", "B"]}, "answer": None}
TEXTS = ("Which is even?", "three", "four", "A", "B", "Which is even?\nthree\nfour\nA\nB")
NESTED = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def written(tmp_path):
    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def read(path):
    found = load(path)
    return list(zip(found.texts, found.places, strict=True))


@pytest.mark.parametrize("name", ["own.jsonl", "own.ndjson", "own.json"])
def test_the_strings_of_an_object_a_line_are_taken_each_and_joined(written, name):
    lines = f'{{"q": "one"}}\n\n{json.dumps(ROW)}\r\n'
    assert read(written(name, lines)) == [("one", f"{name}:1"), *((text, f"{name}:3") for text in TEXTS)]


def test_a_list_of_objects_is_numbered(written):
    assert read(written("own.json", ' [\n{"q": "one"},\n"two"\n]')) == [("one", "own.json:1"), ("two", "own.json:2")]


def test_an_object_that_holds_the_rows_is_opened(written):
    content = json.dumps({"version": "1.1", "data": [{"q": "one"}, {"q": "two"}], "few": [{"q": "x"}]}, indent=1)
    assert read(written("own.json", content)) == [("one", "own.json:1"), ("two", "own.json:2")]


def test_one_object_over_several_lines_is_one_row(written):
    assert read(written("own.json", json.dumps({"q": "one", "choices": ["a"]}, indent=1)))[-1] == ("one\na", "own.json:1")


def test_messages_are_taken_too(written):
    content = '{"messages": [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": "Two."}]}'
    assert [text for text, _ in read(written("own.jsonl", content))][:4] == ["user", "How many?", "assistant", "Two."]


def test_a_row_of_csv_stands_where_it_begins(written):
    content = 'q,a\n"one\nand more",1\n\ntwo,\n'
    assert read(written("own.csv", content)) == [
        ("one\nand more", "own.csv:2"),
        ("1", "own.csv:2"),
        ("one\nand more\n1", "own.csv:2"),
        ("two", "own.csv:5"),
    ]


def test_fields_of_tsv_are_cut_by_tabs_and_may_be_long(written):
    assert read(written("own.tsv", f"q\n{'a,' * 100_000}\n")) == [("a," * 100_000, "own.tsv:2")]


def test_a_line_of_plain_text_is_a_row(written):
    assert read(written("own.txt", "\ufeffone\r\n\n two\u2028and more \n")) == [
        ("one", "own.txt:1"),
        ("two\u2028and more", "own.txt:3"),
    ]


@pytest.mark.parametrize("write", [pq.write_table, pa.ipc.new_file, pa.ipc.new_stream])
def test_parquet_and_arrow_are_read_with_all_that_is_nested(tmp_path, write):
    table = pa.Table.from_pylist([{**ROW, "image": b"\xff"}, {"question": "two"}])
    path = str(tmp_path / ("own.parquet" if write is pq.write_table else "own.arrow"))
    if write is pq.write_table:
        write(table, path)
    else:
        with write(path, table.schema) as file:
            file.write_table(table)
    found = load(path)
    assert found.texts[:-1] == TEXTS
    assert (found.texts[-1], found.places[-1]) == ("two", f"{found.name}:2")


def test_a_packed_file_is_unpacked(written):
    assert read(written("own.jsonl.gz", gzip.compress(b'{"q": "one"}'))) == [("one", "own.jsonl.gz:1")]


@given(NESTED)
def test_the_strings_of_a_row_are_all_that_it_holds(row):
    def collect(value):
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, list):
            return [text for inner in value for text in collect(inner)]
        return [value] if isinstance(value, str) else []

    assert list(strings(row)) == collect(row)


def test_a_row_nested_without_measure_is_read(written):
    assert read(written("own.jsonl", '{"q": ' + "[" * 1000 + '"one"' + "]" * 1000 + "}")) == [("one", "own.jsonl:1")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("own.jsonl", '{"q": "one"}\n{"q": ', r"own\.jsonl:2: not JSON"),
        ("own.json", "[1, 2", r"own\.json: not JSON"),
        ("own.json", '{"q": 1}\nnothing', r"own\.json:2: not JSON"),
        ("own.csv", 'q\n"one" two\n', r"own\.csv:2: not CSV"),
        ("own.txt", b"one\n\xff", r"own\.txt:2: not UTF-8 text"),
        ("own.parquet", b"PAR1 nothing", r"own\.parquet: not a readable Parquet"),
        ("own.arrow", b"nothing", r"own\.arrow: not a readable Parquet or Arrow"),
        ("own.parquet", b"", r"own\.parquet: not a readable Parquet"),
        ("own.jsonl.gz", b"\x1f\x8b cut", r"own\.jsonl\.gz: cannot be read"),
        ("own.jsonl", '{"answer": 42}\n', r"own\.jsonl: holds no text"),
        ("own.txt", "\n \n", r"own\.txt: holds no text"),
        ("own.pdf", "one", r"own\.pdf: no format of a reference file\. There are: \.jsonl"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line(written, name, content, message):
    with pytest.raises(SourceError, match=message) as caught:
        load(written(name, content))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(SourceError, match=r"none\.jsonl: no such file"):
        load(str(tmp_path / "none.jsonl"))


def test_a_question_is_found_without_its_choices(written):
    question = "Which of these numbers is even, if any of them is?"
    path = written("own.jsonl", json.dumps({"id": "x1", "question": question, "choices": ["three", "four"]}))
    found = contamination(pa.array(["Quiz!", f"I was asked: {question.lower()}"], pa.large_string()), against=(load(path),))
    assert [(row, found.labels[label]) for row, label in zip(found.text, found.label, strict=True)] == [(1, "own.jsonl:1")]
