"""Lines that recur in many documents are cut out, wherever the documents stand."""

import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.engine.local import Local
from pipeline.run import Run
from pipeline.stages.clean import clean

LINES = st.lists(st.sampled_from(["menu", "Menu", "foot 1", "foot 22", "text", "é", "", " ", "שלום"]), max_size=5)
PAGE = LINES.map("\n".join)


def table(artifact, part="documents"):
    files = artifact.files(part)
    return pa.concat_tables(pq.read_table(path) for path in files).to_pylist() if files else []


def texts(artifact):
    return {row["id"]: row["text"] for row in table(artifact)}


@pytest.fixture
def cut(cleaned):
    """Cut out of pages the lines that stand in so many of them: `cut(["menu\\na", ...], 2)`."""

    def make(pages, times, *, shards=2, **own):
        return cleaned(pages, [{"recurring_lines": {"documents": times, **own}}], shards=shards)

    return make


def test_a_line_in_so_many_documents_is_cut_out_of_all(cut):
    assert texts(cut(["menu\na", "b\nmenu", "c\nmenu\nc2"], 3)) == {"d0": "a", "d1": "b", "d2": "c\nc2"}


def test_a_line_in_fewer_documents_stays(cut):
    assert texts(cut(["menu\na", "b\nmenu", "c"], 3)) == {"d0": "menu\na", "d1": "b\nmenu", "d2": "c"}


def test_a_line_counts_once_a_document(cut):
    pages = ["menu\nmenu\nmenu\na", "b"]
    assert list(texts(cut(pages, 2)).values()) == pages


@pytest.mark.parametrize("shards", [1, 2, 4])
def test_kept_first_it_stays_in_the_first_document_only(cut, shards):
    pages = ["a", "b\nmenu", "menu\nc", "d\nmenu"]
    assert list(texts(cut(pages, 2, shards=shards, keep="first")).values()) == ["a", "b\nmenu", "c", "d"]


def test_kept_first_it_stays_at_each_place_in_the_first_document(cut):
    assert list(texts(cut(["menu\na\nmenu", "menu\nb"], 2, keep="first")).values()) == ["menu\na\nmenu", "b"]


def test_each_line_has_a_first_document_of_its_own(cut):
    pages = ["one\na", "two\nb", "one\ntwo\nc"]
    assert list(texts(cut(pages, 2, keep="first", shards=3)).values()) == ["one\na", "two\nb", "c"]


def test_a_document_of_such_lines_alone_goes_with_the_reason(cut):
    artifact = cut(["menu", "menu\nb"], 2)
    assert texts(artifact) == {"d1": "b"}
    (row,) = table(artifact, "removed")
    assert (row["id"], row["text"], row["filter"], row["measure"]) == ("d0", "menu", "recurring_lines", "text left")
    assert row["evidence"] == [{"label": "recurring", "text": "menu", "message": 0, "start": 0, "end": 4}]


def test_what_was_cut_stands_in_the_edits(cut):
    rows = table(cut(["é\nmenu\na", "menu\nb"], 2), "edits")
    assert [(row["id"], row["filter"], row["action"]) for row in rows] == [
        ("d0", "recurring_lines", "strip_line"),
        ("d1", "recurring_lines", "strip_line"),
    ]
    assert rows[0]["evidence"] == [{"label": "recurring", "text": "menu\n", "message": 0, "start": 3, "end": 8}]


def test_the_counts_say_what_was_changed_and_removed(cut):
    artifact = cut(["menu", "menu\nb", "c"], 2)
    assert artifact.manifest.counts == [{"step": 0, "filter": "recurring_lines", "in": 3, "removed": 1, "changed": 1}]
    assert artifact.manifest.rows == {"in": 3, "kept": 2, "removed": 1, "rejected": 0}


def test_documents_that_went_before_do_not_count(cleaned):
    steps = [{"word_count": {"min": 2}}, {"recurring_lines": {"documents": 2}}]
    assert list(texts(cleaned(["menu", "menu\nb"], steps)).values()) == ["menu\nb"]


def test_duplicates_are_of_the_texts_without_the_lines(cleaned):
    steps = [{"recurring_lines": {"documents": 3}}, "exact_duplicates"]
    assert list(texts(cleaned(["menu\na", "a\nmenu", "menu\nb"], steps, shards=3)).values()) == ["a", "b"]


def test_duplicates_that_went_before_do_not_count(cleaned):
    steps = ["exact_duplicates", {"recurring_lines": {"documents": 2}}]
    assert list(texts(cleaned(["menu\na", "menu\na", "b"], steps, shards=3)).values()) == ["menu\na", "b"]


