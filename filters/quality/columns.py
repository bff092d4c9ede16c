"""The tallies of a document by their place in its row; the last two are where a run of dots stands."""

TALLIES = 15
WORDS, PLAIN_WORDS, LENGTH, ALPHA_WORDS, STOPS, STOP_KINDS, LINES, BULLETS, ELLIPSIS_LINES = range(9)
HASHES, ELLIPSES, SYMBOL_WORDS, MARK_WORDS = range(9, 13)
DOTS, AFTER_DOT = 13, 14
