"""Picking: rows of tables and arrays, without a copy of a huge document."""

import numpy as np
import pyarrow as pa

from pipeline.cleaning.picking import chosen, taken

TEXTS = pa.array(["a", "b"], pa.large_string())


def test_all_rows_in_order_are_what_was_given():
    assert taken(TEXTS, np.array([0, 1])) is TEXTS


def test_rows_in_another_order_are_taken():
    assert taken(TEXTS, np.array([1, 0])).to_pylist() == ["b", "a"]


def test_documents_that_all_stay_are_not_copied():
    documents = pa.table({"text": TEXTS})
    assert chosen(documents, np.array([True, True])) is documents
    assert chosen(documents, np.array([False, True]))["text"].to_pylist() == ["b"]
