import csv as standard
import gzip
import io
import random

import pandas
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipeline.documents import Rejection, Remark, Rows
from pipeline.errors import SourceError
from pipeline.readers.csv import csv
from pipeline.readers.csv import read as module
from pipeline.readers.csv import rows as table
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
        (b"\xff,b\n1,2\n", {"encoding": "utf-8"}, "the header cannot be read: it is not utf-8"),
        (b'a,"b\n1,2\n', {}, "the header cannot be read: a quote is never closed"),
        (b"a,b\n", {"delimiter": "::"}, "must be one ASCII character, or `none`"),
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
    monkeypatch.setattr(table, "LONGEST", 100)
    rows, _, rejected = read(tmp_path, b'a,b\n1,"x\n' + b"3,4\n" * 100)
    assert len(rows) == 100
    assert [(r.place, r.raw) for r in rejected] == [("1", b'1,"x\n')]


def remarks(tmp_path, raw, name="posts.csv", **settings):
    read(tmp_path, raw, name, **settings)
    return [part.text for part in csv(Source(name, str(tmp_path / name)), **settings) if isinstance(part, Remark)]


RUSSIAN = "имя;возраст;город\nПётр;5;Москва\nОльга;7;Казань\n"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"a,b\n1,x\n", "comma, UTF-8, 2 columns named by its first line"),
        (b"a\tb\n1,x\t2\n", "tab, UTF-8, 2 columns named by its first line"),
        (b"1|Hi\n2|Yo\n", "bar, UTF-8, no header: 2 columns column_1 ..."),
        (b"text\nHi there\n", "no delimiter, UTF-8, 1 column named by its first line"),
        (b"sep=;\na;b,c\n1;2\n", "semicolon (by its line sep=), UTF-8, 2 columns named by its first line"),
        ("a;b\n1;é\n".encode("utf-16"), "semicolon, UTF-16-LE (by its mark), 2 columns named by its first line"),
        (RUSSIAN.encode("cp1251"), "semicolon, cp1251 (by its bytes), 3 columns named by its first line"),
        (
            b"a,b,a\nx,y,z\n",
            "comma, UTF-8, 3 columns named by its first line, several columns named 'a', told apart by numbers",
        ),
    ],
)
def test_what_is_found_out_is_said(tmp_path, raw, said):
    assert remarks(tmp_path, raw) == [said]


def test_nothing_is_said_where_the_user_has_said_all(tmp_path):
    assert remarks(tmp_path, b"a,b\n1,x\n", delimiter=",", encoding="utf-8", header=True) == [""]


@pytest.mark.parametrize(
    "raw",
    [
        b"1,Hi\n2,Yo\n",
        b"Hi,0.5\nYo,0.25\n",
        b"Hi,2024-01-05\nYo,2024-01-06\n",
        b"I love it,good\nMeh,bad\nGreat,good\nFine,good\n",
    ],
)
def test_a_first_line_that_clearly_is_data_is_no_header(tmp_path, raw):
    rows, *_ = read(tmp_path, raw)
    assert [list(row.values()) for row in rows] == [line.split(",") for line in raw.decode().splitlines()]


@pytest.mark.parametrize("first", ["id,text", "town,2001", "country,1/22/20", "Hi,There", "0,1"])
def test_a_first_line_that_may_be_names_is_the_header(tmp_path, first):
    rows, *_ = read(tmp_path, f"{first}\nX,7\nY,8\n".encode())
    assert [list(row) for row in rows] == [first.split(",")] * 2


def test_the_user_says_whether_there_is_a_header(tmp_path):
    assert read(tmp_path, b"1,Hi\n2,Yo\n", header=True)[0] == [{"1": "2", "Hi": "Yo"}]
    assert len(read(tmp_path, b"a,b\n1,x\n", header=False)[0]) == 2


def test_single_quotes_quote_where_the_rows_are_ragged_otherwise(tmp_path):
    rows, _, rejected = read(tmp_path, b"id,text\n1,'a, b'\n2,'c, d'\n")
    assert ([row["text"] for row in rows], rejected) == (["a, b", "c, d"], [])


def test_single_quotes_are_text_where_the_rows_are_whole(tmp_path):
    rows, *_ = read(tmp_path, b"id,text\n1,'tis\n2,'twas'\n")
    assert [row["text"] for row in rows] == ["'tis", "'twas'"]


def test_double_quotes_that_are_never_closed_are_text_where_several_cells_begin_with_one(tmp_path):
    rows, _, rejected = read(tmp_path, b'id\ttext\n1\t"Hi\n2\tYo\n3\t"Oh\n4\t"No\n')
    assert ([row["text"] for row in rows], rejected) == (['"Hi', "Yo", '"Oh', '"No'], [])


