"""Huge texts: each filter that looks at them piece by piece finds what it finds in the whole."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters import repetition
from filters.kernels import pieces
from filters.kinds import PhraseList, Reference, filters
from filters.regexes import search
from filters.regexes.barriers import barriers

PIECES = [
    *"aBéÉ1ʼ’'\"“— \n\u3000数据\u212akİ🎉\0_\u0301Ⱥ\U00032400({[.,;!?:-&<>\r\t\x85\u2028\ufffd", "  ", "\r\n", "as an", "AI ",
    "I’m  ",    "sorry, but ", "über uns", "(c)", "foo bar", "the ", "the ", "mill ", "river ", "runs ", "lorem ipsum", "[12]",
    "[edit]",    "use cookies", "javascript", "It is. ", "\n\n", "- ", "#", "...", "…", "x" * 40, "数" * 15, "â€™", "&amp;",
]  # fmt: skip
TEXT = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)
BYTES = st.one_of(
    TEXT.map(str.encode), st.lists(st.sampled_from([b"\xe2", b"\x80", b"a", b" ", b"\n", b"\xff("])).map(b"".join)
)
PHRASES = PhraseList(
    "own", ("as an ai", "i'm sorry", "ai", "sorry, but", "(c)", "^as an", "the mill river runs the", "...$"), (r"\bfoo \w+",)
)
WILD = PhraseList("wild", ("ai", "(c)"), (r"\bfoo .+",))
RIDDLE = Reference(
    "own", ("the mill river runs the mill river runs the", "as an AI it is. foo bar the mill"), ("own:1", "own:2")
)
CASES = [
    ("unicode", {}),
    ("slop", {"lists": (PHRASES,)}),
    ("slop", {"lists": (WILD,)}),
    ("slop", {"lists": (PHRASES,), "whole_words": False}),
    ("pii", {}),
    ("word_count", {}),
    ("sentence_count", {}),
    ("exact_duplicates", {"normalize": True}),
    ("near_duplicates", {}),
    ("near_duplicates", {"words": 1, "split_ideographs": True, "bands": 3, "rows": 2}),
    ("c4_lines", {}),
    ("c4_placeholders", {}),
    ("c4_citations", {}),
    ("gopher_quality", {}),
    ("gopher_quality", {"variant": "nemo", "split": "unicode"}),
    ("gopher_quality", {"variant": "dolma"}),
    ("gopher_repetition", {}),
    ("gopher_repetition", {"variant": "nemo", "split": "unicode"}),
    ("gopher_repetition", {"variant": "dolma"}),
    ("fineweb_quality", {}),
    ("contamination", {"against": (RIDDLE,)}),
    ("recurring_lines", {}),
    ("repeated_lines", {}),
    ("patterns", {"patterns": (r"\bfoo \w+", r"(?i)the\s+mill")}),
]


def plain(answer):
    """Return what a filter answered as lists."""
    if isinstance(answer, dict):
        return {name: plain(values) for name, values in answer.items()}
    if isinstance(answer, tuple):
        return [plain(column) for column in answer]
    if isinstance(answer, pa.Array):
        return answer.cast(pa.large_binary()).to_pylist()
    return answer.tolist() if isinstance(answer, np.ndarray) else answer


def answer_of(function, kind, texts, offsets, given_, piece):
    """Let a filter look at texts in pieces of a size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pieces, "PIECE", piece)
        patch.setattr(repetition, "SHARE", max(1, piece // 8))
        return plain(function(texts, offsets, **given_) if kind in ("measure", "duplicates") else function(texts, **given_))


@pytest.mark.parametrize(("name", "given_"), CASES, ids=str)
@settings(max_examples=40)
@given(st.lists(BYTES, min_size=1, max_size=4), st.integers(1, 60), st.integers(0, 4))
@example([b"the mill river runs the mill river runs the mill " * 3], 7, 0)
@example([b"a the  mill (c) as an  AI foo bar\n\n- the river..."], 3, 0)
def test_a_filter_finds_in_pieces_what_it_finds_in_the_whole(name, given_, parts, piece, together):
    kept = filters()[name]
    texts = pa.array(parts, pa.large_binary()).cast(pa.large_string(), safe=False)
    offsets = np.unique([0, min(together, len(parts)), len(parts)])
    functions = [kept.function, *([kept.sets] if kept.sets else [])]
    for function in functions:
        whole, cut = (answer_of(function, kept.kind, texts, offsets, given_, size) for size in (1 << 30, piece))
        assert cut == whole


PATTERNS = [
    r"\bfoo \w+", r"(?i)the\s+mill", r"(?m)^- .*$", r"a.*", r"(?<=the )\w+", r"(?<![.\w])\w+\b", r"\B\W", r"[^a]+",
    r"\w+(?=[,;])",    r"(?:a|)\b\w*",    r"(the) \1", r"[ -/]+", r"(?m)the$", r"\Aa", r"a$", r"(?s)a.b",
]  # fmt: skip


@settings(max_examples=200)
@given(BYTES, st.lists(st.sampled_from(PATTERNS), min_size=1, max_size=2, unique=True), st.booleans(), st.integers(1, 20))
def test_patterns_match_in_pieces_what_they_match_in_the_whole(text, patterns, ignore_case, piece):
    texts = pa.array([text], pa.large_binary()).cast(pa.large_string(), safe=False)

    def found(size):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(pieces, "PIECE", size)
            return plain(search(texts, patterns, ignore_case=ignore_case, seconds=60))

    assert found(piece) == found(1 << 30)


@pytest.mark.parametrize(
    ("pattern", "left_out"),
    [
        (r"a\.b", "."), (r"a[.-]+b", "-."), (r"a[+-/]", "+,-./"), (r"(?<=;)a(?!:)", ":;"), (r"\s", "\n"), (r"(?:a|b!)*", "!"),
        (r"(a#)\1", "#"), (r"\d+\w", ""),
    ],
)  # fmt: skip
def test_a_mark_that_a_pattern_may_hold_parts_no_text(pattern, left_out):
    every = barriers([r"a"], ignore_case=False)
    assert set(every) - set(barriers([pattern], ignore_case=False)) == set(left_out)


@pytest.mark.parametrize("pattern", [r"(?s).", r"\W", r"\S", r"^a", r"\Z", r"(?s:.)", r"(?m:^)a", r"(?:cats){e<=1}", r"\X"])
def test_a_pattern_that_may_hold_any_mark_or_asks_for_the_ends_parts_no_text(pattern):
    assert barriers([pattern], ignore_case=False) in ("", "\n")
