"""Repetition: text -> the share of a document that lines, paragraphs and word n-grams repeat.

The rules of Gopher's table A1 (Rae et al. 2021, https://arxiv.org/abs/2112.11446). An n-gram repeats only where both
(n-1)-grams in it do. So words are hashed once and 2-grams are looked up at every word; longer ones only where two neighbours of
the length before repeat, under the exact pair of their numbers. Most documents end the chain early, and none takes more than
nine look-ups a word.

Reading order: `measuring` (document by document), then `lines`, `grams` (which repeat) and `counting` (how much that is);
`literal` is NeMo's way to count a top n-gram.
"""

from collections.abc import Mapping

import numpy as np

from filters import kernels
from filters.kernels import pieces
from filters.kernels.traits import VARIANTS, Split, Variant, traits
from filters.kinds import Offsets, Texts, measure
from filters.repetition import measuring
from filters.repetition.columns import NAMES

SHARE = 1 << 19  # n-grams that are looked up in one table, which is for twice as many and takes 32 MiB


@measure(version=1, names=NAMES)
def gopher_repetition(
    texts: Texts, offsets: Offsets, *, variant: Variant = "datatrove", split: Split = "whitespace"
) -> Mapping[str, kernels.Values]:
    """Measure how much of a document repeats by the rules of Gopher; what has no words repeats no n-gram.

    Lines and paragraphs: the share that stood in the document before, and that of their characters. `top_2_gram` to
    `top_4_gram`: the characters of the most frequent n-gram times its count (of equals, the first). `duplicate_5_grams` to
    `duplicate_10_grams`: the characters of n-grams that stood in the document before. Lengths are in characters.

    `variant` names the tool whose reading is taken:

    - `datatrove`: lines end at runs of newlines, paragraphs at runs of two or more in the stripped text; top n-grams count with
      a blank between words; past a duplicate n-gram, which counts without blanks, reading goes on behind its last word, and
      what is passed over is not held as seen; shares are of all characters.
    - `nemo`: lines are those not blank, paragraphs end at two newlines, and shares are of their own characters; the longest of
      the most frequent n-grams counts (NeMo's choice is up to Python's hash seed), where it stands literally, with single
      blanks; words of duplicate n-grams count once, with blanks; n-gram shares are of all characters, and 1 where there are
      fewer than n words.
    - `dolma`: every copy counts, the first too; lines end at each newline, and there are no paragraphs (0); a top n-gram counts
      without blanks; shares are of the characters of all words, or of all n-grams for the duplicate ones.

    `split`: words are what stands between white space; or, with `unicode`, runs of letters and digits, and single ideographs.
    The messages of a chat are measured as one text, with an empty line between.

    >>> import numpy as np
    >>> import pyarrow as pa
    >>> found = gopher_repetition(pa.array(["I am your father.\\n" * 4], pa.large_string()), np.array([0, 1]))
    >>> [round(float(found[name][0]), 3) for name in (NAMES[0], NAMES[2], "top_2_gram", "duplicate_5_grams")]
    [0.6, 0.708, 0.222, 0.431]
    """
    data, bounds = kernels.documents(texts, offsets)
    cut = pieces.pieces(data, bounds, pieces.behind(" \n"))
    values = np.zeros((len(NAMES), len(bounds) - 1))
    measuring.lines(data, bounds, traits(variant, split), VARIANTS.index(variant), values)
    measuring.grams(data, bounds, cut.offsets, cut.bounds, traits(variant, split), VARIANTS.index(variant), SHARE, values)
    return dict(zip(NAMES, values, strict=True))
