"""Substrings and patterns -> where they stand in texts, looked for in folded ones and led back.

A huge text is folded in pieces, if there are marks that stand in no substring and in no match of a pattern.
"""

import re

import numpy as np
import pyarrow as pa

from filters import kernels, regexes
from filters.kernels import Bytes, Ints, pieces
from filters.kinds import Texts
from filters.regexes.barriers import barriers
from filters.slop.comparing import at_ends
from filters.slop.matches import Matches, joined, where
from filters.slop.preparing import Prepared
from filters.slop.words import table

PATTERN_SECONDS = 5.0  # a pattern that takes longer on one text is catastrophic


def folded_matches(data: Bytes, offsets: Ints, prepared: Prepared) -> tuple[Matches, tuple[tuple[int, str], ...]]:
    """Find what has to be looked for in folded text; return also the texts on which a pattern took too long."""
    if not prepared.substrings and not prepared.patterns:
        return joined(), ()
    cut = pieces.pieces(data, offsets, pieces.behind(_parting(prepared)))
    parts: list[Matches] = []
    failed: dict[int, str] = {}
    for first, last in pieces.groups(cut.offsets):
        own = cut.offsets[first : last + 1]
        found, slow = _in_pieces(data, own, prepared)
        text = cut.text_of(first + found.text)
        moved = own[found.text] - offsets[text]
        parts.append(found._replace(text=text, start=found.start + moved, end=found.end + moved))
        failed |= {int(cut.text_of(np.array(first + piece))): reason for piece, reason in slow}
    found = joined(*parts)
    return _labelled(data, offsets, found, prepared) if len(found.text) else found, tuple(failed.items())


def _parting(prepared: Prepared) -> str:
    """Return the marks that part a text before it is folded."""
    marks = barriers(prepared.patterns, _ignores_case(prepared))
    held = {"\n", *"".join(prepared.substrings)}
    return "".join(mark for mark in marks if mark not in held and kernels.folds()[ord(mark)] == ord(mark))


def _in_pieces(data: Bytes, offsets: Ints, prepared: Prepared) -> tuple[Matches, tuple[tuple[int, str], ...]]:
    """Find substrings by their numbers, and patterns by theirs behind these."""
    folded, bounds, _ = kernels.fold(data, offsets)
    texts = kernels.strings(folded, bounds)
    shapes = regexes.search(texts, prepared.patterns, ignore_case=_ignores_case(prepared), seconds=PATTERN_SECONDS)
    number = len(prepared.substrings) + shapes.label
    found = joined(_substrings(texts, prepared.substrings), Matches(shapes.text, shapes.start, shapes.end, number))
    return _in_original(data, offsets, found) if len(found.text) else found, shapes.failed


def _labelled(data: Bytes, offsets: Ints, found: Matches, prepared: Prepared) -> Matches:
    """Give matches their labels: substrings those of the entries whose anchors they fit."""
    first = len(prepared.labels) - len(prepared.patterns) - len(prepared.substrings)
    pattern = found.phrase >= len(prepared.substrings)
    substrings = where(found, ~pattern)
    labelled = [where(found, pattern)._replace(phrase=first + found.phrase[pattern])]
    for anchors, labels in enumerate(prepared.label_of):
        own = where(substrings._replace(phrase=labels[substrings.phrase]), labels[substrings.phrase] >= 0)
        labelled.append(where(own, at_ends(data, offsets, *own[:3], anchors, table())))
    return joined(*labelled)


def _ignores_case(prepared: Prepared) -> bool:
    return any(map(_has_capitals, prepared.patterns))


def _has_capitals(pattern: str) -> bool:
    """Say whether a pattern, its escapes aside, must be matched without regard to case to match folded text at all."""
    return any(letter.isupper() for letter in re.sub(r"\\.", "", pattern, flags=re.DOTALL))


def _substrings(texts: Texts, substrings: list[str]) -> Matches:
    """Find substrings by Aho-Corasick: first which texts hold any, then where."""
    if not substrings or not len(texts):
        return joined()
    import polars as pl

    series = pl.Series(pl.from_arrow(kernels.as_utf8(texts)))
    rows = np.flatnonzero(series.str.contains_any(substrings).to_numpy())
    hit = series.gather(rows)
    starts = hit.str.find_many(substrings, overlapping=True)
    matched = hit.str.extract_many(substrings, overlapping=True).explode(empty_as_null=False)
    text = np.repeat(rows, starts.list.len().to_numpy())
    start = starts.explode(empty_as_null=False).to_numpy().astype(np.int64)
    end = start + matched.str.len_bytes().to_numpy().astype(np.int64)
    substring = matched.replace_strict(substrings, list(range(len(substrings))), return_dtype=pl.Int64).to_numpy()
    return Matches(text, start, end, substring)


def _in_original(data: Bytes, offsets: Ints, found: Matches) -> Matches:
    """Carry matches in folded texts back to the bytes of the texts they came from."""
    rows, row = np.unique(found.text, return_inverse=True)
    hit_data, hit_offsets = taken(data, offsets, rows)
    _, bounds, origin = kernels.fold(hit_data, hit_offsets, origins=True)
    base, first = bounds[row] + row, hit_offsets[row]
    return found._replace(start=origin[base + found.start] - first, end=origin[base + found.end] - first)


def taken(data: Bytes, offsets: Ints, rows: Ints) -> tuple[Bytes, Ints]:
    """Return some of the texts."""
    return kernels.buffers(kernels.strings(data, offsets).take(pa.array(rows)))
