"""C4: text -> the lines, citations and placeholders for which C4 drops a line or a page.

The rules are those of Raffel et al. 2020 (https://jmlr.org/papers/volume21/20-074/20-074.pdf, section 2.2) and of the code that
made the data set, as datatrove's `C4QualityFilter` has them: a line goes through the tests in one order, and the first it fails
takes it out. What is left of a text is what datatrove leaves, if the steps stand in the order of the preset `c4`:

    c4_lines          first, so that a `{` or a "lorem ipsum" in a line that goes anyway does not take the page with it
    c4_placeholders   in what is left; such a line is not taken out for "javascript" or a policy, where datatrove drops the page
    c4_citations      then, since the words of a line are counted with them; its end is tested as if they were gone
    sentence_count    last

Three things differ. datatrove strips white space around lines, ours keeps it. A phrase with a citation in it ("use[1] cookies")
is not found. Case is folded for ASCII letters alone, so a Kelvin sign is no k.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import Annotated

import numpy as np
from pydantic import Field

from filters import kernels
from filters.kernels import Scalar, kernel, part, pieces
from filters.kernels.lines import line_bounds
from filters.kinds import Spans, Texts, spans
from filters.piecewise import piecewise

REASONS = ["too long a word", "no terminal punctuation", "too few words", "javascript", "policy"]
KEPT, LONG_WORD, UNPUNCTUATED, FEW_WORDS, JAVASCRIPT, POLICY = range(6)
PLACEHOLDERS = ["lorem ipsum", "{"]
POLICIES = ["terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies"]
OTHER, SPACE, DIGIT = range(3)
OPENING, CLOSING, CURLY = np.uint8(ord("[")), np.uint8(ord("]")), np.uint8(ord("{"))
EDIT, NEEDED = (np.frombuffer(letters, dtype=np.uint8) for letters in (b"[edit]", b"[citation needed]"))


@spans(version=1)
def c4_lines(
    texts: Texts,
    *,
    terminal_punctuation: bool = True,
    min_words: Annotated[int, Field(ge=0)] = 3,
    max_word_length: Annotated[int, Field(ge=1)] | None = 1000,
    javascript: bool = True,
    policy: bool = True,
    citations: bool = True,
) -> Spans:
    r"""Find the lines that C4 takes out: made for `action: strip_line`.

    In this order: a word of more than `max_word_length` characters; an end other than `. ? ! " '`, or `...`; fewer than
    `min_words` words, parted by white space; "javascript"; one of the six phrases about terms of use, privacy and cookies.
    With `citations`, the end is tested as it is without `[1]`, `[edit]` and `[citation needed]`. A blank line goes too. Let
    `c4_placeholders` and `c4_citations` come after it: what of their places goes with a line drops no page, and they count
    among the line's words.

    >>> import pyarrow as pa
    >>> found = c4_lines(pa.array(["A line to keep.[1]\nHome\nIt is.\nTurn JavaScript on!"], pa.large_string()))
    >>> found.start, found.end, [found.labels[label] for label in found.label]
    (array([19, 24, 31]), array([23, 30, 50]), ['no terminal punctuation', 'too few words', 'javascript'])
    """
    longest = np.iinfo(np.int64).max if max_word_length is None else max_word_length
    tests = partial(
        _reasons,
        kinds=_kinds(),
        terminal_punctuation=terminal_punctuation,
        min_words=min_words,
        max_word_length=longest,
        citations=citations,
    )
    return piecewise(texts, pieces.behind("\n"), partial(_lines, tests=tests, javascript=javascript, policy=policy))


def _lines(
    texts: Texts, tests: Callable[[kernels.Bytes, kernels.Ints, kernels.Ints], kernels.Bytes], javascript: bool, policy: bool
) -> Spans:
    """Find the lines of texts that fail one of the tests."""
    data, offsets = kernels.buffers(texts)
    bounds, stops, ends = line_bounds(data, offsets)
    starts = _starts(offsets, bounds, ends)
    reasons = tests(data, starts, stops)
    substrings = _substrings(texts, starts)
    reasons[(reasons == KEPT) & (substrings == JAVASCRIPT) & javascript] = JAVASCRIPT
    reasons[(reasons == KEPT) & (substrings == POLICY) & policy] = POLICY
    line = np.flatnonzero(reasons)
    text = np.repeat(np.arange(len(texts)), np.diff(bounds))[line]
    end = np.where(stops > starts, stops, ends)[line]  # an empty line is seen by its line break
    return Spans(text, starts[line] - offsets[text], end - offsets[text], reasons[line].astype(np.int64) - 1, REASONS)


@spans(version=1)
def c4_citations(texts: Texts) -> Spans:
    """Find Wikipedia's `[1]`, `[]`, `[edit]` and `[citation needed]`: made for `action: strip`.

    >>> import pyarrow as pa
    >>> c4_citations(pa.array(["So it is.[12]"], pa.large_string()))[1:3]
    (array([9]), array([13]))
    """
    data, offsets = kernels.buffers(texts)
    text, start, end = _citations(data, offsets, _kinds())
    return Spans(text, start, end, np.zeros(len(text), dtype=np.int64), ["citation"])


@spans(version=1)
def c4_placeholders(texts: Texts) -> Spans:
    """Find "lorem ipsum" and `{`, for which C4 drops a page: made for `action: drop`.

    >>> import pyarrow as pa
    >>> c4_placeholders(pa.array(["Lorem Ipsum {}"], pa.large_string())).start
    array([ 0, 12])
    """
    return piecewise(texts, pieces.behind("\n"), _placeholders)


def _placeholders(texts: Texts) -> Spans:
    data, offsets = kernels.buffers(texts)
    text, at = _found(texts, PLACEHOLDERS)
    label = (data[at] == CURLY).astype(np.int64)
    start = at - offsets[text]
    return Spans(text, start, start + np.array([len(phrase) for phrase in PLACEHOLDERS])[label], label, PLACEHOLDERS)


@cache
def _kinds() -> kernels.Bytes:
    """Return `uint8[TABLE]`: white space, decimal digit (`\\d`) or other."""
    table = np.where(kernels.classes() == kernels.SPACE, SPACE, OTHER).astype(np.uint8)
    table[(kernels.classes() == kernels.WORD) & (kernels.categories() == b"Nd")] = DIGIT
    return table


def _substrings(texts: Texts, starts: kernels.Ints) -> kernels.Bytes:
    """Say of each line what its substrings would have it taken out for: `JAVASCRIPT`, `POLICY` or, as with none, `KEPT`.

    The last of the four that it holds decides: a policy, a curly bracket, "javascript", "lorem ipsum".
    """
    data, _ = kernels.buffers(texts)
    _, at = _found(texts, [*PLACEHOLDERS, *POLICIES, "javascript"])
    letter = data[at] | 0x20
    line = np.searchsorted(starts, at, side="right") - 1
    answers = np.zeros(len(starts), dtype=np.uint8)
    answers[line] = POLICY
    for first, answer in ((ord("{"), KEPT), (ord("j"), JAVASCRIPT), (ord("l"), KEPT)):
        answers[line[letter == first]] = answer
    return answers


def _found(texts: Texts, phrases: list[str]) -> tuple[kernels.Ints, kernels.Ints]:
    """Find phrases whatever the case of ASCII letters: the text of each and its first byte in the buffer."""
    import polars as pl

    series = pl.Series(pl.from_arrow(kernels.as_utf8(texts)))
    starts = series.str.find_many(phrases, ascii_case_insensitive=True)
    text = np.repeat(np.arange(len(series)), starts.list.len().to_numpy())
    start = starts.explode(empty_as_null=False).to_numpy().astype(np.int64)
    return text, start + kernels.buffers(texts)[1][text]


@kernel
def _starts(offsets: kernels.Ints, bounds: kernels.Ints, ends: kernels.Ints) -> kernels.Ints:
    """Return where each line begins: behind the one before it, or at its text's first byte."""
    starts = np.empty(len(ends), dtype=np.int64)
    for text in range(len(offsets) - 1):
        for line in range(bounds[text], bounds[text + 1]):
            starts[line] = ends[line - 1] if line > bounds[text] else offsets[text]
    return starts


