"""What is known of all pieces, shard by shard: how often each is taken, where it goes, and how little is held meanwhile."""

import tracemalloc
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.artifacts import save
from pipeline.tokens.copies import copies, times_of
from pipeline.tokens.encoded import ShardWriter, gathered, ids_of
from pipeline.tokens.layout import Wanted, place_all, taken
from pipeline.tokens.packed_rows import gather, places_of
from pipeline.tokens.rows import Tokens, offsets_of, windows

LENGTH = 6
PACKINGS = ["best_fit", "concatenate", "none", "length_grouped"]
SHARDS = st.lists(st.lists(st.integers(1, 15), max_size=5), min_size=1, max_size=4)


def encoded_of(folder, shards):
    """Write shards of documents of some lengths, no two tokens alike; return what is known of them."""
    folders, token = [folder / f"{number:05}" for number in range(len(shards))], 0
    for own, lengths in zip(folders, shards, strict=True):
        names = pa.array([f"{own.name}.{number}" for number in range(len(lengths))], pa.large_string())
        offsets = offsets_of(np.array(lengths, np.int64))
        ids = np.arange(token, token + offsets[-1], dtype=np.int32)
        token += int(offsets[-1])
        with ShardWriter(own, narrow=False, searched=False) as writer:
            tokens = Tokens(ids, np.ones(len(ids), bool), offsets)
            pieces = windows(offsets, np.ones(len(lengths), bool), LENGTH)
            writer.write(pa.table({"id": names, "source": names}), tokens, pieces)
    return gathered(folders)


@settings(max_examples=25)  # each of them waits for the disk several times
@pytest.mark.parametrize("packing", PACKINGS)
@given(shards=SHARDS, epochs=st.sampled_from([0.0, 0.5, 1.0, 2.5]), data=st.data())
def test_rows_hold_each_token_as_often_as_its_document_is_taken(tmp_path_factory, packing, shards, epochs, data):
    folder = tmp_path_factory.mktemp("layout")
    encoded = encoded_of(folder / "encoded", shards)
    count = int(encoded.documents.sum())
    held = np.array(data.draw(st.lists(st.booleans(), min_size=count, max_size=count)), dtype=bool)
    how_often = copies(encoded, [0] * len(shards), {0: epochs}, {}, held)
    times = np.concatenate([times_of(encoded.ids(shard), epochs) for shard in range(len(shards))])
    for held_out, expected in ((False, np.where(held, 0, times)), (True, held.astype(int))):
        rows = taken(how_often, Wanted(packing, LENGTH, 3), held_out=held_out)
        place_all(rows, folder / f"{held_out}")
        places = places_of([folder / f"{held_out}" / own.name for own in encoded.folders], 0, rows.rows)
        found = gather(encoded.folders, 0, rows.rows, places)["input_ids"].to_pylist()
        documents = np.repeat(np.arange(count), [length for shard in shards for length in shard])
        wanted = {token: often for token, often in enumerate(expected[documents].tolist()) if often}
        assert Counter(token for row in found for token in row) == wanted
        assert all(0 < len(row) <= LENGTH for row in found)
        assert packing != "concatenate" or all(len(row) == LENGTH for row in found[:-1])


def test_of_half_an_epoch_the_documents_are_taken_whose_ids_hash_lowest(tmp_path):
    encoded = encoded_of(tmp_path, [[1] * 200])
    half, more = (times_of(encoded.ids(0), epochs) for epochs in (0.5, 1.7))
    assert set(half.tolist()) == {0, 1}
    assert (more[half == 1] == 2).all()
    assert half.mean() == pytest.approx(0.5, abs=0.1)


def test_the_ids_of_a_shard_are_those_of_all_its_batches(tmp_path):
    names = pa.array(["a", "b"], pa.large_string())
    one = Tokens(np.zeros(2, np.int32), np.ones(2, bool), np.array([0, 1, 2]))
    with ShardWriter(tmp_path / "00000", narrow=False, searched=False) as writer:
        for _ in range(2):
            writer.write(pa.table({"id": names, "source": names}), one, windows(one.offsets, np.ones(2, bool), LENGTH))
    assert ids_of(tmp_path / "00000").to_pylist() == ["a", "b", "a", "b"]


@pytest.mark.parametrize(("packing", "most"), [("best_fit", 20), ("concatenate", 40), ("length_grouped", 40), ("none", 40)])
def test_few_bytes_a_document_are_held_while_rows_are_filled(tmp_path, packing, most):
    """What numpy holds, that is: kernels hold a dozen bytes more."""
    shards, each = 40, 10_000
    folders = [tmp_path / f"{number:05}" for number in range(shards)]
    for number, folder in enumerate(folders):
        document = np.arange(each, dtype=np.int32)
        save(np.random.default_rng(number).integers(0, 1 << 64, (2, each), np.uint64), folder / "hashes.npy", durable=False)
        save(np.stack([document, 0 * document, 0 * document]), folder / "pieces.npy", durable=False)
        save(1 + document % 50, folder / "lengths.npy", durable=False)
        (folder / "codes.bin").touch()
    encoded = gathered(folders)
    tracemalloc.start()
    rows = taken(copies(encoded, [0] * shards, {}, {}, np.zeros(shards * each, bool)), Wanted(packing, 64, 0), held_out=False)
    peak, documents = tracemalloc.get_traced_memory()[1], shards * each
    tracemalloc.stop()
    assert rows.rows > 0
    assert peak < most * documents
