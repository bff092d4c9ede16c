"""Contamination: text -> the places where it repeats a benchmark, by runs of equal words.

Every run of 13 words of the references is hashed; a reference of 8 to 12 words is one shorter run, and one of fewer says too
little to be looked for (the bounds are GPT-3's: Brown et al. 2020, appendix C, https://arxiv.org/abs/2005.14165). In a text,
the first words of each run are looked up in a bitmap that fits the processor's cache; what passes is looked up whole.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Annotated, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field

from filters import kernels
from filters.kernels import GOLDEN, Scalar, kernel, part
from filters.kinds import Reference, Spans, Texts, spans

SHORTEST = 8  # words of a reference that is worth looking for
BITS = 8  # of the bitmap, for each run of words


class Index(NamedTuple):
    """The runs of words of references: a hash table, and the bitmap before it.

    `keys` is `uint64[slots]` (0: empty) and `rows` the reference that each is from; `bitmap` is `uint64[bits / 64]` of the
    first `lengths[0]` words of each run; `lengths` are those that runs have, in order. `slots` and `bits` are powers of 2.
    """

    keys: kernels.Hashes
    rows: kernels.Ints
    bitmap: kernels.Hashes
    lengths: kernels.Ints


def _problem(*, against: Sequence[Reference | str], words: int) -> str | None:
    """Say that nothing could be found, where no reference is long enough."""
    if len(_index(_read(against), words).lengths):
        return None
    names = ", ".join(reference.name for reference in _read(against))
    return f"no text of {names} has {min(words, SHORTEST)} words or more: nothing would be found"


@spans(version=1, check=_problem)
def contamination(
    texts: Texts,
    *,
    against: Annotated[Sequence[Reference | str], Field(min_length=1)],
    words: Annotated[int, Field(ge=1)] = 13,
) -> Spans:
    """Find what stands in benchmarks, too: every run of `words` words that is also in a file of `against`.

    Case and punctuation make no difference; a Chinese or Japanese character is a word. A text of 8 words or more that is
    shorter than `words` is looked for whole. Overlapping runs are one place; the label is where the first is from
    (`gsm8k.jsonl:12`). Files: JSONL, CSV, Parquet, or plain text with a test item a line.

    >>> riddle = Reference("riddles.txt", ("What has keys but can't open locks?",), ("riddles.txt:1",))
    >>> found = contamination(pa.array(["Ask: “What has KEYS but can’t open locks?”"], pa.large_string()), against=[riddle])
    >>> found.start.tolist(), found.end.tolist(), found.labels
    ([8], [44], ['riddles.txt:1'])
    """
    index = _index(_read(against), words)
    data, offsets = kernels.buffers(texts)
    places = [place for reference in _read(against) for place in reference.places]
    hashes, bounds = kernels.hash_words(data, offsets, kernels.classes(), kernels.folds(), True)
    found = _find(hashes, bounds, *index)
    start, end = _in_bytes(data, offsets, found).T.copy()
    return Spans(found[:, 0].copy(), start, end, found[:, 3].copy(), places)


def _read(against: Sequence[Reference | str]) -> tuple[Reference, ...]:
    read = tuple(reference for reference in against if isinstance(reference, Reference))
    if len(read) < len(against):
        raise TypeError(f"references are read before contamination is called: {against!r}. See pipeline.references.load.")
    return read


@lru_cache(maxsize=4)
def _index(against: tuple[Reference, ...], words: int) -> Index:
    texts = pa.array([text for reference in against for text in reference.texts], pa.large_string())
    hashes, bounds = kernels.hash_words(*kernels.buffers(texts), kernels.classes(), kernels.folds(), True)
    counts = np.diff(bounds)
    runs = np.where(counts >= min(words, SHORTEST), np.maximum(counts - words + 1, 1), 0)
    lengths = np.unique(np.minimum(counts[runs > 0], words)).astype(np.int64)
    slots, bits = (1 << max(12, int(factor * runs.sum()).bit_length()) for factor in (2, BITS))
    keys, rows, bitmap = np.zeros(slots, np.uint64), np.zeros(slots, np.int64), np.zeros(bits // 64, np.uint64)
    _fill(hashes, bounds, runs, words, keys, rows, bitmap, lengths)
    return Index(keys, rows, bitmap, lengths)


@part
def _hash(words: kernels.Hashes, first: Scalar, length: Scalar) -> Scalar:
    """Hash a run of words; never 0."""
    running = np.uint64(0)
    for word in range(first, first + length):
        running = running * GOLDEN + words[word]
    return kernels.avalanche(running + np.uint64(length)) | np.uint64(1)


@part
def _slot(keys: kernels.Hashes, key: Scalar) -> Scalar:
    """Return where a key stands, or the empty slot where it would."""
    slot = np.int64(key >> np.uint64(20)) & (len(keys) - 1)
    while keys[slot] != 0 and keys[slot] != key:
        slot = (slot + 1) & (len(keys) - 1)
    return slot


@part
def _bit(bitmap: kernels.Hashes, rolling: Scalar) -> tuple[Scalar, Scalar]:
    """Return the word and the mask of the two bits in it that a rolling hash of the first words of a run sets."""
    spread = (rolling ^ (rolling >> np.uint64(32))) * GOLDEN
    mask = (np.uint64(1) << (spread >> np.uint64(58))) | (np.uint64(1) << ((spread >> np.uint64(52)) & np.uint64(63)))
    return np.int64(spread >> np.uint64(20)) & (len(bitmap) - 1), mask


@kernel
def _fill(
    words: kernels.Hashes, bounds: kernels.Ints, runs: kernels.Ints, length: int,
    keys: kernels.Hashes, rows: kernels.Ints, bitmap: kernels.Hashes, lengths: kernels.Ints,
) -> None:  # fmt: skip
    """Enter the runs of each reference into the index; of equal runs, the first reference stands."""
    for row in range(len(runs)):
        own = min(length, bounds[row + 1] - bounds[row])
        for first in range(bounds[row], bounds[row] + runs[row]):
            key = _hash(words, first, own)
            slot = _slot(keys, key)
            if keys[slot] == 0:
                keys[slot], rows[slot] = key, row
            rolling = np.uint64(0)
            for word in range(first, first + lengths[0]):
                rolling = rolling * GOLDEN + words[word]
            place, mask = _bit(bitmap, rolling)
            bitmap[place] |= mask


@kernel
def _find(
    words: kernels.Hashes, bounds: kernels.Ints,
    keys: kernels.Hashes, rows: kernels.Ints, bitmap: kernels.Hashes, lengths: kernels.Ints,
) -> kernels.Ints:  # fmt: skip
    """Return the places of indexed runs, overlapping ones as one: text, first word, word after the last, reference."""
    if len(lengths) == 0:
        return np.zeros((0, 4), dtype=np.int64)
    anchor = lengths[0]
    found, count = np.empty((len(words) // anchor + 1, 4), dtype=np.int64), 0
    oldest = np.uint64(1)
    for _ in range(anchor):
        oldest *= GOLDEN
    for text in range(len(bounds) - 1):
        begin, end, covered = bounds[text], bounds[text + 1], bounds[text]
        rolling = np.uint64(0)
        for word in range(begin, end):
            rolling = rolling * GOLDEN + words[word]
            first = word - anchor + 1
            if first < begin:
                continue
            if first > begin:
                rolling -= oldest * words[first - 1]
            place, mask = _bit(bitmap, rolling)
            if bitmap[place] & mask != mask:
                continue
            length, row = _longest(words, first, end, keys, rows, lengths)
            if length and first >= covered:
                found[count, 0], found[count, 1], found[count, 3] = text, first - begin, row
                count += 1
            if length:
                covered = max(covered, first + length)
                found[count - 1, 2] = covered - begin
    return found[:count]


@part
def _longest(
    words: kernels.Hashes,
    first: Scalar,
    end: Scalar,
    keys: kernels.Hashes,
    rows: kernels.Ints,
    lengths: kernels.Ints,
) -> tuple[Scalar, Scalar]:
    """Return the length of the longest indexed run at a word and its reference; 0 where there is none."""
    for at in range(len(lengths) - 1, -1, -1):
        if first + lengths[at] <= end:
            key = _hash(words, first, lengths[at])
            slot = _slot(keys, key)
            if keys[slot] == key:
                return lengths[at], rows[slot]
    return np.int64(0), np.int64(0)


def _in_bytes(data: kernels.Bytes, offsets: kernels.Ints, found: kernels.Ints) -> kernels.Ints:
    """Return the first byte of the first word of each place, and the byte after its last word; `int64[places, 2]`."""
    spans_ = np.zeros((len(found), 2), dtype=np.int64)
    edges = np.flatnonzero(np.diff(found[:, 0], prepend=-1, append=-1))
    for low, high in pairwise(edges):
        text = found[low, 0]
        words = _words(data, offsets[text], offsets[text + 1], found[high - 1, 2], kernels.classes()) - offsets[text]
        spans_[low:high, 0] = words[found[low:high, 1], 0]
        spans_[low:high, 1] = words[found[low:high, 2] - 1, 1]
    return spans_


@kernel
def _words(data: kernels.Bytes, at: int, end: int, enough: int, classes: kernels.Bytes) -> kernels.Ints:
    """Return the first byte of each word and the byte after its last; the words are those of `kernels.hash_words`."""
    words, count, inside = np.empty((end - at, 2), dtype=np.int64), 0, False
    while at < end and count <= enough:
        begin = at
        code, at = kernels.decode(data, at, end)
        kind = classes[code] if code < len(classes) else np.uint8(kernels.OTHER)
        if kind == kernels.IDEOGRAPH or (kind == kernels.WORD and not inside):
            words[count, 0], count = begin, count + 1
        if kind == kernels.IDEOGRAPH or kind == kernels.WORD:
            words[count - 1, 1] = at
        inside = kind == kernels.WORD
    return words[:count]
