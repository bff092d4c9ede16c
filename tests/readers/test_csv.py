import csv as standard
import gzip
import io
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents import Rejection, Rows
from pipeline.errors import SourceError
from pipeline.readers import csv as module
from pipeline.readers.csv import csv
from pipeline.sources import Source


def read(tmp_path, raw, name="posts.csv", **settings):
    path = tmp_path / name
    path.write_bytes(raw)
    got = list(csv(Source(name, str(path)), **settings))
    rows = [row for part in got if isinstance(part, Rows) for row in part.table.to_pylist()]
    places = [place for part in got if isinstance(part, Rows) for place in part.places]
    return rows, places, [part for part in got if isinstance(part, Rejection)]


def test_every_cell_is_a_string_and_none_is_null(tmp_path):
    rows, places, rejected = read(tmp_path, b"id,text\n007,NA\n1.0,\n")
    assert rows == [{"id": "007", "text": "NA"}, {"id": "1.0", "text": ""}]
    assert (places, rejected) == (["1", "2"], [])


def test_quotes_newlines_and_delimiters_in_quoted_cells_are_kept(tmp_path):
    rows, *_ = read(tmp_path, b'id,text\r\n1,"He said ""no, no"",\r\nand left"\r\n2,5" disk\r\n')
    assert [row["text"] for row in rows] == ['He said "no, no",\r\nand left', '5" disk']


def test_blank_lines_are_no_rows(tmp_path):
    rows, places, _ = read(tmp_path, b"text\n\nHi\n\n\nYo\n\n")
    assert ([row["text"] for row in rows], places) == (["Hi", "Yo"], ["1", "2"])


def test_a_row_of_white_space_is_a_row(tmp_path):
    rows, *_ = read(tmp_path, b'text\n  \n""\n')
    assert [row["text"] for row in rows] == ["  ", ""]


def test_rows_of_another_width_are_rejected_with_number_and_bytes(tmp_path):
    _, places, rejected = read(tmp_path, b"a,b\n1,2\n1\n1,2,3\n4,5\n")
    assert places == ["1", "4"]
    assert rejected == [Rejection("2", "1 fields, not 2", b"1"), Rejection("3", "3 fields, not 2", b"1,2,3")]


def test_a_quote_that_is_never_closed_costs_one_row(tmp_path):
    rows, places, rejected = read(tmp_path, b'a,b\n1,2\n3,"x\n5,6\n7,8\n')
    assert [row["a"] for row in rows] == ["1", "5", "7"]
    assert places == ["1", "3", "4"]
    assert rejected == [Rejection("2", "a quote is never closed", b'3,"x\n')]


def test_a_row_that_is_not_in_the_encoding_is_rejected(tmp_path):
    _, places, rejected = read(tmp_path, "é,b\nü,ö\n".encode() + b"\xff,2\nx,y\n")
    assert places == ["1", "3"]
    assert rejected == [Rejection("2", "the row is not utf-8", b"\xff,2")]


def test_a_rejected_row_has_the_bytes_of_its_own_encoding(tmp_path):
    _, places, rejected = read(tmp_path, b"a,b\n\xe9,\xfc\n\x81,2\n", encoding="cp1252")
    assert (places, rejected) == (["1"], [Rejection("2", "the row is not cp1252", b"\x81,2")])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_the_encoding_is_found(tmp_path, encoding):
    rows, *_ = read(tmp_path, 'été,b\n"süß",2\n'.encode(encoding))
    assert rows == [{"été": "süß", "b": "2"}]


@pytest.mark.parametrize("encoding", ["utf-32", "shift_jis", "gb18030"])
def test_an_encoding_can_be_named(tmp_path, encoding):
    rows, *_ = read(tmp_path, "a,b\n日本,表\n".encode(encoding), encoding=encoding)
    assert rows == [{"a": "日本", "b": "表"}]


