r"""Unicode: text -> text with mojibake mended, control characters gone and one normal form, by ftfy.

ftfy mends a text line by line, and most lines have nothing to mend. So a kernel looks for the lines that may have: those with a
character that ftfy changes by itself, with three side by side as in what it takes for mojibake, or with one that may be out of
normal form. The tables by which it knows them are made for the first texts that are not plain. Of the lines found each distinct
one is mended once. A line holds the break that ends it (`\r\n` is one), and behind the first `<` of a text ftfy leaves HTML
entities alone.

Reading order: `mojibake` (ftfy's pattern -> tables), `suspects` (the lines to look at, by those tables), `splice` (the mended
lines put in place).
"""
# ruff: noqa: ANN401  ftfy's settings

import io
import unicodedata
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from filters import kernels
from filters.kinds import Texts, rewrite
from filters.unicode.mojibake import tables
from filters.unicode.splice import splice
from filters.unicode.suspects import CERTAIN, END, ORDER, START, plain, suspects

HUGE = 16 << 20  # bytes of a line: as a string it takes up to four times as much, and mended once more


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

    What changes the look of right text (straight quotes, ligatures, width) is off unless asked for. Broken UTF-8 in a line that
    is mended becomes U+FFFD.

    >>> unicode(pa.array(["donâ€™t &amp; won’t", "fine"], pa.large_string())).to_pylist()
    ['don’t & won’t', 'fine']
    """
    data, offsets = kernels.buffers(texts)
    if plain(data, offsets):
        return texts
    import ftfy

    config = ftfy.TextFixerConfig(
        unescape_html="auto" if unescape_html else False,
        normalization=normalization,
        uncurl_quotes=straight_quotes,
        fix_latin_ligatures=fix_latin_ligatures,
        fix_character_width=fix_character_width,
        explain=False,
    )
    lines = suspects(data, offsets, *tables(config), unescape_html)
    changes = _mended(data, lines, config)
    if not changes:
        return texts
    changed = np.fromiter(changes, dtype=np.int64)
    new = pa.array(changes.values(), pa.large_binary())
    return kernels.strings(*splice(data, offsets, lines[changed, START], lines[changed, END], *kernels.buffers(new)))


def _mended(data: kernels.Bytes, lines: kernels.Ints, config: Any) -> dict[int, bytes]:
    """Return the lines that ftfy changes, by number."""
    import ftfy

    done: dict[tuple[bytes, int], bytes] = {}
    changes = {}
    plain = config._replace(unescape_html=False)
    for number, (start, end, markup, reasons) in enumerate(lines.tolist()):
        raw = data[start:end].tobytes()
        if (raw, markup) not in done and len(raw) > HUGE:
            done[raw, markup] = _in_pieces(raw, plain if markup else config)
        elif (raw, markup) not in done:
            line = raw.decode(errors="replace")
            unordered = reasons & ORDER and not unicodedata.is_normalized(config.normalization, line)
            if unordered or reasons & CERTAIN or len(line) > config.max_decode_length:
                line = ftfy.fix_text(line, plain if markup else config)
            done[raw, markup] = line.replace("\r\n", "\n").replace("\r", "\n").encode()
        if done[raw, markup] != raw:
            changes[number] = done[raw, markup]
    return changes


def _in_pieces(raw: bytes, config: Any) -> bytes:
    """Mend a huge line by ftfy's own pieces of it, each of which is let go before the next one."""
    import ftfy

    line, mended = io.TextIOWrapper(io.BytesIO(raw), "utf-8", "replace", newline=""), io.BytesIO()
    while piece := line.read(config.max_decode_length):
        if config.unescape_html == "auto" and "<" in piece:
            config = config._replace(unescape_html=False)
        mended.write(ftfy.fix_text(piece, config).encode())
    return mended.getvalue()
