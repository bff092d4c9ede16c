"""The worst-formed files that people bring: each gives its rows, or a rejection that says why; no cell is lost or shifted."""

import gzip
import io
import random
import zipfile

import pytest

from pipeline.documents import Rejection, Remark, Rows
from pipeline.errors import SourceError
from pipeline.readers.csv import csv
from pipeline.sources import Source


@pytest.fixture
def read(tmp_path):
    """Write a file and read it: the rows' cells, the rejections as (place, error, bytes), the remarks."""

    def read(raw, name="posts.csv", **settings):
        path = tmp_path / name
        path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
        got = list(csv(Source(name, str(path)), **settings))
        rows = [list(row.values()) for part in got if isinstance(part, Rows) for row in part.table.to_pylist()]
        read.names = next((part.table.column_names for part in got if isinstance(part, Rows)), None)
        read.said = [part.text for part in got if isinstance(part, Remark)]
        return rows, [tuple(part) for part in got if isinstance(part, Rejection)]

    return read


def test_a_byte_order_mark_is_no_part_of_the_first_name(read):
    assert read(b"\xef\xbb\xbfid,text\n1,Hi\n") == ([["1", "Hi"]], [])
    assert read.names == ["id", "text"]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_utf16_and_utf32_are_read_with_and_without_a_mark(read, encoding, mark):
    assert read(f"{mark}id,text\r\n1,Été\r\n2,日本\r\n".encode(encoding)) == ([["1", "Été"], ["2", "日本"]], [])


def test_a_rejected_row_of_utf16_has_its_own_bytes(read):
    assert read("a,b\n1\n2,x\n".encode("utf-16")) == ([["2", "x"]], [("1", "1 fields, not 2", "1".encode("utf-16-le"))])


def test_latin_1_is_read(read):
    assert read("id,text\n1,Été à la plage\n".encode("latin-1")) == ([["1", "Été à la plage"]], [])


def test_rows_in_another_encoding_than_the_file_are_rejected(read):
    raw = "id,text\n1,Été à la plage\n".encode() + b"2,\xc9t\xe9\n"
    assert read(raw) == ([["1", "Été à la plage"]], [("2", "the row is not utf-8", b"2,\xc9t\xe9")])


def test_rows_in_utf8_in_a_file_of_cp1252_are_rejected(read):
    raw = "id,text\n1,Été à la plage, là-bas\n".replace(", là", " là").encode("cp1252") + "2,café\n".encode()
    assert read(raw) == ([["1", "Été à la plage là-bas"]], [("2", "the row is UTF-8, not cp1252", "2,café".encode())])


def test_a_row_that_is_not_utf8_is_rejected_and_so_are_surrogates(read):
    rows, rejected = read(b"id,text\n1,Hi\n2,\xed\xa0\x80\n3,\xff\xfe\n4,Yo\n", encoding="utf-8")
    assert rows == [["1", "Hi"], ["4", "Yo"]]
    assert [(place, why) for place, why, _ in rejected] == [("2", "the row is not utf-8"), ("3", "the row is not utf-8")]


def test_line_ends_of_all_kinds_may_be_mixed(read):
    assert read(b"id,text\r\n1,a\n2,b\r3,c\r\n") == ([["1", "a"], ["2", "b"], ["3", "c"]], [])


def test_carriage_returns_alone_end_lines(read):
    assert read(b"id,text\r1,a\r2,b") == ([["1", "a"], ["2", "b"]], [])


def test_doubled_quotes_are_quotes(read):
    assert read(b'id,text\n1,"He said ""no"""\n2,""""\n') == ([["1", 'He said "no"'], ["2", '"']], [])


def test_quotes_inside_an_unquoted_cell_are_text(read):
    assert read(b'id,text\n1,a "b" c\n2,5" disk\n') == ([["1", 'a "b" c'], ["2", '5" disk']], [])


def test_quotes_inside_a_quoted_cell_that_are_not_doubled_are_kept_and_told(read):
    assert read(b'id,text\n1,"a "b" c"\n2,"d"\n') == ([["1", 'a "b" c'], ["2", "d"]], [])
    assert read.said[1:] == ["1 rows have a quote in a quoted cell that is not doubled; it is kept as it stands"]


def test_such_quotes_beside_a_delimiter_cost_the_row(read):
    rows, rejected = read(b'id,text\n1,"a, "b", c"\n2,"d"\n')
    assert (rows, rejected) == ([["2", "d"]], [("1", "a quote is out of place", b'1,"a, "b", c"')])


def test_such_quotes_in_a_cell_of_several_lines_cost_its_lines_and_no_other_row(read):
    rows, rejected = read(b'id,text\n1,"two\nlines "and" more"\n2,"d"\n3,"e"\n')
    assert rows == [["2", "d"], ["3", "e"]]
    assert b"\n".join(raw for _, _, raw in rejected) == b'1,"two\nlines "and" more"'


