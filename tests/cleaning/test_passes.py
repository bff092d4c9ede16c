"""Steps are cut into passes where shards wait for one another; and what a batch leaves for all shards costs no copy."""

import shutil

import numpy as np
import pyarrow as pa
import pytest

from pipeline.cleaning import twins
from pipeline.cleaning.looking import flattened
from pipeline.cleaning.passes import passes_of
from pipeline.cleaning.plan import plan
from pipeline.cleaning.search import Place


def names(steps):
    return [step.filter.name for step in steps]


def cut(*steps):
    return [(names(one.before), names(one.steps), names(one.behind)) for one in passes_of(plan(steps)[0])]


def test_steps_for_which_no_shard_waits_are_one_pass():
    assert cut("unicode", "slop") == [([], ["unicode", "slop"], [])]


def test_a_duplicates_step_ends_a_pass_and_stands_before_the_next():
    assert cut("unicode", "exact_duplicates", "slop") == [
        ([], ["unicode"], ["exact_duplicates"]),
        (["exact_duplicates"], ["slop"], []),
    ]


def test_neighbouring_duplicates_steps_are_one_point_where_shards_wait():
    assert cut("exact_duplicates", "near_duplicates") == [
        ([], [], ["exact_duplicates", "near_duplicates"]),
        (["exact_duplicates", "near_duplicates"], [], []),
    ]


def test_a_recurring_step_is_a_point_of_its_own_for_it_alters_texts():
    assert [behind for _, _, behind in cut("exact_duplicates", "recurring_lines", "recurring_lines")] == [
        ["exact_duplicates"],
        ["recurring_lines"],
        ["recurring_lines"],
        [],
    ]


def test_keys_of_documents_are_written_without_a_copy_of_their_column(tmp_path, monkeypatch):
    (step,), _ = plan(["near_duplicates"])
    keys = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(1 << 14, dtype=np.uint64)), 16)
    answer = pa.table({"keys": keys, "eligible": np.ones(1 << 10, bool), "bytes": np.ones(1 << 10, np.int64)})
    allocated = []
    monkeypatch.setattr(twins, "save", lambda *_: allocated.append(pa.total_allocated_bytes()))
    before = pa.total_allocated_bytes()
    twins.write_keys(step, answer, answer, Place(tmp_path, 0))
    assert allocated[0] - before < keys.nbytes


@pytest.mark.parametrize("chunks", [1, 3])
def test_keys_are_those_of_the_documents_in_however_many_chunks(tmp_path, chunks):
    (step,), _ = plan(["near_duplicates"])
    keys = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(12, dtype=np.uint64)), 2)
    answer = pa.table({"keys": keys, "eligible": np.ones(6, bool), "bytes": np.ones(6, np.int64)})
    parted = pa.concat_tables([answer.slice(first * 6 // chunks, 6 // chunks) for first in range(chunks)])
    twins.write_keys(step, parted, parted, Place(tmp_path, 0))
    assert np.load(tmp_path / "00000.keys-0.npy").T.ravel().tolist() == list(range(12))


def test_lines_of_one_chunk_are_laid_flat_without_a_copy():
    pieces = pa.StructArray.from_arrays([pa.array([0, 1]), pa.array([7, 8], pa.uint64())], names=["text", "key"])
    lists = pa.chunked_array([pa.LargeListArray.from_arrays(pa.array([0, 1, 2]), pieces)])
    _, _, entries = flattened(lists, np.array([0, 1, 2]))
    assert entries.field("key").buffers()[1].address == pieces.field("key").buffers()[1].address


def test_a_huge_text_and_what_was_cut_of_it_are_written_as_small_ones_are(cleaned, monkeypatch):
    texts = [f"menu\nmenu\ntext {number}" for number in range(4)]
    steps = [{"repeated_lines": {"action": "strip"}}, {"word_count": {"min": 2}}]
    expected = cleaned(texts, steps, shards=2)
    shutil.rmtree(expected.path)
    monkeypatch.setattr("pipeline.cleaning.finishing.HUGE", 1)
    assert cleaned(texts, steps, shards=2).manifest.files == expected.manifest.files
