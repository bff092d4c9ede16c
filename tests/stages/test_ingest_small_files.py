"""Many small texts at once: the same documents, rejections and shards as one by one."""

import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.artifacts import Store
from pipeline.documents import Rows
from pipeline.engine.local import Local
from pipeline.ingesting import parts
from pipeline.ingesting.parts import Parts
from pipeline.readers.text import at_once, text
from pipeline.run import Run
from pipeline.sources import Source
from pipeline.stages import ingest as stage
from pipeline.stages.ingest import ingest

ODD = [b"", b" \n", b"\xef\xbb\xbfmarked", b"a\0b", b"caf\xe9", "naïve".encode("utf-16"), "has \ufffd".encode(), b"x" * 20_000]


@pytest.fixture
def notes(tmp_path):
    """A folder of notes, every third of them odd in its own way."""
    (tmp_path / "notes").mkdir()
    for number in range(3 * len(ODD)):
        content = ODD[number // 3] if number % 3 == 1 else f"note {number}".encode()
        (tmp_path / "notes" / f"{number:02}.txt").write_bytes(content)
    return tmp_path / "notes"


def made(tmp_path, notes, store, **settings):
    return ingest([str(notes)], "x", Run(Store(tmp_path / store), Local(1)), **settings)


def facts(artifact):
    return artifact.ref, artifact.manifest.rows, artifact.manifest.counts, artifact.manifest.files


@pytest.mark.parametrize("shard", [32 << 20, 100, 300])
def test_texts_at_once_make_the_artifact_of_texts_one_by_one(tmp_path, notes, monkeypatch, shard):
    monkeypatch.setattr(parts, "SHARD_BYTES", shard)
    at_once_ = made(tmp_path, notes, "one")
    monkeypatch.setattr("pipeline.ingesting.hashing.SMALL", -1)
    assert facts(made(tmp_path, notes, "two")) == facts(at_once_)


def test_what_tasks_a_pack_is_cut_into_changes_no_document(tmp_path, notes, monkeypatch):
    whole = [row for file in made(tmp_path, notes, "one").files("documents") for row in pq.read_table(file).to_pylist()]
    monkeypatch.setattr(stage, "TASK_SOURCES", 5)
    cut = [row for file in made(tmp_path, notes, "two").files("documents") for row in pq.read_table(file).to_pylist()]
    assert cut == whole


def test_a_small_text_is_opened_once(tmp_path, notes, monkeypatch):
    opened, real = [], os.open
    monkeypatch.setattr(
        "pipeline.sources.os.open", lambda path, *more, **named: opened.append(path) or real(path, *more, **named)
    )
    monkeypatch.setattr("pipeline.sources.io.FileIO", lambda path: opened.append(path) or pytest.fail(path))
    for file in notes.iterdir():
        if file.stat().st_size > 16 << 10:
            file.unlink()
    made(tmp_path, notes, "one")
    texts = [path for path in opened if str(path).endswith(".txt")]
    assert sorted(texts) == sorted(map(str, notes.iterdir()))


def test_a_text_that_changes_behind_its_hash_is_what_was_hashed(tmp_path, notes, monkeypatch):
    identity = stage.Identity
    (notes / "00.txt").write_text("As hashed")

    def change(*given):
        (notes / "00.txt").write_text("Changed since")
        return identity(*given)

    monkeypatch.setattr(stage, "Identity", change)
    first = pq.read_table(made(tmp_path, notes, "one").files("documents")[0]).to_pylist()[0]
    assert first["text"] == "As hashed"


def test_sources_are_listed_in_row_groups_of_bounded_size(tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "ROW_GROUP", 1024)
    (tmp_path / "notes").mkdir()
    for number in range(1500):
        (tmp_path / "notes" / f"{number:04}.txt").write_text("Hi")
    (file,) = made(tmp_path, tmp_path / "notes", "one").files("sources")
    footer = pq.read_metadata(file)
    assert [footer.row_group(group).num_rows for group in range(footer.num_row_groups)] == [1024, 476]
    assert pq.read_table(file)["name"].to_pylist() == [f"notes/{number:04}.txt" for number in range(1500)]


@given(st.lists(st.binary() | st.text().map(str.encode)))
@example(ODD)
def test_a_text_is_sound_only_where_the_reader_takes_it_as_it_stands(contents):
    import tempfile

    texts, sound = at_once(pa.array(contents, pa.large_binary()))
    assert len(texts) == len(sound) == len(contents)
    for content, found, good in zip(contents, texts.to_pylist(), sound.tolist(), strict=True):
        with tempfile.NamedTemporaryFile(suffix=".txt") as file:
            file.write(content)
            file.flush()
            (*remarks, read) = text(Source("x.txt", file.name))
        if good:
            assert remarks == []
            assert isinstance(read, Rows)
            assert read.table["text"].to_pylist() == [found]
            assert found.strip()


@given(st.lists(st.integers(1, 40), max_size=20), st.integers(1, 60))
def test_documents_that_are_added_at_once_fill_parts_as_one_by_one(sizes, shard):
    written = {True: [], False: []}

    class Noted(Parts):
        def _flush(self):
            written[at_once_].append(sum(table.num_rows for table in self.tables))
            self.tables, self.held = [], 0

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parts, "SHARD_BYTES", shard)
        for at_once_ in (True, False):
            noted = Noted(None, 0)
            rows = pa.table({"id": [str(size) for size in sizes], "text": ["x"] * len(sizes)})
            steps = [range(len(sizes))] if at_once_ else [range(at, at + 1) for at in range(len(sizes))]
            for step in steps:
                noted.add_each(
                    Source("x", "x"), rows[step.start : step.stop], np.array(sizes[step.start : step.stop], np.int64)
                )
            noted._flush()
    assert written[True] == written[False]
