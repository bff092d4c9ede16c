"""A CREATE TABLE statement -> the table's columns with the type that they get in Arrow."""

import re
from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa
from sqlparse import lexer
from sqlparse import tokens as T  # noqa: N812  as sqlparse's own sources call it

from pipeline.readers.sql_dump.signs import MYSQL, ORACLE, POSTGRES, SQL_SERVER, SQLITE

CREATE = re.compile(
    rb"CREATE\s+(?:OR\s+REPLACE\s+)?(?:(?:GLOBAL|LOCAL|TEMP|TEMPORARY|UNLOGGED|FOREIGN)\s+)*TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?",
    re.I,
)
NAME = rb'(?:"(?:[^"]|"")*"|`(?:[^`]|``)*`|\[(?:[^\]]|\]\])*\]|\'(?:[^\']|\'\')*\'|[^\s(),;."\'`\[]+)'

_TEXT = pa.large_string()
_INTEGERS = {
    "tinyint",
    "smallint",
    "mediumint",
    "int",
    "integer",
    "bigint",
    "int2",
    "int4",
    "int8",
    "smallserial",
    "serial",
    "bigserial",
}
_FLOATS = {"float", "double", "double precision", "real", "float4", "float8"}
_BYTES = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "bytea", "bit"}
_GEOMETRY = {
    "geometry",
    "point",
    "linestring",
    "polygon",
    "multipoint",
    "multilinestring",
    "multipolygon",
    "geometrycollection",
    "vector",
}
_SQL_SERVER_INTEGERS = {"tinyint", "smallint", "int", "integer", "bigint", "bit"}
_SQL_SERVER_BYTES = {
    *("binary", "varbinary", "binary varying", "image", "timestamp", "rowversion", "geometry", "geography", "hierarchyid"),
}
_ORACLE_BYTES = {"blob", "raw", "long raw"}
_CONSTRAINTS = {"CONSTRAINT", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK"}
_MYSQL_CONSTRAINTS = _CONSTRAINTS | {"KEY", "INDEX", "FULLTEXT", "SPATIAL"}
_AFTER_TYPE = {
    "NOT",
    "NULL",
    "DEFAULT",
    "PRIMARY",
    "UNIQUE",
    "CHECK",
    "REFERENCES",
    "COLLATE",
    "GENERATED",
    "AS",
    "CONSTRAINT",
    "AUTO_INCREMENT",
    "COMMENT",
    "CHARACTER",
    "CHARSET",
    "ON",
    "VISIBLE",
    "INVISIBLE",
    "WITH",
    "WITHOUT",
    "STORAGE",
    "COMPRESSION",
    "ENCRYPTED",
    "KEY",
    "OPTIONS",
    "ZEROFILL",
    "IDENTITY",
    "ROWGUIDCOL",
    "SPARSE",
    "MASKED",
}


class Column(NamedTuple):
    """A column of a table: its name, its type in Arrow, whether the database computes it, and its type as declared."""

    name: str
    type: pa.DataType = _TEXT
    generated: bool = False
    declared: str = ""


def unquote(name: bytes, codec: str) -> str:
    """Return a name without its quotes.

    >>> unquote(b"`a ``b`", "utf-8"), unquote(b"posts", "utf-8")
    ('a `b', 'posts')
    """
    text = name.decode(codec, "replace")
    if text[0] in "\"`'":
        return text[1:-1].replace(text[0] * 2, text[0])
    return text[1:-1].replace("]]", "]") if text[0] == "[" else text


def columns_of(statement: bytes, dialect: int, codec: str = "utf-8") -> list[Column]:
    """Return the columns of what follows CREATE TABLE; none for a statement without a list (`AS SELECT`, `PARTITION OF`).

    >>> [(c.name, str(c.type)) for c in columns_of(b"t (id int, body text, PRIMARY KEY (id));", POSTGRES)]
    [('id', 'int64'), ('body', 'large_string')]
    """
    names: list[str] = []
    body = _plain(statement, dialect, codec, names)
    return [column for item in _items(body) if (column := _column(item, dialect, names))]


def _plain(body: bytes, dialect: int, codec: str, names: list[str]) -> str:
    """Empty the strings, drop the comments, and put `quoted_0` for a quoted name, so that nothing can mislead the lexer."""
    string = rb"'(?:[^'\\]|''|\\.)*'" if dialect == MYSQL else rb"'(?:[^']|'')*'"
    comment = rb"/\*(?!M?!).*?\*/|--[^\n]*"
    bracketed = rb"\[(?:[^\]]|\]\])*\]" if dialect == SQL_SERVER else rb"(?<![\w\]])\[[^\]]*[^\]\d][^\]]*\]"
    pattern = re.compile(rb"(" + string + rb")|(" + comment + rb')|("(?:[^"]|"")*"|`(?:[^`]|``)*`|' + bracketed + rb")", re.S)

    def plain(match: re.Match[bytes]) -> bytes:
        if match[1] and not (dialect == SQLITE and re.search(rb"[(,]\s*$", body[max(0, match.start() - 64) : match.start()])):
            return b"''"
        if match[2]:
            return b" "
        names.append(unquote(match[0], codec))
        return b" quoted_%d " % (len(names) - 1)

    return re.sub(rb"/\*M?!\d*|\*/", b" ", pattern.sub(plain, body)).decode(codec, "replace")


def _items(body: str) -> Iterator[list[str]]:
    """Yield the words of each part of the parenthesised list, parentheses below it included."""
    depth, item = 0, list[str]()
    for kind, value in lexer.tokenize(body):
        if kind in T.Whitespace or value.isspace():
            continue
        depth -= value == ")"
        if depth == 0 and value == ")" or depth == 1 and value == ",":  # noqa: RUF021
            yield item
            item = []
        elif depth > 0:
            item.extend(value.split())
        if depth == 0 and value in (")", ";"):
            return
        depth += value == "("


def _column(item: list[str], dialect: int, names: list[str]) -> Column | None:
    words = [word.upper() for word in item]
    if not words or words[0] in (_MYSQL_CONSTRAINTS if dialect == MYSQL else _CONSTRAINTS):
        return None
    if (words[0] == "LIKE" and dialect == POSTGRES) or words[:2] in (["PERIOD", "FOR"], ["SUPPLEMENTAL", "LOG"]):
        return None
    quoted = re.fullmatch(r"quoted_(\d+)", item[0])
    name = names[int(quoted[1])] if quoted else words[0] if dialect == ORACLE else item[0]
    if dialect == SQL_SERVER:  # which quotes its types too: [Id] [int]
        words = [re.sub(r"^QUOTED_(\d+)$", lambda match: names[int(match[1])].upper(), word) for word in words]
    end = next((at for at, word in enumerate(words) if at and word in _AFTER_TYPE), len(words))
    generated = any(word == "AS" and words[at + 1 : at + 2] == ["("] for at, word in enumerate(words))
    return Column(name, _arrow_type(words[1:end], dialect), generated, _as_declared(words[1:end]))


def _as_declared(words: list[str]) -> str:
    """Write a type as the usual hand does.

    >>> _as_declared(["DECIMAL", "(", "12", ",", "2", ")", "UNSIGNED"])
    'decimal(12,2) unsigned'
    """
    written = re.sub(r" ?([(),]) ?", r"\1", " ".join(words)).replace(")", ") ").strip().lower()
    return re.sub(r"\(''(,'')*\)", "", written)  # the values of an ENUM, which were emptied


def _arrow_type(words: list[str], dialect: int) -> pa.DataType:
    declared = " ".join(words)
    if dialect == SQLITE:
        return _by_affinity(declared)
    base = re.sub(r"\s*\(.*?\)", "", declared).lower().strip()
    if dialect == SQL_SERVER:
        return _of_sql_server(base)
    if dialect == ORACLE:
        return _of_oracle(base, declared)
    unsigned = " unsigned" in base
    base = base.replace(" unsigned", "").replace(" signed", "")
    if base in _INTEGERS:
        return pa.uint64() if unsigned and base == "bigint" else pa.int64()
    if base in _FLOATS:
        return pa.float64()
    if base in _BYTES and not (base == "bit" and dialect == POSTGRES) or (dialect == MYSQL and base in _GEOMETRY):  # noqa: RUF021
        return pa.large_binary()
    return _TEXT


def _of_sql_server(base: str) -> pa.DataType:
    if base in _SQL_SERVER_INTEGERS:
        return pa.int64()
    return pa.float64() if base in _FLOATS else pa.large_binary() if base in _SQL_SERVER_BYTES else _TEXT


def _of_oracle(base: str, declared: str) -> pa.DataType:
    """Take NUMBER, which is decimal, for int64 where it has no decimals and fits 64 bits, else as it is written."""
    digits = re.fullmatch(r"NUMBER \( (\d+) (?:, 0 )?\)", declared)
    if digits and int(digits[1]) <= 18:
        return pa.int64()
    if base in ("binary_float", "binary_double"):
        return pa.float64()
    return pa.large_binary() if base in _ORACLE_BYTES else _TEXT


def _by_affinity(declared: str) -> pa.DataType:
    """Follow the rules of <https://www.sqlite.org/datatype3.html> §3.1; NUMERIC and untyped columns stay text."""
    if "INT" in declared:
        return pa.int64()
    if any(word in declared for word in ("CHAR", "CLOB", "TEXT")):
        return _TEXT
    if "BLOB" in declared:
        return pa.large_binary()
    return pa.float64() if any(word in declared for word in ("REAL", "FLOA", "DOUB")) else _TEXT
