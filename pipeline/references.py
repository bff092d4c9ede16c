"""References: a benchmark's file -> the texts that must not stand in the data, and where each was read.

    .jsonl .ndjson .json   an object a line, a list of objects, or an object that holds one
    .csv .tsv              a header, then rows
    .parquet .arrow        rows
    .txt                   a line is a row

All strings of a row are taken, also those in lists and objects inside: each for itself, and all of them joined by line feeds,
so that a question is found alone and with its choices. A benchmark is small, so it is read whole; what cannot be read of one
stops the run, for a test item left out in silence is one that stays in the data.
"""

import csv
import io
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from filters.kinds import Reference
from pipeline.errors import SourceError
from pipeline.sources import Source, open_bytes, suffix

Row = tuple[int, object]  # where it stands in the file, from 1, and what it holds


def load(name: str) -> Reference:
    """Read a benchmark's file, unpacked where it ends in `.gz`; a place is the file's name and the line, or the row's number.

    Raises `SourceError` for a file that is not there, of no known format, broken, or without any text.
    """
    if not Path(name).is_file():
        raise SourceError(f"{name}: no such file. Check the path.")
    read = FORMATS.get(suffix(name))
    if read is None:
        raise SourceError(f"{name}: no format of a reference file. There are: {', '.join(FORMATS)}.")
    file = Path(name).name
    found = [(text, f"{file}:{number}") for number, row in read(name, _content(name)) for text in _texts(row)]
    if not found:
        raise SourceError(f"{name}: holds no text to look for.")
    texts, places = zip(*found, strict=True)
    return Reference(file, texts, places)


def strings(row: object) -> Iterator[str]:
    """Yield all strings in a row, in order, whatever they are nested in; numbers are none.

    >>> list(strings({"question": "2 + 2?", "choices": {"text": ["3", "4"]}, "answer": 1}))
    ['2 + 2?', '3', '4']
    """
    left = [row]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict | list):
            left += reversed(list(value.values() if isinstance(value, dict) else value))


def _texts(row: object) -> list[str]:
    own = [stripped for text in strings(row) if (stripped := text.strip())]
    return [*own, "\n".join(own)] if len(own) > 1 else own


def _content(name: str) -> bytes:
    with open_bytes(Source(Path(name).name, name)) as file:
        try:
            return file.read()
        except (OSError, EOFError, zlib.error) as error:
            raise SourceError(f"{name}: cannot be read ({error}).") from error


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SourceError(f"{name}:{line}: not UTF-8 text. Convert it, like `iconv -f latin1 -t utf-8`.") from error


def _lines(name: str, content: bytes) -> Iterator[Row]:
    return ((number, line) for number, line in enumerate(_text(name, content).split("\n"), 1))


def _json(name: str, content: bytes) -> Iterator[Row]:
    text = _text(name, content)
    if text.lstrip().startswith("["):
        return enumerate(_parsed(name, text), 1)
    try:
        whole = orjson.loads(text) if suffix(name) == ".json" else None
    except orjson.JSONDecodeError:
        whole = None  # an object a line
    if whole is None:
        lines = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
        return ((number, _parsed(f"{name}:{number}", line)) for number, line in lines)
    inside: list[Any] = list(whole.values()) if isinstance(whole, dict) else []
    lists = [value for value in inside if isinstance(value, list) and all(isinstance(row, dict) for row in value)]
    rows: list[Any] = max(lists, key=len) if lists else [whole]
    return enumerate(rows, 1)


def _parsed(place: str, text: str) -> Any:  # noqa: ANN401  any JSON
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise SourceError(f"{place}: not JSON ({error}). An object a line is needed, or a list of objects.") from error


def _fields(name: str, content: bytes) -> Iterator[Row]:
    csv.field_size_limit(sys.maxsize)
    separator = "\t" if suffix(name) == ".tsv" else ","
    rows = csv.reader(io.StringIO(_text(name, content), newline=""), delimiter=separator, strict=True)
    line = 1
    try:
        for number, fields in enumerate(rows):
            if number:
                yield line, fields
            line = rows.line_num + 1
    except csv.Error as error:
        raise SourceError(f"{name}:{line}: not CSV ({error}).") from error


def _columns(name: str, content: bytes) -> Iterator[Row]:
    import pyarrow.parquet as pq

    try:
        buffer = pa.BufferReader(content)
        if content.startswith(b"PAR1"):
            table = pq.read_table(buffer)
        else:
            opened = pa.ipc.open_file if content.startswith(b"ARROW1") else pa.ipc.open_stream
            table = opened(buffer).read_all()
        return enumerate(table.to_pylist(), 1)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{name}: not a readable Parquet or Arrow file ({' '.join(str(error).split())}).") from error


FORMATS: dict[str, Callable[[str, bytes], Iterator[Row]]] = {
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), _json),
    **dict.fromkeys((".csv", ".tsv"), _fields),
    **dict.fromkeys((".parquet", ".arrow"), _columns),
    ".txt": _lines,
}
