"""What SQL Server and Oracle scripts write as an expression -> the value that it has.

CAST(N'..' AS DateTime), to_date('..','..'), TO_CLOB('..') || TO_CLOB('..'), N'..' + CHAR(10): one value at a time, in Python,
as only few columns hold any.
"""

import re

from pipeline.readers.sql_dump.moments import as_iso, moment_of_bytes

_STRING = rb"'[^']*(?:''[^']*)*'"
_TERM = re.compile(
    rb"\s*(?:N?(?P<string>" + _STRING + rb")"
    rb"|N?Q'(?P<q>\[.*?\]|\{.*?\}|\(.*?\)|<.*?>|(?P<mark>[^\[{(<]).*?(?P=mark))'"
    rb"|(?:DATE|TIMESTAMP)\s*'(?P<literal>[^']*)'"
    rb"|TO_(?:DATE|TIMESTAMP|TIMESTAMP_TZ)\s*\(\s*(?P<date>" + _STRING + rb")\s*(?:,\s*(?P<format>" + _STRING + rb")\s*"
    rb"(?P<language>,\s*" + _STRING + rb"\s*)?)?\)"
    rb"|HEXTORAW\s*\(\s*'(?P<raw>[0-9A-F]*)'\s*\)|0x(?P<hex>[0-9A-F]*)"
    rb"|UNISTR\s*\(\s*(?P<unistr>" + _STRING + rb")\s*\)"
    rb"|N?CHA?R\s*\(\s*(?P<code>\d{1,7})\s*\)"
    rb"|(?P<empty>EMPTY_[BC]LOB\s*\(\s*\))"
    rb"|(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:E[-+]?\d+)?)"
    rb"|(?P<null>NULL)\b"
    rb"|(?P<open>CAST|TO_N?CLOB|TO_BLOB|TO_N?CHAR)\s*\()",
    re.I | re.S,
)
_JOINT = re.compile(rb"\s*(?:\|\||(?P<sum>\+))")
_SUMMAND = re.compile(rb"\s*[-+.0-9]")
_AS = re.compile(rb"\s*AS\s+\[?(?P<type>\w+)\]?\s*(?:\([^()]*\))?\s*\)", re.I)
_ENGLISH = re.compile(rb"AMERICAN|ENGLISH", re.I)
_HEX = re.compile(rb"\s*0x", re.I)
_CLOSE = re.compile(rb"\s*\)")
_BYTES = {"binary", "varbinary", "image", "timestamp", "rowversion", "geometry", "geography", "hierarchyid"}

Value = bytes | None


def value_of(written: bytes) -> Value:
    """Return an expression's value as UTF-8 or bytes, None for NULL; raises `ValueError` for one that is not understood.

    >>> value_of(b"CAST(N'2020-01-01T00:00:00.000' AS DateTime)"), value_of(b"TO_CLOB('it''s ') || q'[it's]'")
    (b'2020-01-01T00:00:00.000', b"it's it's")
    """
    value, at = _joined(written, 0)
    if written[at:].strip():
        raise ValueError(written[at:])
    return value


def _joined(written: bytes, at: int) -> tuple[Value, int]:
    first = at
    value, at = _term(written, at)
    joint = _JOINT.match(written, at)
    if not joint:
        return value, at
    values = [value]
    while joint:
        value, at = _term(written, joint.end())
        values.append(value)
        if joint["sum"] and (_SUMMAND.match(written, first) or _SUMMAND.match(written, joint.end())):
            raise ValueError(written)
        joint = _JOINT.match(written, at)
    return b"".join(_something(value) for value in values), at


def _something(value: Value) -> bytes:
    if value is None:
        raise ValueError("NULL")
    return value


def _term(written: bytes, at: int) -> tuple[Value, int]:
    term = _TERM.match(written, at)
    if not term:
        raise ValueError(written[at:])
    if term["open"]:
        return _call(written, term)
    return _value(term), term.end()


def _call(written: bytes, opened: re.Match[bytes]) -> tuple[Value, int]:
    value, at = _joined(written, opened.end())
    is_cast = opened["open"].upper() == b"CAST"
    closed = (_AS if is_cast else _CLOSE).match(written, at)
    if not closed:
        raise ValueError(written[at:])
    if is_cast and value is not None and _HEX.match(written, opened.end()):
        kind = closed["type"].decode("utf-8", "replace").lower()
        value = value if kind in _BYTES else moment_of_bytes(kind, value)
    return value, closed.end()


def _value(term: re.Match[bytes]) -> Value:
    if term["string"] is not None:
        return _unquoted(term["string"])
    if term["q"] is not None:
        return term["q"][1:-1]
    if term["literal"] is not None:
        return term["literal"].replace(b" ", b"T", 1)
    if term["date"] is not None:
        given = _unquoted(term["format"] or b"''")
        foreign = term["language"] and not _ENGLISH.search(term["language"])
        return _unquoted(term["date"]) if foreign else as_iso(_unquoted(term["date"]), given)
    if term["unistr"] is not None:
        return _unistr(_unquoted(term["unistr"]).decode())
    if term["raw"] is not None or term["hex"] is not None:
        return bytes.fromhex((term["raw"] or term["hex"] or b"").decode())
    if term["code"] is not None:
        return chr(int(term["code"])).encode()
    return b"" if term["empty"] else term["number"]


def _unistr(text: str) -> bytes:
    units = re.sub(r"\\(\\|[0-9A-Fa-f]{4})", lambda found: chr(int(found[1], 16)) if len(found[1]) == 4 else "\\", text)
    return units.encode("utf-16", "surrogatepass").decode("utf-16").encode()


def _unquoted(string: bytes) -> bytes:
    return string[1:-1].replace(b"''", b"'")
