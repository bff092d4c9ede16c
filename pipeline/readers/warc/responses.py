"""A record -> the page it holds: chunks joined, unpacked, in the header's charset; or why it holds none."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipeline.documents import Rejection
from pipeline.readers._encodings import is_utf8
from pipeline.readers.html import sniff
from pipeline.readers.html.decoding import BOMS, DECLARED
from pipeline.readers.warc.records import BLANK, MOST_BLOCK, MOST_RAW, Record, fields

if TYPE_CHECKING:
    from fastwarc.warc import WarcRecord

OF_THE_CRAWL = ("warcinfo", "request", "metadata")
PAGES = ("text/html", "application/xhtml+xml")
Coding = Literal["all", "content", "transfer", "none"]
CODINGS: tuple[Coding, ...] = ("all", "content", "transfer", "none")


@dataclass(frozen=True)
class Page:
    """A page, or a text that was made of one: its bytes, and what its record tells of it."""

    place: str
    content: bytes
    url: str | None
    date: str | None
    status: int | None
    content_type: str | None
    is_text: bool = False


def page_of(record: Record) -> Page | Rejection | None:
    """Return a record's page, why it holds none, or None where it only tells of the crawl."""
    kind = record.header.get("warc-type", "").lower()
    if kind in OF_THE_CRAWL:
        return None
    if record.length > MOST_BLOCK:
        return _none(record, f"the record has more than {MOST_BLOCK >> 20} MiB")
    if kind == "response" and record.header.get("content-type", "application/http").lower().startswith("application/http"):
        return _response(record)
    if kind in ("resource", "response"):
        return _typed(record, record.block, None, record.header.get("content-type"))
    if kind == "conversion" and _type(record.header.get("content-type")) == "text/plain":
        return _page(record, record.block, None, "text/plain", is_text=True)
    if kind == "revisit":
        return _none(record, "a revisit: the page did not change, and is not stored again")
    return _none(record, f"a {kind or 'nameless'} record holds no page of its own")


def _response(record: Record) -> Page | Rejection:
    try:
        http = _http(record, "none")
    except OSError:
        http = None
    status = None if http is None else http.http_headers.status_code
    if http is None or status is None:
        return Rejection(record.place, "no HTTP response", (record.head + record.block)[:MOST_RAW])
    if status != 200:
        return _none(record, f"HTTP status {status}")
    content_type = http.http_headers.get("Content-Type")
    if _type(content_type) not in (*PAGES, ""):
        return _none(record, f"{_type(content_type)}, no web page")
    content = _decoded(record)
    if content is None:
        return Rejection(record.place, "the HTTP body cannot be decoded", (record.head + record.block)[:MOST_RAW])
    if len(content) > MOST_BLOCK:
        return _none(record, f"unpacked, the page has more than {MOST_BLOCK >> 20} MiB")
    return _typed(record, content, status, content_type)


def _http(record: Record, coding: Coding) -> "WarcRecord":
    from fastwarc.warc import WarcRecord

    http = WarcRecord.from_bytes(record.head + record.block)
    http.is_http = True  # also where the record does not say so
    http.parse_http(auto_decode=coding)
    return http


def _decoded(record: Record) -> bytes | None:
    """Undo the codings of an HTTP body; a crawler may have undone what the header still names."""
    for coding in CODINGS:
        try:
            content = bytes(_http(record, coding).reader.read(MOST_BLOCK + 1))
        except OSError:
            continue
        if coding == "all" or content.lstrip().startswith(b"<"):
            return content
    return None


def _typed(record: Record, content: bytes, status: int | None, content_type: str | None) -> Page | Rejection:
    """Return a page where the content type says so, or, where there is none, its first bytes."""
    kind = _type(content_type)
    if kind in PAGES or (not kind and sniff(content)):
        return _page(record, _in_charset(content, content_type or ""), status, content_type)
    return _none(record, f"{kind or 'of no type'}, no web page")


def _page(record: Record, content: bytes, status: int | None, content_type: str | None, *, is_text: bool = False) -> Page:
    header = record.header
    url = header.get("warc-target-uri", "").strip("<>") or None  # WARC 1.0 as wget writes it has the brackets
    return Page(record.place, content, url, header.get("warc-date"), status, content_type, is_text)


def _none(record: Record, why: str) -> Rejection:
    """Reject a record that is sound, but no page: of its bytes only the headers, for the rest stays where it is."""
    is_http = record.block.startswith(b"HTTP/")
    end = record.block.find(BLANK, 0, MOST_RAW) + len(BLANK) if is_http else 0
    return Rejection(record.place, why, record.head + record.block[:end])


def _type(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()


def _in_charset(content: bytes, content_type: str) -> bytes:
    """Recode a page that declares no encoding, and is no UTF-8, from its HTTP header's charset to UTF-8."""
    from resiliparse.parse.encoding import bytes_to_str, map_encoding_to_html5

    charset = _charset(content_type)
    if not charset or DECLARED.search(content, 0, 1024) or any(content.startswith(mark) for mark, _ in BOMS):
        return content
    encoding = map_encoding_to_html5(charset, False)
    if not encoding or (b"\0" not in content and b"\x1b" not in content and is_utf8(content)):
        return content
    return str(bytes_to_str(content, encoding, errors="replace", fallback_encodings=())).encode()


def _charset(content_type: str) -> str:
    """Return a content type's charset, or an empty string.

    >>> _charset('text/html; charset="Windows-1251"'), _charset("text/html")
    ('windows-1251', '')
    """
    lines = "x\r\n" + content_type.replace("=", ":").replace(";", "\r\n")
    return fields(lines.encode()).get("charset", "").strip("\"'").lower()
