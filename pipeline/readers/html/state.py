"""What the walk over a page's tags knows at any moment: the places of its numbers in arrays, shared by the walk's parts."""

from pipeline.readers.html.tags import NAMES

# of the block that is being written, with what Markdown needs: lists and quotes around it, an item's number, the tag of code
TAG, ROW, ITEM, LINKED, FIRST, LISTS, NUMBER, QUOTES, CELL, TABLE, CODE = range(11)
# where its text begins, bytes and characters written, and what stands before the next one
BEGIN, OUT, CHARS, GAP = range(11, 15)
# how many elements are open; the place of a `pre` and of what is skipped among them; open links and paragraphs
DEPTH, PRE, SKIP, LINKS, PARAGRAPHS = range(15, 20)
# rows, cells of the row and tables met; lists and quotes open
ROWS, CELLS, TABLES, IN_LISTS, IN_QUOTES = range(20, 25)
# blocks and spans filled in; whether furniture is skipped; the tag we are at; how often what is open has changed
BLOCKS, SPANS, STRICT, TOKEN, CHANGES = range(25, 30)
MISSED = 30  # from here on, one for each element: at which change it was last looked for in vain
NUMBERS = MISSED + len(NAMES)

# an open element: its element, whether it is a block, the block element around it, its first block, kind, items so far
OPEN_TAG, OPEN_BLOCK, OPEN_OUTER, OPEN_START, OPEN_KIND, OPEN_ITEMS, OPEN_FIELDS = range(7)

# a block has the first eleven, then the end of its text in characters
CHAR_END, BLOCK_FIELDS = 11, 12
SPAN_START, SPAN_END, SPAN_KIND, SPAN_TAG, SPAN_FIELDS = range(5)

NO_GAP, SPACE, LINE = range(3)
