"""Dumps of MySQL, MariaDB, PostgreSQL, SQLite, SQL Server and Oracle -> the rows of one of their tables.

Compiled kernels cut the rows out of the stream as it passes, so memory is bounded by the longest row, not by the dump or by
its longest statement. What writes such dumps: mysqldump, mariadb-dump, pg_dump (plain, as COPY or INSERT), sqlite3's .dump,
SQL Server Management Studio ("Generate Scripts", in UTF-16 too) and Oracle SQL Developer ("Export", as insert).
"""

import re
from collections.abc import Iterator

from pipeline.documents import Found
from pipeline.sources import Source

SUFFIXES = (".sql", ".dump")

_SIGNS = re.compile(
    rb"-- (?:MySQL|MariaDB|PostgreSQL) |/\*M?!\d|PRAGMA foreign_keys=|BEGIN TRANSACTION;|SET |(?:DROP|LOCK|CREATE) TABLES? "
    rb"|(?i:INSERT|REPLACE) (?i:INTO) |INSERT \[|USE \[|GO\s|/\*{4,} Object: |REM INSERTING |COPY \S+ .*FROM stdin;"
)


def sniff(head: bytes) -> bool:
    r"""Say whether a file that begins like this is an SQL dump.

    >>> sniff(b"-- a comment\nINSERT INTO t VALUES (1);"), sniff(b"<p>INSERT INTO t")
    (True, False)
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        head = head.decode("utf-16", "replace").encode()
    text = re.sub(rb"\A(?:\xef\xbb\xbf)?(?:\s|--(?! (?:MySQL|MariaDB|PostgreSQL) )[^\n]*\n)*", b"", head)
    return _SIGNS.match(text) is not None


def sql_dump(source: Source, *, table: str | None = None, encoding: str = "") -> Iterator[Found]:
    """Read a table of a dump made by mysqldump, mariadb-dump, pg_dump or sqlite3, or of a script of SQL Server or Oracle.

    `table` names it, bare or with its schema (`posts`, `public.posts`); a dump that holds rows of one table needs no name. A
    row's place is the table and its number in the dump: `posts:17`.

    `encoding` is for a dump that names no charset or a wrong one, such as a script of SQL Server or Oracle in cp1252, and
    counts instead of all that the dump says: a name of Python's or the database's (`cp1251`, `WIN1251`, `latin1`). Without it
    the dump's SET NAMES or client_encoding counts, else UTF-8. Other than MySQL's, `byte` in an error counts UTF-8 then.

    Columns have the types of the CREATE TABLE: integers int64 (BIGINT UNSIGNED uint64), FLOAT, DOUBLE and REAL float64, BLOB,
    BINARY, BYTEA, RAW, geometry and MySQL's BIT large_binary, all else large_string with the text that the dump has. Without a
    CREATE TABLE all are large_string, named as the INSERT names them, else `column_1`, `column_2`... A column that an INSERT
    leaves out is NULL; columns that the database computes are left out, unless MariaDB wrote them.

    Of SQL Server and Oracle, `N'..'`, `q'[..]'`, CAST, TO_CLOB, HEXTORAW, CHR and joined strings come as their values, dates
    and times in ISO 8601 where type or format says which moment is meant, else as they are written. Case does not matter in
    their tables' names. Oracle's NUMBER is int64 up to 18 digits without decimals, else text. Of a script in UTF-16, `byte` in
    an error counts UTF-8.

    Rejected, with their bytes: rows with too few or too many cells, with a cell that is no value of its column's type (SQLite
    holds such) or is not in the dump's charset, and what the dump's end cuts. Raises `SourceError` for a table that is not
    there, for several tables and no `table`, for an unknown encoding, and for archives (`pg_dump -Fc`).
    """
    from pipeline.readers.sql_dump.read import read

    yield from read(source, table, encoding)
