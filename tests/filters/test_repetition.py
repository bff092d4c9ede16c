"""Measures of repetition."""

import itertools
import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters.repetition import NAMES, gopher_repetition

PIECES = ["foo", "bar", "a", "…", "...", "• ", "- ", "7", "数据", "e\u0301", "🎉", "\0"]
BLANKS = [" ", "  ", "\n", "\n\n", "\n\n\n", "\r\n", "\xa0", "\x0b", "\x85", "\u2028", "\t", ""]
FATHER = "I am your father.\n" * 4
FRANK = "I am Frank, I am Frank, I am Frank"
LOREM = "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut labore."


def nasty_texts():
    words = st.sampled_from(PIECES)
    return st.lists(st.tuples(words, st.sampled_from(BLANKS)), max_size=40).map(lambda pairs: "".join(map("".join, pairs)))


def measured(*texts, **settings_):
    values = gopher_repetition(pa.array(texts, pa.large_string()), np.arange(len(texts) + 1), **settings_)
    assert list(values) == list(NAMES)
    return {name: value.tolist() for name, value in values.items()}


def one(text, **settings_):
    return {name: values[0] for name, values in measured(text, **settings_).items()}


def repeats(elements):
    """Count the elements that stood there before, and their characters."""
    again = [element for place, element in enumerate(elements) if element in elements[:place]]
    return len(again), len("".join(again))


def expected(text):
    """Compute the measures as their definition has it, slowly."""
    size, words = max(len(text), 1), text.split()
    lines, paragraphs = re.split(r"\n+", text), re.split(r"\n{2,}", text.strip())
    values = [0.0] * len(NAMES)
    for at, segments in enumerate((lines, paragraphs)):
        count, characters = repeats(segments)
        values[at], values[at + 2] = count / len(segments), characters / size
    for n in range(2, 5):
        if len(words) >= n:
            counts = Counter(tuple(words[at : at + n]) for at in range(len(words) - n + 1))
            top = max(counts, key=lambda gram: counts[gram])
            values[n + 2] = len(" ".join(top)) * counts[top] / size
    for n in range(5, 11):
        seen, at, total = set(), 0, 0
        while at + n <= len(words):
            gram = tuple(words[at : at + n])
            total += len("".join(gram)) if gram in seen else 0
            at += n if gram in seen else 1
            seen.add(gram)
        values[n + 2] = total / size
    return dict(zip(NAMES, values, strict=True))


@settings(max_examples=150, deadline=None)
@given(nasty_texts())
@example("  foo\n\nfoo")
@example("\n\n")
@example("foo bar " * 30)
@example("12345678\nx\n12345678")
def test_every_measure_is_what_its_definition_says(text):
    assert one(text) == expected(text)


@settings(max_examples=50, deadline=None)
@given(st.lists(nasty_texts(), min_size=1, max_size=5), st.data())
def test_a_slice_of_an_array_is_measured_like_its_texts_alone(texts, data):
    first = data.draw(st.integers(0, len(texts)))
    part = pa.array(texts, pa.large_string())[first:]
    values = gopher_repetition(part, np.arange(len(part) + 1))
    assert {name: value.tolist() for name, value in values.items()} == measured(*texts[first:])


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("duplicate_line_fraction", FATHER, 3 / 5),
        ("duplicate_paragraph_fraction", "I am your father.\n\n" * 4, 3 / 4),
        (
            "duplicate_paragraph_character_fraction",
            "I am groot.\n\nYou are a wizard.\n\nI am your father.\n\n" + ("x" * 30 + ".\n\n") * 2,
            31 / 117,
        ),
        (
            "duplicate_line_character_fraction",
            "I am groot.\nYou are a wizard.\nI am your father.\n" + ("x" * 40 + ".\n") * 2,
            41 / 132,
        ),
        ("top_2_gram", FRANK, 12 / 34),
        ("top_3_gram", "I am Frank, you are Jhon. I am Frank. I am Frank you are Jhon", 11 / 61),
        ("duplicate_5_grams", "I am a solo traveller " * 4 + LOREM, 3 * 17 / 188),
    ],
)
def test_the_texts_that_datatrove_tests_its_filter_with(name, text, value):
    assert one(text)[name] == pytest.approx(expected(text)[name], abs=1e-15)
    assert one(text)[name] == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "variant", "figures"),
    [
        (FATHER, "datatrove", (0.600, 0.708, 0.222, 0.431)),
        (FATHER, "nemo", (0.750, 0.750, 0.667, 0.736)),
        (FATHER, "dolma", (0.800, 1.214, 0.214, 1.0)),
        (FRANK, "datatrove", (0, 0, 0.353, 0.353)),
        (FRANK, "nemo", (0, 0, 0.353, 0.471)),
        (FRANK, "dolma", (0, 0, 0.346, 0.329)),
    ],
)
def test_no_two_tools_agree_and_each_variant_is_true_to_its_own(text, variant, figures):
    found = one(text, variant=variant)
    names = ("duplicate_line_fraction", "duplicate_line_character_fraction", "top_2_gram", "duplicate_5_grams")
    assert tuple(round(found[name], 3) for name in names) == figures


