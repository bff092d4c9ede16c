import gzip

import pytest

from pipeline.documents import Rejection, Rows
from pipeline.readers.text import text
from pipeline.sources import Source


def read(tmp_path, raw, name="note.md"):
    (tmp_path / name).write_bytes(raw)
    (got,) = text(Source(name, str(tmp_path / name)))
    return got


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_one_document_in_utf8_or_as_its_mark_says(tmp_path, encoding):
    got = read(tmp_path, "# Été\n\n".encode(encoding))
    assert (got.table.to_pylist(), got.places) == ([{"text": "# Été\n\n"}], [""])


def test_a_file_in_another_encoding_is_rejected_with_its_bytes(tmp_path):
    error = "the file is not utf-8 (unexpected end of data at byte 2)"
    assert read(tmp_path, b"\xc3\xa9\xe9") == Rejection("", error, b"\xc3\xa9\xe9")


def test_an_empty_file_is_an_empty_text(tmp_path):
    got = read(tmp_path, b"")
    assert isinstance(got, Rows)
    assert got.table["text"].to_pylist() == [""]


def test_a_packed_file_that_is_cut_is_rejected(tmp_path):
    got = read(tmp_path, gzip.compress(b"Hi there")[:-9], "note.txt.gz")
    assert isinstance(got, Rejection)
    assert got.error.startswith("the file cannot be read to its end")
