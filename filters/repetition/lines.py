"""Lines and paragraphs -> the share that repeats, by number and by characters."""

from filters.kernels import Bytes, Ints, Scalar, Values, characters, part
from filters.kernels.hash_table import place
from filters.kernels.hashing import stir, stir_bytes
from filters.kernels.lines import newline
from filters.kernels.traits import DATATROVE, DOLMA, NEMO, SPACE, Traits
from filters.kernels.walking import blank, step, strip


@part
def measure_lines(
    data: Bytes,
    begin: Scalar,
    end: Scalar,
    traits: Traits,
    variant: Scalar,
    size: Scalar,
    slots: Ints,
    bits: Scalar,
    turn: Scalar,
    value: Values,
) -> None:
    """Measure the lines and paragraphs of a document."""
    if variant == DATATROVE:
        _lines_and_paragraphs(data, begin, end, traits, slots, bits, turn, value)
        value[2] /= max(size, 1)
        value[3] /= max(size, 1)
        return
    lines, repeated, of_repeated, whole = _segments(data, begin, end, 1, variant, traits, slots, bits, turn)
    if variant == DOLMA:
        at, whole = begin, 0
        while at < end:
            trait, at = step(data, at, end, traits)
            whole += trait & SPACE == 0
    value[0], value[2] = repeated / max(lines, 1), of_repeated / max(whole, 1)
    if variant == NEMO:
        paragraphs, repeated, of_repeated, whole = _segments(data, begin, end, 2, variant, traits, slots, bits, turn + 1)
        value[1], value[3] = repeated / paragraphs, of_repeated / max(whole, 1)


@part
def _lines_and_paragraphs(
    data: Bytes,
    begin: Scalar,
    end: Scalar,
    traits: Traits,
    slots: Ints,
    bits: Scalar,
    turn: Scalar,
    value: Values,
) -> None:
    """Count lines and paragraphs, the duplicates, and their characters, as datatrove has them.

    The hash of a paragraph is made of its lines' hashes; the first and the last line of the text are stripped in it.
    """
    first, last = strip(data, begin, end, traits)
    key: Scalar = 0
    lines, paragraphs, start = 0, 0, first
    while begin <= end:
        stop, line = newline(data, begin, end)
        lines += 1
        if place(slots, bits, line, turn, lines) != lines:
            value[0] += 1
            value[2] += characters(data, begin, stop)
        after = stop + 1
        while after < end and data[after] == 10:
            after += 1
        if stop > first and begin < last:
            if begin < first or stop > last:
                _, line = newline(data, max(begin, first), min(stop, last))
            key = stir(key, line)
            if after > stop + 1 or stop >= last:
                paragraphs += 1
                if place(slots, bits, ~key, turn, paragraphs) != paragraphs:
                    value[1] += 1
                    value[3] += characters(data, start, min(stop, last))
                key, start = 0, after
        begin = after
    value[0] /= lines
    value[1] /= max(paragraphs, 1)


@part
def _segments(
    data: Bytes,
    begin: Scalar,
    end: Scalar,
    breaks: Scalar,
    variant: Scalar,
    traits: Traits,
    slots: Ints,
    bits: Scalar,
    turn: Scalar,
) -> tuple[Scalar, Scalar, Scalar, Scalar]:
    """Count the segments between so many newlines, those that are duplicates, and the characters of both.

    The characters of all are counted for NeMo alone, which passes over blank lines. Dolma counts the first copy, too.
    """
    segments, repeated, of_repeated, of_all = 0, 0, 0, 0
    while begin <= end:
        stop, key = newline(data, begin, end)
        if breaks == 2:
            while stop < end and not (stop + 1 < end and data[stop + 1] == 10):
                stop, _ = newline(data, stop + 1, end)
            key = stir_bytes(data, begin, stop)
        if variant != NEMO or breaks > 1 or not blank(data, begin, stop, traits):
            segments += 1
            if variant == NEMO:
                of_all += characters(data, begin, stop)
            if place(slots, bits, key, turn, segments) != segments:
                first = variant == DOLMA and place(slots, bits, ~key, turn, segments) == segments
                repeated += 1 + first
                of_repeated += characters(data, begin, stop) * (1 + first)
        begin = stop + breaks
    return segments, repeated, of_repeated, of_all
