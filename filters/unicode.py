r"""Unicode: text -> text with mojibake mended, control characters gone and one normal form, by ftfy.

ftfy mends a text line by line, and most lines have nothing to mend. So lines are sorted out first: one that is printable ASCII
without an ampersand cannot change; of the others each distinct one is mended once. A line holds the break
that ends it (`\r\n` is one), and behind the first `<` of a text ftfy leaves HTML entities alone.
"""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.kinds import Texts, rewrite

SUSPECT = r"[^\t\n\x20-\x25\x27-\x7E]"  # not ASCII, a control character, or the & of an HTML entity
EMPTY = pa.scalar("", pa.large_string())


@rewrite(version=2)
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
    offsets, flat = lines.offsets.to_numpy().astype(np.int64), pc.list_flatten(lines)
    last = np.zeros(len(flat), dtype=bool)
    last[offsets[1:] - 1] = True
    breaks = pc.if_else(pa.array(last), EMPTY, pa.scalar("\n", pa.large_string()))
    flat = pc.binary_join_element_wise(flat, breaks, EMPTY)
    markup = pa.array(_after_the_first(pc.match_substring(flat, "<").to_numpy(zero_copy_only=False), offsets))
    flat = pc.replace_with_mask(flat, pc.invert(markup), _mended(flat.filter(pc.invert(markup)), config))
    flat = pc.replace_with_mask(flat, markup, _mended(flat.filter(markup), config._replace(unescape_html=False)))
    joined = pc.binary_join(pa.LargeListArray.from_arrays(pa.array(offsets), flat), EMPTY)
    return pc.replace_with_mask(texts, pa.array(suspect), joined)


def _after_the_first(hits: npt.NDArray[np.bool_], offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Say of each line whether one before it in its text is a hit."""
    before = np.concatenate([[0], np.cumsum(hits)])
    return before[:-1] > np.repeat(before[offsets[:-1]], np.diff(offsets))


def _mended(lines: Texts, config: Any) -> Texts:  # noqa: ANN401  ftfy's settings
    """Mend each distinct line, once."""
    import ftfy

    distinct = lines.dictionary_encode()
    suspect = pc.match_substring_regex(distinct.dictionary, SUSPECT).to_pylist()
    pairs = zip(distinct.dictionary.to_pylist(), suspect, strict=True)
    mended = [ftfy.fix_text(line, config) if bad else line for line, bad in pairs]
    return pa.array(mended, pa.large_string()).take(distinct.indices)
