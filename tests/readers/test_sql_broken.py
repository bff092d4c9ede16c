"""Dumps that are damaged, in a wrong charset, or hold what few dumps hold: what comes of them, and what is said."""

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.documents import Rejection, Rows
from pipeline.errors import SourceError
from pipeline.readers.sql_dump import sql_dump, window
from pipeline.readers.sql_dump.columns import _decode, _of_single_bytes
from pipeline.readers.sql_dump.survey import survey
from pipeline.sources import Source

MYSQL = "/*!40101 SET NAMES utf8mb4 */;\n"
POSTGRES = "-- PostgreSQL database dump\n"
SQLITE = "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\n"
SQL_SERVER = "USE [x]\nGO\n"
ORACLE = "SET DEFINE OFF;\n"


def dump_of(path: Path, text: str | bytes) -> Source:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Source(path.name, str(path), "sql_dump")


@pytest.fixture
def read(tmp_path: Path) -> Any:
    """Return a function: a dump's text -> its rows' cells, and of what is rejected the place, the error and the bytes."""

    def cells(text: str | bytes, name: str = "a.sql", **asked: str) -> tuple[list[list[Any]], list[tuple[str, str, bytes]]]:
        found = list(sql_dump(dump_of(tmp_path / name, text), **asked))
        rows = [list(row.values()) for piece in found if isinstance(piece, Rows) for row in piece.table.to_pylist()]
        return rows, [(r.place, r.error.split(": ", 1)[1], r.raw) for r in found if isinstance(r, Rejection)]

    return cells


# --- charsets


@pytest.mark.parametrize(
    ("written", "encoding", "expected"),
    [
        (b"/*!40101 SET NAMES latin1 */;\nINSERT INTO `t` VALUES ('\xe9\x80',_binary '\xff');\n", "", "é€"),
        (b"/*!40101 SET NAMES utf8mb4 */;\nINSERT INTO `t` VALUES ('\xe9\x80',_binary '\xff');\n", "latin1", "é€"),
        (b"/*!40101 SET NAMES latin1 */;\nINSERT INTO `t` VALUES ('\xc3\xa9',_binary '\xff');\n", "utf8mb4", "é"),
        (b"INSERT INTO `t` VALUES ('\xcf\xf0',_binary '\xff');\n", "cp1251", "Пр"),
    ],
)
def test_an_encoding_counts_instead_of_what_a_mysql_dump_says(written: bytes, encoding: str, expected: str, read: Any) -> None:
    create = b"CREATE TABLE `t` (a text, b blob);\n"
    assert read(create + written, encoding=encoding) == ([[expected, b"\xff"]], [])


@pytest.mark.parametrize(
    ("written", "encoding", "expected"),
    [
        (f"{POSTGRES}SET client_encoding = 'UTF8';\nCOPY t (a) FROM stdin;\nПр\\t表\n\\.\n", "gb18030", "Пр\t表"),
        (f"{POSTGRES}INSERT INTO t (a) VALUES ('表''ソ');\n", "sjis", "表'ソ"),
        (f"{SQLITE}INSERT INTO t VALUES('é€');\n", "cp1252", "é€"),
        (f"{SQL_SERVER}INSERT [dbo].[T] ([A]) VALUES (N'é€' + CHAR(10) + N'ß')\nGO\n", "cp1252", "é€\nß"),
        (f"{ORACLE}Insert into S.T (A) values ('Ж'||chr(10)||UNISTR('\\00e9'));\n", "WIN1251", "Ж\né"),
        (f"{SQL_SERVER}INSERT [dbo].[T] ([A]) VALUES (N'é')\nGO\n", "utf-16-le", "é"),
    ],
)
def test_dumps_and_scripts_of_the_others_are_read_in_an_encoding(written: str, encoding: str, expected: str, read: Any) -> None:
    python = {"WIN1251": "cp1251"}.get(encoding, encoding)
    assert read(written.encode(python), encoding=encoding) == ([[expected]], [])


@pytest.mark.parametrize(
    ("head", "encoding", "charset"),
    [(MYSQL, "", "UTF-8"), (MYSQL, "cp1251", "CP1251"), (SQL_SERVER, "cp1251", "CP1251"), (POSTGRES, "ascii", "ASCII")],
)
def test_a_row_with_bytes_that_are_not_in_the_charset_is_rejected_as_it_stands(
    head: str, encoding: str, charset: str, read: Any
) -> None:
    rows = b"INSERT INTO dbo.T VALUES ('a');\nINSERT INTO dbo.T VALUES ('\x98');\nINSERT INTO dbo.T VALUES ('c');\n"
    rejected = [("T:2", f"column 'column_1' holds bytes that are not {charset}", b"('\x98')")]
    assert read(head.encode() + rows, encoding=encoding) == ([["a"], ["c"]], rejected)


