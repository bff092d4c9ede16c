"""A dump in a window -> its statements that matter: CREATE TABLE, INSERT and COPY, and what sets how to read them.

A statement with rows is handed on when the window stands at its first row: whoever takes it reads or skips the rows before
asking for the next.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from pipeline.readers.sql_dump.schema import CREATE, NAME, Column, columns_of, unquote
from pipeline.readers.sql_dump.signs import BACKSLASHES, DOUBLED, E_STRING, LINES, MYSQL, ORACLE, POSTGRES, SQL_SERVER, SQLITE
from pipeline.readers.sql_dump.window import Window

Kind = Literal["insert", "copy", "broken", "cut"]

_TABLE = rb"(?P<table>" + NAME + rb"(?:\s*\.\s*" + NAME + rb")*)\s*"
_COLUMNS = rb"(?:\((?P<columns>\s*" + NAME + rb"(?:\s*,\s*" + NAME + rb")*\s*)\)\s*)?"
_INTO = rb"(?:INSERT|REPLACE)\s+(?:(?:LOW_PRIORITY|DELAYED|HIGH_PRIORITY|IGNORE|OR\s+\w+)\s+)*(?:INTO(?:\s+|(?=\[)))?"
INSERT = re.compile(_INTO + _TABLE + _COLUMNS + rb"(?:OVERRIDING\s+\w+\s+VALUE\s+)?VALUES?(?=[\s(])", re.I)
COPY = re.compile(rb"COPY\s+" + _TABLE + _COLUMNS + rb"FROM\s+stdin(?P<options>[^;\n]*);[^\n]*\n", re.I)
_NAMES = re.compile(rb"(?:/\*M?!\d*\s*)?SET\s+(?:NAMES\s+|client_encoding\s*(?:=|TO)\s*)['\"]?(\w+)", re.I)
_STRINGS = re.compile(rb"SET\s+standard_conforming_strings\s*(?:=|TO)\s*['\"]?(\w+)", re.I)
_SCHEMA = re.compile(rb"SET\s+search_path\s*(?:=|TO)\s*(" + NAME + rb")|USE\s+(" + NAME + rb")", re.I)
_ROUTINE = re.compile(rb"CREATE\s[^(;]*?\b(?:TRIGGER|FUNCTION|PROCEDURE|EVENT)\b", re.I)
_BLOCK = re.compile(
    rb"""'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|\b(BEGIN|CASE|END)\b""", re.I | re.S
)
_BATCH = {
    SQL_SERVER: re.compile(rb"(?:CREATE|ALTER)\s+(?:OR\s+ALTER\s+)?(?:TRIGGER|FUNCTION|PROC|PROCEDURE|VIEW)\s", re.I),
    ORACLE: re.compile(
        rb"CREATE\s+(?:OR\s+REPLACE\s+)?(?:(?:NON)?EDITIONABLE\s+)?(?:TRIGGER|FUNCTION|PROCEDURE|PACKAGE|TYPE)\s", re.I
    ),
}
_BATCH_END = {SQL_SERVER: re.compile(rb"[ \t]*GO\s", re.I), ORACLE: re.compile(rb"[ \t]*/\s")}
_SQLPLUS = re.compile(
    rb"(?:REM|REMARK|PROMPT|SET|WHENEVER|SPOOL|EXIT|QUIT|DEFINE|COLUMN|SHOW|PAUSE)(?:\s|;|\Z)|/(?:\s|\Z)|@", re.I
)
_SIGNS = re.compile(
    rb"^(?P<sqlite>PRAGMA foreign_keys|BEGIN TRANSACTION;)"
    rb"|^(?P<postgresql>-- PostgreSQL database|SET standard_conforming_strings |COPY [^\n]* FROM stdin;)"
    rb"|(?P<mysql>^-- (?:MySQL|MariaDB|phpMyAdmin|Host:)|^/\*M?!\d|^(?:CREATE TABLE|INSERT INTO)[^'\n]*`)"
    rb"|^(?P<sql_server>USE \[|SET (?:ANSI_NULLS|QUOTED_IDENTIFIER|IDENTITY_INSERT|NOCOUNT) |/\*{4,} Object: "
    rb"|(?i:INSERT(?: INTO)?|CREATE TABLE) ?\[|(?i:INSERT(?: INTO)?|CREATE TABLE) dbo\.)"
    rb"|^(?P<oracle>(?i:REM|SET DEFINE OFF|SET VERIFY OFF|SET SQLBLANKLINES)\s|Insert into [A-Z][A-Z0-9_$#.\"]* \("
    rb"|--  DDL for |[^'\n]*\bVARCHAR2\s?\()",
    re.M,
)
DIALECTS = {"sqlite": SQLITE, "postgresql": POSTGRES, "mysql": MYSQL, "sql_server": SQL_SERVER, "oracle": ORACLE}
_LONGEST_HEAD = 1 << 20
UNSAFE = {"shift_jis", "cp932", "big5", "big5hkscs", "gbk", "gb18030", "johab", "cp949", "shift_jis_2004", "shift_jisx0213"}
_CODECS = {
    **dict.fromkeys(("utf8", "utf8mb3", "utf8mb4", "sql_ascii", "binary", "default"), "utf-8"),
    "latin1": "iso8859-1",
    "koi8r": "koi8-r",
    "koi8u": "koi8-u",
    "euc_cn": "gb2312",
}


