"""Words: counted in documents."""

import numpy as np
import pyarrow as pa
import pytest

from filters.word_count import word_count


def count(*documents):
    texts = [text for document in documents for text in document]
    offsets = np.cumsum([0, *(len(document) for document in documents)])
    return word_count(pa.array(texts, pa.large_string()), offsets).tolist()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        (" \n\t\xa0", 0),
        ("...!? 🎉 — \0", 0),
        ("❤️ ☺️ 👍🏽 ⌚︎", 0),
        ("1️⃣", 1),
        ("one", 1),
        ("don't", 2),
        ("un-\nsplit\u200bable 3.14", 5),
        ("cafe\u0301 Ångström हिन्दी", 3),
        ("שלום עולם", 2),
        ("数据清洗 v2", 5),
    ],
)
def test_words_are_runs_of_letters_digits_and_marks_and_single_ideographs(text, words):
    assert count([text]) == [words]


def test_the_words_of_all_messages_count():
    assert count(["Who runs?", "The river."], [], ["Yes"]) == [4, 0, 1]
