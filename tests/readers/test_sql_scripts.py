"""Scripts of SQL Server Management Studio and Oracle SQL Developer."""

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.documents import Rejection, Rows
from pipeline.errors import SourceError
from pipeline.readers.sql_dump import sniff, sql_dump, window
from pipeline.readers.sql_dump.expressions import value_of
from pipeline.readers.sql_dump.moments import as_iso
from pipeline.sources import Source
from pipeline.tables import Column, Table, tables_of

SQL_SERVER = """USE [blog]
GO
/****** Object:  Table [dbo].[Posts]    Script Date: 1/2/2020 8:24:07 PM ******/
SET ANSI_NULLS ON
GO
CREATE TABLE [dbo].[Posts](
\t[Id] [int] IDENTITY(1,1) NOT NULL,
\t[Body [x]]] [nvarchar](max) NULL,
\t[At] [datetime] NOT NULL,
\t[Price] [decimal](10, 2) NULL,
\t[Raw] [varbinary](max) NULL,
\t[On] [bit] NULL,
\t[Twice]  AS ([Price]*(2)),
 CONSTRAINT [PK_Posts] PRIMARY KEY CLUSTERED\x20
(
\t[Id] ASC
)WITH (PAD_INDEX = OFF, ALLOW_ROW_LOCKS = ON) ON [PRIMARY]
) ON [PRIMARY] TEXTIMAGE_ON [PRIMARY]

GO
SET IDENTITY_INSERT [dbo].[Posts] ON\x20

INSERT [dbo].[Posts] ([Id], [Body [x]]], [At], [Price], [Raw], [On]) VALUES (1, N'it''s
GO
é🙂', CAST(N'2020-01-01T00:00:00.000' AS DateTime), CAST(12.50 AS Decimal(10, 2)), 0x00FF, 1)
GO
INSERT [dbo].[Posts] ([Id], [Body [x]]], [At], [Price], [Raw], [On]) VALUES (2, NULL, CAST(0x0000963400C5C100 AS DateTime), NULL, 0x, NULL)
INSERT [dbo].[Posts] ([Id], [Body [x]]], [At], [Price], [Raw], [On]) VALUES (3, N'a' + CHAR(13) + N'b', N'2020', NULL, NULL, 0)
SET IDENTITY_INSERT [dbo].[Posts] OFF
GO
print 'Processed 3 total rows'
CREATE PROCEDURE [dbo].[Fill] AS
INSERT [dbo].[Posts] ([Id]) VALUES (99)
GO
INSERT [dbo].[Posts] ([Id]) VALUES (4);
"""  # noqa: E501
SQL_SERVER_ROWS = [
    [1, "it's\nGO\né🙂", "2020-01-01T00:00:00.000", "12.50", b"\0\xff", 1],
    [2, None, "2005-04-12T12:00:00.000", None, b"", None],
    [3, "a\rb", "2020", None, None, 0],
    [4, None, None, None, None, None],
]
ORACLE = """--------------------------------------------------------
--  DDL for Table POSTS
--------------------------------------------------------

  CREATE TABLE "BLOG"."POSTS"\x20
   (\t"ID" NUMBER(10,0),\x20
\t"BODY" CLOB, "AT" DATE, "RAW" BLOB, n NUMBER
   ) SEGMENT CREATION IMMEDIATE
  TABLESPACE "USERS"\x20
REM INSERTING into BLOG.POSTS it's
SET DEFINE OFF;
Insert into BLOG.POSTS (ID,BODY,AT,RAW,N) values (1,'it''s;
REM é',to_date('01-JAN-20','DD-MON-RR'),HEXTORAW('00FF'),1.5);
Insert into BLOG.POSTS (ID,BODY,AT,RAW,N) values (2,q'[it's; ]',to_timestamp('01-NOV-21 08.51.22.710 PM','DD-MON-RR HH.MI.SSXFF AM'),null,null);
Insert into BLOG.POSTS (ID,BODY,AT,RAW,N) values (3,TO_CLOB('a') || TO_CLOB(nq'!b'c!') ||chr(10),null,EMPTY_BLOB(),.5);
  CREATE OR REPLACE EDITIONABLE TRIGGER "BLOG"."T" BEFORE INSERT ON POSTS FOR EACH ROW
BEGIN
  IF 1=1 THEN
    INSERT INTO BLOG.POSTS (ID) VALUES (99);
  END IF;
END;
/
COMMIT
/
Insert into blog.posts (id) values (4);
"""  # noqa: E501
ORACLE_ROWS = [
    [1, "it's;\nREM é", "2020-01-01", b"\0\xff", "1.5"],
    [2, "it's; ", "2021-11-01T20:51:22.710", None, None],
    [3, "ab'c\n", None, b"", ".5"],
    [4, None, None, None, None],
]
SCRIPTS = pytest.mark.parametrize(
    ("text", "table", "expected"),
    [(SQL_SERVER, "Posts", SQL_SERVER_ROWS), (ORACLE, "POSTS", ORACLE_ROWS)],
    ids=["sql server", "oracle"],
)


