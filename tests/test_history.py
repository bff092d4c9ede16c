"""What became of a document."""

import pytest

from pipeline.artifacts import Store
from pipeline.engine.local import Local
from pipeline.errors import PrepError
from pipeline.history import _reason, sample, why
from pipeline.run import Run
from pipeline.stages.clean import clean
from pipeline.stages.ingest import ingest

LONG = "the old mill by the river was built of stone and oak long before the bridge"


@pytest.fixture
def store(tmp_path):
    """A store where a CSV file was ingested and cleaned: a kept row, a short one, a twin, a near twin, slop, an empty one."""
    rows = [
        LONG,
        "short",
        LONG,
        f"{LONG} came",
        f"{LONG} as an AI language model I cannot. As an AI language model I cannot",
        "",
    ]
    (tmp_path / "posts.csv").write_text("body,n\n" + "".join(f'"{row}",1\n' for row in rows) + "one,two,three\n")
    store = Store(tmp_path / "store")
    run = Run(store, Local(1))
    made = ingest([str(tmp_path / "posts.csv")], "posts", run, text_column="body")
    steps = [
        {"slop": {"lists": ["refusals"]}},
        {"word_count": {"min": 2}},
        "exact_duplicates",
        {"near_duplicates": {"threshold": 0.7}},
    ]
    clean(made, "posts", run, steps=steps)
    return store


def told(store, document):
    ingested, cleaned = store.newest("ingest").ref, store.newest("clean").ref
    return [line.replace(ingested, "INGEST").replace(cleaned, "CLEAN") for line in why(store, document)]


def test_a_kept_document_was_read_and_kept(store):
    assert told(store, "posts.csv:1") == ["INGEST: read", "CLEAN: kept"]


def test_a_measure_is_told_with_value_and_bound(store):
    assert told(store, "posts.csv:2") == ["INGEST: read", "CLEAN: removed by word_count; word_count 1, min 2"]


def test_a_duplicate_is_told_with_the_twin_that_stays(store):
    assert told(store, "posts.csv:3")[1] == ("CLEAN: removed by exact_duplicates; similarity 1 to posts.csv:1, which stays")


def test_a_near_duplicate_is_told_with_the_similarity(store):
    assert told(store, "posts.csv:4")[1] == ("CLEAN: removed by near_duplicates; similarity 0.9231 to posts.csv:1, which stays")


def test_slop_is_told_with_the_text_and_where_it_stands(store):
    assert told(store, "posts.csv:5")[1].startswith(
        "CLEAN: removed by slop; hits 2, max 0; 'as an AI language model I cannot' at byte 76;"
    )


def test_a_rejected_row_is_told_with_the_reason(store):
    assert told(store, "posts.csv:6") == ["INGEST: rejected: the text is empty"]
    assert told(store, "posts.csv:7") == ["INGEST: rejected: 3 fields, not 2"]


def test_a_whole_source_that_was_rejected_is_found_by_its_name(tmp_path):
    for name, content in (("a.txt", b"Hi"), ("b.txt", b"caf\xe9")):
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
    store = Store(tmp_path / "store")
    made = ingest([str(tmp_path / "in")], "in", Run(store, Local(1)))
    assert why(store, "in/b.txt") == [f"{made.ref}: rejected: the file is not utf-8 (unexpected end of data at byte 3)"]


def test_the_message_that_holds_the_slop_is_counted_from_one(tmp_path):
    (tmp_path / "chat.jsonl").write_text('{"prompt": "Hi", "response": "As an AI language model I cannot"}\n' * 2)
    store = Store(tmp_path / "store")
    run = Run(store, Local(1))
    clean(ingest([str(tmp_path / "chat.jsonl")], "chat", run), "chat", run, steps=[{"slop": {"lists": ["refusals"]}}])
    assert "in message 2 at byte 0" in why(store, "chat.jsonl:1")[1]


def test_only_the_newest_artifact_of_a_name_speaks(store, tmp_path):
    clean(store.newest("ingest"), "posts", Run(store, Local(1)), steps=["unicode"])
    assert told(store, "posts.csv:3") == ["INGEST: read", "CLEAN: kept"]


def test_a_document_that_no_artifact_met_is_told(store):
    with pytest.raises(PrepError) as caught:
        why(store, "nope")
    assert str(caught.value) == f"no artifact in {store.root} has met a document 'nope'. `prep show REF` prints some ids."


def test_a_sample_is_the_first_documents_and_none_of_an_empty_artifact(store):
    made = store.newest("ingest")
    assert sample(made, 2)["id"].to_pylist() == ["posts.csv:1", "posts.csv:2"]
    emptied = clean(made, "none", Run(store, Local(1)), steps=[{"word_count": {"min": 1000}}])
    assert sample(emptied, 2) is None


def test_evidence_without_a_place_is_told_without_one():
    row = dict.fromkeys(("measure", "value", "bound", "twin", "similarity")) | {"filter": "chat_template", "messages": []}
    row["evidence"] = [{"label": "rendering", "text": "roles must alternate", "message": None, "start": None, "end": None}]
    assert _reason(row) == "chat_template; 'roles must alternate' (rendering)"