@pytest.mark.parametrize("encoding", ["utf9", "hex", "klingon"])
def test_an_unknown_encoding_is_one_clear_line(encoding: str, read: Any) -> None:
    with pytest.raises(SourceError) as raised:
        read(f"{MYSQL}INSERT INTO t VALUES (1);", encoding=encoding)
    assert str(raised.value).endswith(f"a.sql: unknown encoding '{encoding}'. Try utf-8, cp1252 or latin1.")


@pytest.mark.parametrize("asked", [{"encoding": "sjis"}, {}])
def test_a_mysql_dump_in_a_charset_that_hides_backslashes_is_an_error(asked: dict[str, str], read: Any) -> None:
    with pytest.raises(SourceError, match=r"cannot read the charset sjis\. Make the dump in UTF-8"):
        read("/*!40101 SET NAMES sjis */;\nINSERT INTO t VALUES (1);", **asked)


@given(cells=st.lists(st.binary() | st.none()), codec=st.sampled_from(["cp1252", "iso8859-1", "cp1251", "koi8-r"]))
@settings(max_examples=200, deadline=None)
def test_cells_of_single_bytes_are_decoded_at_once_as_one_by_one(cells: list[bytes | None], codec: str) -> None:
    found = _of_single_bytes(pa.array(cells, pa.large_binary()), codec)
    try:
        expected = [None if cell is None else _decode(cell, codec) for cell in cells]
    except UnicodeDecodeError:
        assert found is None
    else:
        assert found is not None
        found.validate(full=True)
        assert found.to_pylist() == expected


def test_a_charset_that_changes_in_a_dump_counts_from_there_on(read: Any) -> None:
    latin1 = b"/*!40101 SET NAMES latin1 */;\nINSERT INTO `t` VALUES ('\xe9');\n"
    assert read(latin1 + b"SET NAMES utf8mb4;\nINSERT INTO `t` VALUES ('\xc3\xa9');\n") == ([["é"], ["é"]], [])


