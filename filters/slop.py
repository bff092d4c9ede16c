"""Slop: text -> the phrases of language models in it, where they stand and which they are."""

from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import regex
from pydantic import Field

from filters import kernels
from filters.compiled import kernel
from filters.kinds import PhraseList, Spans, Texts, spans

PATTERN_SECONDS = 5.0  # a pattern that takes longer on one text is catastrophic


class _Found(NamedTuple):
    """Matches in folded texts: row, first byte, byte after the last, label."""

    row: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]


@spans(version=2)
def slop(
    texts: Texts,
    *,
    lists: Annotated[Sequence[PhraseList | str], Field(min_length=1)] = ("refusals",),
    whole_words: bool = True,
) -> Spans:
    """Find phrases of phrase lists, whatever their case, white space and quotes, as whole words.

    In a recipe `lists` names lists that ship (`prep list phrases`) or files: a phrase a line, `#` comments, `re:` before a
    pattern.

    >>> refusals = PhraseList("refusals", phrases=("as an ai", "i'm sorry"))
    >>> found = slop(pa.array(["Has an AI", "Well, I’m  sorry: as an AI…"], pa.large_string()), lists=(refusals,))
    >>> found.text.tolist(), found.start.tolist(), [found.labels[label] for label in found.label]
    ([1, 1], [6, 20], ["i'm sorry", 'as an ai'])
    """
    chosen = [phrases for phrases in lists if isinstance(phrases, PhraseList)]
    if len(chosen) < len(lists):
        raise TypeError(f"phrase lists are read before slop is called: {lists!r}. See pipeline.phrase_lists.load.")
    phrases = list(dict.fromkeys(phrase for chosen_list in chosen for phrase in chosen_list.phrases))
    patterns = list(dict.fromkeys(pattern for chosen_list in chosen for pattern in chosen_list.patterns))
    data, offsets = kernels.buffers(texts)
    folded, bounds, _ = kernels.fold(data, offsets)
    found = _phrases(folded, bounds, phrases, whole_words)
    if patterns:
        found = _joined(found, _patterns(kernels.strings(folded, bounds), patterns, len(phrases)))
    return _in_original(data, offsets, _longest(found), phrases + patterns)


def _phrases(folded: kernels.Bytes, bounds: kernels.Ints, phrases: list[str], whole_words: bool) -> _Found:
    """Find phrases by Aho-Corasick: first which texts hold any, then where."""
    series = pl.Series(pl.from_arrow(kernels.strings(folded, bounds)))
    if not phrases or not len(series):
        return _Found(*(np.zeros(0, dtype=np.int64) for _ in range(4)))
    rows = np.flatnonzero(series.str.contains_any(phrases).to_numpy())
    hit = series.gather(rows)
    starts = hit.str.find_many(phrases, overlapping=True)
    matched = hit.str.extract_many(phrases, overlapping=True).explode(empty_as_null=False)
    row = np.repeat(rows, starts.list.len().to_numpy())
    start = starts.explode(empty_as_null=False).to_numpy().astype(np.int64)
    end = start + matched.str.len_bytes().to_numpy().astype(np.int64)
    label = matched.replace_strict(phrases, list(range(len(phrases))), return_dtype=pl.Int64).to_numpy()
    if whole_words:
        whole = _whole_words(folded, bounds, row, start, end, kernels.classes())
        row, start, end, label = row[whole], start[whole], end[whole], label[whole]
    return _Found(row, start, end, label)


@kernel
def _whole_words(
    folded: kernels.Bytes,
    bounds: kernels.Ints,
    row: kernels.Ints,
    start: kernels.Ints,
    end: kernels.Ints,
    classes: kernels.Bytes,
) -> npt.NDArray[np.bool_]:
    """Say of each match whether it cuts no word at either end."""
    whole = np.ones(len(row), dtype=np.bool_)
    for match in range(len(row)):
        first, last = bounds[row[match]], bounds[row[match] + 1]
        for edge in (first + start[match], first + end[match]):
            if edge == first or edge == last:
                continue
            before = edge - 1
            while before > first and folded[before] & 0xC0 == 0x80:
                before -= 1
            left, _ = kernels.decode(folded, before, last)
            right, _ = kernels.decode(folded, edge, last)
            if left < len(classes) and right < len(classes) and classes[left] == 1 and classes[right] == 1:
                whole[match] = False
    return whole


def _patterns(folded: pa.LargeStringArray, patterns: list[str], first_label: int) -> _Found:
    """Find patterns text by text; raises `TimeoutError` where one takes more than `PATTERN_SECONDS` on a text."""
    compiled = [regex.compile(pattern, regex.IGNORECASE) for pattern in patterns]

    def matches() -> Iterator[tuple[int, int, int, int]]:
        for row, text in enumerate(folded.to_pylist()):
            for number, pattern in enumerate(compiled):
                for match in pattern.finditer(text, timeout=PATTERN_SECONDS):
                    start = len(text[: match.start()].encode())
                    yield row, start, start + len(match.group().encode()), first_label + number

    return _Found(*np.array([match for match in matches() if match[1] < match[2]], dtype=np.int64).reshape(-1, 4).T)


def _joined(one: _Found, other: _Found) -> _Found:
    return _Found(*(np.concatenate(pair) for pair in zip(one, other, strict=True)))


def _longest(found: _Found) -> _Found:
    """Keep, of matches that overlap in a text, the one that begins first, and of those the longest."""
    order = np.lexsort((found.label, -found.end, found.start, found.row))
    row, start, end, label = (column[order] for column in found)
    keep = np.zeros(len(row), dtype=np.bool_)
    last_row, last_end = -1, 0
    for match in range(len(row)):
        if row[match] != last_row or start[match] >= last_end:
            keep[match], last_row, last_end = True, row[match], end[match]
    return _Found(row[keep], start[keep], end[keep], label[keep])


def _in_original(data: kernels.Bytes, offsets: kernels.Ints, found: _Found, labels: list[str]) -> Spans:
    """Carry matches in folded texts back to the bytes of the texts they came from."""
    rows, row = np.unique(found.row, return_inverse=True)
    texts = kernels.strings(data, offsets).take(pa.array(rows))
    hit_data, hit_offsets = kernels.buffers(texts)
    _, bounds, origin = kernels.fold(hit_data, hit_offsets, origins=True)
    base, first = bounds[row] + row, hit_offsets[row]
    return Spans(found.row, origin[base + found.start] - first, origin[base + found.end] - first, found.label, labels)