def test_a_doubt_about_quotes_can_be_settled_by_the_user(tmp_path):
    rows, *_ = read(tmp_path, b"id,text\n1,'tis\n2,\"so\n", quote="none")
    assert [row["text"] for row in rows] == ["'tis", '"so']


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Привет, мир"),
        ("shift_jis", "日本語のテキストです"),
        ("gb18030", "简体中文的文本，你好世界"),
        ("big5", "繁體中文的文字，你好世界"),
        ("euc_kr", "한국어 텍스트입니다 안녕하세요"),
        ("iso8859-2", "Příliš žluťoučký kůň úpěl ďábelské ódy"),
        ("iso8859-1", "Ein schöner Tag für Jürgen im Café, naïve"),
    ],
)
def test_an_encoding_is_told_by_the_bytes(tmp_path, encoding, text):
    rows, _, rejected = read(tmp_path, f"id;text\n1;{text}\n".encode(encoding))
    assert (rows, rejected) == ([{"id": "1", "text": text}], [])


CELLS = st.text(st.characters(codec="utf-8"), max_size=8) | st.text('",\r\n;x\0', max_size=6)
TABLES = st.integers(1, 4).flatmap(lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1, max_size=6))
STYLES = st.sampled_from([("\n", standard.QUOTE_ALL), ("\r\n", standard.QUOTE_MINIMAL)])


def written(table, style):
    into = io.StringIO(newline="")
    standard.writer(into, lineterminator=style[0], quoting=style[1]).writerows(table)
    return into.getvalue().encode()


@given(TABLES, STYLES)
def test_what_csv_writes_comes_back_cell_by_cell(tmp_path_factory, table, style):
    raw = b"\xef\xbb\xbf" + written(table, style)
    rows, _, rejected = read(tmp_path_factory.mktemp("csv"), raw, header=False, delimiter=",")
    assert rejected == []
    assert [list(row.values()) for row in rows] == table


@given(TABLES, STYLES)
def test_the_kernels_cut_what_pandas_cuts(tmp_path_factory, table, style):
    raw = b"".join(b"%d," % place for place in range(len(table[0]))).rstrip(b",") + b"\n" + written(table, style)
    rows, *_ = read(tmp_path_factory.mktemp("csv"), raw, header=True, delimiter=",", encoding="utf-8")
    frame = pandas.read_csv(io.BytesIO(raw), dtype=str, na_filter=False, index_col=False, engine="c", skip_blank_lines=False)
    assert [list(row.values()) for row in rows] == frame.to_numpy().tolist()


@given(st.text('a",\r\n', max_size=20))
def test_any_bytes_that_are_csv_are_cut_as_the_csv_module_cuts_them(tmp_path_factory, raw):
    try:
        expected = [row for row in standard.reader(io.StringIO("x,y\n" + raw, newline=""), strict=True) if row][1:]
    except standard.Error:
        assume(False)
    rows, _, rejected = read(
        tmp_path_factory.mktemp("csv"), b"x,y\n" + raw.encode(), delimiter=",", header=True, quote="double"
    )
    if len(rows) and len(rows[0]) == 2:
        assert [list(row.values()) for row in rows] == [row for row in expected if len(row) == 2]
        assert len(rejected) == sum(len(row) != 2 for row in expected)


@given(st.binary(max_size=40) | st.text("a\"'\\,; \r\n\ufeff", max_size=40).map(str.encode))
def test_any_bytes_are_rows_or_rejections_or_one_clear_error(tmp_path_factory, raw):
    folder = tmp_path_factory.mktemp("csv")
    try:
        _, places, rejected = read(folder, raw)
    except SourceError:
        _, places, rejected = read(folder, raw, header=False)
    numbers = sorted(int(place) for place in [*places, *(r.place for r in rejected)] if place.isdigit())
    assert numbers == list(range(1, len(numbers) + 1))


@given(st.lists(st.tuples(*[st.text("ab\"' ", max_size=5)] * 2), min_size=1, max_size=5), st.integers(1, 20))
def test_blocks_of_any_size_give_the_same_rows(tmp_path_factory, table, size):
    raw = b"x,y\n" + written(table, ("\r\n", standard.QUOTE_ALL))
    settings = {"delimiter": ",", "header": True, "quote": "double"}
    whole = read(tmp_path_factory.mktemp("csv"), raw, **settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", size)
        assert read(tmp_path_factory.mktemp("csv"), raw, **settings) == whole
