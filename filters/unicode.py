"""Unicode: text -> text with mojibake mended, control characters gone and one normal form, by ftfy.

ftfy mends a text line by line, and most lines have nothing to mend. So lines are sorted out first: one that is printable ASCII
without an ampersand cannot change; of the others each distinct one is mended once.
"""

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.kinds import Texts, rewrite

SUSPECT = r"[^\t\n\x20-\x25\x27-\x7E]"  # not ASCII, a control character, or the & of an HTML entity


@rewrite(version=1)
def unicode(
    texts: Texts,
    *,
    normalization: Literal["NFC", "NFKC"] | None = "NFC",
    unescape_html: bool = True,
    straight_quotes: bool = False,
    fix_latin_ligatures: bool = False,
    fix_character_width: bool = False,
) -> Texts:
    r"""Mend mojibake, line ends and control characters, unescape stray HTML entities, normalise (ftfy).

    What changes the look of right text (straight quotes, ligatures, width) is off unless asked for.

    >>> unicode(pa.array(["donâ€™t &amp; won’t", "fine"], pa.large_string())).to_pylist()
    ['don’t & won’t', 'fine']
    """
    import ftfy

    config = ftfy.TextFixerConfig(
        unescape_html="auto" if unescape_html else False,
        normalization=normalization,
        uncurl_quotes=straight_quotes,
        fix_latin_ligatures=fix_latin_ligatures,
        fix_character_width=fix_character_width,
        explain=False,
    )
    suspect = pc.match_substring_regex(texts, SUSPECT).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(suspect)
    if not len(rows):
        return texts
    lines = pc.split_pattern(texts.take(pa.array(rows)), "\n")
    flat = pc.list_flatten(lines).dictionary_encode()
    mend = pc.match_substring_regex(flat.dictionary, SUSPECT).to_pylist()
    mended = [ftfy.fix_text(line, config) if bad else line for line, bad in zip(flat.dictionary.to_pylist(), mend, strict=True)]
    fixed = pa.array(mended, pa.large_string()).take(flat.indices)
    joined = pc.binary_join(
        pa.LargeListArray.from_arrays(lines.offsets.cast(pa.int64()), fixed), pa.scalar("\n", pa.large_string())
    )
    return pc.replace_with_mask(texts, pa.array(suspect), joined)
