"""Parts of a source get one schema."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.documents import FULL_MESSAGES, MESSAGES, STRING, schema
from pipeline.ingesting.parts import place, unified

NARROW, FULL = schema("chat"), schema("chat", messages=FULL_MESSAGES)


@pytest.mark.parametrize("schemas", [[NARROW, FULL], [FULL, NARROW], [NARROW, FULL, NARROW]])
def test_messages_with_and_without_calls_get_the_full_type(schemas):
    assert unified(schemas) == FULL


def test_schemas_that_were_written_are_known_again(tmp_path):
    for number, columns in enumerate((NARROW, FULL)):
        pq.write_table(columns.empty_table(), tmp_path / f"{number}")
    assert unified([pq.read_schema(tmp_path / "0"), pq.read_schema(tmp_path / "1")]) == FULL


def test_two_types_of_a_column_become_text():
    schemas = [pa.schema([("n", pa.int64())]), pa.schema([("n", MESSAGES)])]
    assert unified(schemas) == pa.schema([("n", STRING)])


def test_messages_that_are_widened_have_nothing_besides(tmp_path):
    table = pa.table([["a"], [[{"role": "user", "content": "Hi"}]], ["s"]], schema=NARROW)
    pq.write_table(table, tmp_path / "part")
    place(tmp_path / "part", tmp_path / "placed", FULL)
    (row,) = pq.read_table(tmp_path / "placed").to_pylist()
    none = dict.fromkeys(("name", "tool_calls", "tool_call_id", "weight"))
    assert row["messages"] == [{"role": "user", "content": "Hi", **none}]
