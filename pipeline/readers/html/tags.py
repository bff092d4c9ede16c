"""The names of elements -> small numbers, and what HTML says of each: which have no content, which end where others begin.

The rules are those of the HTML standard's "tree construction", as far as they decide which text lies in which element.
"""

import numpy as np

VOID = ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr")
RAW = ("script", "style", "noscript", "template", "textarea", "title", "iframe", "svg", "math", "xmp", "noembed", "noframes")
SKIPPED = ("canvas", "object", "audio", "video", "map", "button", "select", *RAW)
FORMATTING = ("a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u")
INLINE = (
    *FORMATTING,
    *(
        "abbr",
        "acronym",
        "bdi",
        "bdo",
        "cite",
        "data",
        "del",
        "dfn",
        "img",
        "ins",
        "kbd",
        "mark",
        "q",
        "rp",
        "rt",
        "ruby",
        "samp",
    ),
    *("span", "sub", "sup", "time", "var", "wbr", "amp-img", "input", "embed", "area", "source", "track", "param", "col"),
    *("link", "meta", "base"),
)
HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
ENDS_P = (  # a paragraph ends where one of these begins
    *("address", "article", "aside", "blockquote", "center", "details", "dialog", "dir", "div", "dl", "fieldset", "figcaption"),
    *("figure", "footer", "form", "header", "hgroup", "hr", "main", "menu", "nav", "ol", "p", "pre", "section", "summary"),
    *("table", "ul", "li", "dd", "dt", *HEADINGS),
)
SCOPES = (
    "body",
    "table",
    "td",
    "th",
    "caption",
    "object",
    "button",
    "template",
    "marquee",
)  # no tag ends what is outside of it
IN_TABLE = ("caption", "colgroup", "tbody", "thead", "tfoot", "tr", "td", "th", "table")
ROOTS = ("html", "head", "body")

NOTHING, UNKNOWN = range(2)
NAMES = (
    "",
    "unknown",
    *dict.fromkeys((*ROOTS, *SKIPPED, *VOID, *INLINE, *ENDS_P, *SCOPES, *IN_TABLE, "label", "optgroup", "option", "picture")),
)
IDS = {name: number for number, name in enumerate(NAMES)}


def _flags(names: tuple[str, ...]) -> np.ndarray:
    flags = np.zeros(len(NAMES), np.bool_)
    flags[[IDS[name] for name in names]] = True
    return flags


IS_VOID, IS_RAW, IS_SKIPPED, IS_FORMATTING, IS_INLINE = map(_flags, (VOID, RAW, SKIPPED, FORMATTING, INLINE))
IS_HEADING, IS_ENDING_P, IS_SCOPE, IS_IN_TABLE = map(_flags, (HEADINGS, ENDS_P, SCOPES, IN_TABLE))
IS_IDLE = _flags(("", "br", *ROOTS, *RAW, *(name for name in VOID if name in INLINE)))  # they change nothing of what is open

PRIME = 0x100000001B3  # of the FNV hash
SLOTS = 1024


def hashed(name: bytes) -> int:
    """Return the number by which the compiled code knows a name.

    >>> hashed(b"p") == hashed(b"q")
    False
    """
    number = 0
    for byte in name:
        number = ((number * PRIME) ^ byte) & 0xFFFFFFFFFFFFFFFF
    return number


HASHES = np.zeros(SLOTS, np.uint64)
OF_HASH = np.zeros(SLOTS, np.int16)
for _name, _number in list(IDS.items())[UNKNOWN + 1 :]:
    _slot = hashed(_name.encode()) % SLOTS
    while OF_HASH[_slot]:
        _slot = (_slot + 1) % SLOTS
    HASHES[_slot], OF_HASH[_slot] = hashed(_name.encode()), _number
