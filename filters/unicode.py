r"""Unicode: text -> text with mojibake mended, control characters gone and one normal form, by ftfy.

ftfy mends a text line by line, and most lines have nothing to mend. So lines are sorted out first: one that is printable ASCII
without an ampersand cannot change, nor can one in normal form that holds no control character and nothing that ftfy takes for
mojibake; of the others each distinct one is mended once. A line holds the break that ends it (`\r\n` is one), and behind the
first `<` of a text ftfy leaves HTML entities alone.
"""

import re
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.kinds import Texts, rewrite

SUSPECT = r"[^\t\n\x20-\x25\x27-\x7E]"  # not ASCII, a control character, or the & of an HTML entity
MENDABLE = r"[&\x00-\x08\x0b-\x1f\x7f-\x9f\x{2028}\x{2029}\x{206a}-\x{206f}\x{feff}\x{fff9}-\x{fffc}]"  # what its fixers act on
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
    mend = _may_change(distinct.dictionary, config)
    mended = [ftfy.fix_text(line, config) for line in distinct.dictionary.filter(mend).to_pylist()]
    return pc.replace_with_mask(distinct.dictionary, mend, pa.array(mended, pa.large_string())).take(distinct.indices)


def _may_change(lines: Texts, config: Any) -> pa.BooleanArray:  # noqa: ANN401  ftfy's settings
    """Say of each line whether ftfy can find anything in it to mend."""
    suspect = pc.match_substring_regex(lines, SUSPECT)
    if config.uncurl_quotes or config.fix_latin_ligatures or config.fix_character_width:
        return suspect
    few = lines.filter(suspect)
    change = pc.or_(pc.match_substring_regex(few, MENDABLE), pc.match_substring_regex(few, _mojibake()))
    if config.normalization is not None:
        change = pc.or_(change, pc.not_equal(few, pc.utf8_normalize(few, config.normalization)))
    return pc.replace_with_mask(suspect, suspect, change)


@cache
def _mojibake() -> str:
    r"""Return ftfy's own pattern of mojibake for RE2: not in verbose form, and with all of Unicode in `\w` and `\s`."""
    from ftfy.badness import BADNESS_RE

    terse = re.sub(r"(\\.|\[(?:\\.|[^\]\\])*\])|\s+|#[^\n]*", lambda part: part[1] or "", BADNESS_RE.pattern)
    return terse.replace(r"\w", r"[\p{L}\p{M}\p{N}_]").replace(r"\s", r"[\s\p{Z}\x0b\x1c-\x1f\x{85}]")
