"""A page's blocks -> Markdown: headings, nested lists, tables, quotes, and code fenced with its language.

Emphasis and links are left as plain text: they say little to a reader of text, and their addresses nothing.
"""

import re
from collections.abc import Iterable
from itertools import groupby

from pipeline.readers.html.blocks import Block, Page

HEADING = re.compile(r"h([1-6])")
LANGUAGE = re.compile(rb"\b(?:language|lang|highlight-source|highlight|brush)[-:]\s*([A-Za-z][\w+#]*)")
NO_LANGUAGE = ("default", "none", "text", "plaintext", "plain", "nohighlight")
MARK = re.compile(r"^(#{1,6}\s|>|[-+*]\s|```|~~~)", re.MULTILINE)  # a line that Markdown would take for something else
ORDINAL = re.compile(r"^(\d{1,9})([.)]\s)", re.MULTILINE)


def markdown(page: Page, blocks: Iterable[Block]) -> str:
    """Write blocks as Markdown.

    >>> from pipeline.readers.html.blocks import blocks_of, parse
    >>> page = parse("<h2>Bread</h2><ol><li>flour<ul><li>rye</ul><li>salt</ol>")
    >>> print(markdown(page, blocks_of(page)[0]))
    ## Bread
    <BLANKLINE>
    1. flour
       - rye
    2. salt
    """
    out: list[str] = []
    widths = [0]
    before: Block | None = None
    for table, group in groupby(blocks, lambda block: block.table):
        rows = list(group)
        for block in rows[:1] if table else rows:
            text = _table(rows) if table else _written(page, block)
            margin, mark = _margin(block, widths)
            if before is not None:
                out.append(_between(before, block))
            quote = "> " * block.quotes
            first, *rest = text.split("\n")
            out.append(
                "\n".join((f"{quote}{margin[: -len(mark) or None]}{mark}{first}", *(quote + margin + line for line in rest)))
            )
            before = block
    return "".join(out)


def _between(before: Block, block: Block) -> str:
    quote = ">" * min(before.quotes, block.quotes)
    return "\n" if before.item and block.item and before.quotes == block.quotes else f"\n{quote}\n"


def _margin(block: Block, widths: list[int]) -> tuple[str, str]:
    """Return what a block's lines are indented by, and an item's mark; `widths` of the marks of the lists around are kept."""
    mark = (f"{block.number}. " if block.number else "- ") if block.item else ""
    if block.item:
        level = max(block.lists, 1)
        widths[level:] = [*([2] * (level - len(widths))), len(mark)]
    return " " * sum(widths[: block.lists + 1] if not block.item else widths), mark


def _written(page: Page, block: Block) -> str:
    if block.tag == "pre":
        fence = "```"
        while fence in block.text:
            fence += "`"
        return f"{fence}{_language(page, block.code - 1)}\n{block.text}\n{fence}"
    text = ORDINAL.sub(r"\1\\\2", MARK.sub(r"\\\1", block.text))
    if heading := HEADING.fullmatch(block.tag):
        return "#" * int(heading[1]) + " " + text.replace("\n", " ")
    return text.replace("\n", "  \n")


def _language(page: Page, token: int) -> str:
    """Return the language that the tag of a `pre`, one of the two behind it or before it names, or nothing."""
    for place in (token, token + 1, token + 2, token - 1, token - 2):
        if 0 <= place < len(page.tags) and page.tags[place] > 0:
            found = LANGUAGE.search(page.data, page.begins[place], page.ends[place])
            if found and found[1].decode().lower() not in NO_LANGUAGE:
                return found[1].decode().lower()
    return ""


def _table(cells: list[Block]) -> str:
    rows = [{block.cell: " ".join(block.text.split()).replace("|", "\\|") for block in row} for _, row in groupby(cells, _row)]
    width = max(max(row) for row in rows)
    lines = ["| " + " | ".join(row.get(place, "") for place in range(1, width + 1)) + " |" for row in rows]
    return "\n".join((lines[0], "|" + " --- |" * width, *lines[1:]))


def _row(block: Block) -> int:
    return block.row
