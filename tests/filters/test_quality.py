"""Measures of quality."""

import functools
import re
import statistics
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
import regex
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.kernels.traits import PUNCTUATION, TERMINALS
from filters.quality import STOP_WORDS, gopher_quality

PIECES = [
    "the",
    "and",
    "foo",
    "#",
    "##",
    "a#",
    ".",
    "...",
    "....",
    "…",
    "[...]",
    "(…)",
    "-»",
    "»",
    "•",
    "-",
    "*",
    "◦ ",
    "Read More",
]
PIECES += ["7", "１", "数据", "e\u0301", "Ⅻ", "ⓐ", "\u0345", "🎉", "\0", "।"]
BLANKS = [" ", "\n", "\n\n", "\r\n", "\r", "\xa0", "\x0b", "\x0c", "\x1c", "\x1f", "\x85", "\u2028", "\u3000", "\t", ""]
NAMES = (
    "words",
    "mean_word_length",
    "hash_ratio",
    "ellipsis_ratio",
    "bullet_lines",
    "ellipsis_lines",
    "alpha_words",
    "stop_words",
)


def nasty_texts():
    pairs = st.tuples(st.sampled_from(PIECES), st.sampled_from(BLANKS))
    return st.lists(pairs, max_size=25).map(lambda found: "".join(map("".join, found)))


def measured(texts, offsets=None, **settings_):
    offsets = np.arange(len(texts) + 1) if offsets is None else np.array(offsets)
    values = gopher_quality(pa.array(texts, pa.large_string()), offsets, **settings_)
    assert tuple(values) == NAMES
    return list(zip(*(value.tolist() for value in values.values()), strict=True))


def one(text, **settings_):
    return dict(zip(NAMES, measured([text], **settings_)[0], strict=True))


@functools.cache
def punctuation():
    pairs = [[int(end, 16) for end in entry.split("-")] for entry in TERMINALS.split()]
    controls = {chr(code) for code in range(160) if unicodedata.category(chr(code)) == "Cc"} - {"\t", "\n"}
    return controls | set(PUNCTUATION) | {chr(code) for pair in pairs for code in range(pair[0], pair[-1] + 1)}


def datatrove(text, words):
    """Compute datatrove's values, slowly."""
    plain = [word for word in words if any(character not in punctuation() for character in word)]
    lines = text.splitlines()
    return (
        len(plain),
        sum(map(len, plain)) / max(len(plain), 1),
        text.count("#") / len(words),
        (text.count("...") + text.count("…")) / len(words),
        sum(line.lstrip().startswith(("•", "-")) for line in lines) / len(lines),
        sum(line.rstrip().endswith(("...", "…")) for line in lines) / len(lines),
        sum(any(map(str.isalpha, word)) for word in words) / len(words),
        len(set(words) & set(STOP_WORDS)),
    )


def nemo(text, words):
    """Compute NeMo's values, slowly."""
    marks = ("...", "[...]", "…", "(...)", "[…]", "-»", "read more..", "read more")
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    ellipses = [word in marks for word in words]
    symbols = [word in marks or len(re.findall("#+", word)) / len(word) > 0.5 for word in words]
    return (
        len(words),
        sum(map(len, words)) / len(words),
        sum(symbols) / len(words),
        sum(ellipses) / len(words),
        sum(line.startswith(tuple("•‣⁃⁌⁍∙○●◘◦⦾⦿")) for line in lines) / len(lines),
        sum(line.lower().endswith(marks) for line in lines) / len(lines),
        sum(bool(regex.search("[[:alpha:]]", word)) for word in words) / len(words),
        sum(word in STOP_WORDS for word in words),
    )


def dolma(text, words):
    """Compute dolma's values, slowly."""
    lines = text.split("\n")
    return (
        len(words),
        statistics.median(map(len, words)),
        sum("#" in word or "…" in word for word in words) / len(words),
        sum("…" in word for word in words) / len(words),
        sum(line.startswith(("*", "-")) for line in lines) / len(lines),
        sum(line.endswith("…") for line in lines) / len(lines),
        sum(any(map(str.isalpha, word)) for word in words) / len(words),
        sum(word in STOP_WORDS for word in words),
    )


