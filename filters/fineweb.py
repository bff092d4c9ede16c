"""FineWeb's measures of quality: text -> the shares of lines that end, are short or repeat, and of newlines.

The rules that Penedo et al. 2024 (https://arxiv.org/abs/2406.17557, section 3.6) add to C4's, as datatrove has them.
"""

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import Field

from filters.kernels import Bytes, Ints, Scalar, Values, before, characters, documents, kernel, part
from filters.kernels.hash_table import bits_for, place, roomy
from filters.kernels.lines import newline, newlines
from filters.kernels.traits import ALONE, GAP, TERMINAL, Split, Traits, traits
from filters.kernels.walking import blank, step
from filters.kinds import Offsets, Texts, measure

LINES, ENDED, SHORT, REPEATED, CHARACTERS, NEWLINES, WORDS = range(7)


@measure(version=1, names=("line_punct_ratio", "short_line_ratio", "char_dup_ratio", "newline_ratio"))
def fineweb_quality(
    texts: Texts,
    offsets: Offsets,
    *,
    short_line_length: Annotated[int, Field(ge=0)] = 30,
    split: Split = "whitespace",
) -> Mapping[str, Values]:
    """Measure the lines of a document by the rules of FineWeb; what has no words is 0 in all of them.

    Of the lines that are not blank, `line_punct_ratio` is the share of those whose last character ends a sentence in some
    script (159 do; white space behind it counts as the last), and `short_line_ratio` of those with at most
    `short_line_length` characters. `char_dup_ratio` is the share of characters, newlines aside, in lines that stood there
    before. `newline_ratio` is the newlines a word.

    `split`: words are what stands between white space; or, with `unicode`, runs of letters and digits, and single ideographs.
    The messages of a chat are measured as one text, with an empty line between.

    >>> import pyarrow as pa
    >>> found = fineweb_quality(pa.array(["One line.\\nOne more\\nOne line."], pa.large_string()), np.array([0, 1]))
    >>> {name: round(float(values[0]), 3) for name, values in found.items()}
    {'line_punct_ratio': 0.667, 'short_line_ratio': 1.0, 'char_dup_ratio': 0.346, 'newline_ratio': 0.333}
    """
    data, bounds = documents(texts, offsets)
    found = _tallies(data, bounds, traits("datatrove", split), short_line_length).T
    lines, words = np.maximum(found[LINES], 1), np.where(found[WORDS] > 0, found[WORDS], np.inf)
    return {
        "line_punct_ratio": found[ENDED] / lines,
        "short_line_ratio": found[SHORT] / lines,
        "char_dup_ratio": found[REPEATED] / np.maximum(found[CHARACTERS], 1),
        "newline_ratio": found[NEWLINES] / words,
    }


@kernel
def _tallies(data: Bytes, offsets: Ints, traits: Traits, short: Scalar) -> Ints:
    """Count what the rules ask about; `int64[documents, 7]`."""
    found = np.zeros((len(offsets) - 1, 7), dtype=np.int64)
    slots = np.zeros(32, dtype=np.int64)
    for document in range(len(offsets) - 1):
        tally, begin, end = found[document], offsets[document], offsets[document + 1]
        tally[NEWLINES] = newlines(data, begin, end)
        tally[CHARACTERS] = characters(data, begin, end) - tally[NEWLINES]
        tally[WORDS] = _words(data, begin, end, traits)
        slots = roomy(slots, tally[NEWLINES] + 1)
        _lines(data, begin, end, traits, short, slots, document + 1, tally)
    return found


@part
def _words(data: Bytes, at: Scalar, end: Scalar, traits: Traits) -> Scalar:
    count, outside = 0, True
    while at < end:
        trait, at = step(data, at, end, traits)
        gap = trait & (GAP | ALONE) != 0
        count += (outside and not gap) + (trait & ALONE != 0)
        outside = gap
    return count


@part
def _lines(
    data: Bytes,
    begin: Scalar,
    end: Scalar,
    traits: Traits,
    short: Scalar,
    slots: Ints,
    turn: Scalar,
    tally: Ints,
) -> None:
    """Tally the lines that are not blank."""
    bits = bits_for(tally[NEWLINES] + 1)
    while begin <= end:
        stop, key = newline(data, begin, end)
        if not blank(data, begin, stop, traits):
            tally[LINES] += 1
            tally[ENDED] += _ends_sentence(data, begin, stop, traits)
            tally[SHORT] += stop - begin <= short or (stop - begin <= 4 * short and characters(data, begin, stop) <= short)
            if place(slots, bits, key, turn, tally[LINES]) != tally[LINES]:
                tally[REPEATED] += characters(data, begin, stop)
        begin = stop + 1


@part
def _ends_sentence(data: Bytes, begin: Scalar, end: Scalar, traits: Traits) -> Scalar:
    """Say whether the last character of a line ends a sentence."""
    last = before(data, begin, end)
    trait, after = step(data, last, end, traits)
    return trait & TERMINAL != 0 and after == end