def script(path: Path, text: str | bytes) -> Source:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Source(path.name, str(path), "sql_dump")


def read(source: Source, table: str | None = None) -> tuple[pa.Table, list[str], list[Rejection]]:
    found = list(sql_dump(source, table=table))
    tables = [piece.table for piece in found if isinstance(piece, Rows)]
    places = [place for piece in found if isinstance(piece, Rows) for place in piece.places]
    return (pa.concat_tables(tables) if tables else pa.table({})), places, [p for p in found if isinstance(p, Rejection)]


def cells(source: Source, table: str | None = None) -> list[list[Any]]:
    rows, _, rejected = read(source, table)
    assert rejected == []
    return [list(row.values()) for row in rows.to_pylist()]


@SCRIPTS
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_every_cell_comes_as_its_value(
    text: str, table: str, expected: list[list[Any]], codec: str, line_end: str, tmp_path: Path
) -> None:
    written = text.replace("\n", line_end).encode(codec)
    found = cells(script(tmp_path / "a.sql", b"\xfe\xff" + written if codec == "utf-16-be" else written), table)
    assert [[c.replace("\r\n", "\n") if isinstance(c, str) else c for c in row] for row in found] == expected


@SCRIPTS
def test_rows_are_the_same_however_the_stream_is_cut_into_blocks(
    text: str, table: str, expected: list[list[Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = script(tmp_path / "a.sql", text)
    for block in range(1, 60):
        monkeypatch.setattr(window.Window.__init__, "__defaults__", (block,))
        assert cells(source, table) == expected


@SCRIPTS
@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_a_script_cut_anywhere_loses_the_cut_row_alone(
    text: str, table: str, expected: list[list[Any]], codec: str, tmp_path: Path
) -> None:
    whole = text.encode(codec)
    first = len(text[: text.lower().index("insert", text.lower().index("values") - 90)].encode(codec))
    seen = []
    for stop in range(first, len(whole) + 1, 1 if codec == "utf-8" else 3):
        rows, _, rejected = read(script(tmp_path / "a.sql", whole[:stop]), table)
        found = [list(row.values()) for row in rows.to_pylist()]
        assert found == expected[: len(found)]
        assert len(rejected) <= 2
        seen.append(len(found))
    assert seen == sorted(seen)
    assert set(seen) == set(range(len(expected) + 1))


@pytest.mark.parametrize("table", ["Posts", "posts", "dbo.Posts", "DBO.POSTS", None])
def test_a_table_is_chosen_in_any_case_bare_or_with_its_schema(table: str | None, tmp_path: Path) -> None:
    assert cells(script(tmp_path / "a.sql", SQL_SERVER), table) == SQL_SERVER_ROWS


def test_the_rows_of_other_tables_are_passed_over(tmp_path: Path) -> None:
    tags = "INSERT [dbo].[Tags] ([Id], [Name]) VALUES (1, N'x''\nINSERT [dbo].[Posts] ([Id]) VALUES (7)')\nGO\n"
    text = SQL_SERVER.replace("print '", tags * 2 + "print '")
    assert cells(script(tmp_path / "a.sql", text), "Posts") == SQL_SERVER_ROWS
    assert len(cells(script(tmp_path / "a.sql", text), "Tags")) == 2
    q = "Insert into BLOG.TAGS (ID) values (q'[it's;\nREM \nInsert into BLOG.POSTS (ID) values (7);]');\n"
    assert cells(script(tmp_path / "a.sql", ORACLE.replace("COMMIT\n", q + "COMMIT\n")), "posts") == ORACLE_ROWS


def test_a_line_that_says_no_more_than_go_ends_a_batch_in_any_case(tmp_path: Path) -> None:
    text = "SET NOCOUNT ON \ngo\nINSERT dbo.T VALUES (1, 'a')\ngo\nINSERT INTO dbo.T\nVALUES (2, 'b'), (3, 'GO')\ngo"
    assert cells(script(tmp_path / "a.sql", text)) == [["1", "a"], ["2", "b"], ["3", "GO"]]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1, max_size=8))
def test_any_text_comes_back(tmp_path: Path, texts: list[str]) -> None:
    quoted = [text.replace("'", "''") for text in texts]
    server = "USE [x]\nGO\n" + "".join(f"INSERT [dbo].[T] ([A]) VALUES (N'{text}')\nGO\n" for text in quoted)
    assert cells(script(tmp_path / "a.sql", server.encode("utf-16"))) == [[text] for text in texts]
    oracle = "SET DEFINE OFF;\n" + "".join(f"Insert into S.T (A,B) values ('{t}',TO_CLOB('{t}')||'{t}');\n" for t in quoted)
    assert cells(script(tmp_path / "a.sql", oracle)) == [[text, text * 2] for text in texts]


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("CAST(N'it''s' AS NVarChar(10))", b"it's"),
        ("CAST(-1.5E+3 AS [money])", b"-1.5E+3"),
        ("CAST(NULL AS Int)", None),
        ("CAST(0xDAB93700 AS Date)", b"9999-12-31"),
        ("CAST(0xA29B00B3 AS SmallDateTime)", b"2013-12-21T02:59:00"),
        ("CAST(0x07FFBF692AC9DAB937 AS DateTime2)", b"9999-12-31T23:59:59.9999999"),
        ("CAST(0x00FF AS VarBinary(2))", b"\0\xff"),
        ("N'a' + CHAR(39) + N'1'", b"a'1"),
        ("to_date('2021-06-02 16:23:52','yyyy-MM-dd hh24:mi:ss')", b"2021-06-02T16:23:52"),
        ("TO_TIMESTAMP_TZ('2020-01-02 03:04:05 +02:00', 'YYYY-MM-DD HH24:MI:SS TZH:TZM')", None),
        ("DATE '2020-01-01'", b"2020-01-01"),
        ("TIMESTAMP '2020-01-01 10:00:00'", b"2020-01-01T10:00:00"),
        ("to_clob(q'{a'b}')||to_clob('c')", b"a'bc"),
        ("empty_clob()", b""),
        ("UNISTR('\\00e9\\d83d\\de42\\\\') || 'x'", "é🙂\\x".encode()),
        (
            "TO_TIMESTAMP('19-NOV-07 03.41.54.69 PM'\n,'DD-MON-RR HH.MI.SS.FF AM'\n,'NLS_DATE_LANGUAGE=American')",
            b"2007-11-19T15:41:54.69",
        ),
        ("TO_DATE('01-MAI-07','DD-MON-RR','NLS_DATE_LANGUAGE=German')", b"01-MAI-07"),
        ("CAST(0x681B0B00 AS Date)", b"1993-12-16"),
        ("CAST(0x0000A31500000000 AS DateTime)", b"2014-04-22T00:00:00.000"),
    ],
)
def test_an_expression_has_a_value(written: str, value: bytes | None) -> None:
    if "TZH" in written:
        value = b"2020-01-02T03:04:05+02:00"
    assert value_of(written.encode()) == value


