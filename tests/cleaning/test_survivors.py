"""Who stays: the same whether a group of candidates is compared at once or block by block."""

import itertools
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cleaning.survivors import of_blocks, of_whole
from pipeline.exchange import buckets, order
from tests.exchange.laid_out import exchange_of, write_sets


def here(task, items):
    return [task(item) for item in items]


def twins_of(exchange, founds):
    """Return the twin of each candidate, -1 where it stays, and their similarity."""
    placed = np.load(exchange.file("order.npy"))
    twin, similarity = np.full(len(placed), -1), np.zeros(len(placed))
    for found in founds:
        twin[placed[found.places]], similarity[placed[found.places]] = found.twin, found.similarity
    return twin.tolist(), similarity.tolist()


def laid_out(folder, keys, sets, rank, others=0):
    """Lay out documents that all share a key, ranked in some order; `others` are of another artifact."""
    exchange = exchange_of(folder, [(0, *own) for own in keys], [], 1 << 20, others)
    assert len(buckets.find(exchange, 1, here)) == len(keys)
    write_sets(exchange, sets)
    order.write(exchange, np.array(rank))
    return exchange


def blocks_of(count, edges):
    inside = sorted({0, count, *(edge for edge in edges if edge < count)})
    return list(itertools.pairwise(inside))


KEYS, SETS = st.tuples(*[st.integers(0, 2)] * 2), st.sets(st.integers(0, 9), min_size=1, max_size=8)


@given(st.lists(st.tuples(KEYS, SETS), min_size=2, max_size=12), st.sets(st.integers(1, 11)), st.randoms(), st.integers(0, 3))
@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_twins_are_the_same_block_by_block_as_at_once(tmp_path_factory, threshold, documents, edges, random, others):
    keys, sets = zip(*documents, strict=True)
    count, others = len(documents), min(others, len(documents) - 1)
    rank = [*range(others), *random.sample(range(others, count), count - others)]
    exchange = laid_out(tmp_path_factory.mktemp("x"), keys, sets, rank, others)
    at_once = of_whole(exchange, threshold, (0, count))
    in_blocks = of_blocks(exchange, threshold, blocks_of(count, edges), here)
    assert twins_of(exchange, in_blocks) == twins_of(exchange, [at_once])


def test_a_twin_of_a_later_block_is_taken_where_an_earlier_bucket_names_it(tmp_path):
    keys, sets = [(1, 5), (2, 5), (2, 5)], [{1, 2, 3, 4}, {2, 3, 4, 5}, {1, 2, 3, 4, 5}]
    exchange = exchange_of(tmp_path, keys, [], 1 << 20)
    buckets.find(exchange, 1, here)
    write_sets(exchange, sets)
    order.write(exchange, np.arange(3))
    assert twins_of(exchange, of_blocks(exchange, 0.7, [(0, 1), (1, 2), (2, 3)], here)) == ([-1, -1, 1], [0.0, 0.0, 0.8])


def test_a_document_that_is_gone_is_nobodys_twin_in_a_later_block(tmp_path):
    exchange = laid_out(tmp_path, [(1, 1)] * 3, [set(range(10)), set(range(2, 12)), set(range(4, 14))], range(3))
    assert twins_of(exchange, of_blocks(exchange, 0.6, [(0, 1), (1, 2), (2, 3)], here))[0] == [-1, 0, -1]


def test_tasks_know_of_a_group_what_they_need_by_its_files_alone(tmp_path):
    exchange, sent = laid_out(tmp_path, [(1, 1)] * 40, [{1, 2}] * 40, range(40)), []

    def noted(task, items):
        sent.extend(items)
        return map(partial(task), items)

    assert twins_of(exchange, of_blocks(exchange, 0.7, [(0, 20), (20, 40)], noted))[0] == [-1] + [0] * 39
    assert sent == [((0, 0), (0, 20), True), ((0, 20), (20, 40), True)]