def nemo(text):
    """Compute NeMo's shares, slowly; of equals that repeat the longest is top, as its own choice is up to a hash seed."""
    size, words, values = len(text), text.split(), [0.0] * len(NAMES)
    for at, segments in enumerate(([line for line in text.split("\n") if line.strip()], text.split("\n\n"))):
        count, characters = repeats(segments)
        values[at], values[at + 2] = count / max(len(segments), 1), characters / max(len("".join(segments)), 1)
    for n in range(2, 11):
        grams = [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]
        if not grams:
            values[n + 2] = 1.0
        elif n < 5:
            counts = Counter(grams)
            top = max(counts, key=lambda gram: (counts[gram], counts[gram] > 1 and len("".join(gram))))
            values[n + 2] = text.count(" ".join(top)) * len(" ".join(top)) / size
        else:
            covered = {at + word for at, gram in enumerate(grams) if gram in grams[:at] for word in range(n)}
            again = [at for at, gram in enumerate(grams) if gram in grams[:at]]
            blanks = sum(min(at - before, n - 1) for before, at in itertools.pairwise([-n, *again]))
            values[n + 2] = (sum(len(words[at]) for at in covered) + blanks) / size
    return dict(zip(NAMES, values, strict=True))


@settings(max_examples=100, deadline=None)
@given(nasty_texts())
def test_the_nemo_variant_is_what_its_definition_says(text):
    assert one(text, variant="nemo") == pytest.approx(nemo(text), abs=1e-12)


def dolma(text):
    """Compute dolma's shares, slowly."""
    words, lines, values = text.split(), text.split("\n"), [0.0] * len(NAMES)
    size = max(len("".join(words)), 1)
    copies = [line for line in lines if lines.count(line) > 1]
    values[0], values[2] = len(copies) / len(lines), len("".join(copies)) / size
    for n in range(2, 11):
        grams = ["\0 ".join(words[at : at + n]) for at in range(len(words) - n + 1)]
        lengths = [len("".join(words[at : at + n])) for at in range(len(grams))]
        if grams and n < 5:
            top = max(dict.fromkeys(grams), key=grams.count)
            values[n + 2] = grams.count(top) * lengths[grams.index(top)] / size
        elif grams:
            values[n + 2] = sum(length for gram, length in zip(grams, lengths, strict=True) if grams.count(gram) > 1) / sum(
                lengths
            )
    return dict(zip(NAMES, values, strict=True))


@settings(max_examples=100, deadline=None)
@given(nasty_texts())
def test_the_dolma_variant_is_what_its_definition_says(text):
    assert one(text, variant="dolma") == pytest.approx(dolma(text), abs=1e-12)


def test_nemo_shrinks_the_text_by_literal_copies():
    assert one("a b\na b a  b a b", variant="nemo")["top_2_gram"] == 9 / 16
    assert one("", variant="nemo")["duplicate_10_grams"] == 1


def test_dolma_has_no_paragraphs_and_counts_first_copies():
    found = one("ab cd\n\nab cd\n\nef", variant="dolma")
    assert found["duplicate_paragraph_fraction"] == 0
    assert found["duplicate_line_fraction"] == 4 / 5
    assert found["duplicate_line_character_fraction"] == 10 / 10


def test_an_empty_document_and_a_word_repeat_nothing():
    assert set(itertools.chain(*measured("", "word", variant="dolma").values())) == {0}
    assert measured("", "foo")["duplicate_line_fraction"] == [0, 0]


def test_ideographs_are_words_in_unicode():
    assert one("数据清洗数据清洗", split="unicode")["top_2_gram"] == 2 * 3 / 8
    assert one("数据清洗数据清洗")["top_2_gram"] == 0


def test_the_messages_of_a_chat_are_measured_as_one_text():
    texts = pa.array(["skipped", "Hi you\nHi you", "Bye", "", "Hi you"], pa.large_string())
    values = gopher_repetition(texts, np.array([1, 4, 4, 5]))
    for at, joined in enumerate(["Hi you\nHi you\n\nBye\n\n", "", "Hi you"]):
        assert {name: value[at] for name, value in values.items()} == expected(joined)


def test_a_word_a_million_times_over_takes_no_longer_than_its_length():
    found = one("foo " * 1_000_000)
    assert found["top_2_gram"] == 7 * 999_999 / 4_000_000
    assert found["duplicate_10_grams"] == 30 * 99_999 / 4_000_000


def test_a_long_line_and_bytes_that_are_no_text_are_measured():
    broken = pa.Array.from_buffers(
        pa.large_string(), 2, [None, pa.py_buffer(np.array([0, 5, 9])), pa.py_buffer(b"\xff\xf0\x9f \xc3a b\xe2")]
    )
    assert all(np.isfinite(value).all() for value in gopher_repetition(broken, np.arange(3)).values())
    assert one("x" * 10_000_000)["duplicate_line_fraction"] == 0
