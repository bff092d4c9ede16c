"""A page's markup -> its text, its title and, where there is no text, why: one function an engine.

They are told apart by what they cost: `auto` and resiliparse work in machine code, soup and trafilatura walk a tree many times.
"""

import logging
import warnings
from collections.abc import Sequence

from pipeline.readers.html.depth import TOO_DEEP, too_deep

Answer = tuple[str, str | None, str]

NO_TEXT = "the page has no text"
NO_MAIN = "the page has no main content, only lists and navigation (main_content: false takes all text)"
PATIENCE = 1 << 22  # characters of markup beyond which `auto` asks no slow engine


def read_auto(markup: str, markdown: bool = False) -> Answer:
    """Take the main text by our own walk, or by trafilatura where that is unsure and the page is no monster."""
    from pipeline.readers.html.blocks import TooDeepError
    from pipeline.readers.html.main_text import main_text

    try:
        found = main_text(markup, markdown)
    except TooDeepError:
        return "", None, TOO_DEEP
    text = found.text
    if found.unsure and len(markup) <= PATIENCE:
        text = _trafilatura(markup, markdown) or text
    if text:
        return text, found.title, ""
    return "", None, NO_MAIN if found.any_text else NO_TEXT


def read_resiliparse(markup: str, main_content: bool = True) -> Answer:
    """Take the main content as resiliparse finds it, or all visible text."""
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse(markup)
    if too_deep(markup, tree.document):
        return "", None, TOO_DEEP

    def extract(main_content: bool) -> str:
        text = extract_plain_text(tree, main_content=main_content, alt_texts=False, links=False, preserve_formatting=True)
        return str(text).strip("\n")

    text = extract(main_content)
    if text.strip():
        return text, _line(tree.title), ""
    return "", None, NO_MAIN if main_content and extract(main_content=False).strip() else NO_TEXT


def read_trafilatura(markup: str, markdown: bool = False) -> Answer:
    """Take the main text as trafilatura finds it, tables with it and comments left out."""
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    tree = HTMLTree.parse(markup)
    if too_deep(markup, tree.document):
        return "", None, TOO_DEEP
    if text := _trafilatura(markup, markdown):
        return text, _line(tree.title), ""
    return "", None, NO_MAIN if extract_plain_text(tree, main_content=False).strip() else NO_TEXT


def read_soup(markup: str, keep: Sequence[str], drop: Sequence[str]) -> Answer:
    """Take the text of the elements that `keep` selects (none: the whole page) without those that `drop` selects."""
    from bs4 import BeautifulSoup, XMLParsedAsHTMLWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        soup = BeautifulSoup(markup, "lxml")
    title = _line(soup.title.get_text()) if soup.title else None
    for unwanted in soup.select(", ".join(["title", *drop])):
        unwanted.decompose()
    kept = soup.select(", ".join(keep)) if keep else [soup]
    inside = {id(part) for part in kept}
    outermost = [part for part in kept if inside.isdisjoint(map(id, part.parents))]
    lines = (line.strip() for part in outermost for line in part.get_text("\n").splitlines())
    text = "\n".join(line for line in lines if line)
    return text, title, "" if text else NO_TEXT


def _trafilatura(markup: str, markdown: bool) -> str:
    logging.getLogger("trafilatura").setLevel(logging.CRITICAL)  # it logs each page without text as an error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from trafilatura import extract
    return extract(markup, include_comments=False, fast=True, output_format="markdown" if markdown else "txt") or ""


def _line(text: str | None) -> str | None:
    return " ".join((text or "").split()) or None