def test_backslashes_escape_where_the_file_is_mysqls(read):
    raw = b'"1","say \\"hi, you\\"",\\N\n"2","back\\\\slash","two\\\nlines"\n'
    assert read(raw, header=False) == ([["1", 'say "hi, you"', None], ["2", "back\\slash", "two\nlines"]], [])
    assert read.said == ["comma, UTF-8, backslash escapes, no header: 3 columns column_1 ..."]


def test_backslashes_are_text_elsewhere(read):
    assert read(b'id,text\n1,"C:\\"\n2,a\\nb\n') == ([["1", "C:\\"], ["2", "a\\nb"]], [])


def test_line_ends_and_delimiters_in_quotes_are_text(read):
    assert read(b'id,text\n1,"a\r\nb\n\nc"\n2,"d,e"\n') == ([["1", "a\r\nb\n\nc"], ["2", "d,e"]], [])


def test_short_and_long_rows_are_rejected(read):
    rows, rejected = read(b"a,b,c\n1,2,x\n1,2\n1,2,3,4\n5,6,y\n")
    assert rows == [["1", "2", "x"], ["5", "6", "y"]]
    assert rejected == [("2", "2 fields, not 3", b"1,2"), ("3", "4 fields, not 3", b"1,2,3,4")]


def test_a_delimiter_at_the_end_of_every_row_makes_a_column_without_a_name(read):
    assert read(b"a,b,\n1,x,\n2,y,\n") == ([["1", "x", ""], ["2", "y", ""]], [])
    assert read.names == ["a", "b", "column_3"]


def test_a_delimiter_at_the_end_of_every_row_but_the_header_shifts_no_cell(read):
    assert read(b"a,b\n1,x,\n2,y,\n") == ([["1", "x", ""], ["2", "y", ""]], [])
    assert read.names == ["a", "b", "column_3"]


def test_a_header_that_lacks_a_name_shifts_no_cell(read):
    rows, rejected = read(b"a,b\nr1,1,x\nr2,2,y\nr3,3,z\n")
    assert (rows, {why for _, why, _ in rejected}) == ([], {"3 fields, not 2"})


def test_empty_lines_at_the_end_are_no_rows(read):
    assert read(b"a,b\n1,x\n\n\r\n\n") == ([["1", "x"]], [])


def test_nul_bytes_are_text(read):
    assert read(b"a,b\n1,x\0y\n\0,z\n") == ([["1", "x\0y"], ["\0", "z"]], [])


def test_an_empty_file_is_rejected(read):
    assert read(b"") == read(b"\xef\xbb\xbf") == read(b"\n\r\n") == ([], [("", "the file is empty", b"")])


def test_a_header_alone_has_no_rows(read):
    assert read(b"id,text\n") == read(b"id,text") == ([], [])


def test_a_header_that_comes_again_is_rejected(read):
    assert read(b"id,text\n1,a\nid,text\n2,b\n") == ([["1", "a"], ["2", "b"]], [("2", "the header again", b"id,text")])


def test_a_byte_order_mark_in_the_middle_is_no_text(read):
    part = b"\xef\xbb\xbfid,text\n1,a\n"
    assert read(part * 2) == ([["1", "a"]] * 2, [("2", "the header again", b"id,text")])
    assert read(b"id,text\n1,a\n\xef\xbb\xbf2,b\n") == ([["1", "a"], ["2", "b"]], [])


@pytest.mark.parametrize("line", ["sep=;\r\n", '"sep=;"\n', "\ufeffsep=;\n"])
def test_excels_line_about_the_delimiter_is_obeyed(read, line):
    assert read(f"{line}a;b\n1;x,y\n2;z\n") == ([["1", "x,y"], ["2", "z"]], [])
    assert read.names == ["a", "b"]


def test_lines_above_the_table_are_rejected(read):
    rows, rejected = read(b"Account 17\nFrom May\n\nday;text;sum\n1;a;2,5\n2;b;3,5\n")
    assert (rows, read.names) == ([["1", "a", "2,5"], ["2", "b", "3,5"]], ["day", "text", "sum"])
    why = "a line above the table"
    assert rejected == [("line 1", why, b"Account 17"), ("line 2", why, b"From May")]


def test_comment_lines_are_rejected(read):
    rows, rejected = read(b"# made by hand\na,b,c\n1,x,y\n# half way\n2,z,w\n3,u,v\n")
    assert rows == [["1", "x", "y"], ["2", "z", "w"], ["3", "u", "v"]]
    assert rejected == [
        ("line 1", "a line above the table", b"# made by hand"),
        ("2", "1 fields, not 3", b"# half way"),
    ]


def test_a_footer_of_another_width_is_rejected(read):
    assert read(b"a,b,c\n1,x,y\n2,z,w\nTotal: 2\n") == (
        [["1", "x", "y"], ["2", "z", "w"]],
        [("3", "1 fields, not 3", b"Total: 2")],
    )


def test_a_footer_of_the_tables_width_is_a_row(read):
    assert read(b"a,b,c\n1,x,y\nTotal,,2\n") == ([["1", "x", "y"], ["Total", "", "2"]], [])


