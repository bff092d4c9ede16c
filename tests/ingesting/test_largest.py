"""What a source's largest document takes, found out before the source is read."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.documents import LONGEST
from pipeline.ingesting import largest
from pipeline.ingesting.largest import held, longest_line, mean_row


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(largest, "STEP", 64)
    monkeypatch.setattr(largest, "LOOK", 16)


def test_a_long_line_is_found_between_short_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": "a"}\n' * 20 + b'{"text": "' + b"b" * 1000 + b'"}\n' + b'{"text": "a"}\n' * 20)
    assert 1000 - 2 * 64 <= longest_line(path) <= 1014


@pytest.mark.parametrize(
    "content", [b'{"text": "a"}\n' * 100, b'{"text": "a"}\n' * 100 + b'{"text": "the last"}', b"[" + b" 1," * 500]
)
def test_short_lines_and_lists_have_no_long_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    assert longest_line(path) < 64


def test_an_object_over_several_lines_is_one_document(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{\n "text": "a",\n' + b' "b": 1,\n' * 100 + b' "c": 2\n}')
    assert longest_line(path) == path.stat().st_size


def test_a_row_of_a_parquet_file_is_weighed_by_its_footer(tmp_path: Path) -> None:
    path = str(tmp_path / "a.parquet")
    with pq.ParquetWriter(path, pa.schema([("text", pa.string())]), compression="zstd") as file:
        file.write_table(pa.table({"text": ["a"] * 100}))
        file.write_table(pa.table({"text": ["ab" * 50_000]}))
    assert 100_000 <= mean_row(path) < 102_000
    assert held(path, "parquet", 1 << 30, split=False) == largest.PARQUET * mean_row(path)


def test_a_file_that_is_no_parquet_is_left_to_its_reader(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1, but nothing else")
    assert mean_row(str(path)) == 0


def test_a_text_that_is_rejected_in_pieces_takes_less_than_a_document() -> None:
    assert held("a.txt", "text", LONGEST + 1, split=False) < held("a.txt", "text", LONGEST, split=False)
    assert held("a.txt", "text", LONGEST, split=True) == 0