# --- what is too long


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a row have at most 100 kB."""
    monkeypatch.setattr(window, "MOST_HELD", 100_000)
    monkeypatch.setattr(window.Window.__init__, "__defaults__", (1000,))


INSERTS = "INSERT INTO t VALUES (1,'a'),(2,'{}'),(3,'c');\nINSERT INTO t VALUES (4,'d');\n"
LINES = "COPY t FROM stdin;\n1\ta\n2\t{}\n3\tc\n4\td\n\\.\n"


@pytest.mark.parametrize(("form", "behind"), [(INSERTS, "row"), (LINES, "line")], ids=["insert", "copy"])
def test_a_row_that_is_too_long_is_rejected_with_its_start_and_reading_goes_on_behind_it(
    form: str, behind: str, short: None, read: Any
) -> None:
    rows, [(place, error, raw)] = read("CREATE TABLE t (a int, b text);\n" + form.format("x" * 300_000))
    assert rows == [[1, "a"], [3, "c"], [4, "d"]]
    assert (place, error) == (
        "t:2",
        f"a row or statement has more than 256 MiB. Here is its start; reading goes on with the next {behind}",
    )
    assert raw.startswith((b"(2,'xxx", b"2\txxx"))


@pytest.mark.parametrize("text", ["x''y", "(x'');", "x)\n,(", "x\\"], ids=["quotes", "end", "row", "backslash"])
def test_the_end_of_a_row_that_is_too_long_is_found_whatever_its_strings_hold(text: str, short: None, read: Any) -> None:
    rows, rejected = read("CREATE TABLE t (a int, b text);\n" + INSERTS.format(text * 100_000))
    assert (rows, len(rejected)) == ([[1, "a"], [3, "c"], [4, "d"]], 1)


@pytest.mark.parametrize("form", [INSERTS, LINES], ids=["insert", "copy"])
def test_a_survey_counts_a_row_that_is_too_long_as_broken_and_goes_on(form: str, short: None, tmp_path: Path) -> None:
    text = "CREATE TABLE t (a int, b text);\n" + form.format("x" * 300_000)
    found, damage = survey(dump_of(tmp_path / "a.sql", text))
    assert [(table.rows, table.broken) for table in found.values()] == [(3, 1)]
    assert damage == ""


def test_behind_a_quote_that_is_never_closed_reading_goes_on_where_the_insert_begins_again(short: None, read: Any) -> None:
    text = f"INSERT INTO t VALUES (1,'a'),(2,'never closed),(3,{'x' * 50_000});\n" + "INSERT INTO t VALUES (4,5);\n" * 10_000
    rows, [(_, error, _)] = read("CREATE TABLE t (a int, b text);\n" + text)
    assert error.endswith("reading goes on with the next INSERT")
    assert rows == [[1, "a"], *([[4, "5"]] * 10_000)]


def test_a_first_row_that_is_too_long_does_not_end_the_reading(short: None, read: Any) -> None:
    text = f"CREATE TABLE t (a int, b text);\nINSERT INTO t VALUES (1,'{'x' * 300_000}');\nINSERT INTO t VALUES (2,'b');\n"
    rows, rejected = read(text, table="t")
    assert rows == [[2, "b"]]
    assert [place for place, _, _ in rejected] == ["t:1"]


def test_a_quote_that_is_never_closed_is_told_once_too_much_lies_behind_it(short: None, read: Any) -> None:
    text = f"CREATE TABLE t (a int, b text);\nINSERT INTO t VALUES (1,'a'),(2,'never closed),(3,{'x' * 300_000}"
    rows, [(place, error, _), (_, ended, _)] = read(text)
    assert (rows, place) == ([[1, "a"]], "t:2")
    assert error.startswith("a row or statement has more than 256 MiB")
    assert ended.endswith("the dump ends in the string that begins at byte 64: it is cut, or a quote is not closed")


def test_a_quote_that_is_never_closed_in_another_tables_row_is_told(read: Any) -> None:
    rows, [(_, error, _)] = read("INSERT INTO t VALUES (1);\nINSERT INTO u VALUES ('never closed", table="t")
    assert rows == [["1"]]
    assert error.endswith("the dump ends in the string that begins at byte 48: it is cut, or a quote is not closed")


# of each some 300 kB, of which 40 times as much comes
LONG = ["'x\\'", "'x''", "'\\\\", '"\\"', "`)`", "0xA", "'()"]
SHOWN = ["escaped quotes", "doubled quotes", "backslashes", "double quotes", "backticks", "a blob's digits", "brackets"]


@pytest.mark.parametrize("cell", LONG, ids=SHOWN)
def test_a_row_of_another_table_is_passed_over_however_long_its_cells_are(cell: str, read: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(window, "MOST_HELD", 2 * window.BLOCK)
    quote, part = (cell[0], cell[1:]) if cell[0] in "'\"`" else ("", "AB")
    value = f"{quote or '0x'}{part * (3 * window.BLOCK // len(part))}{quote}"
    text = f"INSERT INTO `u` VALUES (1,'a'),(2,{value}),(3,'b;');\nINSERT INTO `t` VALUES (1);\n"
    assert read("-- MySQL dump 10.13\n" + text, table="t") == ([["1"]], [])


def test_a_quote_that_is_closed_by_the_next_rows_quote_rejects_the_rows_between(read: Any) -> None:
    text = "INSERT INTO t VALUES (1,'a'),(2,'never closed),(3,'c');\nINSERT INTO t VALUES (4,'d');\n"
    rows, rejected = read(POSTGRES + text)
    assert rows[0] == ["1", "a"]
    assert b"never closed" in b"".join(raw for _, _, raw in rejected)


# --- cuts


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("INSERT INTO t VALUES (1),(2", "the dump ends in the middle of a row"),
        ("INSERT INTO t VALUES (1),('it''s", "the dump ends in the middle of a row"),
        ("INSERT INTO t VALUES (1),", "the dump ends in the middle of a statement"),
        ("COPY t FROM stdin;\n1\n2", "the dump ends in the middle of a row"),
        ("COPY t FROM stdin;\n1\n", "the dump ends in the middle of a statement"),
        ("INSERT INTO t VALUES (1);\nCREATE TABLE u (a int,", "the dump ends in the middle of a statement"),
    ],
)
def test_a_cut_dump_says_what_is_cut(text: str, error: str, read: Any) -> None:
    rows, rejected = read(text, table="t")
    assert rows == [["1"]]
    assert [found for _, found, _ in rejected] == [error]
    assert not rejected or text.endswith(rejected[0][2].decode())


@pytest.mark.parametrize("members", [1, 3])
def test_a_gzip_member_that_is_cut_gives_the_rows_before_the_cut(members: int, read: Any) -> None:
    parts = [
        "".join(f"INSERT INTO t VALUES ({n},'{n * n}');\n" for n in range(m * 3000, m * 3000 + 3000)) for m in range(members)
    ]
    packed = b"".join(gzip.compress(part.encode()) for part in parts)
    rows, rejected = read(packed[:-2000], "a.sql.gz", table="t")
    assert (members - 1) * 3000 < len(rows) < members * 3000
    assert rows == [[str(n), str(n * n)] for n in range(len(rows))]
    assert "Compressed file ended" in rejected[-1][1]


def test_dumps_one_behind_the_other_give_the_rows_of_all(read: Any) -> None:
    first = f"{MYSQL}CREATE TABLE `t` (a int, b text);\nINSERT INTO `t` VALUES (1,'a');\n-- Dump completed\n"
    second = f"{MYSQL}DROP TABLE IF EXISTS `t`;\nCREATE TABLE `t` (a int, b text);\nINSERT INTO `t` VALUES (2,'b');\n"
    assert read(first + second) == ([[1, "a"], [2, "b"]], [])


# --- what few dumps hold


@pytest.mark.parametrize(
    "form", ["INSERT INTO t VALUES (1,'a\r\nb'),\r\n(2,'c');\r\n", "COPY t FROM stdin;\r\n1\ta\\r\\nb\r\n2\tc\r\n\\.\r\n"]
)
def test_lines_may_end_in_carriage_returns(form: str, read: Any) -> None:
    text = f"{POSTGRES}CREATE TABLE t (a int, b text);\n".replace("\n", "\r\n") + form
    assert read(text) == ([[1, "a\r\nb"], [2, "c"]], [])


@pytest.mark.parametrize(
    ("head", "cell"), [(MYSQL, "'a\\0b'"), (MYSQL, "'a\0b'"), (SQLITE, "unistr('a\\u0000b')"), (SQL_SERVER, "N'a\0b'")]
)
def test_a_text_may_hold_nul(head: str, cell: str, read: Any) -> None:
    assert read(f"{head}INSERT INTO dbo.t VALUES ({cell});\n") == ([["a\0b"]], [])


def test_conditional_comments_are_passed_over_nested_or_not(read: Any) -> None:
    text = "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/ /*!50003 TRIGGER x BEFORE INSERT ON t FOR EACH ROW\nBEGIN\n"
    text += (
        "  INSERT INTO `t` VALUES (99); -- /* no comment */\nEND */;;\nDELIMITER ;\n/*!40000 ALTER TABLE `t` DISABLE KEYS */;\n"
    )
    assert read(f"{MYSQL}DELIMITER ;;\n{text}INSERT INTO `t` VALUES (1);\n") == ([["1"]], [])
    table = "CREATE TABLE `t` (a int /*!80023 INVISIBLE */, b int /*!50606 STORAGE DISK */) /*!50100 PARTITION BY KEY (a) */;\n"
    assert read(f"{MYSQL}{table}INSERT INTO `t` VALUES (1,2);\n") == ([[1, 2]], [])


@pytest.mark.parametrize("mark", [";;", "$$", "//"])
def test_routines_between_delimiters_hold_no_rows(mark: str, read: Any) -> None:
    routine = f"CREATE PROCEDURE p()\nBEGIN\n  INSERT INTO `t` VALUES (99);\n  IF 1 THEN SELECT ';'; END IF;\nEND{mark}\n"
    text = f"{MYSQL}INSERT INTO `t` VALUES (1);\nDELIMITER {mark}\n{routine}delimiter ;\nINSERT INTO `t` VALUES (2);\n"
    assert read(text.replace("delimiter", "DELIMITER")) == ([["1"], ["2"]], [])


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT IGNORE INTO `t` VALUES (1,'a'),(2,'b');",
        "REPLACE INTO `t` VALUES (1,'a'),(2,'b');",
        "INSERT INTO `t` (`a`, `b`) VALUES (1,'a'), (2,'b');",
        "insert into t values (1,'a'),(2,'b')\nON DUPLICATE KEY UPDATE b = VALUES(b), a = 'x;y';",
        "INSERT INTO `t` VALUES (1,'a'),(2,'b') AS new ON DUPLICATE KEY UPDATE b = new.b;",
        "INSERT LOW_PRIORITY IGNORE `t` VALUES (1,'a'),(2,'b');",
        "INSERT INTO `t` VALUE (1,'a'),(2,'b');",
        "INSERT DELAYED INTO `t` VALUES /* all */ (1,'a'), -- first\n(2,'b') # last\n;",
    ],
)
def test_the_forms_of_insert_are_read(statement: str, read: Any) -> None:
    assert read(f"{MYSQL}CREATE TABLE `other` (x int);\n{statement}\nINSERT INTO `t` VALUES (3,'c');\n", table="t")[1] == []
    assert read(f"{MYSQL}{statement}\n") == ([["1", "a"], ["2", "b"]], [])


@pytest.mark.parametrize(
    "statement", ["INSERT INTO `t` SELECT * FROM `u`;", "INSERT INTO `t` SET a = 1;", "INSERT INTO `t` (a) SELECT 'x;' FROM u;"]
)
def test_an_insert_without_values_is_rejected_whole(statement: str, read: Any) -> None:
    rows, rejected = read(f"{MYSQL}INSERT INTO `t` VALUES (1);\n{statement}\nINSERT INTO `t` VALUES (3);\n")
    assert rows == [["1"], ["3"]]
    assert rejected == [("t:2", "a statement that cannot be read", statement.encode())]


def test_a_default_is_no_value_that_a_dump_holds(read: Any) -> None:
    rows, rejected = read(
        f"{MYSQL}CREATE TABLE `t` (a int, b text);\nINSERT INTO `t` VALUES (1,DEFAULT),(DEFAULT,'b'),(3,'c');\n"
    )
    assert rows == [[3, "c"]]
    assert [(place, raw) for place, _, raw in rejected] == [("t:1", b"(1,DEFAULT)"), ("t:2", b"(DEFAULT,'b')")]


@pytest.mark.parametrize(
    ("head", "declared", "written", "value"),
    [
        (MYSQL, "blob", "0x00fF", b"\0\xff"),
        (MYSQL, "blob", "x'00fF'", b"\0\xff"),
        (MYSQL, "bit(10)", "b'1000000001'", b"\x02\x01"),
        (MYSQL, "text", "0x41", "A"),
        (MYSQL, "text", "_utf8mb4'é'", "é"),
        (MYSQL, "text", "_utf8mb4 'it\\'s'", "it's"),
        (MYSQL, "blob", "_binary 'a\\0'", b"a\0"),
        (MYSQL, "blob", "_binary 0x6100", b"a\0"),
        (MYSQL, "text", "N'x'", "x"),
        (MYSQL, "text", "''", ""),
        (MYSQL, "text", "NULL", None),
        (POSTGRES, "bytea", "'\\x00ff'", b"\0\xff"),
        (POSTGRES, "bytea", "E'\\\\x00ff'", b"\0\xff"),
        (POSTGRES, "bytea", "E'\\\\000a\\\\\\\\'", b"\0a\\"),
        (POSTGRES, "bytea", "'\\x00ff'::bytea", b"\0\xff"),
        (POSTGRES, "text", "E'a\\nb\\u00e9\\x41\\101'", "a\nbéAA"),
        (POSTGRES, "text", "$tag$it's $$ \\n$tag$", "it's $$ \\n"),
        (POSTGRES, "text", "$$$$", ""),
        (POSTGRES, "text", "'a\\nb'", "a\\nb"),
        (POSTGRES, "text", "'{\"a,b\",NULL}'", '{"a,b",NULL}'),
        (POSTGRES, "text", "'(1,\"x\"\"y\")'", '(1,"x""y")'),
        (POSTGRES, "bit varying", "B'0101'", "0101"),
        (POSTGRES, "boolean", "true", "true"),
        (POSTGRES, "double precision", "'NaN'", float("nan")),
        (POSTGRES, "double precision", "'-Infinity'", float("-inf")),
        (SQLITE, "BLOB", "X'00fF'", b"\0\xff"),
        (SQLITE, "REAL", "1e999", float("inf")),
        (SQLITE, "REAL", "-9.0e+999", float("-inf")),
        (SQLITE, "TEXT", "replace(replace('a\\nb\\rc','\\r',char(13)),'\\n',char(10))", "a\nb\rc"),
        (SQLITE, "TEXT", "replace('it''s\\012\\n','\\012',char(10))", "it's\n\\n"),
        (SQLITE, "TEXT", "unistr('a\\u000ab\\\\''')", "a\nb\\'"),
    ],
)  # fmt: skip
def test_a_literal_is_its_value(head: str, declared: str, written: str, value: Any, read: Any) -> None:
    rows, rejected = read(f"{head}CREATE TABLE t (a {declared}, z integer);\nINSERT INTO t VALUES ({written},7);\n")
    assert rejected == []
    assert repr(rows) == repr([[value, 7]])


@pytest.mark.parametrize(
    ("head", "written"),
    [
        (POSTGRES, "U&'\\0441'"),
        (POSTGRES, "U&'!0441' UESCAPE '!'"),
        (POSTGRES, "ARRAY[1,2]"),
        (MYSQL, "now()"),
        (SQLITE, "1+1"),
    ],
)
def test_an_expression_is_rejected_with_its_row(head: str, written: str, read: Any) -> None:
    rows, rejected = read(f"{head}INSERT INTO t VALUES ('a'),({written}),('c');\n")
    assert rows == [["a"], ["c"]]
    assert [(place, raw) for place, _, raw in rejected] == [("t:2", f"({written})".encode())]


def test_strings_have_escapes_where_standard_conforming_strings_are_off(read: Any) -> None:
    text = f"{POSTGRES}SET standard_conforming_strings = off;\nINSERT INTO t VALUES ('a\\nb\\'c'),(E'd\\\\');\n"
    assert read(text) == ([["a\nb'c"], ["d\\"]], [])


def test_null_and_empty_are_told_apart_in_copy(read: Any) -> None:
    head = f"{POSTGRES}CREATE TABLE t (a text, b text, c bytea);\nCOPY t (a, b, c) FROM stdin;\n"
    lines = "\\N\t\t\\\\x\n\t\\N\t\\N\n\\\\N\tN\ta\\\\000\n\\.\n"
    assert read(head + lines) == ([[None, "", b""], ["", None, None], ["\\N", "N", b"a\0"]], [])


@pytest.mark.parametrize("options", [" WITH (FORMAT csv)", " WITH CSV", " WITH DELIMITER ','", " (DELIMITER '|', NULL '')"])
def test_a_copy_in_another_format_is_rejected_whole_and_reading_goes_on(options: str, read: Any) -> None:
    text = f"{POSTGRES}COPY t (a, b) FROM stdin{options};\n1,2\n\\.\nCOPY t (a, b) FROM stdin;\n3\t4\n\\.\n"
    rows, rejected = read(text)
    assert rows == [["3", "4"]]
    assert [(place, error) for place, error, _ in rejected] == [("t:1", "a statement that cannot be read")]


def test_a_statement_nested_deep_is_passed_over(read: Any) -> None:
    deep = "SELECT " + "(" * 100_000 + "1" + ")" * 100_000 + ";\n"
    assert read(f"{MYSQL}{deep}INSERT INTO t VALUES (1);\n") == ([["1"]], [])
    comment = "/*" * 10_000 + "*/" * 10_000
    assert read(f"{POSTGRES}{comment}\nINSERT INTO t VALUES (1);\n") == ([["1"]], [])
    rows, rejected = read(f"{MYSQL}INSERT INTO t VALUES ({'f(' * 10_000}1{')' * 10_000}),(2);\n")
    assert (rows, len(rejected)) == ([["2"]], 1)


SIGNS = [
    "\n",
    "'",
    "''",
    "\\",
    "\\'",
    ",",
    "(",
    ")",
    ";",
    "--",
    "/*",
    "*/",
    "#",
    "\t",
    "`",
    '"',
    "$$",
    "E'",
    "0x",
    "\0",
    "x",
    "é",
]
WORDS = [
    *("\\N", "\\.\n", "NULL", "1", "x'ff'", "/*!40101 ", "replace('a\\n','\\n',char(10))", "unistr('", "_utf8mb4'"),
    *("INSERT INTO t VALUES (", "INSERT INTO u VALUES (", "COPY t FROM stdin;\n", "CREATE TABLE t (a int);"),
    *("SET NAMES latin1;", "DELIMITER ;;\n", "DELIMITER ;\n"),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    head=st.sampled_from([MYSQL, POSTGRES, SQLITE]),
    pieces=st.lists(st.sampled_from(SIGNS + WORDS), max_size=40),
    block=st.integers(1, 100),
)
def test_no_dump_breaks_the_reader_or_reads_otherwise_in_other_blocks(
    head: str, pieces: list[str], block: int, read: Any
) -> None:
    text = f"{head}INSERT INTO t VALUES (1);\n" + "".join(pieces)
    rows, rejected = read(text, table="t")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window.Window.__init__, "__defaults__", (block,))
        again, rejected_again = read(text, table="t")
    assert (again, len(rejected_again)) == (rows, len(rejected))