@pytest.mark.parametrize(
    "written",
    [
        "1 + 2",
        "N'a' + 1",
        "SYSDATE",
        "N'a' + NULL",
        "getdate()",
        "(select 1 from dual)",
        "CAST(0x00 AS Time)",
        "CHR(9999999)",
        "",
        "'a' 'b'",
    ],
)
def test_an_expression_that_is_not_understood_has_none(written: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  the caller words it
        value_of(written.encode())


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("01/02/20", "DD/MM/YY"),
        ("01-ENE-20", "DD-MON-RR"),
        ("31-FEB-20", "DD-MON-RR"),
        ("01-JAN-20 08.51", "DD-MON-RR HH.MI"),
        ("12:30", "HH24:MI"),
        ("2020-01-01 10:00:00 Europe/Paris", "YYYY-MM-DD HH24:MI:SS TZR"),
        ("01-01-2020", "DD-MM-DD-YYYY"),
        ("é", "YYYY"),
    ],
)
def test_a_moment_that_is_not_clear_stays_as_it_is_written(written: str, form: str) -> None:
    assert as_iso(written.encode(), form.encode()) == written.encode()


@given(st.datetimes())
def test_a_moment_is_the_one_that_its_format_says(moment: Any) -> None:
    written = moment.strftime("%d %m %I:%M:%S.%f %p ") + f"{moment.year:04}"
    assert as_iso(written.encode(), b"DD MM HH12:MI:SS.FF6 AM YYYY") == moment.isoformat(timespec="microseconds").encode()


def test_a_row_with_an_expression_that_cannot_be_read_is_rejected(tmp_path: Path) -> None:
    text = "SET DEFINE OFF;\nInsert into S.T (A,B) values ((select 1 from dual),'x');\nInsert into S.T (A,B) values (1,'y');\n"
    rows, places, rejected = read(script(tmp_path / "a.sql", text))
    assert (rows.to_pylist(), places) == ([{"A": "1", "B": "y"}], ["T:2"])
    assert [(r.place, r.error.split(": ")[1]) for r in rejected] == [
        ("T:1", "column 'A' holds an expression that cannot be read")
    ]


def test_rows_in_an_anonymous_block_are_rows(tmp_path: Path) -> None:
    text = "rem data\nset define off\nBEGIN\n  INSERT INTO t (a, b) VALUES (1, UNISTR('\\00e9'));\n"
    text += "  INSERT INTO t (a) VALUES (2);\nEND;\n/\n"
    assert cells(script(tmp_path / "a.sql", text)) == [["1", "é"], ["2", None]]