class TableName(NamedTuple):
    """A table's name and the schema or database that it is in, empty where the dump does not say."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}" if self.schema else self.name


class Statement(NamedTuple):
    """A statement with rows: its table, the columns it names, and its bytes up to the first row.

    One that cannot be read is `broken`, one that the dump's end cuts is `cut`, and both have all their bytes.
    """

    kind: Kind
    table: TableName
    columns: list[str] | None
    head: bytes
    place: int


@dataclass
class Session:
    """What a dump has set so far, and the tables that it has created, by which statements.

    With `fixed`, its own words on its charset are void.
    """

    dialect: int
    codec: str = "utf-8"
    fixed: bool = False
    strings: int = DOUBLED
    schema: str = ""
    created: dict[TableName, list[Column]] = field(default_factory=dict)
    created_by: dict[TableName, bytes] = field(default_factory=dict)


def dialect_of(head: bytes) -> int:
    """Tell whose dump begins like this.

    >>> dialect_of(b"INSERT INTO `t` VALUES") == MYSQL, dialect_of(b"PRAGMA foreign_keys=OFF;") == SQLITE
    (True, True)
    """
    first = _SIGNS.search(head)
    return DIALECTS[first.lastgroup or ""] if first else POSTGRES


def session_of(head: bytes) -> Session:
    """Begin reading a dump that begins like this."""
    dialect = dialect_of(head)
    schema = "dbo" if dialect == SQL_SERVER else ""
    return Session(dialect, strings=BACKSLASHES if dialect == MYSQL else DOUBLED, schema=schema)


def codec_of(charset: str, dialect: int) -> str:
    """Return Python's codec for a charset of MySQL or PostgreSQL.

    Raises `LookupError` where there is none. In those of `UNSAFE` a character's second byte can look like a backslash.

    >>> codec_of("UTF8", POSTGRES), codec_of("latin1", MYSQL), codec_of("WIN1251", POSTGRES)
    ('utf-8', 'cp1252', 'cp1251')
    """
    name = charset.lower()
    if dialect == MYSQL and name == "latin1":
        return "cp1252"
    found = codecs.lookup(re.sub(r"^win", "cp", _CODECS.get(name, name))).name
    b"  ".decode(found, "replace")  # raises LookupError for what is no charset, such as hex
    return found


def names_in(written: bytes, session: Session) -> list[str]:
    """Return the names of a list or a qualified name; Oracle's are in capitals where they are not quoted."""
    found = [(part, unquote(part, session.codec)) for part in re.findall(NAME, written)]
    return [name.upper() if session.dialect == ORACLE and not part.startswith(b'"') else name for part, name in found]


def name_of(written: bytes, session: Session) -> TableName:
    """Return the table that a name, quoted and qualified as it may be, means."""
    parts = names_in(written, session)
    return TableName(parts[-2] if len(parts) > 1 else session.schema, parts[-1])