@part
def _citation(data: kernels.Bytes, at: Scalar, end: Scalar, kinds: kernels.Bytes) -> Scalar:
    r"""Return the byte behind the `\[\d*]`, `[edit]` or `[citation needed]` that a `[` begins; the `[` where it begins none."""
    for letters in (EDIT, NEEDED):
        same, behind = 0, at + len(letters)
        while same < len(letters) and behind <= end and data[at + same] == letters[same]:
            same += 1
        if same == len(letters):
            return behind
    behind = at + 1
    while behind < end and data[behind] != CLOSING:
        code, behind = kernels.decode(data, behind, end)
        if code >= len(kinds) or kinds[code] != DIGIT:
            return at
    return behind + 1 if behind < end else at


@kernel
def _citations(
    data: kernels.Bytes, offsets: kernels.Ints, kinds: kernels.Bytes
) -> tuple[kernels.Ints, kernels.Ints, kernels.Ints]:
    room = (offsets[-1] - offsets[0]) // 2  # `[]`
    text_of, starts, ends = np.empty(room, np.int64), np.empty(room, np.int64), np.empty(room, np.int64)
    found = 0
    for text in range(len(offsets) - 1):
        at, end = offsets[text], offsets[text + 1]
        while at < end:
            if data[at] == OPENING:
                behind = _citation(data, at, end, kinds)
                if behind > at:
                    text_of[found], starts[found], ends[found] = text, at - offsets[text], behind - offsets[text]
                    found += 1
                    at = behind - 1
            at += 1
    return text_of[:found], starts[:found], ends[:found]


