"""A page as a browser saves it in one file (MHTML) -> the page itself, where it came from, and its charset."""

import re
from email.errors import CloseBoundaryNotFoundDefect
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from typing import NamedTuple

FIRST_LINE = re.compile(rb"(?:from|subject|date|mime-version|content-type|snapshot-content-location)[ \t]*:", re.IGNORECASE)
HEAD = 1 << 16  # bytes at most in which a file says that it is one


class Saved(NamedTuple):
    """A page's bytes, its address and the charset that its part's header names; `why`: there is no page."""

    content: bytes
    url: str | None
    charset: str | None
    why: str = ""


def is_mhtml(file: bytes) -> bool:
    r"""Tell a saved page by its header.

    >>> is_mhtml(b"MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=x\r\n\r\n"), is_mhtml(b"<html>")
    (True, False)
    """
    if not FIRST_LINE.match(file):
        return False
    return BytesHeaderParser().parsebytes(file[:HEAD]).get_content_type() == "multipart/related"


def saved_page(file: bytes) -> Saved:
    """Return the first part that is a web page, which is the one that was looked at; its frames come later."""
    whole = BytesParser().parsebytes(file)
    parts = [part for part in whole.walk() if not part.is_multipart()]
    pages = [part for part in parts if part.get_content_type() in ("text/html", "application/xhtml+xml")]
    if not pages:
        return Saved(b"", None, None, "no web page among the parts of this MHTML file")
    page = pages[0]
    if page is parts[-1] and any(isinstance(defect, CloseBoundaryNotFoundDefect) for defect in whole.defects):
        return Saved(b"", None, None, "the page cannot be read to its end (the MHTML file is cut)")
    content = page.get_payload(decode=True)
    url = _header(page, "Content-Location") or _header(whole, "Snapshot-Content-Location")
    return Saved(content if isinstance(content, bytes) else b"", url, page.get_content_charset())


def _header(part: Message, name: str) -> str | None:
    return "".join(str(part.get(name, "")).split()) or None
