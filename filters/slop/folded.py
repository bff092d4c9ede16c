"""Substrings and patterns -> where they stand in texts, looked for in folded ones and led back."""

import re

import numpy as np
import polars as pl
import pyarrow as pa

from filters import kernels, regexes
from filters.kernels import Bytes, Ints
from filters.slop.comparing import at_ends
from filters.slop.matches import Matches, joined, where
from filters.slop.preparing import Prepared
from filters.slop.words import table

PATTERN_SECONDS = 5.0  # a pattern that takes longer on one text is catastrophic


def folded_matches(data: Bytes, offsets: Ints, prepared: Prepared) -> tuple[Matches, tuple[tuple[int, str], ...]]:
    """Find what has to be looked for in folded text; return also the texts on which a pattern took too long."""
    if not prepared.substrings and not prepared.patterns:
        return joined(), ()
    folded, bounds, _ = kernels.fold(data, offsets)
    found = _substrings(folded, bounds, prepared)
    first = len(prepared.labels) - len(prepared.patterns)
    texts, ignore_case = kernels.strings(folded, bounds), any(map(_has_capitals, prepared.patterns))
    shapes = regexes.search(texts, prepared.patterns, ignore_case=ignore_case, seconds=PATTERN_SECONDS)
    found = joined(found, Matches(shapes.text, shapes.start, shapes.end, first + shapes.label))
    return _in_original(data, offsets, found), shapes.failed


def _has_capitals(pattern: str) -> bool:
    """Say whether a pattern, its escapes aside, must be matched without regard to case to match folded text at all."""
    return any(letter.isupper() for letter in re.sub(r"\\.", "", pattern, flags=re.DOTALL))


def _substrings(folded: Bytes, bounds: Ints, prepared: Prepared) -> Matches:
    """Find substrings by Aho-Corasick: first which texts hold any, then where."""
    series = pl.Series(pl.from_arrow(kernels.as_utf8(kernels.strings(folded, bounds))))
    if not prepared.substrings or not len(series):
        return joined()
    rows = np.flatnonzero(series.str.contains_any(prepared.substrings).to_numpy())
    hit = series.gather(rows)
    starts = hit.str.find_many(prepared.substrings, overlapping=True)
    matched = hit.str.extract_many(prepared.substrings, overlapping=True).explode(empty_as_null=False)
    text = np.repeat(rows, starts.list.len().to_numpy())
    start = starts.explode(empty_as_null=False).to_numpy().astype(np.int64)
    end = start + matched.str.len_bytes().to_numpy().astype(np.int64)
    numbers = list(range(len(prepared.substrings)))
    substring = matched.replace_strict(prepared.substrings, numbers, return_dtype=pl.Int64).to_numpy()
    found = []
    for anchors, labels in enumerate(prepared.label_of):
        chosen = labels[substring] >= 0
        one = where(Matches(text, start, end, labels[substring]), chosen)
        found.append(where(one, at_ends(folded, bounds, *one[:3], anchors, table())))
    return joined(*found)


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