def test_nested_calls_without_end_are_rejected(tmp_path: Path) -> None:
    deep = "TO_CLOB(" * 5000 + "'x'" + ")" * 5000
    _, _, rejected = read(script(tmp_path / "a.sql", f"SET DEFINE OFF;\nInsert into S.T (A) values ({deep});\n"))
    assert len(rejected) == 1


def test_a_routine_without_its_end_is_a_rejection(tmp_path: Path) -> None:
    start = "SET DEFINE OFF;\nInsert into S.T (A) values (1);\n"
    text = start + "CREATE PROCEDURE p AS BEGIN\n  NULL;\nEND;\nInsert into S.T (A) values (2);\n"
    rows, _, rejected = read(script(tmp_path / "a.sql", text), "T")
    assert rows.num_rows == 1
    assert rejected[0].raw.startswith(b"CREATE PROCEDURE")
    assert "1 statements cannot be read" in tables_of(str(tmp_path / "a.sql"))[-1].note


def test_a_packed_utf16_script_that_is_cut_gives_the_rows_before_the_cut(tmp_path: Path) -> None:
    text = "USE [x]\nGO\n" + "".join(f"INSERT [dbo].[T] ([A]) VALUES (N'{n * n}')\nGO\n" for n in range(5000))
    rows, _, rejected = read(script(tmp_path / "a.sql.gz", gzip.compress(text.encode("utf-16"))[:-1000]), "T")
    assert rows.num_rows > 3000
    assert "Compressed file ended" in rejected[-1].error


def test_another_dump_in_utf16_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="--result-file"):
        list(sql_dump(script(tmp_path / "a.sql", "-- MySQL dump 10\n".encode("utf-16"))))


@SCRIPTS
def test_a_script_is_known_by_its_first_bytes(text: str, table: str, expected: list[list[Any]]) -> None:
    assert sniff(text.encode())
    assert sniff(text.encode("utf-16"))


def test_moments_are_no_texts(tmp_path: Path) -> None:
    cells = "to_date('01-JAN-20','DD-MON-RR'),TO_CLOB('ab')||'c',TIMESTAMP '2020'"
    text = f"SET DEFINE OFF;\nInsert into S.T (A,B,C) values ({cells});\n"
    found = tables_of(script(tmp_path / "a.sql", text).path)[0]
    assert [column.name for column in found.texts] == ["B"]


def test_the_tables_of_a_script_are_told(tmp_path: Path) -> None:
    source = script(tmp_path / "a.sql", SQL_SERVER.encode("utf-16"))
    assert tables_of(source.path) == [
        Table(
            "Posts",
            4,
            [
                Column("Id", "int"),
                Column("Body [x]", "nvarchar(max)", 18.5, 22),
                Column("At", "datetime"),
                Column("Price", "decimal(10,2)"),
                Column("Raw", "varbinary(max)"),
                Column("On", "bit"),
            ],
        )
    ]


PIECES = [
    *(
        "\n",
        "\n",
        " ",
        ";",
        ",",
        "(",
        ")",
        "'",
        "''",
        "[",
        "]",
        '"',
        "/",
        "--",
        "/*",
        "*/",
        "q'[",
        "]'",
        "N'",
        "0x",
        "0xf",
        "GO",
        "go\n",
    ),
    *(
        "\nGO\n",
        "\n/\n",
        "REM x\n",
        "INSERT [dbo].[T] ([A]) VALUES (",
        "Insert into dbo.T (A) values (",
        "CREATE TABLE [T] ([A] [int])",
    ),
    *(
        "CREATE PROCEDURE p AS ",
        "NULL",
        "1",
        "x",
        "é",
        "CAST(",
        " AS Date)",
        "||",
        "+",
        "TO_CLOB(",
        "to_date('1','2')",
        "VALUES",
        "\\",
    ),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=30), server=st.booleans(), block=st.integers(1, 40))
def test_any_script_is_read_to_its_end_and_the_same_in_any_blocks(
    tmp_path: Path, pieces: list[str], server: bool, block: int
) -> None:
    head = "USE [x]\nGO\nINSERT [dbo].[T] ([A]) VALUES (1" if server else "SET DEFINE OFF;\nInsert into dbo.T (A) values (1"
    source = script(tmp_path / "a.sql", head + "".join(pieces))
    rows, places, rejected = read(source, "T")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(window.Window.__init__, "__defaults__", (block,))
        again = read(source, "T")
    assert (again[0].to_pylist(), again[1]) == (rows.to_pylist(), places)
    assert len(again[2]) == len(rejected)
    assert next(table.rows for table in tables_of(source.path) if table.name == "T") >= rows.num_rows
