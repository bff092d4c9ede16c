"""Rows packed of all documents at once, the orders of rows, and rows gathered from what tasks spilled."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.tokens.orders import concatenate, draws, length_grouped, permutation
from pipeline.tokens.packed_rows import NARROW, SpillWriter, exchange, gather, place
from pipeline.tokens.packing import fewest_rows, pack, shuffled
from pipeline.tokens.rows import IGNORED, Rows, Tokens, offsets_of

CAPACITY = 12
LENGTHS = st.lists(st.integers(1, CAPACITY), max_size=60)
SEEDS = st.integers(0, 2**64 - 1)


def contents(rows, lengths):
    """Return the lengths that each row holds, sorted."""
    held = {}
    for row, length in zip(rows.tolist(), lengths, strict=True):
        held.setdefault(row, []).append(length)
    return sorted(sorted(row) for row in held.values())


def plainly(lengths, capacity):
    """Return best-fit-decreasing as its definition reads: look at every row; least space first, then longest waiting."""
    rows, left, waiting = [0] * len(lengths), [], []
    for turn, document in enumerate(sorted(range(len(lengths)), key=lambda number: -lengths[number])):
        fitting = [row for row in range(len(left)) if left[row] >= lengths[document]]
        if not fitting:
            fitting, left, waiting = [len(left)], [*left, capacity], [*waiting, 0]
        row = min(fitting, key=lambda row: (left[row], waiting[row]))
        rows[document], waiting[row] = row, turn
        left[row] -= lengths[document]
    return rows


def optimum(lengths, capacity):
    """Return the fewest rows, by trying every way."""

    def fewest(at, left):
        if at == len(lengths):
            return len(left)
        ways = [fewest(at + 1, [*left, capacity - lengths[at]])]
        for row, space in enumerate(left):
            if space >= lengths[at] and space not in left[:row]:
                ways.append(fewest(at + 1, [*left[:row], space - lengths[at], *left[row + 1 :]]))
        return min(ways)

    return fewest(0, [])


@given(lengths=LENGTHS)
def test_no_row_is_above_the_capacity_and_every_document_is_in_a_row(lengths):
    rows = pack(lengths, CAPACITY)
    filled = np.bincount(rows, weights=lengths) if lengths else np.zeros(0)
    assert len(rows) == len(lengths)
    assert ((filled > 0) & (filled <= CAPACITY)).all()
    assert filled.sum() == sum(lengths)


@given(lengths=LENGTHS)
def test_each_document_goes_where_the_definition_of_best_fit_puts_it(lengths):
    assert pack(lengths, CAPACITY).tolist() == plainly(lengths, CAPACITY)


@given(capacity=st.sampled_from([63, 64, 65, 127, 128, 1000]), data=st.data())
def test_capacities_around_the_edge_of_a_word_of_bits_are_packed_the_same_way(capacity, data):
    lengths = data.draw(st.lists(st.integers(1, capacity), max_size=40))
    assert pack(lengths, capacity).tolist() == plainly(lengths, capacity)


@given(lengths=LENGTHS, seed=SEEDS)
def test_the_order_of_documents_does_not_change_which_lengths_share_rows(lengths, seed):
    other = [lengths[at] for at in permutation(len(lengths), seed)]
    assert contents(pack(lengths, CAPACITY), lengths) == contents(pack(other, CAPACITY), other)


@given(lengths=LENGTHS)
def test_no_two_rows_could_be_one(lengths):
    filled = sorted(sum(row) for row in contents(pack(lengths, CAPACITY), lengths))
    assert len(filled) < 2 or filled[0] + filled[1] > CAPACITY


@given(lengths=st.lists(st.integers(1, CAPACITY), min_size=1, max_size=8))
def test_rows_are_never_above_11_ninths_of_the_optimum_and_one(lengths):
    rows = int(pack(lengths, CAPACITY).max()) + 1
    best = optimum(lengths, CAPACITY)
    assert fewest_rows(lengths, CAPACITY) <= best <= rows <= 11 / 9 * best + 1


def test_a_document_longer_than_a_row_is_refused():
    with pytest.raises(ValueError, match=r"document 1 has 13 tokens, and a row holds 1 to 12\. Cut it into windows first\."):
        pack([3, 13], CAPACITY)


def test_a_length_that_four_bytes_do_not_hold_is_refused():
    with pytest.raises(ValueError, match="document 0 has 4294967301 tokens"):
        pack([2**32 + 5], CAPACITY)


def test_a_document_without_a_token_is_refused():
    with pytest.raises(ValueError, match="document 0 has 0 tokens"):
        pack([0, 3], CAPACITY)


@given(lengths=LENGTHS, seed=SEEDS)
def test_shuffling_rows_changes_their_numbers_alone(lengths, seed):
    rows = pack(lengths, CAPACITY)
    mixed = shuffled(rows, seed)
    assert len(set(zip(rows.tolist(), mixed.tolist(), strict=True))) == len(set(rows.tolist())) == len(set(mixed.tolist()))
    assert set(mixed.tolist()) == set(range(len(set(mixed.tolist()))))


def test_draws_are_those_that_are_published_for_splitmix64():
    assert draws(3, 1234567).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


@given(count=st.integers(0, 50), seed=SEEDS)
def test_a_permutation_has_every_number_once(count, seed):
    assert sorted(permutation(count, seed).tolist()) == list(range(count))


@given(count=st.integers(0, 50), more=st.integers(0, 50), seed=SEEDS)
def test_more_numbers_leave_the_old_ones_in_their_order(count, more, seed):
    assert [n for n in permutation(count + more, seed).tolist() if n < count] == permutation(count, seed).tolist()


@given(lengths=LENGTHS, batch=st.integers(1, 5), seed=SEEDS)
def test_grouping_by_length_keeps_every_document_and_begins_with_the_longest(lengths, batch, seed):
    order = length_grouped(lengths, batch, seed).tolist()
    assert sorted(order) == list(range(len(lengths)))
    assert not lengths or lengths[order[0]] == max(lengths)


def test_grouping_by_length_leaves_little_padding():
    lengths = 1 + permutation(4000, 0) % 1000
    padded = {
        name: 8 * lengths[order].reshape(-1, 8).max(axis=1).sum()
        for name, order in (("grouped", length_grouped(lengths, 8, 0)), ("as they come", np.arange(4000)))
    }
    assert padded["grouped"] < 1.02 * lengths.sum() < 1.5 * lengths.sum() < padded["as they come"]


@given(lengths=st.lists(st.integers(0, 9), max_size=30), capacity=st.integers(1, 12))
def test_joined_documents_fill_every_row_but_the_last_and_lose_no_token(lengths, capacity):
    pieces = concatenate(lengths, capacity)
    tokens = [(row, document, at) for row, document, start, stop in zip(*pieces, strict=True) for at in range(start, stop)]
    documents = np.repeat(np.arange(len(lengths)), lengths).tolist()
    assert tokens == [(at // capacity, document, at) for at, document in enumerate(documents)]


def spilled(folder, documents, rows, cuts):
    """Write documents, lists of (id, supervised), into spills that begin at the cuts; return their folders."""
    bounds = [0, *cuts, len(documents)]
    spills = [folder / f"{number}" for number in range(len(bounds) - 1)]
    narrow = all(id_ < NARROW for document in documents for id_, _ in document)
    for spill, first, stop in zip(spills, bounds[:-1], bounds[1:], strict=True):
        with SpillWriter(spill, narrow=narrow) as writer:
            for document in documents[first:stop]:
                ids, supervised = (np.array(column) for column in zip(*document, strict=True))
                tokens = Tokens(ids.astype(np.int32), supervised.astype(bool), offsets_of(np.array([len(ids)])))
                writer.write(tokens, Rows(np.array([0]), np.array([0]), tokens.offsets[:-1], tokens.offsets[1:]))
        place(spill, rows[first:stop], np.load(spill / "lengths.npy"))
    return spills


def laid(documents, rows):
    """Return the rows that documents make, token by token."""
    table = [{"input_ids": [], "labels": [], "position_ids": []} for _ in range(int(rows.max()) + 1 if len(rows) else 0)]
    for document, row in zip(documents, rows.tolist(), strict=True):
        for position, (id_, supervised) in enumerate(document):
            table[row]["input_ids"].append(id_)
            table[row]["labels"].append(id_ if supervised and position else IGNORED)
            table[row]["position_ids"].append(position)
    return table


def documents_of(largest):
    """Draw documents, lists of (id, supervised), with ids up to the largest of a vocabulary."""
    token = st.tuples(st.sampled_from([0, 1, 2, largest]), st.booleans())
    return st.lists(st.lists(token, min_size=1, max_size=CAPACITY), max_size=12)


DOCUMENTS = st.sampled_from([NARROW - 1, NARROW, 2**31 - 1]).flatmap(documents_of)


@settings(max_examples=25)  # each of them waits for the disk several times
@given(documents=DOCUMENTS, seed=SEEDS, data=st.data())
def test_rows_are_gathered_the_same_however_documents_and_rows_are_cut_into_tasks(tmp_path_factory, documents, seed, data):
    folder = tmp_path_factory.mktemp("spills")
    rows = shuffled(pack([len(document) for document in documents], CAPACITY), seed)
    spills = spilled(folder, documents, rows, sorted(data.draw(st.lists(st.integers(0, len(documents)), max_size=3))))
    for spill in spills:
        exchange(spill, folder / "sorted" / spill.name, chunk=data.draw(st.integers(1, 40)))
    expected = laid(documents, rows)
    middle = data.draw(st.integers(0, len(expected)))
    for way in (spills, [folder / "sorted" / spill.name for spill in spills]):
        found = [gather(way, first, stop) for first, stop in ((0, middle), (middle, len(expected)))]
        assert [row for table in found for row in table.to_pylist()] == expected


def test_documents_of_a_row_restart_their_positions_and_lose_their_first_label(tmp_path):
    documents = [[(7, True), (8, True)], [(9, False), (5, True), (6, False)]]
    (spill,) = spilled(tmp_path, documents, pack([2, 3], 5), [])
    assert gather([spill], 0, 1).to_pylist() == [
        {"input_ids": [7, 8, 9, 5, 6], "labels": [-100, 8, -100, 5, -100], "position_ids": [0, 1, 0, 1, 2]}
    ]


def test_joined_documents_are_gathered_cut_at_the_capacity(tmp_path):
    documents = [[(7, True), (8, True)], [(9, True), (5, True), (6, True)]]
    pieces = concatenate([2, 3], 4)
    (spill,) = spilled(tmp_path, documents, np.zeros(2, int), [])
    place(spill, pieces.row, pieces.stop - pieces.start)
    assert gather([spill], 0, 2).to_pylist() == [
        {"input_ids": [7, 8, 9, 5], "labels": [-100, 8, -100, 5], "position_ids": [0, 1, 0, 1]},
        {"input_ids": [6], "labels": [-100], "position_ids": [0]},
    ]


def test_an_exchange_lays_neighbours_of_a_row_side_by_side(tmp_path):
    documents = [[(number, True)] for number in range(5)]
    (spill,) = spilled(tmp_path, documents, np.array([2, 0, 1, 0, 2]), [])
    exchange(spill, tmp_path / "sorted")
    assert np.fromfile(tmp_path / "sorted" / "codes16.bin", np.int16).tolist() == [1, 3, 2, 0, 4]


def test_a_task_that_fails_leaves_no_spill(tmp_path):
    with pytest.raises(KeyError), SpillWriter(tmp_path / "spill", narrow=True):
        raise KeyError
    assert list((tmp_path / "spill").iterdir()) == []