@settings(max_examples=100, deadline=None)
@pytest.mark.parametrize("variant", [datatrove, nemo, dolma], ids=lambda variant: variant.__name__)
@given(text=nasty_texts())
@example(text="- a\r\n\r\n- b\r")
@example(text="a......b ... .")
def test_each_variant_is_what_its_definition_says(variant, text):
    words = text.split()
    assert measured([text], variant=variant.__name__) == [variant(text, words) if words else (0,) * 8]


@settings(max_examples=50, deadline=None)
@given(st.lists(nasty_texts(), min_size=1, max_size=5), st.data())
def test_a_slice_of_an_array_is_measured_like_its_texts_alone(texts, data):
    first = data.draw(st.integers(0, len(texts)))
    part = pa.array(texts, pa.large_string())[first:]
    values = gopher_quality(part, np.arange(len(part) + 1))
    assert list(zip(*(value.tolist() for value in values.values()), strict=True)) == measured(texts[first:])


def test_every_character_is_classed_as_datatrove_classes_it():
    codes = [*range(0xD800), *range(0xE000, 0x33000), *range(0xE0000, 0xE0200), 0x10FFFF]
    found = measured([chr(code) for code in codes])
    for code, values in zip(codes, found, strict=True):
        assert values == (datatrove(chr(code), [chr(code)]) if chr(code).split() else (0,) * 8), hex(code)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("I am too small...", "words", 4),
        ("I am " * 20, "mean_word_length", 1.5),
        ("interconnection " * 20, "mean_word_length", 15),
        ("# comment " * 20, "hash_ratio", 0.5),
        ("... comment " * 20, "ellipsis_ratio", 0.5),
        ("• comment\n" * 20, "bullet_lines", 1),
        ("comment ...\n" * 20, "ellipsis_lines", 1),
        ("77 " * 20, "alpha_words", 0),
        ("the ./!*?<><> apple <?////> orange  !!!\n" * 20, "stop_words", 1),
    ],
)
def test_the_texts_that_datatrove_tests_its_filter_with(text, name, value):
    assert one(text)[name] == value


def test_stop_words_may_be_of_any_language_and_length():
    long = "Donaudampfschifffahrtsgesellschaftskapitänswitwenversicherungspolice"
    assert one(f"und über ueber {long}", english=["über", "und", long])["stop_words"] == 3


def test_ideographs_are_words_in_unicode():
    assert one("数据，the 清洗。", split="unicode")["words"] == 5
    assert one("don't...", split="unicode") == {
        **dict.fromkeys(NAMES, 0),
        "words": 2,
        "mean_word_length": 2,
        "ellipsis_ratio": 0.5,
        "ellipsis_lines": 1,
        "alpha_words": 1,
    }


@pytest.mark.parametrize("variant", ["datatrove", "nemo", "dolma"])
def test_a_document_without_words_is_0_in_every_measure(variant):
    assert measured(["", " \n\u2028\n"], variant=variant) == [(0,) * 8] * 2
    assert measured([], variant=variant) == []
    assert measured(["..."], split="unicode", variant=variant) == [(0,) * 8]


def test_the_messages_of_a_chat_are_measured_as_one_text():
    texts = ["skipped", "- the", "", "- and ...", "to"]
    joined = "- the\n\n\n\n- and ..."
    assert measured(texts, [1, 4, 4, 5]) == [datatrove(joined, joined.split()), (0,) * 8, datatrove("to", ["to"])]


@pytest.mark.parametrize("variant", ["datatrove", "nemo", "dolma"])
def test_a_long_line_and_bytes_that_are_no_text_are_measured(variant):
    buffers = [None, pa.py_buffer(np.array([0, 5, 11])), pa.py_buffer(b"\xff\xf0\x9f \xc3a b\n\xe2\x80")]
    broken = pa.Array.from_buffers(pa.large_string(), 2, buffers)
    assert all(np.isfinite(value).all() for value in gopher_quality(broken, np.arange(3), variant=variant).values())
    assert one("x" * 10_000_000, variant=variant)["mean_word_length"] == 10_000_000
