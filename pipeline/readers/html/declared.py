"""A page's markup -> what it declares about itself. Nothing is guessed: what it does not say is None."""

import re
from html import unescape
from typing import NamedTuple

TAG = re.compile(r"<(html|meta|link)\b([^<>]{0,4000})>", re.IGNORECASE)
ATTRIBUTE = re.compile(r"""([\w:-]{1,40})\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
HEAD = 1 << 18  # characters at most in which a page declares itself
DATES = ("article:published_time", "datepublished", "dc.date.issued", "dc.date", "date")


class Declared(NamedTuple):
    """A page's canonical address, the date of its publication as written, and its language as a BCP 47 tag."""

    url: str | None
    date: str | None
    language: str | None


def declared(markup: str) -> Declared:
    """Return what a page declares in its root element and its head.

    >>> declared('<html lang="en"><link rel="canonical" href="https://a.example/b?x=1&amp;y=2">').url
    'https://a.example/b?x=1&y=2'
    >>> declared('<meta content="2024-05-01" property="article:published_time">')
    Declared(url=None, date='2024-05-01', language=None)
    """
    end = markup.find("</head", 0, HEAD)
    said: dict[str, str] = {}
    for tag in TAG.finditer(markup, 0, end if end >= 0 else HEAD):
        for name, value in _says(tag[1].lower(), tag[2]):
            if name and value.strip():
                said.setdefault(name, unescape(value).strip())
    date = next((said[name] for name in DATES if name in said), None)
    return Declared(said.get("canonical") or said.get("og:url"), date, said.get("language"))


def _says(tag: str, inside: str) -> list[tuple[str, str]]:
    has = {name.lower(): double or single or bare for name, double, single, bare in ATTRIBUTE.findall(inside)}
    if tag == "html":
        return [("language", has.get("lang") or has.get("xml:lang", ""))]
    if tag == "link":
        return [("canonical", has.get("href", ""))] if "canonical" in has.get("rel", "").lower().split() else []
    return [((has.get("property") or has.get("name") or has.get("itemprop", "")).lower(), has.get("content", ""))]