@part
def _without_white_space(data: kernels.Bytes, at: Scalar, end: Scalar, kinds: kernels.Bytes) -> Scalar:
    """Return where a line ends if the white space at its end is left out."""
    while end > at:
        last = kernels.before(data, at, end)
        code, _ = kernels.decode(data, last, end)
        if code >= len(kinds) or kinds[code] != SPACE:
            break
        end = last
    return end


@part
def _tail(data: kernels.Bytes, begin: Scalar, end: Scalar, kinds: kernels.Bytes, citations: bool) -> Scalar:
    """Return the last three code points of a line as the bytes of a number, the last the lowest; 0x80 is one past ASCII."""
    tail: Scalar = 0
    letters = 0
    while end > begin and letters < 3:
        last = kernels.before(data, begin, end)
        if citations and data[last] == CLOSING:
            opening = last - 1
            while opening > begin and data[opening] != OPENING and data[opening] != CLOSING:
                opening -= 1
            if opening >= begin and data[opening] == OPENING and _citation(data, opening, end, kinds) == end:
                end = opening
                continue
        tail |= (data[last] if data[last] < 0x80 else 0x80) << (8 * letters)
        end, letters = last, letters + 1
    return tail


@kernel
def _reasons(
    data: kernels.Bytes, starts: kernels.Ints, stops: kernels.Ints, kinds: kernels.Bytes, terminal_punctuation: bool,
    min_words: int, max_word_length: int, citations: bool,
) -> kernels.Bytes:  # fmt: skip
    """Say of each line which test of its words and its end it fails first; `uint8[lines]`."""
    reasons = np.zeros(len(starts), dtype=np.uint8)
    for line in range(len(starts)):
        at, end = starts[line], _without_white_space(data, starts[line], stops[line], kinds)
        words, length, longest, long = 0, 0, 0, end - at > max_word_length
        while at < end and (long or words < min_words):
            code, at = kernels.decode(data, at, end)
            if code < len(kinds) and kinds[code] == SPACE:
                length = 0
            else:
                words += length == 0
                length += 1
                longest = max(longest, length)
        tail = _tail(data, starts[line], end, kinds, citations)
        last = tail & 0xFF
        ends = last == 0x2E or last == 0x3F or last == 0x21 or last == 0x22 or last == 0x27
        if longest > max_word_length:
            reasons[line] = LONG_WORD
        elif terminal_punctuation and (not ends or tail == 0x2E2E2E):
            reasons[line] = UNPUNCTUATED
        elif words < min_words:
            reasons[line] = FEW_WORDS
    return reasons