def statements(window: Window, session: Session) -> Iterator[Statement]:
    """Yield the statements with rows; keeps `session` up to date."""
    while window.skip_blank(session.dialect):
        start = window.peek(64)
        if start.startswith(b"\\"):
            window.skip_line()
        elif start.startswith((b"/*!", b"/*M!")):
            _conditional(window, session)
        elif start[:10].upper() == b"DELIMITER ":
            _other_delimiter(window)
        elif session.dialect == ORACLE and _SQLPLUS.match(start):
            window.skip_line()
        elif re.match(rb"(?:INSERT|REPLACE|COPY)\s", start, re.I):
            yield _with_rows(window, session)
        elif session.dialect >= LINES and _BATCH[session.dialect].match(start):
            yield from _batch(window, session)
        else:
            broken = _without_rows(window, session)
            if broken:
                yield broken


def _conditional(window: Window, session: Session) -> None:
    place = window.place
    head = window.peek(256)
    if window.skip_past(b"*/"):
        _set(head[: window.place - place], session)


def _other_delimiter(window: Window) -> None:
    if re.match(rb"DELIMITER\s+;\s*$", window.peek(64).split(b"\n")[0], re.I) or window.skip_past(b"\nDELIMITER ;"):
        window.skip_line()


def _batch(window: Window, session: Session) -> Iterator[Statement]:
    """Pass over a routine, up to its `GO` or `/`; an Oracle script without one is cut, as no other statement can follow."""
    place, head = window.place, window.peek(1024)
    while window.skip_past(b"\n"):
        if _BATCH_END[session.dialect].match(window.peek(8) + b"\n"):
            return
    if session.dialect == ORACLE:
        yield Statement("cut", TableName("", ""), None, head, place)


def _with_rows(window: Window, session: Session) -> Statement:
    place = window.place
    while True:
        for kind, pattern in (("insert", INSERT), ("copy", COPY)):
            match = pattern.match(window.data, window.start, window.end)
            if match and not (kind == "copy" and match["options"].strip()):
                window.start = match.end()
                listed = match["columns"]
                columns = None if listed is None else names_in(listed, session)
                return Statement(kind, name_of(match["table"], session), columns, match[0], place)  # type: ignore[arg-type]
        if match or window.end - window.start > _LONGEST_HEAD or not window.more():
            break
    text, whole = window.statement(session.dialect, session.strings)
    named = re.match(rb"(?:COPY\s+|" + _INTO + rb")" + _TABLE, text, re.I)
    if match:
        window.skip_past(b"\n\\.")
    table = name_of(named["table"], session) if named else TableName("", "")
    return Statement("broken" if whole else "cut", table, None, text, place)


def _without_rows(window: Window, session: Session) -> Statement | None:
    place = window.place
    text, whole = window.statement(session.dialect, session.strings)
    if _ROUTINE.match(text) and session.dialect != MYSQL:
        while whole and _open_blocks(text, session.dialect) > 0:
            more, whole = window.statement(session.dialect, session.strings)
            text += more
    if create := CREATE.match(text):
        named = re.compile(_TABLE).match(text, create.end())
        table = name_of(named["table"], session) if named else TableName("", "")
        if not whole:
            return Statement("cut", table, None, text, place)
        session.created.setdefault(table, columns_of(text[create.end() :], session.dialect, session.codec))
        session.created_by.setdefault(table, text)
    _set(text, session)
    return None


def _open_blocks(text: bytes, dialect: int) -> int:
    """Count the blocks of a routine's body that are not closed; PostgreSQL has bodies outside strings only as BEGIN ATOMIC."""
    words = [word.upper() for _tag, word in _BLOCK.findall(text)]
    if b"BEGIN" not in words or (dialect == POSTGRES and not re.search(rb"BEGIN\s+ATOMIC", text, re.I)):
        return 0
    return words.count(b"BEGIN") + words.count(b"CASE") - words.count(b"END")


def _set(text: bytes, session: Session) -> None:
    if not session.fixed and (names := _NAMES.match(text)):
        session.codec = codec_of(names[1].decode(), session.dialect)
        if session.codec in UNSAFE:
            raise LookupError(names[1].decode())
    if session.dialect == POSTGRES and (strings := _STRINGS.match(text)):
        session.strings = E_STRING if strings[1].lower() == b"off" else DOUBLED
    if session.dialect != SQL_SERVER and (schema := _SCHEMA.match(text)):
        session.schema = unquote(schema[1] or schema[2], session.codec)
