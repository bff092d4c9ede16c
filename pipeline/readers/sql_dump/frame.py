"""A table of a dump, and the statement that its rows stand in -> what makes a small dump of one of the rows alone."""

from collections.abc import Sequence

from pipeline.documents import Remark
from pipeline.readers.sql_dump.schema import Column
from pipeline.readers.sql_dump.signs import E_STRING, MYSQL, ORACLE, POSTGRES, SQL_SERVER, SQLITE
from pipeline.readers.sql_dump.statements import Session, Statement, TableName
from pipeline.readers.sql_dump.window import Window

_SIGNED = {
    MYSQL: ("MySQL", b"-- MySQL dump\n"),
    POSTGRES: ("PostgreSQL", b"-- PostgreSQL database dump\n"),
    SQLITE: ("SQLite", b"PRAGMA foreign_keys=OFF;\n"),
    SQL_SERVER: ("SQL Server", b"SET NOCOUNT ON\nGO\n"),
    ORACLE: ("Oracle", b"REM INSERTING\n"),
}
"""What each dialect is called, and a line that `dialect_of` knows it by."""


def frame_of(window: Window, session: Session, columns: Sequence[Column], statement: Statement) -> Remark:
    """Say what a dump is, with what stands before and after a row of a table that is to be read alone.

    The bytes are in the encoding of the dump, which the settings name; those of UTF-16 in UTF-8, as its rejected rows are.
    """
    named, sign = _SIGNED[session.dialect]
    table = statement.table
    strings = b"SET standard_conforming_strings = off;\n" * (session.dialect == POSTGRES and session.strings == E_STRING)
    schema = f"USE {_quoted(table.schema)};\n".encode(session.codec) * bool(table.schema and session.dialect != SQL_SERVER)
    created = session.created_by.get(table) if session.created.get(table) else None
    create = (created or _rebuilt(table, columns, session.codec)).rstrip(b"; \t\r\n")
    before = [sign, strings, schema, create, b";\n", statement.head]
    settings = {"table": table.name, "encoding": window.codec_of_rows or session.codec}
    text = f"{named} dump, table {table}, {len(columns)} column{'s' * (len(columns) != 1)}"
    after = b"\n\\.\n" if statement.kind == "copy" else b";\n"
    return Remark(text, window.original(b"".join(before)), after, settings)


def _rebuilt(table: TableName, columns: Sequence[Column], codec: str) -> bytes:
    """Create a table that its dump does not, so that each row is held to its columns."""
    listed = ", ".join(f"{_quoted(column.name)} text" for column in columns)
    return f"CREATE TABLE {_quoted(table.name)} ({listed})".encode(codec)


def _quoted(name: str) -> str:
    """Quote a name; what could not be decoded of it has no bytes to be written as."""
    return '"' + name.replace('"', '""').replace("\ufffd", "?") + '"'