def test_columns_of_one_name_are_numbered_and_told(read):
    assert read(b"a,b,a,a\n1,x,2,3\n") == ([["1", "x", "2", "3"]], [])
    assert read.names == ["a", "b", "a_2", "a_3"]
    assert read.said[0].endswith("several columns named 'a', told apart by numbers")


def test_columns_without_a_name_are_numbered(read):
    assert read(b",text,\n0,a,b\n") == ([["0", "a", "b"]], [])
    assert read.names == ["column_1", "text", "column_3"]


def test_a_single_column_needs_no_delimiter(read):
    assert read(b"text\nHello, world\nOne, two, three\nNone\n") == ([["Hello, world"], ["One, two, three"], ["None"]], [])


def test_blanks_before_quotes_are_no_text(read):
    assert read(b'id, "text"\n1, "a, b"\n2, "c"\n') == ([["1", "a, b"], ["2", "c"]], [])
    assert read.said == ["comma, UTF-8, blanks before quotes, 2 columns named by its first line"]


def test_a_very_long_header_is_read(read):
    names = [f"{number} {'long name ' * 20}" for number in range(30_000)]
    assert read(f"{','.join(names)}\n{','.join('x' * 30_000)}\n") == ([["x"] * 30_000], [])
    assert read.names == names


def test_excels_formulas_are_text(read):
    assert read(b'id,text\n1,=1+1\n2,"=CMD(""x"")"\n') == ([["1", "=1+1"], ["2", '=CMD("x")']], [])


def test_tabs_in_a_csv_file_are_found(read):
    assert read(b"id\ttext\n1\ta, b\n2\tc\n") == ([["1", "a, b"], ["2", "c"]], [])


@pytest.mark.parametrize("header", ["a;b;c\n", ""])
def test_decimal_commas_are_no_delimiters(read, header):
    assert read(f"{header}1,5;2,5;3,5\n4,5;5,5;6,5\n")[0] == [["1,5", "2,5", "3,5"], ["4,5", "5,5", "6,5"]]


@pytest.mark.parametrize("code", ["\x01", "\x1f"])
def test_control_characters_delimit(read, code):
    assert read(f"id{code}text\n1{code}a, b\n") == ([["1", "a, b"]], [])


def test_ctrl_z_at_the_end_is_rejected(read):
    assert read(b"a,b\r\n1,x\r\n\x1a") == ([["1", "x"]], [("2", "the end mark of DOS (Ctrl-Z)", b"\x1a")])


def test_a_packed_file_cut_in_the_middle_gives_the_rows_before_the_cut(read):
    noise = random.Random(1)
    packed = gzip.compress(b"a,b\n" + b"".join(b"x%d,%d\n" % (n, noise.getrandbits(64)) for n in range(5000)))
    rows, ((_, why, _),) = read(packed[: len(packed) // 2], "posts.csv.gz")
    assert 2000 < len(rows) < 3000
    assert why.startswith("the file cannot be read to its end")


def workbook():
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return into.getvalue()


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"<!DOCTYPE html>\n<p>Hi, there", "HTML"),
        (b'[{"a": 1}, {"a": 2}]', "JSON"),
        (b'{"text": "a, b"}\n{"text": "c"}\n', "JSON"),
        (workbook(), "a zip archive, as Excel workbooks are"),
    ],
)
def test_a_file_that_is_no_csv_is_rejected_with_one_clear_word(read, raw, word):
    rows, ((place, why, bytes_),) = read(raw)
    assert (rows, place, bytes_) == ([], "", raw)
    assert why.startswith(f"not CSV but {word}. ")


def test_a_cell_of_100_mb_is_read(read):
    cell = "She said, yes.\n" * 7_000_000
    assert read(f'id,text\n1,"{cell}"\n2,b\n') == ([["1", cell], ["2", "b"]], [])


def tables_of(tmp_path, raw):
    (tmp_path / "big.csv").write_bytes(raw)
    got = list(csv(Source("big.csv", str(tmp_path / "big.csv"))))
    return [part.table for part in got if isinstance(part, Rows)], [tuple(part) for part in got if isinstance(part, Rejection)]


def test_a_quote_that_is_not_closed_for_100_mb_costs_one_row(tmp_path):
    tables, rejected = tables_of(tmp_path, b'id,text\n1,"a\n' + b"2,She said yes and yes again and again\n" * 2_600_000)
    assert sum(table.num_rows for table in tables) == 2_600_000
    assert rejected == [("1", "a quote is never closed", b'1,"a\n')]


def test_a_million_columns_are_read(tmp_path):
    width = 1_000_000
    raw = b",".join(b"c%d" % place for place in range(width)) + b"\n" + b"1," * (width - 1) + b"x\n"
    (table,), rejected = tables_of(tmp_path, raw)
    assert (table.shape, table.column(width - 1).to_pylist(), rejected) == ((1, width), ["x"], [])


def test_a_header_whose_quote_is_never_closed_is_an_error_that_says_what_to_set(read):
    with pytest.raises(SourceError, match=r"a quote is never closed\. Set `header: false`"):
        read(b'"id,text\n1,a\n')
