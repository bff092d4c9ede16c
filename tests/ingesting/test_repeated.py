"""Documents whose id stands elsewhere already, counted without holding all ids."""

from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.documents import STRING
from pipeline.ingesting.repeated import repeated_ids

IDS = st.lists(st.lists(st.sampled_from(["", "a", "b", "ab", "ä", "a" * 40]) | st.text(max_size=3), max_size=9), max_size=4)


@settings(max_examples=25)  # each of them writes files
@given(shards=IDS, most=st.sampled_from([1, 64, 1 << 20]))
def test_ids_are_counted_that_stand_elsewhere_already_however_little_is_held(tmp_path_factory, shards, most):
    folder = tmp_path_factory.mktemp("parts")
    parts = [folder / f"{number}.parquet" for number in range(len(shards))]
    for part, ids in zip(parts, shards, strict=True):
        pq.write_table(pa.table({"id": pa.array(ids, STRING)}), part)
    counts = Counter(id_ for ids in shards for id_ in ids)
    assert repeated_ids(parts, most) == counts.total() - len(counts)
