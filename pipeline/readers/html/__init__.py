"""A web page -> one row: its text, and what it declares about itself.

The page is read whole: its text is what a reader of the page came for (`main_content`), or all of it. In reading order:

    decoding     bytes -> markup, in the encoding that the page has, declares or looks like
    engines      markup -> text and title, by whichever engine is asked for
    main_text    the engine of our own, in one walk: blocks -> the element that holds the article -> its text
    blocks       tree -> blocks of text, and the span of blocks that each element holds
    names        an element's class -> furniture of the page, its article, or neither
    weights      a block -> does it look like an article's text?
    depth        pages that nest their elements too deep
    declared     what a page says about itself: address, date, language
"""

import zlib
from collections.abc import Iterator, Sequence
from typing import Literal

import pyarrow as pa

from pipeline.documents import STRING, Rejection, Rows
from pipeline.errors import RecipeError
from pipeline.readers.html.declared import declared
from pipeline.readers.html.decoding import decode
from pipeline.readers.html.depth import too_many_tags
from pipeline.readers.html.engines import read_auto, read_resiliparse, read_soup, read_trafilatura
from pipeline.readers.html.mhtml import Saved, is_mhtml, saved_page
from pipeline.sources import Source, open_bytes

__all__ = ["SCHEMA", "SUFFIXES", "decode", "html", "sniff"]

SUFFIXES = (".html", ".htm", ".xhtml", ".mht", ".mhtml")

SCHEMA = pa.schema([pa.field(name, STRING) for name in ("text", "title", "url", "date", "language")])
WRITE_MARKDOWN = {"auto": read_auto, "trafilatura": read_trafilatura}
MAIN = {"auto": read_auto, "resiliparse": read_resiliparse, "trafilatura": read_trafilatura}


def sniff(head: bytes) -> bool:
    """Tell a page by its doctype or root element, one that a browser saved by its header.

    >>> sniff(b"  <!DOCTYPE html><title>Hi</title>"), sniff(b"<rss>")
    (True, False)
    """
    if is_mhtml(head):
        return True
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:4096].lower()
    return start.startswith((b"<!doctype html", b"<html")) or (start.startswith(b"<?xml") and b"<html" in start)


def html(
    source: Source,
    *,
    engine: Literal["auto", "resiliparse", "trafilatura", "soup"] = "auto",
    main_content: bool = True,
    markdown: bool = False,
    keep: Sequence[str] = (),
    drop: Sequence[str] = ("script", "style", "nav", "footer", "header", "aside"),
) -> Iterator[Rows | Rejection]:
    """Read a web page, also one that a browser saved with all its pictures in one file (MHTML).

    `auto` weighs the page's blocks of text, and leaves the few pages where that is unsure to `trafilatura`, which is slow.
    `resiliparse` is as fast and keeps more of what surrounds an article. `main_content: false` takes all visible text. `soup`
    takes the text of the elements that the CSS selectors `keep` name (none: the whole page) without those that `drop` names.
    `markdown: true` writes headings, lists, tables, quotes and code as Markdown (engines `auto` and `trafilatura`).
    A page without text, cut short, or of millions of tags, is a `Rejection`.

    The columns beside the text are what the page declares: `title`, `url` (its canonical address, or where it was saved),
    `date` (of publication, as written) and `language`.
    """
    if markdown and not (main_content and engine in WRITE_MARKDOWN):
        raise RecipeError(
            "ingest", [f"html: markdown: true is for the engines {' and '.join(WRITE_MARKDOWN)}, main content only."]
        )
    with open_bytes(source) as file:
        try:
            page = file.read()
        except (OSError, EOFError, zlib.error) as error:
            yield Rejection("", f"the page cannot be read to its end ({error})", b"")
            return
    saved = saved_page(page) if is_mhtml(page) else Saved(page, None, None)
    markup = decode(saved.content, saved.charset)
    text, title, why = "", None, saved.why or too_many_tags(markup)
    if why:
        pass
    elif engine == "soup":
        text, title, why = read_soup(markup, keep, drop)
    elif not main_content:
        text, title, why = read_resiliparse(markup, main_content=False)
    elif markdown:
        text, title, why = WRITE_MARKDOWN[engine](markup, True)
    else:
        text, title, why = MAIN[engine](markup)
    if why:
        yield Rejection("", why, page)
    else:
        said = declared(markup)
        cells = (text, title, saved.url or said.url, said.date, said.language)
        yield Rows(pa.table([[cell] for cell in cells], schema=SCHEMA), [""])
