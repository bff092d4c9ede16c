"""A file's first bytes -> what it is, where that is not CSV, whatever its name."""

import re

import orjson

SIGNS = (
    (b"PK\x03\x04", "a zip archive, as Excel workbooks are", "Save it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "Save it as CSV"),
    (b"\x1f\x8b\x08", "packed with gzip", "Name it .csv.gz"),
    (b"\x28\xb5\x2f\xfd", "packed with Zstandard", "Name it .csv.zst"),
    (b"PAR1", "Parquet", "Read it with `format: parquet`"),
    (b"SQLite format 3\0", "an SQLite database", "Read it with `format: database`"),
    (b"%PDF-", "PDF", "Take its text out first"),
)
HTML = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|table)\b", re.I | re.S
)


def other(start: bytes) -> str:
    r"""Say what a file is that begins so, and what to do; an empty string where it may be CSV.

    >>> other(b"PAR1\x15"), other(b'id,text\n1,{"a": 2}\n')
    ('not CSV but Parquet. Read it with `format: parquet`.', '')
    """
    for sign, kind, advice in SIGNS:
        if start.startswith(sign):
            return f"not CSV but {kind}. {advice}."
    if HTML.match(start[:4096]):
        return "not CSV but HTML. Read it with `format: html`."
    if _is_json(start.removeprefix(b"\xef\xbb\xbf").lstrip()):
        return "not CSV but JSON. Read it with `format: jsonl`."
    return ""


def _is_json(start: bytes) -> bool:
    """Tell JSON by an object on the first line, or a bracket before one; no table's first cell begins so."""
    if re.match(rb"\[\s*\{\s*\"|\{\s*\"[^\"\n]*\"\s*:\s*[\n\[{]|\{\r?\n\s*\"", start):
        return True
    try:
        return isinstance(orjson.loads(start.partition(b"\n")[0]), dict)
    except orjson.JSONDecodeError:
        return False
