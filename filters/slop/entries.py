"""Entries of phrase lists: a phrase with its marks <-> the phrase and its anchors."""

AT_START, AT_END = 1, 2  # anchors: no word stands before the phrase, none after it


def parsed(entry: str) -> tuple[str, int]:
    """Return the phrase of an entry, and its anchors; `\\^` and `\\$` stand for the signs themselves.

    >>> parsed("^sure!"), parsed("hope this helps$"), parsed(r"\\^_^"), parsed(r"big \\$")
    (('sure!', 1), ('hope this helps', 2), ('^_^', 0), ('big $', 0))
    """
    anchors = 0
    if entry.startswith("^"):
        entry, anchors = entry[1:].lstrip(), AT_START
    elif entry.startswith("\\^"):
        entry = entry[1:]
    if entry.endswith("\\$"):
        entry = f"{entry[:-2]}$"
    elif entry.endswith("$"):
        entry, anchors = entry[:-1].rstrip(), anchors | AT_END
    return entry, anchors


def marked(phrase: str, anchors: int) -> str:
    """Return the entry of a phrase with anchors: the reverse of `parsed`.

    >>> marked("sure!", AT_START), marked("^_^", 0)
    ('^sure!', '\\\\^_^')
    """
    first = "^" if anchors & AT_START else "\\" * phrase.startswith("^")
    last = "$" if anchors & AT_END else ""
    if not last and phrase.endswith("$"):
        phrase, last = phrase[:-1], "\\$"
    return f"{first}{phrase}{last}"