def test_such_steps_can_follow_one_another(cleaned):
    steps = [{"recurring_lines": {"documents": 3}}, {"recurring_lines": {"documents": 2}}]
    assert list(texts(cleaned(["m\nn\na", "m\nn\nb", "m\nc"], steps, shards=2)).values()) == ["a", "b", "c"]


def test_lines_of_the_roles_of_the_step_alone_count_and_go(cleaned):
    chats = [[("user", "menu\na"), ("assistant", "menu\nb")], [("user", "menu"), ("assistant", "c\nmenu")]]
    artifact = cleaned(chats, [{"recurring_lines": {"documents": 2, "on": ["assistant"]}}])
    assert [[turn["content"] for turn in row["messages"]] for row in table(artifact)] == [["menu\na", "b"], ["menu", "c"]]


@settings(max_examples=25)
@given(st.lists(PAGE, min_size=1, max_size=6), st.integers(2, 3), st.sampled_from(["none", "first"]))
def test_shards_change_nothing_of_what_is_left(documents, run_with, pages, times, keep):
    steps = [{"recurring_lines": {"documents": times, "keep": keep}}]
    made = [clean(documents(pages, shards=shards), "s", run_with(1), steps=steps) for shards in (1, 3)]
    assert texts(made[0]) == texts(made[1])
    assert made[0].manifest.counts == made[1].manifest.counts


@settings(max_examples=25)
@given(st.lists(PAGE, min_size=1, max_size=6), st.randoms())
def test_the_order_of_documents_changes_nothing_where_no_line_is_kept(documents, run_with, pages, shuffle):
    order = shuffle.sample(range(len(pages)), len(pages))
    steps = [{"recurring_lines": {"documents": 2}}]
    names = [f"p{number}" for number in range(len(pages))]
    one = clean(documents(pages, ids=names, shards=2), "s", run_with(1), steps=steps)
    other = clean(
        documents([pages[at] for at in order], ids=[names[at] for at in order], shards=2), "s", run_with(1), steps=steps
    )
    assert texts(one) == texts(other)


@settings(max_examples=25)
@given(st.lists(PAGE, min_size=1, max_size=6), st.sampled_from(["none", "first"]))
def test_no_document_is_lost(documents, run_with, pages, keep):
    steps = [{"recurring_lines": {"documents": 2, "keep": keep}}]
    artifact = clean(documents(pages, shards=2), "s", run_with(1), steps=steps)
    found = [row["id"] for part in ("documents", "removed") for row in table(artifact, part)]
    assert sorted(found) == sorted(f"d{number}" for number in range(len(pages)))


@pytest.mark.parametrize("keep", ["none", "first"])
def test_workers_change_no_byte(documents, store, engines, keep):
    parent = documents([f"Home | About\npage {number % 7} of 9\nText x{number * 'y'}." for number in range(40)], shards=5)
    steps = [{"recurring_lines": {"documents": 5, "keep": keep}}, {"recurring_lines": {"documents": 3}}, "exact_duplicates"]
    four = Local(4)
    made = [
        clean(parent, f"{keep}-{engine.workers}", Run(store, engine), steps=steps) for engine in (engines[1], engines[2], four)
    ]
    four.close()
    assert made[0].manifest.files == made[1].manifest.files == made[2].manifest.files
    assert made[0].manifest.counts == made[1].manifest.counts == made[2].manifest.counts
    assert made[0].manifest.counts[0]["changed"] >= 39


@pytest.mark.parametrize("writes", [1, 7, 14, 21, 28, 35, 42, 46])
def test_stopped_at_any_write_a_run_started_again_ends_with_the_same_bytes(documents, run_with, monkeypatch, writes):
    old = documents(["text x", "other"], ids=["o0", "o1"])
    parent = documents([f"menu\npage {at}\ntext {'xyz'[at % 3]} bad" for at in range(8)], shards=2)
    steps = [
        {"recurring_lines": {"documents": 5, "keep": "first"}},
        {"word_count": {"min": 1}},
        {"exact_duplicates": {"against": old.ref}},
        "near_duplicates",
        {"slop": {"action": "strip"}},
    ]
    undisturbed = clean(parent, "undisturbed", run_with(1), steps=steps)
    sync, written = os.fsync, []

    def stopping(file):
        written.append(file)
        if len(written) == writes:
            raise KeyboardInterrupt
        sync(file)

    monkeypatch.setattr(os, "fsync", stopping)
    with pytest.raises(KeyboardInterrupt):
        clean(parent, "stopped", run_with(1), steps=steps)
    again = clean(parent, "stopped", run_with(1), steps=steps)
    assert (again.manifest.files, again.manifest.counts) == (undisturbed.manifest.files, undisturbed.manifest.counts)
