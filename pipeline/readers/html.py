"""A web page -> one row of `text` and `title`.

The page is read whole: its text is what a reader of the page came for (`main_content`), or all of it.
"""

import re
import warnings
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from pipeline.documents import STRING, Rejection, Rows
from pipeline.sources import Source, open_bytes

if TYPE_CHECKING:
    from resiliparse.parse.html import DOMNode

SUFFIXES = (".html", ".htm", ".xhtml")

SCHEMA = pa.schema([pa.field("text", STRING), pa.field("title", STRING)])
BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
DECLARED = re.compile(rb"""<(?:meta|\?xml)\b[^>]*?\b(?:charset|encoding)\s*=\s*["']?\s*([\w:.-]+)""", re.IGNORECASE)
FLAT = (  # elements that have no content, or end where the next begins
    "area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr|"
    "a|colgroup|dd|dt|li|optgroup|option|p|rp|rt|tbody|td|tfoot|th|thead|tr"
)
NESTING = re.compile(rf"<(/?)(?!(?:{FLAT})\b)([a-z][a-z0-9]*)")
MAX_DEPTH = 2000  # browsers stop at 512; the extraction takes time quadratic in the depth (20,000 levels: 10 s)


def sniff(head: bytes) -> bool:
    """Tell a page by its doctype or root element.

    >>> sniff(b"  <!DOCTYPE html><title>Hi</title>"), sniff(b"<rss>")
    (True, False)
    """
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:4096].lower()
    return start.startswith((b"<!doctype html", b"<html")) or (start.startswith(b"<?xml") and b"<html" in start)


def html(
    source: Source,
    *,
    engine: Literal["resiliparse", "soup"] = "resiliparse",
    main_content: bool = True,
    keep: Sequence[str] = (),
    drop: Sequence[str] = ("script", "style", "nav", "footer", "header", "aside"),
) -> Iterator[Rows | Rejection]:
    """Read a web page.

    `resiliparse` extracts the main content (about 1,000 pages of 25 kB a second and core), or with
    `main_content: false` all visible text. `soup` takes the text of the elements that the CSS selectors `keep` name
    (none: the whole page) without those that `drop` names. A page without text, or cut short, is a `Rejection`.
    """
    with open_bytes(source) as file:
        try:
            page = file.read()
        except (OSError, EOFError, zlib.error) as error:
            yield Rejection("", f"the page cannot be read to its end ({error})", b"")
            return
    text, title, why = _soup(page, keep, drop) if engine == "soup" else _resiliparse(page, main_content)
    if why:
        yield Rejection("", why, page)
    else:
        yield Rows(pa.table([[text], [title]], schema=SCHEMA), [""])


def decode(page: bytes) -> str:
    r"""Decode a page as browsers do: by byte order mark, else as it declares, else UTF-8 if it is, else by its bytes.

    Bytes that the encoding does not know become U+FFFD.

    >>> decode(b'<meta charset="latin1">caf\xe9')[-4:], decode("café".encode())
    ('café', 'café')
    """
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding

    encoding = _declared(page)
    if encoding is None:
        try:
            return page.decode("utf-8")
        except UnicodeDecodeError:
            encoding = detect_encoding(page, html5_compatible=True) or "utf-8"
    text: str = bytes_to_str(page, encoding, errors="replace", fallback_encodings=())
    return text


def _declared(page: bytes) -> str | None:
    from resiliparse.parse.encoding import map_encoding_to_html5

    for mark, encoding in BOMS:
        if page.startswith(mark):
            return encoding
    found = DECLARED.search(page, 0, 1024)
    name: str | None = found and map_encoding_to_html5(found[1].decode("ascii", "replace"), False)
    return "utf-8" if name and name.startswith("utf-16") else name  # a declaration readable as ASCII is not UTF-16


def _resiliparse(page: bytes, main_content: bool) -> tuple[str, str | None, str]:
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    markup = decode(page)
    tree = HTMLTree.parse(markup)
    if _may_be_deep(markup) and _deeper(tree.document, MAX_DEPTH):
        return "", None, f"the page's elements are nested more than {MAX_DEPTH} deep"

    def extract(main_content: bool) -> str:
        text = extract_plain_text(tree, main_content=main_content, alt_texts=False, links=False, preserve_formatting=True)
        return str(text).strip("\n")

    title = " ".join(tree.title.split()) if tree.title else None
    text = extract(main_content)
    if text.strip():
        return text, title, ""
    if main_content and extract(main_content=False).strip():
        return "", None, "the page has no main content, only lists and navigation (main_content: false takes all text)"
    return "", None, "the page has no text"


def _may_be_deep(markup: str) -> bool:
    """Bound a page's depth by its tags: walking the tree costs more than extracting its text."""
    if markup.count("<") <= MAX_DEPTH:
        return False
    opened: Counter[str] = Counter()
    depth = 0
    for end, name in map(re.Match.groups, NESTING.finditer(markup.lower())):
        if not end:
            opened[name] += 1
            depth += 1
        elif opened[name]:
            opened[name] -= 1
            depth -= 1
        if depth > MAX_DEPTH:
            return True
    return False


def _deeper(root: "DOMNode | None", depth: int) -> bool:
    node, level = root, 0
    while node is not None:
        if node.first_child is not None:
            node, level = node.first_child, level + 1
            if level > depth:
                return True
            continue
        while node is not None and node.next is None:
            node, level = node.parent, level - 1
        node = node and node.next
    return False


def _soup(page: bytes, keep: Sequence[str], drop: Sequence[str]) -> tuple[str, str | None, str]:
    from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        soup = BeautifulSoup(decode(page), "lxml")
    title = " ".join(soup.title.get_text().split()) if soup.title else None
    for unwanted in soup.select(", ".join(["title", *drop])):
        unwanted.decompose()
    kept = soup.select(", ".join(keep)) if keep else [soup]
    inside = {id(part) for part in kept}
    outermost = [part for part in kept if inside.isdisjoint(map(id, part.parents))]
    lines = (line.strip() for part in outermost for line in part.get_text("\n").splitlines())
    text = "\n".join(line for line in lines if line)
    return text, title or None, "" if text else "the page has no text"
