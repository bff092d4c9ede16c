"""Listings, one artifact in words, and how results are printed."""

import json

import pytest

from pipeline.artifacts import Artifact, Manifest, Store
from pipeline.engine.local import Local
from pipeline.errors import UsageError
from pipeline.listing import in_words, listing
from pipeline.progress import Terminal, facts, result, say_json, table
from pipeline.run import Run, Silent, versions
from pipeline.stages.clean import clean
from pipeline.stages.ingest import ingest


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def made(store, tmp_path):
    """The two artifacts of a CSV file of one good row and one empty: `ingest`, then `clean`."""
    (tmp_path / "posts.csv").write_text('title,body\nA,"Hello\n\nyou"\nB,\n')
    run = Run(store, Local(1))
    ingested = ingest([str(tmp_path / "posts.csv")], "posts", run, text_column="body")
    return ingested, clean(ingested, "posts", run, steps=["unicode", {"word_count": {"min": 1}}])


def test_artifacts_are_listed_newest_first_with_their_rows(store, made):
    columns, rows = listing("artifacts", str(store.root))
    assert columns == ["ref", "in", "kept", "finished"]
    assert [row[:3] for row in rows] == [[made[1].ref, 1, 1], [made[0].ref, 2, 1]]
    assert [row[0] for row in listing("ingest", str(store.root))[1]] == [made[0].ref]


def test_a_store_that_is_not_there_yet_lists_nothing(tmp_path):
    assert listing("artifacts", str(tmp_path / "none"))[1] == []


@pytest.mark.parametrize("what", ["filters", "readers", "phrases"])
def test_filters_readers_and_phrase_lists_are_listed_with_what_they_are_for(what, tmp_path):
    columns, rows = listing(what, str(tmp_path))
    assert rows
    assert all(len(row) == len(columns) and row[2] for row in rows)


def test_a_filters_settings_and_bounds_are_listed(tmp_path):
    by_name = {row[0]: row for row in listing("filters", str(tmp_path))[1]}
    assert by_name["word_count"][1::2] == ["measure", "min, max"]
    assert "threshold" in by_name["near_duplicates"][3]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("filtres", "no list 'filtres'. Did you mean 'filters'?"),
        (
            "zzz",
            "no list 'zzz'. There are: artifacts, ingest, clean, tokenize, train, "
            "filters, presets, readers, exporters, phrases",
        ),
    ],
)
def test_an_unknown_list_is_named_with_those_there_are(what, message, tmp_path):
    with pytest.raises(UsageError) as caught:
        listing(what, str(tmp_path))
    assert str(caught.value) == message


def test_an_artifact_in_words_says_rows_recipe_lineage_and_some_documents(store, made):
    ingested, cleaned = made
    lines = in_words(store, cleaned, 3)
    assert lines[:4] == result(cleaned)
    assert lines[4] == f"made {cleaned.manifest.run['finished']} by prep {cleaned.manifest.versions['prep']}"
    assert lines[lines.index("lineage") :] == [
        "lineage",
        f"  {cleaned.ref}",
        f"  {ingested.ref}",
        "",
        "posts.csv:1",
        "  Hello",
        "  you",
    ]


def test_a_parent_that_is_gone_is_said_to_be(store, made):
    ingested, cleaned = made
    (ingested.path / "manifest.json").unlink()
    lines = in_words(store, cleaned, 0)
    assert lines[lines.index("lineage") :] == ["lineage", f"  {cleaned.ref}", f"  {ingested.ref} (no longer in the store)"]


def test_chats_are_shown_turn_by_turn(store, tmp_path):
    (tmp_path / "chat.jsonl").write_text('{"prompt": "Hi\\nyou", "response": "Yo"}\n')
    made = ingest([str(tmp_path / "chat.jsonl")], "chat", Run(store, Local(1)))
    assert in_words(store, made, 1)[-3:] == ["chat.jsonl:1", "  user: 'Hi\\nyou'", "  assistant: 'Yo'"]


def manifest(tmp_path, rows, counts):
    told = Manifest("clean/x@1", "1", "clean", "x", {}, [], "", rows, counts, run={"seconds": 1.26})
    return Artifact(tmp_path, told)


def test_a_result_says_ref_rows_each_count_and_the_folder(tmp_path):
    rows = {"in": 5, "kept": 0, "removed": 4, "rejected": 1}
    counts = [
        {"step": 0, "filter": "unicode", "in": 4, "removed": 0, "changed": 2},
        {"step": 1, "filter": "slop", "in": 4, "removed": 4, "changed": 0},
        {"reason": "the text is NULL", "rejected": 1},
    ]
    assert result(manifest(tmp_path, rows, counts)) == [
        "clean/x@1  5 rows: 0 kept, 4 removed, 1 rejected  (1.3 s)",
        "  unicode: 0 of 4 removed, 2 changed",
        "  slop: 4 of 4 removed",
        "  1 rejected: the text is NULL",
        f"  {tmp_path}",
    ]


def test_facts_for_a_machine_are_json(tmp_path, capsys):
    rows = {"in": 1, "kept": 1, "removed": 0, "rejected": 0}
    say_json(facts(manifest(tmp_path, rows, [])))
    assert json.loads(capsys.readouterr().out) == {
        "ref": "clean/x@1",
        "path": str(tmp_path),
        "rows": rows,
        "counts": [],
        "seconds": 1.26,
    }


def test_a_table_is_tab_separated_where_there_is_no_terminal(capsys):
    table(["ref", "in"], [["a", 1], ["b", 2]])
    assert capsys.readouterr().out == "ref\tin\na\t1\nb\t2\n"


def test_remarks_go_to_stderr_as_they_are_and_not_at_all_where_it_is_quiet(capsys):
    Terminal(quiet=False).say("from [a] " + "long " * 50)
    Terminal(quiet=True).say("nothing")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "from [a] " + "long " * 50 + "\n")


@pytest.mark.parametrize("progress", [Terminal(quiet=True), Terminal(quiet=False), Silent()])
def test_tracking_passes_the_answers_on(progress):
    assert list(progress.track("clean", iter([1, 2]), 2)) == [1, 2]


def test_versions_name_prep_and_the_packages():
    assert list(versions("pyarrow")) == ["prep", "pyarrow"]
