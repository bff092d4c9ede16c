"""Near duplicates: shingles held against Python sets, sketches against the theory."""

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from filters.minhash import near_duplicates, shingles
from filters.minhash.banding import MOST_HASHES, RECALL_AT_THRESHOLD, bands_and_rows, recall
from filters.minhash.sets import unique

WORDS = st.lists(st.sampled_from(["the", "mill", "river", "runs", "a"]), min_size=1, max_size=20)
SHORT = ["ok thanks", "yes", "no problem at all", "Sure!", "Hello there friend"]


def texts_of(*texts):
    return pa.array(texts, pa.large_string()), np.arange(len(texts) + 1)


def sets(*texts, **settings):
    hashes, offsets = shingles(*texts_of(*texts), **settings)
    return [set(own.tolist()) for own in np.split(hashes, offsets[1:-1])]


def jaccard(one, other):
    return len(one & other) / len(one | other)


def grams(words, length=5):
    return {tuple(words[at : at + length]) for at in range(max(1, len(words) - length + 1))}


@given(WORDS, WORDS)
@example(["a"] * 5, ["a"] * 9)
@example(["a"] * 4, ["a"] * 5)
def test_the_similarity_of_shingles_is_that_of_python_sets_of_words(one, other):
    assert jaccard(*sets(" ".join(one), " ".join(other))) == jaccard(grams(one), grams(other))


@given(WORDS, st.integers(1, 8))
def test_there_are_as_many_shingles_as_runs_of_so_many_words(words, length):
    assert len(sets(" ".join(words), words=length)[0]) == len(grams(words, length))


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_each_set_is_sorted_and_holds_each_hash_once(texts):
    hashes, offsets = shingles(*texts_of(*texts))
    for first, last in pairwise(offsets):
        assert last > first
        assert (hashes[first : last - 1] < hashes[first + 1 : last]).all()


HASHES = st.lists(st.integers(0, 9) | st.integers(2**63, 2**63 + 9) | st.integers(0, 2**64 - 2), max_size=40)


@given(st.lists(HASHES, max_size=4))
@example([[], [5, 5, 5], [2**64 - 2] * 3 + [2**64 - 3], [0]])
def test_hashes_are_sorted_and_kept_once_as_by_numpy(sets_):
    offsets = np.cumsum([0, *map(len, sets_)])
    hashes, bounds = unique(np.array([hash_ for own in sets_ for hash_ in own], dtype=np.uint64), offsets)
    assert [own.tolist() for own in np.split(hashes, bounds[1:-1])][: len(sets_)] == [sorted(set(own)) for own in sets_]


def test_case_and_punctuation_make_no_difference():
    one, other = sets("The mill stands, by the river.", "the MILL — stands by “the” river")
    assert one == other


def test_different_short_answers_have_nothing_in_common():
    own = sets(*SHORT)
    assert len(set.union(*own)) == len(SHORT)


@pytest.mark.parametrize(("one", "other"), [("...", "!!!"), ("🎉", "🎊"), ("", " "), ("\0", "")])
def test_texts_without_words_are_told_apart_by_their_bytes(one, other):
    assert jaccard(*sets(one, other)) == 0


def test_shingles_run_on_over_the_messages_of_a_chat():
    texts = pa.array(["who runs the", "mill by the river"], pa.large_string())
    hashes, _ = shingles(texts, np.array([0, 2]))
    assert set(hashes.tolist()) == sets("who runs the mill by the river")[0]


def test_ideographs_are_words_where_they_are_to_be_split():
    one, other = "数据清洗是训练之前最重要的一步工作", "数据清洗是训练之前最重要的一步事情"
    assert jaccard(*sets(one, other)) == 0
    assert jaccard(*sets(one, other, split_ideographs=True)) == 11 / 15


def test_equal_sets_have_equal_keys_whatever_stands_beside_them():
    alone = near_duplicates(*texts_of("the mill by the river runs"))
    among = near_duplicates(*texts_of("no", "The mill, by the river, runs!", "yes"))
    assert (alone[0] == among[1]).all()


def test_bands_and_rows_set_in_a_recipe_are_used_where_both_are():
    assert near_duplicates(*texts_of("a"), bands=3, rows=2).shape == (1, 3)
    assert near_duplicates(*texts_of("a"), bands=3, threshold=0.8).shape == (1, bands_and_rows(0.8)[0])


@pytest.mark.parametrize("threshold", [0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.99, 1.0])
def test_pairs_at_the_threshold_are_found_as_promised_within_the_most_hashes(threshold):
    bands, rows = bands_and_rows(threshold)
    assert bands * rows <= MOST_HASHES
    assert recall(threshold, bands, rows) >= RECALL_AT_THRESHOLD


@pytest.mark.parametrize(("shared", "own"), [(60, 20), (120, 20), (8, 2)])
def test_pairs_share_a_band_as_often_as_the_theory_says(shared, own):
    """Over 400 pairs of one similarity the frequency lies within 4 standard deviations of 1 - (1 - J^r)^b."""
    pairs, bands, rows = 400, 4, 4
    texts = []
    for pair in range(pairs):
        common = [f"c{pair}x{word}" for word in range(shared)]
        texts += [" ".join([*common, *(f"{side}{pair}x{word}" for word in range(own))]) for side in "ab"]
    keys = near_duplicates(*texts_of(*texts), words=1, bands=bands, rows=rows)
    found = (keys[::2] == keys[1::2]).any(axis=1).mean()
    expected = recall(shared / (shared + 2 * own), bands, rows)
    assert abs(found - expected) < 4 * (expected * (1 - expected) / pairs) ** 0.5
