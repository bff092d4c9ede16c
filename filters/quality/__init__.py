"""Quality: text -> numbers a document, from its words and lines, by the rules of Gopher.

The rules are those of section A1.1 (Rae et al. 2021, https://arxiv.org/abs/2112.11446), as three tools read them. Reading
order: `tallies` (what is counted of each document, in one pass), then its two halves, `words` and `lines`.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
from pydantic import Field

from filters import kernels
from filters.kernels import pieces
from filters.kernels.traits import VARIANTS, Split, Variant, traits
from filters.kinds import Offsets, Texts, measure
from filters.quality import columns
from filters.quality.phrases import packed
from filters.quality.tallies import tally

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
ELLIPSIS_MARKS = (("...", "…"), ("...", "…", "[...]", "(...)", "[…]", "-»", "read more..", "read more"), ("…",))


@measure(
    version=1,
    names=(
        "words",
        "mean_word_length",
        "hash_ratio",
        "ellipsis_ratio",
        "bullet_lines",
        "ellipsis_lines",
        "alpha_words",
        "stop_words",
    ),
)
def gopher_quality(
    texts: Texts,
    offsets: Offsets,
    *,
    variant: Variant = "datatrove",
    split: Split = "whitespace",
    english: Annotated[Sequence[Annotated[str, Field(min_length=1)]], Field(min_length=1)] = STOP_WORDS,
) -> Mapping[str, kernels.Values]:
    """Measure the words and lines of a document by the rules of Gopher; what has no words is 0 in all of them.

    `variant` names the tool whose reading is taken:

    - `datatrove`: `words` and `mean_word_length` are of the words that are not all punctuation; `hash_ratio` and
      `ellipsis_ratio` are the `#`, and the `...` and `…`, a word; lines start with `•` or `-` and end with `...` or `…`,
      white space at their ends aside; `stop_words` counts different ones.
    - `nemo`: all words count; `ellipsis_ratio` is the share of words that are an ellipsis mark, and `hash_ratio` the share of
      those and of the words whose runs of `#` are more than half of their characters; 12 bullets, none of them `-`, and 8
      ellipsis marks ("read more" is one) in lines that are not blank; `stop_words` counts each occurrence.
    - `dolma`: all words count; `mean_word_length` is the median; `ellipsis_ratio` is the share of words with a `…`, and
      `hash_ratio` of those with `#` or `…`; lines start with `*` or `-` and end with `…`, white space included;
      `stop_words` counts each occurrence.

    `split`: words are what stands between white space; or, with `unicode`, runs of letters and digits, and single ideographs.
    `english` are the stop words, in their case. The messages of a chat are measured as one text, with an empty line between.

    >>> import pyarrow as pa
    >>> found = gopher_quality(pa.array(["- to be\\n- or not ..."], pa.large_string()), np.array([0, 1]))
    >>> {name: round(float(values[0]), 3) for name, values in found.items()}  # doctest: +NORMALIZE_WHITESPACE
    {'words': 4.0, 'mean_word_length': 2.25, 'hash_ratio': 0.0, 'ellipsis_ratio': 0.143, 'bullet_lines': 1.0,
     'ellipsis_lines': 0.5, 'alpha_words': 0.571, 'stop_words': 2.0}
    """
    number = VARIANTS.index(variant)
    data, bounds = kernels.documents(texts, offsets)
    cut, parts = pieces.pieces(data, bounds, pieces.behind("\n"))
    found = tally(data, bounds, cut, parts, traits(variant, split), number, packed(english), packed(ELLIPSIS_MARKS[number])).T
    if variant == "datatrove":
        hashes, ellipses, stops = columns.HASHES, columns.ELLIPSES, columns.STOP_KINDS
    else:
        hashes, ellipses, stops = columns.SYMBOL_WORDS, columns.MARK_WORDS, columns.STOPS
    some = found[columns.WORDS] > 0
    words, lines = (np.where(some, found[column], np.inf) for column in (columns.WORDS, columns.LINES))
    measured = 2 if variant == "dolma" else np.maximum(found[columns.PLAIN_WORDS], 1)
    return {
        "words": found[columns.PLAIN_WORDS].astype(np.float64),
        "mean_word_length": found[columns.LENGTH] / measured,
        "hash_ratio": found[hashes] / words,
        "ellipsis_ratio": found[ellipses] / words,
        "bullet_lines": found[columns.BULLETS] / lines,
        "ellipsis_lines": found[columns.ELLIPSIS_LINES] / lines,
        "alpha_words": found[columns.ALPHA_WORDS] / words,
        "stop_words": found[stops].astype(np.float64),
    }
