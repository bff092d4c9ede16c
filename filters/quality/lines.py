"""The lines of a document, and the symbols that stand anywhere in it."""

from filters.kernels import Bytes, Ints, Scalar, part
from filters.kernels.traits import BULLET, DOLMA, DOT, ELLIPSIS, NEMO, SYMBOL, Traits
from filters.kernels.walking import AT, step, strip
from filters.quality.columns import AFTER_DOT, BULLETS, DOTS, ELLIPSES, ELLIPSIS_LINES, HASHES, LINES
from filters.quality.phrases import Phrases, ends_with


@part
def tally_lines(
    data: Bytes,
    line: Scalar,
    end: Scalar,
    traits: Traits,
    variant: Scalar,
    tally: Ints,
    marks: Phrases,
    others: Ints,
    last: Scalar,
) -> None:
    """Tally each symbol where it stands, and each line where it breaks; `last` are the lines at the end of a document."""
    first = line
    for other in others:
        at, trait = other & AT, other >> 48
        if trait & SYMBOL:
            _symbol(trait, at, tally)
        elif not (data[at] == 13 and at + 1 < end and data[at + 1] == 10):
            _line(data, line, at, traits, variant, tally, marks)
            _, line = step(data, at, end, traits)
    if line < end or (variant == DOLMA and last and end > first):
        _line(data, line, end, traits, variant, tally, marks)


@part
def _symbol(trait: Scalar, at: Scalar, tally: Ints) -> None:
    """Tally a `#`, a `…` or every third dot of a run."""
    if trait & DOT:
        tally[DOTS] = tally[DOTS] + 1 if at == tally[AFTER_DOT] else 1
        tally[AFTER_DOT] = at + 1
        tally[ELLIPSES] += tally[DOTS] % 3 == 0
    elif trait & ELLIPSIS:
        tally[ELLIPSES] += 1
    else:
        tally[HASHES] += 1


@part
def _line(data: Bytes, begin: Scalar, end: Scalar, traits: Traits, variant: Scalar, tally: Ints, marks: Phrases) -> None:
    """Tally a line, without the white space around it unless it is dolma's."""
    if variant != DOLMA:
        begin, end = strip(data, begin, end, traits)
    if variant == NEMO and begin == end:
        return
    tally[LINES] += 1
    if begin < end:
        tally[BULLETS] += step(data, begin, end, traits)[0] & BULLET != 0
        tally[ELLIPSIS_LINES] += ends_with(data, begin, end, marks, False)
