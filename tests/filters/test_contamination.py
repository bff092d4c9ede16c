"""Contamination: runs of words of references, held against plain Python over words split by the same tables."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters import kernels
from filters.contamination import _words, contamination
from filters.kinds import Reference, filters

PIECES = ["a", "b", "c", "A", "é", "É", "数", "据", "です", "x1", "a\u0301", "\u0301", "🎉", "\0", "İ", "كلمة", "longer-word"]
BETWEEN = [" ", "  ", ", ", "\n", "", "’", "\u2003"]
TEXT = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(BETWEEN)).map("".join), max_size=14).map("".join)
RIDDLE = "What has keys but can't open any locks, and space but no room at all?"


def reference(*texts, name="own"):
    return Reference(name, texts, tuple(f"{name}:{number}" for number in range(1, len(texts) + 1)))


def found_in(*texts, against=(RIDDLE,), **settings):
    """Return `(text's number, the bytes matched as text, the label)` of each span."""
    found = contamination(pa.array(texts, pa.large_string()), against=(reference(*against),), **settings)
    spans = zip(found.text.tolist(), found.start.tolist(), found.end.tolist(), found.label.tolist(), strict=True)
    return [(row, texts[row].encode()[start:end].decode(), found.labels[label]) for row, start, end, label in spans]


def words_of(text):
    """Return `(folded word, first byte, byte after the last)` of each word."""
    words, inside, at = [], False, 0
    for letter in text:
        kind, end = kernels.classes()[ord(letter)], at + len(letter.encode())
        folded = chr(kernels.folds()[ord(letter)])
        if kind == kernels.IDEOGRAPH or (kind == kernels.WORD and not inside):
            words.append((folded, at, end))
        elif kind == kernels.WORD:
            words[-1] = (words[-1][0] + folded, words[-1][1], end)
        inside, at = kind == kernels.WORD, end
    return words


def by_python(text, references, length):
    runs = {}
    for row, other in enumerate(references):
        words = [word for word, _, _ in words_of(other)]
        own = min(length, len(words))
        if own >= min(length, 8):
            for first in range(len(words) - own + 1):
                runs.setdefault(tuple(words[first : first + own]), row)
    words, places = words_of(text), []
    for first in range(len(words)):
        for size in range(len(words) - first, 0, -1):
            row = runs.get(tuple(word for word, _, _ in words[first : first + size]))
            if row is not None:
                if places and first < places[-1][1]:
                    places[-1][1] = max(places[-1][1], first + size)
                else:
                    places.append([first, first + size, row])
                break
    return [(words[first][1], words[last - 1][2], row) for first, last, row in places]


@given(st.lists(TEXT, min_size=1, max_size=4), st.lists(TEXT, min_size=1, max_size=4), st.integers(1, 10))
@example(["a b c a b c a"], ["a b c", "b c a"], 3)
@example(["数据です数据"], ["据です"], 2)
@example(["a b c x1 a b c"], ["a b c"], 3)
@example(["a b c a b c"], ["a b c"], 3)
def test_the_spans_are_those_of_plain_python(texts, references, length):
    found = contamination(pa.array(texts, pa.large_string()), against=(reference(*references),), words=length)
    spans = list(zip(*(column.tolist() for column in found[:4]), strict=True))
    assert spans == [(row, *span) for row, text in enumerate(texts) for span in by_python(text, references, length)]


@given(st.lists(TEXT, min_size=1, max_size=5), st.data())
def test_a_slice_is_answered_as_its_own_texts(texts, data):
    first = data.draw(st.integers(0, len(texts)))
    settings = {"against": (reference("a b c", "数据です"),), "words": 2}
    sliced = contamination(pa.array(texts, pa.large_string()).slice(first), **settings)
    own = contamination(pa.array(texts[first:], pa.large_string()), **settings)
    assert [column.tolist() for column in sliced[:4]] == [column.tolist() for column in own[:4]]


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_broken_utf_8_hides_nothing_that_stands_apart_from_it(before, after):
    data = before + b"\n\n\n\n" + RIDDLE.encode() + b"\n" + after  # a broken character may swallow three bytes
    texts = kernels.strings(*kernels.buffers(pa.array([data], pa.large_binary())))
    found = contamination(texts, against=(reference(RIDDLE),))
    assert [data[start:end] for start, end in zip(found.start, found.end, strict=True)] == [RIDDLE.rstrip("?").encode()]


@given(
    st.lists(st.sampled_from([b"ab", b" ", b"\xc3", b"\xe6", b"\x95", b"\xb0", b"\xf0", b"x" * 60, "数é".encode()]), max_size=9)
)
def test_words_are_counted_as_they_are_hashed_also_in_broken_utf_8(pieces):
    data, offsets = kernels.buffers(pa.array([b"".join(pieces)], pa.large_binary()))
    hashes, _ = kernels.hash_words(data, offsets, kernels.classes(), kernels.folds(), True)
    assert len(_words(data, 0, len(data), len(data), kernels.classes())) == len(hashes)


def test_a_leaked_question_is_found_whatever_its_case_and_punctuation():
    leaked = "WHAT has keys\nbut can’t open any locks - and space, but no room at all"
    assert found_in(f"Q: {leaked}! A keyboard.") == [(0, leaked, "own:1")]


def test_thirteen_words_of_a_longer_reference_are_enough_and_twelve_are_not():
    words = RIDDLE.replace("?", "").split()
    assert [matched for _, matched, _ in found_in(" ".join(words[1:13]))] == [" ".join(words[1:13])]  # can't: two words
    assert found_in(" ".join(words[1:12])) == []


def test_a_reference_shorter_than_a_run_is_looked_for_whole():
    against = ("The capital of France is Paris, not Lyon.", "Yes, that is what it is.")
    assert found_in(
        "so the capital of France is Paris not Lyon", "capital of France is Paris not Lyon", against[1], against=against
    ) == [(0, "the capital of France is Paris not Lyon", "own:1")]


def test_of_equal_runs_the_first_reference_is_named():
    assert [
        label for _, _, label in found_in("one two three", against=("x y z", "one two three", "one two three"), words=3)
    ] == ["own:2"]


def test_references_of_several_files_are_told_apart():
    against = (reference("one two three", name="a.txt"), reference("four five six", name="b.txt"))
    found = contamination(pa.array(["four five six"], pa.large_string()), against=against, words=3)
    assert [found.labels[label] for label in found.label] == ["b.txt:1"]


def test_chinese_is_matched_by_characters():
    assert found_in("他说：床前明月光，疑是地上霜。", against=("床前明月光，疑是地上霜，举头望明月",), words=10) == [
        (0, "床前明月光，疑是地上霜", "own:1")
    ]


def test_overlapping_runs_are_one_place_and_neighbours_two():
    assert [matched for _, matched, _ in found_in("a b c d", against=("a b c", "b c d"), words=3)] == ["a b c d"]
    assert [matched for _, matched, _ in found_in("a b c d e f", against=("a b c", "d e f"), words=3)] == ["a b c", "d e f"]


def test_runs_do_not_reach_over_the_end_of_a_text():
    assert found_in("a b", "c", against=("a b c",), words=3) == []


def test_many_references_are_all_found():
    against = [f"this is item {number} of {number * 7} and {number % 13} more" for number in range(3000)]
    assert [label for _, _, label in found_in(*against, against=against)] == [f"own:{number}" for number in range(1, 3001)]


@pytest.mark.parametrize("text", ["", "\0", "word", "🎉 🎉", "ا" * 50])
def test_a_text_without_a_run_has_no_span(text):
    assert found_in(text) == []


def test_a_ten_megabyte_line_is_looked_at():
    assert found_in("word " * 2_000_000 + RIDDLE)[0][1] == RIDDLE.rstrip("?")


def test_no_texts_have_no_spans():
    assert found_in() == []


def test_references_in_which_nothing_is_long_enough_are_told():
    problem = filters()["contamination"].problem
    assert problem({"against": (reference("Yes, it is.", ""),), "words": 13}) == (
        "no text of own has 8 words or more: nothing would be found"
    )
    assert problem({"against": (reference("Yes, it is."),), "words": 3}) is None
    assert contamination(pa.array(["Yes, it is."], pa.large_string()), against=(reference("Yes"),)).text.dtype == np.int64


def test_a_reference_that_was_not_read_is_refused():
    with pytest.raises(TypeError, match=r"pipeline\.references\.load"):
        contamination(pa.array(["a"], pa.large_string()), against=("gsm8k.jsonl",))
