import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents import Rejection, Remark, Rows
from pipeline.readers import text as module
from pipeline.readers.text import text
from pipeline.sources import Source


def read(tmp_path, raw, name="note.md"):
    (tmp_path / name).write_bytes(raw)
    (got,) = text(Source(name, str(tmp_path / name)))
    return got


def parts(folder, raw, split, name="note.txt", **settings):
    """Return the texts with their places, and the rejections."""
    (folder / name).write_bytes(raw)
    got = list(text(Source(name, str(folder / name)), split=split, **settings))
    rows = [part for part in got if isinstance(part, Rows)]
    texts = [(place, cell) for part in rows for place, cell in zip(part.places, part.table["text"].to_pylist(), strict=True)]
    return texts, [part for part in got if isinstance(part, Rejection)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_one_document_in_utf8_or_as_its_mark_says(tmp_path, encoding):
    (tmp_path / "note.md").write_bytes("# Été\n\n".encode(encoding))
    *_, got = text(Source("note.md", str(tmp_path / "note.md")))
    assert (got.table.to_pylist(), got.places) == ([{"text": "# Été\n\n"}], [""])


def test_an_encoding_that_is_told_by_the_bytes_is_remarked(tmp_path):
    (tmp_path / "note.md").write_bytes("Привет, мир".encode("cp1251"))
    remark, rows = text(Source("note.md", str(tmp_path / "note.md")))
    assert remark == Remark("cp1251 (by its bytes)")
    assert rows.table["text"].to_pylist() == ["Привет, мир"]


def test_an_encoding_can_be_named(tmp_path):
    assert parts(tmp_path, "Été".encode("cp850"), "file", encoding="cp850") == ([("", "Été")], [])


def test_a_file_that_is_broken_utf8_is_rejected_with_its_bytes(tmp_path):
    error = "the file is not utf-8 (unexpected end of data at byte 2)"
    assert read(tmp_path, b"\xc3\xa9\xe9") == Rejection("", error, b"\xc3\xa9\xe9")


@pytest.mark.parametrize("raw", [b"\x7fELF\0\1", b"Hi\0"])
def test_a_file_with_nul_bytes_is_rejected(tmp_path, raw):
    assert read(tmp_path, raw) == Rejection("", "the file is no text: it has NUL bytes", raw)


@pytest.mark.parametrize("name", ["long.txt", "long.txt.gz"])
def test_a_file_that_is_too_long_for_a_document_is_rejected_with_all_its_bytes(tmp_path, monkeypatch, name):
    monkeypatch.setattr(module, "LONGEST", 9)
    monkeypatch.setattr(module, "KEPT", 4)
    monkeypatch.setattr(module, "BLOCK", 8)
    (tmp_path / name).write_bytes(gzip.compress(b"0123456789") if name.endswith(".gz") else b"0123456789")
    found = list(module.text(Source("long", str(tmp_path / name))))
    assert [(one.place, one.raw) for one in found] == [("bytes 0-3", b"0123"), ("bytes 4-7", b"4567"), ("bytes 8-9", b"89")]
    assert {one.error for one in found} == {
        "the file has more than 9 bytes, too many for a document. Set `split: lines` or `paragraphs`."
    }


def test_a_text_that_is_too_long_in_utf8_is_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 4)
    (tmp_path / "a.txt").write_bytes(b"\xe9\xe9\xe9")
    (found,) = module.text(Source("a.txt", str(tmp_path / "a.txt")), encoding="cp1252")
    assert found == Rejection("", "in UTF-8 the text has 6 bytes, too many for a document", b"\xe9\xe9\xe9")


def test_lines_that_are_not_blank_are_documents_and_their_numbers_places(tmp_path):
    assert parts(tmp_path, b"\xef\xbb\xbfone\r\n\n \ntwo\rthree", "lines") == ([("1", "one"), ("4", "two"), ("5", "three")], [])


def test_paragraphs_that_blank_lines_part_are_documents(tmp_path):
    texts, _ = parts(tmp_path, b"\none\ntwo\n\n \r\nthree\r\n  four\n", "paragraphs")
    assert texts == [("2", "one\ntwo"), ("6", "three\r\n  four")]


def test_a_line_that_is_no_text_is_rejected_and_the_others_are_not(tmp_path):
    texts, rejected = parts(tmp_path, "Été\n".encode() + b"\xff\nYo\n", "lines")
    assert texts == [("1", "Été"), ("3", "Yo")]
    assert rejected == [Rejection("2", "not utf-8", b"\xff")]


def test_a_line_that_is_too_long_is_rejected_with_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 8)
    monkeypatch.setattr(module, "LONGEST_PART", 32)
    texts, rejected = parts(tmp_path, b"a\n" + b"x" * 50 + b"\nb\nc", "lines")
    assert texts == [("1", "a"), ("3", "b"), ("4", "c")]
    assert [(r.place, r.error) for r in rejected] == [
        ("2", "more than 0 MiB without an end; here they are"),
        ("2", "the end of what was too long"),
    ]
    assert b"".join(r.raw for r in rejected) == b"x" * 50


@given(st.text("ab \r\n", max_size=30), st.integers(1, 9), st.sampled_from(["lines", "paragraphs"]))
def test_blocks_of_any_size_give_the_same_parts(tmp_path_factory, content, size, split):
    folder = tmp_path_factory.mktemp("text")
    whole = parts(folder, content.encode(), split)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", size)
        assert parts(folder, content.encode(), split) == whole


@given(st.text("ab \r\n", max_size=30))
def test_lines_are_those_of_python(tmp_path_factory, content):
    expected = [
        (str(place), line.decode()) for place, line in enumerate(content.encode().splitlines(), 1) if line.strip(b" \r\n")
    ]
    assert parts(tmp_path_factory.mktemp("text"), content.encode(), "lines") == (expected, [])


def test_a_packed_file_that_is_cut_keeps_the_lines_before_the_cut(tmp_path):
    packed = gzip.compress(b"one\ntwo\n")[:-9]
    texts, (cut,) = parts(tmp_path, packed, "lines", "note.txt.gz")
    assert [place for place, _ in texts] == [str(place) for place in range(1, len(texts) + 1)]
    assert cut.error.startswith("the file cannot be read to its end")


def test_an_empty_file_is_an_empty_text(tmp_path):
    got = read(tmp_path, b"")
    assert isinstance(got, Rows)
    assert got.table["text"].to_pylist() == [""]


def test_a_packed_file_that_is_cut_is_rejected(tmp_path):
    got = read(tmp_path, gzip.compress(b"Hi there")[:-9], "note.txt.gz")
    assert isinstance(got, Rejection)
    assert got.error.startswith("the file cannot be read to its end")
