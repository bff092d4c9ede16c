"""The measures of repetition by their place in a document's row."""

NAMES = (
    "duplicate_line_fraction",
    "duplicate_paragraph_fraction",
    "duplicate_line_character_fraction",
    "duplicate_paragraph_character_fraction",
    *(f"top_{n}_gram" for n in range(2, 5)),
    *(f"duplicate_{n}_grams" for n in range(5, 11)),
)
FIRST_GRAM, LONGEST_TOP, LONGEST = 2, 4, 10
GRAM = 4 - FIRST_GRAM  # the measure of n-grams stands at n + GRAM
