"""Sentences: how many a document has."""

import numpy as np
import pyarrow as pa

from filters.sentences import sentence_count


def strings(*texts):
    return pa.array(texts, pa.large_string())


def test_white_space_alone_and_an_empty_text_count_no_sentence():
    assert sentence_count(strings(" \n ", "", "a"), np.arange(4)).tolist() == [0, 0, 1]


def test_the_sentences_of_a_document_are_those_of_its_texts():
    assert sentence_count(strings("One. Two.", "Three", "Four!"), np.array([0, 2, 2, 3])).tolist() == [3, 0, 1]