def test_a_utf16_file_cut_in_a_character_keeps_its_rows(tmp_path):
    rows, _, rejected = read(tmp_path, "a,b\n1,2\n".encode("utf-16") + b"x")
    assert rows == [{"a": "1", "b": "2"}]
    assert [r.place for r in rejected] == ["2"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(tmp_path, delimiter):
    lines = ["id", "text"], ["1", "Well, yes; no | or"], ["2", "Oh, a, b"]
    raw = "\n".join(delimiter.join(f'"{cell}"' for cell in line) for line in lines)
    rows, *_ = read(tmp_path, raw.encode())
    assert rows[0] == {"id": "1", "text": "Well, yes; no | or"}


def test_a_tsv_file_has_tabs(tmp_path):
    rows, *_ = read(tmp_path, b"a,b\tc\n1,2\t3\n", "posts.tsv")
    assert rows == [{"a,b": "1,2", "c": "3"}]


def test_a_delimiter_can_be_named(tmp_path):
    rows, *_ = read(tmp_path, b"a~b,c\n1~2,3\n", delimiter="~")
    assert rows == [{"a": "1", "b,c": "2,3"}]


def test_without_header_columns_are_numbered(tmp_path):
    rows, places, _ = read(tmp_path, b"1,2\n3,4", header=False)
    assert rows == [{"column_1": "1", "column_2": "2"}, {"column_1": "3", "column_2": "4"}]
    assert places == ["1", "2"]


def test_a_column_without_a_name_is_numbered(tmp_path):
    rows, *_ = read(tmp_path, b",text\n0,Hi\n")
    assert rows == [{"column_1": "0", "text": "Hi"}]


def test_an_empty_file_is_rejected(tmp_path):
    assert read(tmp_path, b"") == ([], [], [Rejection("", "the file is empty", b"")])


def test_a_file_of_a_header_alone_has_no_rows(tmp_path):
    assert read(tmp_path, b"a,b\n") == ([], [], [])


@pytest.mark.parametrize(
    ("raw", "settings", "said"),
    [
        (b"a,b,a\n1,2,3\n", {}, "two columns are named 'a'"),
        (b'a,"b\n1,2\n', {}, "the header cannot be read: a quote is never closed"),
        (b"a,b\n", {"delimiter": "::"}, "must be one ASCII character"),
        (b"a,b\n", {"encoding": "utf-9"}, "unknown encoding 'utf-9'"),
    ],
)
def test_what_makes_a_file_unreadable_is_said_in_one_line(tmp_path, raw, settings, said):
    with pytest.raises(SourceError, match=r"posts\.csv") as error:
        read(tmp_path, raw, **settings)
    assert said in str(error.value)


def test_a_packed_file_that_is_cut_keeps_what_was_read(tmp_path):
    noise = random.Random(1)
    lines = [b"a,b"] + [b"%d,%d" % (n, noise.getrandbits(64)) for n in range(5000)]
    packed = gzip.compress(b"\n".join(lines))
    rows, places, rejected = read(tmp_path, packed[:-1000], "posts.csv.gz")
    assert 4000 < len(rows) < 5000
    assert places == [str(n + 1) for n in range(len(rows))]
    (cut,) = rejected
    assert cut.error.startswith("the file cannot be read to its end")
    assert lines[len(rows) + 1].startswith(cut.raw)


def test_a_packed_file_cut_at_its_beginning_is_rejected(tmp_path):
    _, _, (cut,) = read(tmp_path, gzip.compress(b"a,b\n1,2\n")[:5], "posts.csv.gz")
    assert cut.error.startswith("the file cannot be read to its end")


def test_a_record_across_blocks_is_one_row(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 7)
    rows, places, _ = read(tmp_path, b'a,b\r\n1,"two\r\nlines, and ""more"""\r\n3,4')
    assert [row["b"] for row in rows] == ['two\r\nlines, and "more"', "4"]
    assert places == ["1", "2"]


def test_a_quote_left_open_beyond_the_longest_record_costs_one_row(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BLOCK", 64)
    monkeypatch.setattr(module, "LONGEST", 100)
    rows, _, rejected = read(tmp_path, b'a,b\n1,"x\n' + b"3,4\n" * 100)
    assert len(rows) == 100
    assert [(r.place, r.raw) for r in rejected] == [("1", b'1,"x\n')]


CELLS = st.text(st.characters(codec="utf-8"), max_size=8) | st.text('",\r\n;x\0', max_size=6)
TABLES = st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=6))


@given(TABLES, st.sampled_from([("\n", standard.QUOTE_ALL), ("\r\n", standard.QUOTE_MINIMAL)]))
def test_what_csv_writes_comes_back_cell_by_cell(tmp_path_factory, table, style):
    written = io.StringIO(newline="")
    standard.writer(written, lineterminator=style[0], quoting=style[1]).writerows(table)
    raw = b"\xef\xbb\xbf" + written.getvalue().encode()
    rows, _, rejected = read(tmp_path_factory.mktemp("csv"), raw, header=False, delimiter=",")
    assert rejected == []
    assert [list(row.values()) for row in rows] == table


@given(st.text('a",\r\n', max_size=20))
def test_any_bytes_are_cut_as_the_csv_module_cuts_them(tmp_path_factory, raw):
    expected = [row for row in standard.reader(io.StringIO("x,y\n" + raw, newline="")) if row][1:]
    rows, _, rejected = read(tmp_path_factory.mktemp("csv"), b"x,y\n" + raw.encode(), delimiter=",")
    if not any(r.error == "a quote is never closed" for r in rejected):
        assert [list(row.values()) for row in rows] == [row for row in expected if len(row) == 2]
        assert len(rejected) == sum(len(row) != 2 for row in expected)
