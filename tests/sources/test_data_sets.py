"""Folders that other tools wrote: their documents are read, and what they note beside them is passed over, and said."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.artifacts import Store
from pipeline.engine.local import Local
from pipeline.ingesting.plan import plan
from pipeline.run import Run
from pipeline.sources.data_sets import ATTRIBUTES, bookkeeping
from pipeline.stages.ingest import ingest

TEXTS = ["The mill stands by the river.", "The road goes past it.", "Nobody lives there."]
ROWS = {"text": TEXTS, "id": ["a", "b", "c"]}


@pytest.fixture
def root(tmp_path):
    (tmp_path / "set").mkdir()
    return tmp_path / "set"


def read(root, **settings):
    """Return the documents' texts by id, and what is said of the sources that were passed over."""
    artifact = ingest([str(root)], "x", Run(Store(root.parent / "store"), Local(1)), **settings)
    rows = [row for file in artifact.files("documents") for row in pq.read_table(file).to_pylist()]
    remarks = [row for file in artifact.files("remarks") for row in pq.read_table(file).to_pylist()]
    assert artifact.manifest.rows["rejected"] == 0
    return {row["id"]: row["text"] for row in rows}, {row["source"]: row["text"] for row in remarks}


def test_a_data_set_that_datasets_saved_is_read_with_its_ids(root):
    from datasets import Dataset

    saved = Dataset.from_dict(ROWS)
    saved.save_to_disk(str(root), num_shards=2)
    (root / "cache-0123456789abcdef.arrow").write_bytes((root / "data-00000-of-00002.arrow").read_bytes())
    texts, passed = read(root, id_column="id")
    assert list(texts.values()) == TEXTS
    assert [*map(str, texts)] == ["a", "b", "c"]
    noted = "passed over: what `datasets` notes of the data set that it saved"
    assert passed == {
        "set/cache-0123456789abcdef.arrow": "passed over: what `datasets` keeps of a step that it once ran",
        "set/dataset_info.json": noted,
        "set/state.json": noted,
    }


def test_a_dict_of_data_sets_is_read_split_by_split(root):
    from datasets import Dataset, DatasetDict

    DatasetDict({"train": Dataset.from_dict(ROWS), "test": Dataset.from_dict({"text": ["Other"], "id": ["d"]})}).save_to_disk(
        str(root)
    )
    texts, passed = read(root)
    assert sorted(texts.values()) == sorted([*TEXTS, "Other"])
    assert "set/dataset_dict.json" in passed
    assert len(passed) == 5


def test_the_card_of_a_hubs_data_set_is_passed_over(root):
    (root / "data").mkdir()
    (root / ".gitattributes").write_text("*.parquet filter=lfs\n")
    (root / "README.md").write_text("---\nlicense: mit\nconfigs:\n- config_name: default\n---\n# A set\n")
    pq.write_table(pa.table(ROWS), root / "data/train-00000-of-00001.parquet")
    texts, passed = read(root)
    assert list(texts.values()) == TEXTS
    assert passed == {"set/README.md": "passed over: the card of a data set"}


@pytest.mark.parametrize("head", ["# Notes\n", "---\ntitle: Notes\n---\n", "---\nnever closed\n"])
def test_a_readme_that_is_no_card_is_a_document(root, head):
    (root / "README.md").write_text(head)
    (root / "a.txt").write_text("Hi")
    assert len(read(root)[0]) == 2


def test_a_card_alone_or_named_itself_is_a_document(root):
    card = root / "README.md"
    card.write_text("---\nlicense: mit\n---\n# A set\n")
    assert len(read(root)[0]) == 1
    (root / "a.jsonl").write_text('{"text": "Hi"}\n')
    assert [source.format for source, _ in plan([str(card)], {})] == ["text"]


def test_what_spark_writes_is_read_without_its_marks(root):
    pq.write_table(pa.table(ROWS), root / "part-00000-0a1b.c000.snappy.parquet", compression="snappy")
    for name in ("_SUCCESS", "_committed_123", "_started_123", "._SUCCESS.crc", ".part-00000.crc"):
        (root / name).write_text("")
    texts, passed = read(root)
    assert list(texts.values()) == TEXTS
    assert [*passed] == ["set/_SUCCESS", "set/_committed_123", "set/_started_123"]


def test_dolmas_attributes_are_no_documents(root):
    line = '{{"id": "{}", "text": "Text {}.", "source": "s", "metadata": {{"a": 1}}}}\n'
    for folder in ("documents", "attributes/pii"):
        (root / folder).mkdir(parents=True)
        rows = "".join(line.format(name, name) for name in "ab") if folder == "documents" else '{"id": "a", "attributes": {}}\n'
        (root / folder / "0.json.gz").write_bytes(gzip.compress(rows.encode(), mtime=0))
    texts, passed = read(root, id_column="id")
    assert texts == {"a": "Text a.", "b": "Text b."}
    assert passed == {"set/attributes/pii/0.json.gz": f"passed over: {ATTRIBUTES}"}


def test_attributes_of_no_documents_are_not_passed_over():
    assert bookkeeping(["attributes/pii/0.json.gz", "documents/1.json.gz"], lambda path: b"") == {}


def test_datatroves_and_data_juicers_lines_are_read_as_they_are(root):
    (root / "00000.jsonl.gz").write_bytes(gzip.compress(b'{"text": "A", "id": "x/1", "metadata": {"url": "u"}}\n', mtime=0))
    (root / "juicer.jsonl").write_text('{"text": "B", "id": "x/2", "__dj__stats__": {"text_len": 1}}\n')
    assert read(root, id_column="id") == ({"x/1": "A", "x/2": "B"}, {})


def test_a_pandas_and_a_polars_table_are_read_without_an_index_column_as_text(root):
    import pandas as pd
    import polars as pl

    pd.DataFrame(ROWS, index=[3, 4, 5]).to_parquet(root / "pandas.parquet")
    pl.DataFrame(ROWS).write_parquet(root / "polars.parquet")
    assert sorted(read(root)[0].values()) == sorted(TEXTS * 2)
