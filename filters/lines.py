"""Lines and paragraphs: text -> a key for each, equal where they recur, in one text or across documents.

Menus, footers and notices recur with another case, other white space and other numbers ("Page 3 of 10"), so the key is a hash
of the folded content: each code point as `kernels.folds` has it, runs of white space as one blank, numbers as one 0.
"""

from functools import cache
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from filters import kernels
from filters.kernels import kernel
from filters.kernels.hash_table import bits_for, place
from filters.kernels.lines import breaks_line
from filters.kinds import Keyed, Spans, Texts, recurring, spans

Unit = Literal["line", "paragraph"]
BLANK, ZERO = ord(" "), ord("0")


@recurring(version=1)
def recurring_lines(
    texts: Texts, *, unit: Unit = "line", min_words: Annotated[int, Field(ge=1)] = 1, normalize: bool = True
) -> Keyed:
    r"""Give each line that is not blank a key: lines with the same content have the same.

    A piece is a line without its line break; with `unit: paragraph`, the lines between blank ones. One of fewer than
    `min_words` words, parted by white space, gets no key. Unless `normalize` is false, case, white space and the value of
    numbers do not matter.

    >>> import pyarrow as pa
    >>> keyed = recurring_lines(pa.array(["Page 3 of 10\n\nText", "page 11  of 12"], pa.large_string()))
    >>> keyed.text, keyed.start, keyed.end, keyed.key[0] == keyed.key[2]
    (array([0, 0, 1]), array([ 0, 14,  0]), array([12, 18, 14]), np.True_)
    """
    data, offsets = kernels.buffers(texts)
    text, start, end, key = _units(data, offsets, _folds(), unit == "paragraph", min_words)
    if not normalize:
        key = _hashed(data, offsets, text, start, end)
    return Keyed(text, start, end, key)


@spans(version=1)
def repeated_lines(
    texts: Texts, *, unit: Unit = "line", min_words: Annotated[int, Field(ge=1)] = 1, normalize: bool = True
) -> Spans:
    r"""Find the lines, or with `unit: paragraph` the paragraphs, that already stood earlier in the same text.

    Lines with fewer than `min_words` words, parted by white space, may repeat. Unless `normalize` is false, case, white space
    and the value of numbers do not matter.

    >>> import pyarrow as pa
    >>> repeated_lines(pa.array(["Menu\nText\nmenu"], pa.large_string()))[1:3]
    (array([10]), array([14]))
    """
    text, start, end, key = recurring_lines(texts, unit=unit, min_words=min_words, normalize=normalize)
    again = np.flatnonzero(_repeats(text, key))
    return Spans(text[again], start[again], end[again], np.zeros(len(again), dtype=np.int64), [f"repeated {unit}"])


@cache
def _folds() -> kernels.Codes:
    """Return `uint32[TABLE]`: the code point each one is folded to, every decimal digit to 0."""
    table = kernels.folds().copy()
    table[[code for code in np.flatnonzero(kernels.classes() == kernels.WORD) if chr(code).isdecimal()]] = ZERO
    return table


@kernel
def _units(  # noqa: C901  a state machine
    data: kernels.Bytes, offsets: kernels.Ints, folds: kernels.Codes, paragraphs: bool, min_words: int
) -> tuple[kernels.Ints, kernels.Ints, kernels.Ints, kernels.Hashes]:
    """Find lines or paragraphs and hash what stands in them: `Keyed`."""
    room = (offsets[-1] - offsets[0]) // 2 + len(offsets)  # a letter and a line break: two bytes
    text_of, starts, stops = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    keys, found = np.empty(room, np.uint64), 0
    seed, factor = np.uint64(0x243F6A8885A308D3), kernels.GOLDEN
    for text in range(len(offsets) - 1):
        at, end, begin, behind = offsets[text], offsets[text + 1], offsets[text], offsets[text]  # behind: the last letter
        words, running, before, start, stop = 0, seed, np.uint32(BLANK), np.int64(-1), np.int64(-1)
        while at <= end:
            here = at
            if at == end:
                code, at = np.int64(0x0A), at + 1  # the end of a text is as good as a line break
            elif data[at] < 0x80:
                code, at = np.int64(data[at]), at + 1
            else:
                code, at = kernels.decode(data, at, end)
            folded = folds[code] if code < len(folds) else np.uint32(code)
            if folded != BLANK:
                if folded != ZERO or before != ZERO:
                    if before == BLANK:
                        running, words = (running ^ np.uint64(BLANK)) * factor, words + 1
                    running = (running ^ np.uint64(folded)) * factor
                before, behind = folded, at
                continue
            before = folded
            if code == 0x20 or not breaks_line(code):
                continue
            at += code == 0x0D and at < end and data[at] == 0x0A
            blank = behind <= begin
            if not blank:
                start, stop = begin if start < 0 else start, here
            if start >= 0 and (blank or not paragraphs or at > end):
                if words >= min_words:
                    text_of[found], keys[found] = text, kernels.avalanche(running)
                    starts[found], stops[found] = start - offsets[text], stop - offsets[text]
                    found += 1
                words, running, start = 0, seed, np.int64(-1)
            begin = at
    return text_of[:found], starts[:found], stops[:found], keys[:found]


@kernel
def _hashed(
    data: kernels.Bytes, offsets: kernels.Ints, text: kernels.Ints, starts: kernels.Ints, ends: kernels.Ints
) -> kernels.Hashes:
    """Hash the bytes of each piece and their number; `uint64[pieces]`."""
    keys = np.empty(len(starts), dtype=np.uint64)
    for piece in range(len(starts)):
        at, end = offsets[text[piece]] + starts[piece], offsets[text[piece]] + ends[piece]
        keys[piece] = kernels.mix_bytes(np.uint64(end - at), data, at, end)
    return keys


@kernel
def _repeats(text: kernels.Ints, keys: kernels.Hashes) -> kernels.Flags:
    """Say of each piece whether its key already came in its text."""
    most, run = 0, 0
    for piece in range(len(text)):
        run = run + 1 if piece and text[piece] == text[piece - 1] else 1
        most = max(most, run)
    bits = bits_for(most)
    slots, repeats = np.zeros(2 << bits, dtype=np.int64), np.zeros(len(text), dtype=np.bool_)
    for piece in range(len(text)):
        repeats[piece] = place(slots, bits, np.int64(keys[piece]), text[piece] + 1, piece) != piece
    return repeats
