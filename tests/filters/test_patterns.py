"""Patterns: what `regex` finds in each text, in bytes; and no text holds up the others."""

import pyarrow as pa
import pytest
import regex
from hypothesis import assume, example, given
from hypothesis import strategies as st

from filters import kernels, regexes
from filters.kinds import filters
from filters.patterns import patterns
from filters.regexes import problem, search

PIECES = [
    "ab",
    "Ab",
    "a1",
    "é",
    "É",
    "数据",
    "🎉",
    " ",
    "\n",
    "\u2003",
    "\0",
    "\x1c",
    "_",
    "ſ",
    "İ",
    "ı",
    "\u212a",
    "كلمة",
    "٣",
    "-",
]
TEXT = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
ATOMS = [
    "a",
    "A",
    "b",
    "i",
    "s",
    "K",
    "é",
    "É",
    ".",
    r"\w",
    r"\W",
    r"\d",
    r"\D",
    r"\s",
    r"\S",
    r"\b",
    "^",
    "$",
    "(?=a)",
    "(?<!a)",
    "-",
]
SETS = [
    "[ab]",
    "[^a]",
    "[^é]",
    r"[^\w]",
    r"[\s-]",
    r"[^\s]",
    "[a-z]",
    "[^a-z]",
    "[à-ü]",
    r"[\D]",
    "(?i:k)",
    "(?-i:A)",
    "据",
    r"\0",
    r"\p{L}",
]
ATOM = st.sampled_from(ATOMS + SETS)
PATTERN = st.recursive(
    ATOM,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{,2}", "+?", "?+"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
        inner.map(lambda body: f"({body})\\1"),
        inner.map(lambda body: f"(?>{body})"),
    ),
    max_leaves=5,
)
SLOW, LONG = "(a|aa)+$", "a" * 60 + "b"


def found_in(*texts, **settings):
    """Return `(text's number, the text matched, the pattern)` of each span."""
    found = patterns(pa.array(texts, pa.large_string()), **settings)
    spans = zip(found.text.tolist(), found.start.tolist(), found.end.tolist(), found.label.tolist(), strict=True)
    return [(row, texts[row].encode()[start:end].decode(), found.labels[label]) for row, start, end, label in spans]


def by_python(texts, chosen, ignore_case):
    flags = regex.IGNORECASE if ignore_case else 0
    spans = [
        (row, len(text[: match.start()].encode()), len(text[: match.end()].encode()), label)
        for row, text in enumerate(texts)
        for label, pattern in enumerate(chosen)
        for match in regex.finditer(pattern, text, flags)
        if match.group()
    ]
    return sorted(spans, key=lambda span: (span[0], span[1], -span[2], span[3]))


