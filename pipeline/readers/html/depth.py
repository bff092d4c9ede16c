"""How deep a page nests its elements, and how many tags it has: beyond any real page, extraction takes all time and memory."""

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resiliparse.parse.html import DOMNode

FLAT = (  # elements that have no content, or end where the next begins
    "area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr|"
    "a|colgroup|dd|dt|li|optgroup|option|p|rp|rt|tbody|td|tfoot|th|thead|tr"
)
NESTING = re.compile(rf"<(/?)(?!(?:{FLAT})\b)([a-z][a-z0-9]*)")
MAX_DEPTH = 2000  # browsers stop at 512; the extraction takes time quadratic in the depth (20,000 levels: 10 s)
MOST_TAGS = 1_000_000  # of a page, about as many as the longest standard in one page; each may be a block of some 1 KB
TOO_DEEP = f"the page's elements are nested more than {MAX_DEPTH} deep"


def too_many_tags(markup: str) -> str:
    """Return why a page is refused that has more tags than any real one, or nothing."""
    return f"the page has more than {MOST_TAGS:,} tags" if markup.count("<") > MOST_TAGS else ""


def too_deep(markup: str, root: "DOMNode | None") -> bool:
    """Tell whether a page nests its elements more than `MAX_DEPTH` deep; `root` is resiliparse's tree of it."""
    return _may_be_deep(markup) and _deeper(root, MAX_DEPTH)


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
