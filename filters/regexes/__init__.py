"""Patterns of the `regex` package: texts -> where they match, each text within a time limit.

A pattern may take exponential time. So a looser one that runs in linear time (`loose`) picks the texts that may hold a match,
and `regex` looks at those alone, with a clock: a text on which a pattern runs out of time is answered as failed, and the others
are not held up. A huge text is looked at in pieces, if there are characters that no match can hold (`barriers`).
"""

import contextlib
import time
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import regex

from filters import kernels
from filters.kernels import pieces
from filters.kinds import Spans, Texts
from filters.regexes.barriers import barriers
from filters.regexes.loose import loose

FEW = 8 << 20  # bytes


def problem(pattern: str) -> str | None:
    """Say what is wrong with a pattern, or None.

    >>> problem("(ab"), problem("(ab)")
    ('missing ) at position 3', None)
    """
    try:
        pattern.encode()
        regex.compile(pattern)
    except UnicodeEncodeError:
        return "a lone surrogate stands in no text"
    except RecursionError:
        return "nested too deeply"
    except regex.error as error:
        return str(error)
    return None


def search(texts: Texts, patterns: Sequence[str], *, ignore_case: bool, seconds: float) -> Spans:
    """Find every match of every pattern that is not empty; `label` is the pattern's number, in order of text and start.

    A text on which a pattern takes longer than `seconds` has no spans and stands in `failed`. Broken UTF-8 matches as one
    character a byte. Raises `regex.error` for a pattern that has a `problem`.
    """
    data, offsets = kernels.buffers(texts)
    cut = pieces.pieces(data, offsets, pieces.behind(barriers(patterns, ignore_case)))
    found = _Found([], {}, {})
    for first, last in pieces.groups(cut.offsets):
        at = cut.text_of(np.arange(first, last))
        begin = cut.offsets[first:last] - offsets[at]
        own = _Texts(kernels.strings(data, cut.offsets[first : last + 1]), at.tolist(), begin.tolist())
        for label, rows in enumerate(_candidates(own.pieces, patterns, ignore_case)):
            _look(own, rows, _compiled(patterns[label], ignore_case), label, seconds, found)
    kept = (entry for entry in found.spans if entry[0] not in found.failed)
    columns = np.array(sorted(kept, key=lambda span: (span[0], span[1], -span[2], span[3])), dtype=np.int64)
    failed = ((row, f"the pattern {patterns[label]!r} took longer than {seconds:g} s") for row, label in found.failed.items())
    text, start, end, number = columns.reshape(-1, 4).T.copy()
    return Spans(text, start, end, number, list(patterns), tuple(sorted(failed)))


class _Texts(NamedTuple):
    """Pieces of texts: the text of each, and where in it the piece begins."""

    pieces: Texts
    text: list[int]
    begin: list[int]


class _Found(NamedTuple):
    """What was found so far: text, start, end and label; the texts that failed, by which; the seconds of text and label."""

    spans: list[tuple[int, int, int, int]]
    failed: dict[int, int]
    spent: dict[tuple[int, int], float]


def _look(own: _Texts, rows: list[int], pattern: regex.Pattern[str], label: int, seconds: float, found: _Found) -> None:
    """Look for a pattern in some pieces of texts."""
    data, offsets = kernels.buffers(own.pieces)
    for row in rows:
        text, begin = own.text[row], own.begin[row]
        if text in found.failed:
            continue
        start, spent = time.monotonic(), found.spent.get((text, label), 0.0)
        piece = str(data[offsets[row] : offsets[row + 1]].data, "utf-8", "surrogateescape")
        try:
            matches = _matches(pattern, piece, seconds - spent)
            found.spans.extend((text, begin + first, begin + end, label) for first, end in matches)
        except TimeoutError:
            found.failed[text] = label
        found.spent[text, label] = spent + time.monotonic() - start


@lru_cache(maxsize=10_000)
def _compiled(pattern: str, ignore_case: bool) -> regex.Pattern[str]:
    return regex.compile(pattern, regex.IGNORECASE if ignore_case else 0)


def _matches(pattern: regex.Pattern[str], text: str, seconds: float) -> list[tuple[int, int]]:
    """Return the first byte and the byte after the last of each match; raises `TimeoutError`."""
    if seconds <= 0:
        raise TimeoutError
    found = [match.span() for match in pattern.finditer(text, timeout=seconds) if match.start() < match.end()]
    if not found or text.isascii():
        return found
    at, before, bytes_ = {0: 0}, 0, 0
    for place in sorted({place for span in found for place in span}):
        bytes_ += len(text[before:place].encode("utf-8", "surrogateescape"))
        at[place], before = bytes_, place
    return [(at[start], at[end]) for start, end in found]


def _candidates(texts: Texts, patterns: Sequence[str], ignore_case: bool) -> Iterable[list[int]]:
    """Return, for each pattern, the texts that may hold a match: those that one of all loose patterns hits, then its own."""
    if not patterns or not len(texts) or not _is_utf8(texts):
        return [list(range(len(texts)))] * len(patterns)
    loosened = [loose(pattern, ignore_case) for pattern in patterns]
    rows = np.arange(len(texts))
    if len(patterns) > 1 and None not in loosened:
        rows = rows[_hit(texts, "|".join(f"(?:{pattern})" for pattern in loosened))]
        texts = texts.take(pa.array(rows))
    return ((rows if pattern is None else rows[_hit(texts, pattern)]).tolist() for pattern in loosened)


def _hit(texts: Texts, pattern: str) -> kernels.Flags:
    """Say which texts a loose pattern hits: all, where it is too large to be used.

    Few texts are searched by pyarrow's engine, which takes 3 s a GB; polars' takes 0.5 s, and 0.1 s to import.
    """
    if texts.nbytes < FEW:
        with contextlib.suppress(pa.ArrowInvalid):  # too large for this engine
            return np.asarray(pc.match_substring_regex(texts, pattern), np.bool_)
    import polars as pl

    return np.asarray(pl.Series(pl.from_arrow(texts)).str.contains(pattern, strict=False).fill_null(True), np.bool_)


def _is_utf8(texts: Texts) -> bool:
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True