@pytest.fixture(params=[regexes.FEW, 0], ids=["pyarrow", "polars"], scope="module", autouse=True)
def few(request):
    """Let either engine pick the texts that may hold a match."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(regexes, "FEW", request.param)
        yield


@given(st.lists(TEXT, max_size=4), st.lists(PATTERN, min_size=1, max_size=3), st.booleans())
@example(["ſ", "\u212a", "İı"], ["s", "k", "i", "I"], True)
@example(["É", "é"], ["é"], True)
def test_the_spans_are_what_regex_finds(texts, chosen, ignore_case):
    assume(not any(map(problem, chosen)))
    found = search(pa.array(texts, pa.large_string()), chosen, ignore_case=ignore_case, seconds=60)
    assert list(zip(*(column.tolist() for column in found[:4]), strict=True)) == by_python(texts, chosen, ignore_case)
    assert found.failed == ()


@given(st.lists(TEXT, min_size=1, max_size=5), st.data())
def test_a_slice_is_answered_as_its_own_texts(texts, data):
    first = data.draw(st.integers(0, len(texts)))
    whole = pa.array(texts, pa.large_string())
    settings = {"patterns": [r"\w+", "é"], "ignore_case": True}
    sliced, own = patterns(whole.slice(first), **settings), patterns(pa.array(texts[first:], pa.large_string()), **settings)
    assert [column.tolist() for column in sliced[:4]] == [column.tolist() for column in own[:4]]


@given(st.lists(st.binary(max_size=6), max_size=4))
@example([b"\xe9ab\xff", b"\xf0\x9f", b""])
def test_broken_utf_8_keeps_its_bytes(pieces):
    data = b"".join(piece + b"ab" for piece in pieces)
    texts = kernels.strings(*kernels.buffers(pa.array([data], pa.large_binary())))
    found = patterns(texts, patterns=["ab"])
    assert [data[start:end] for start, end in zip(found.start, found.end, strict=True)] == [b"ab"] * data.count(b"ab")


@pytest.mark.parametrize("letter", ["a", "i", "I", "s", "k", "[h-l]", "[^x]"])
def test_letters_that_differ_by_case_alone_are_found_in_all_of_unicode(letter):
    cased = [chr(code) for code in range(0x110000) if chr(code).lower() != chr(code) or chr(code).upper() != chr(code)]
    found = search(pa.array(cased, pa.large_string()), [letter], ignore_case=True, seconds=60)
    assert [cased[row] for row in found.text] == [other for other in cased if regex.match(letter, other, regex.IGNORECASE)]


def test_empty_matches_are_left_out():
    assert found_in("aba", patterns=["a*"]) == [(0, "a", "a*"), (0, "a", "a*")]


def test_a_text_on_which_a_pattern_takes_too_long_fails_and_the_others_are_answered():
    texts = pa.array(["aaa", LONG, "aa"], pa.large_string())
    found = patterns(texts, patterns=["a", SLOW], seconds=0.05)
    assert found.failed == ((1, "the pattern '(a|aa)+$' took longer than 0.05 s"),)
    assert set(found.text.tolist()) == {0, 2}


def test_a_text_that_failed_once_is_not_looked_at_again():
    found = patterns(pa.array([LONG], pa.large_string()), patterns=[SLOW, "(aa|a)+$"], seconds=0.05)
    assert found.failed == ((0, "the pattern '(a|aa)+$' took longer than 0.05 s"),)


def test_a_slow_pattern_is_not_tried_on_texts_without_what_it_needs():
    found = patterns(pa.array([LONG], pa.large_string()), patterns=["(a|aa)+c$"], seconds=0.05)
    assert found.failed == ()


def test_matches_of_different_patterns_may_overlap():
    assert found_in("abc", patterns=["bc", "ab", "abc"]) == [(0, "abc", "abc"), (0, "ab", "ab"), (0, "bc", "bc")]


def test_case_counts_unless_it_is_ignored():
    assert found_in("Ab ab", patterns=["ab"]) == [(0, "ab", "ab")]
    assert len(found_in("Ab ab", patterns=["ab"], ignore_case=True)) == 2


@pytest.mark.parametrize(
    "pattern", [r"\p{L}+", "(?:abc){e<=1}", r"[[:alpha:]]+", "(?x) abx  # a comment", r"(?<=a+)bx", "(?r)abx"]
)
def test_what_only_regex_knows_works_too(pattern):
    assert [row for row, _, _ in found_in("abx", "数", patterns=[pattern]) if row == 0] == [0]


def test_a_pattern_too_large_for_the_linear_engine_is_looked_for_all_the_same():
    pattern = r"(?:(?:(?:\w{9}){9}){9}){2}"
    assert [row for row, _, _ in found_in("a" * 2000, "a", patterns=[pattern])] == [0]


def test_a_ten_megabyte_line_is_looked_at():
    assert found_in("é" * 5_000_000 + "needle", patterns=["needle"]) == [(0, "needle", "needle")]


def test_no_texts_have_no_spans():
    assert found_in(patterns=["a"]) == []


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("(ab", "missing )"), ("[", "unterminated character set"), ("(" * 100_000, "nested too deeply"), ("\ud800", "surrogate")],
)
def test_a_broken_pattern_is_told(pattern, message):
    assert message in problem(pattern)


@pytest.mark.parametrize("pattern", ["a", r"\p{L}", "(?<=a+)b", ""])
def test_a_sound_pattern_has_no_problem(pattern):
    assert problem(pattern) is None


def test_the_recipe_check_names_the_broken_pattern():
    wrong = filters()["patterns"].problem({"patterns": ("a", "(b"), "ignore_case": False, "seconds": 1.0})
    assert wrong == "the pattern '(b' is broken (missing ) at position 2)"
