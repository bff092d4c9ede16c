"""A bound on memory changes how many tasks run at a time, and no byte of what they make."""

import pytest

from pipeline.artifacts import Store, read_shard
from pipeline.engine.local import Local
from pipeline.engine.memory import LEAST
from pipeline.exchange import most_of
from pipeline.run import Run
from pipeline.stages.clean import clean
from pipeline.stages.ingest import ingest
from pipeline.stages.tokenize import tokenize

STEPS = ["unicode", {"word_count": {"min": 1}}, "exact_duplicates", "near_duplicates"]


def made(folder, sources, memory):
    """Run all stages under a bound; return the files of each artifact with their checksums."""
    engine = Local(2, memory=memory)
    run = Run(Store(folder), engine, memory=memory)
    try:
        read = ingest([str(sources)], "in", run)
        kept = clean(read, "in", run, steps=STEPS)
        rows = tokenize([kept], "in", run, train_tokenizer=True, vocab_size=300, sequence_length=64, validation=0.2)
    finally:
        engine.close()
    return [(artifact.ref, artifact.manifest.files) for artifact in (read, kept, rows)]


@pytest.fixture
def sources(tmp_path, planted):
    folder = tmp_path / "texts"
    folder.mkdir()
    for number, text in enumerate(planted(40)):
        (folder / f"{number:03}.txt").write_text(text)
    return folder


def test_a_bound_on_memory_changes_no_byte(tmp_path, sources):
    assert made(tmp_path / "little", sources, LEAST) == made(tmp_path / "much", sources, None)


def test_duplicates_found_in_rounds_that_hold_little_are_the_same(cleaned, planted, monkeypatch):
    whole = cleaned(planted(40), ["near_duplicates"], shards=3)
    texts = [*planted(40), "another"]
    monkeypatch.setattr("pipeline.stages.clean.most_of", lambda memory: 100)
    few = cleaned(texts, ["near_duplicates"], shards=3)
    assert few.manifest.rows["removed"] == whole.manifest.rows["removed"] > 10


def test_lines_counted_in_ranges_that_hold_little_recur_the_same(cleaned, monkeypatch):
    own = [f"page {number * 'y'}" for number in range(1, 41)]
    pages = [f"menu\n{text}\nfoot {number % 5}" for number, text in enumerate(own)]
    steps = [{"recurring_lines": {"documents": 8}}]
    whole = cleaned(pages, steps, shards=3)
    monkeypatch.setattr("pipeline.cleaning.recurring.most_of", lambda memory: 100)
    few = cleaned([*pages, "menu"], steps, shards=3)
    for made in (whole, few):
        texts = [row["text"] for file in made.files("documents") for row in read_shard(file).to_pylist()]
        assert sorted(texts) == own


def test_a_task_of_an_exchange_holds_a_sixteenth_of_the_bound():
    assert most_of(8 * 10**8) == 5 * 10**7
