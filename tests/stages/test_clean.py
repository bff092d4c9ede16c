"""The clean stage on real stores: what stays, what goes and why."""

from collections import Counter

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.documents import ledger_schema, schema
from pipeline.errors import BrokenArtifact, RecipeError
from pipeline.run import Run
from pipeline.stages.clean import clean
from pipeline.stages.ingest import ingest

SHORT = ["ok thanks", "yes", "no problem at all", "Sure!", "Hello there friend"]
ALL_KINDS = [
    "unicode",
    "slop",
    {"word_count": {"min": 1, "max": 30}},
    "exact_duplicates",
    {"near_duplicates": {"threshold": 0.5}},
]
PIECES = [
    "Ã©",
    "the mill by the river ",
    "As an AI language model, ",
    "yes",
    "🎉",
    "\0",
    "\r\n",
    "مرحبا ",
    "&amp;",
    "\u0301",
    " ",
    "x " * 31,
]
TEXT = st.lists(st.sampled_from(PIECES), max_size=4).map("".join) | st.text(max_size=5)
CHAT = st.lists(st.tuples(st.sampled_from(["system", "user", "assistant"]), TEXT), min_size=1, max_size=3)
CONTENTS = st.lists(TEXT, min_size=1, max_size=12) | st.lists(CHAT, min_size=1, max_size=6)


def table(artifact, part="documents"):
    return pa.concat_tables(pq.read_table(path) for path in artifact.files(part))


def ids(artifact, part="documents"):
    return table(artifact, part)["id"].to_pylist()


def removed(artifact):
    return {row["id"]: row for row in table(artifact, "removed").to_pylist()}


def grams(text, length=5):
    words = text.split()
    return {tuple(words[at : at + length]) for at in range(max(1, len(words) - length + 1))}


def jaccard(one, other):
    return len(one & other) / len(one | other)


@settings(max_examples=25)
@given(CONTENTS, st.integers(1, 3))
@example(["", " ", "\0", "🎉", "\u202eabc", "lone \x80 \x1b", "yes", "yes"], 3)
def test_every_document_is_kept_or_removed_exactly_once(documents, run_with, contents, shards):
    parent = documents(contents, shards=shards)
    artifact = clean(parent, "sample", run_with(1), steps=ALL_KINDS)
    assert Counter(ids(artifact) + ids(artifact, "removed")) == Counter(ids(parent))


@settings(max_examples=15)
@given(st.lists(TEXT.filter(lambda text: "\r" not in text), min_size=1, max_size=12))
def test_cleaning_what_is_clean_removes_nothing(documents, run_with, contents):
    once = clean(documents(contents, shards=2), "sample", run_with(1), steps=ALL_KINDS)
    twice = clean(once, "sample", run_with(1), steps=ALL_KINDS)
    assert ids(twice) == ids(once)
    assert ids(twice, "removed") == []


@settings(max_examples=15)
@given(st.lists(TEXT, min_size=1, max_size=9), st.randoms())
def test_the_order_of_documents_does_not_change_how_many_exact_duplicates_stay(documents, run_with, contents, shuffle):
    shuffled = shuffle.sample(contents, len(contents))
    for order, shards in ((contents, 2), (shuffled, 3)):
        artifact = clean(documents(order, shards=shards), "sample", run_with(1), steps=["exact_duplicates"])
        assert sorted(table(artifact)["text"].to_pylist()) == sorted(set(contents))


def test_different_short_answers_all_stay(cleaned):
    artifact = cleaned(SHORT, ["exact_duplicates", "near_duplicates"], shards=2)
    assert table(artifact)["text"].to_pylist() == SHORT


def test_different_short_answers_of_assistants_all_stay(cleaned):
    chats = [[("user", "Can you help me with this one?"), ("assistant", answer)] for answer in SHORT]
    assert len(ids(cleaned(chats, [{"near_duplicates": {"on": ["assistant"]}}]))) == len(SHORT)


def test_a_conversation_without_the_roles_is_no_duplicate(cleaned):
    chats = [[("user", "Hi")], [("user", "Hi")], [("assistant", "Yo")], [("user", "Hi"), ("assistant", "Yo")]]
    steps = [{"exact_duplicates": {"on": ["assistant"]}}, {"near_duplicates": {"on": ["assistant"]}}]
    assert ids(cleaned(chats, steps)) == ["d0", "d1", "d2"]


@pytest.mark.parametrize("steps", [["exact_duplicates"], ["near_duplicates"]])
def test_blank_texts_are_duplicates_of_their_like_only(cleaned, steps):
    assert ids(cleaned(["", " ", "", "\n", "!", "?"], steps)) == ["d0", "d1", "d3", "d4", "d5"]


def test_a_word_count_removes_blank_texts(cleaned):
    assert ids(cleaned(["", " \n", "🎉", "\0", "word"], ["unicode", {"word_count": {"min": 1}}])) == ["d4"]


def test_of_exact_duplicates_the_first_stays(cleaned):
    artifact = cleaned(["b", "a", "a", "b", "a"], ["exact_duplicates"], shards=3)
    assert ids(artifact) == ["d0", "d1"]
    assert {id_: row["twin"] for id_, row in removed(artifact).items()} == {"d2": "d1", "d3": "d0", "d4": "d1"}


@pytest.mark.parametrize(("keep", "stays"), [("first", "d0"), ("longest", "d1")])
def test_which_exact_duplicate_stays_is_for_the_recipe_to_say(cleaned, keep, stays):
    steps = [{"exact_duplicates": {"normalize": True, "keep": keep}}]
    assert ids(cleaned(["a b", "A \u2003 b", "a\nb"], steps, shards=3)) == [stays]


@pytest.mark.parametrize(("keep", "stays"), [("first", "d0"), ("longest", "d1")])
def test_which_near_duplicate_stays_is_for_the_recipe_to_say(cleaned, keep, stays):
    texts = ["The mill by the river runs", "The mill — by the river — runs!", "the mill by the river runs"]
    assert ids(cleaned(texts, [{"near_duplicates": {"keep": keep}}], shards=3)) == [stays]


def test_in_a_chain_nobody_goes_for_a_document_it_does_not_resemble(cleaned):
    words = [f"w{number}" for number in range(40)]
    texts = [
        " ".join(words[first : first + 24]) for first in (0, 3, 6)
    ]  # 17 of 23 shingles shared by neighbours, 14 of 26 by the ends
    artifact = cleaned(texts, [{"near_duplicates": {"threshold": 0.7}}], shards=3)
    assert ids(artifact) == ["d0", "d2"]
    assert (removed(artifact)["d1"]["twin"], removed(artifact)["d1"]["similarity"]) == ("d0", 17 / 23)


def test_clusters_that_only_a_false_candidate_connects_stay_apart(cleaned):
    one, other = " ".join(f"w{at}" for at in range(12)), " ".join(f"w{at}" for at in range(4, 16))
    steps = [{"near_duplicates": {"threshold": 0.9, "bands": 100, "rows": 1}}]  # any shared shingle makes candidates
    artifact = cleaned([one, other, one.upper(), other.upper()], steps, shards=2)
    assert artifact.manifest.counts[0]["candidates"] == 4
    assert {id_: row["twin"] for id_, row in removed(artifact).items()} == {"d2": "d0", "d3": "d1"}


def test_a_twin_is_never_removed_by_the_same_step(cleaned, planted):
    artifact = cleaned(planted(40), ["near_duplicates"], shards=4)
    assert {row["twin"] for row in removed(artifact).values()} <= set(ids(artifact))


def test_near_duplicates_are_found_and_nothing_else_is_lost(cleaned, planted):
    texts = planted(300)
    artifact = cleaned(texts, [{"near_duplicates": {"threshold": 0.7}}], shards=4, workers=2)
    sets = {f"d{number}": grams(text) for number, text in enumerate(texts)}
    gone = removed(artifact)
    for id_, row in gone.items():
        assert row["similarity"] == row["value"] == jaccard(sets[id_], sets[row["twin"]]) >= 0.7
    near = {f"d{number}" for number in range(1, 600, 2) if jaccard(sets[f"d{number}"], sets[f"d{number - 1}"]) >= 0.8}
    assert len(near) >= 100
    assert len(near & set(gone)) / len(near) >= 0.99


def test_the_ledger_holds_the_whole_document_and_why_it_went(cleaned, tmp_path):
    own = tmp_path / "own.txt"
    own.write_text("as an ai")
    texts = ["As an AI, no.", "short", "the mill by the river runs", "the mill by the river runs", "The mill by the river runs"]
    steps = [{"slop": {"lists": [str(own)]}}, {"word_count": {"min": 2}}, "exact_duplicates", "near_duplicates"]
    artifact = cleaned(texts, steps)
    assert table(artifact, "removed").schema.equals(ledger_schema(schema("text")))
    assert ids(artifact, "removed") == ["d0", "d1", "d3", "d4"]
    why = ("text", "filter", "measure", "value", "bound", "twin", "similarity")
    assert [tuple(row[name] for name in why) for row in removed(artifact).values()] == [
        ("As an AI, no.", "slop", "hits", 1.0, "max 0", None, None),
        ("short", "word_count", "word_count", 1.0, "min 2", None, None),
        ("the mill by the river runs", "exact_duplicates", "similarity", 1.0, "below 1", "d2", 1.0),
        ("The mill by the river runs", "near_duplicates", "similarity", 1.0, "below 0.7", "d2", 1.0),
    ]
    assert [row["evidence"] for row in removed(artifact).values()] == [
        [{"label": "as an ai", "text": "As an AI", "message": 0, "start": 0, "end": 8}], None, None, None,
    ]  # fmt: skip


def test_the_ledger_of_chats_holds_their_messages(cleaned):
    artifact = cleaned([[("user", "Hi")], [("user", "Hi")]], ["exact_duplicates"])
    assert table(artifact, "removed").schema.equals(ledger_schema(schema("chat")))
    assert removed(artifact)["d1"]["messages"] == [{"role": "user", "content": "Hi"}]


def test_the_text_in_the_ledger_is_as_the_steps_before_left_it(cleaned):
    assert removed(cleaned(["Ã©"], ["unicode", {"word_count": {"min": 2}}]))["d0"]["text"] == "é"


def test_the_ledger_says_which_phrases_removed_how_many_documents(cleaned, tmp_path):
    own = tmp_path / "own.txt"
    own.write_text("as an ai\ni'm sorry\nnever said\n")
    texts = ["As an AI: as an AI", "I’m sorry, as an AI", "I'm sorry!", "fine"]
    artifact = cleaned(texts, [{"slop": {"lists": [str(own)]}}], shards=2)
    spans = pd.read_parquet(artifact.path / "removed")[["id", "evidence"]].explode("evidence")
    phrases = spans.assign(phrase=spans["evidence"].str["label"]).drop_duplicates(["id", "phrase"])
    assert phrases.groupby("phrase")["id"].count().to_dict() == {"as an ai": 2, "i'm sorry": 2}


def test_counts_tell_what_each_step_did(cleaned):
    artifact = cleaned(["Ã©", "é", "x y", "x y"], ["unicode", {"word_count": {"min": 2}}, "exact_duplicates"], shards=2)
    assert artifact.manifest.rows == {"in": 4, "kept": 1, "removed": 3, "rejected": 0}
    assert artifact.manifest.counts == [
        {"step": 0, "filter": "unicode", "in": 4, "removed": 0, "changed": 1},
        {"step": 1, "filter": "word_count", "in": 4, "removed": 2},
        {"step": 2, "filter": "exact_duplicates", "in": 2, "removed": 1, "candidates": 2, "largest_cluster": 2},
    ]


def test_documents_that_a_step_removed_make_no_duplicates_later(cleaned):
    artifact = cleaned(["a", "a", "a b c"], [{"word_count": {"min": 2}}, "exact_duplicates"])
    assert [row["filter"] for row in removed(artifact).values()] == ["word_count", "word_count"]


@pytest.mark.parametrize("contents", [["a"], [[("user", "a")]]])
def test_a_recipe_that_removes_everything_leaves_empty_shards(cleaned, contents):
    artifact = cleaned(contents, [{"word_count": {"min": 9}}, "exact_duplicates", "near_duplicates", "slop", "unicode"])
    assert (ids(artifact), len(ids(artifact, "removed"))) == ([], 1)
    assert artifact.verify() == []


def test_more_shards_than_documents_are_no_trouble(cleaned):
    assert ids(cleaned(["a", "a"], ["exact_duplicates", "near_duplicates", "slop"], shards=4, workers=2)) == ["d0"]


def test_bytes_that_are_no_utf8_never_reach_a_filter(tmp_path, run_with):
    raw = [b"good text", b"bad \xff\xfe", b"cut \xe2\x82", b"\xed\xa0\x80"]
    offsets = pa.array([0, *(sum(map(len, raw[: at + 1])) for at in range(len(raw)))], pa.int32())
    broken = pa.Array.from_buffers(pa.string(), len(raw), [None, offsets.buffers()[1], pa.py_buffer(b"".join(raw))])
    pq.write_table(pa.table({"text": broken}), tmp_path / "broken.parquet")
    parent = ingest([str(tmp_path / "broken.parquet")], "broken", run_with(1))
    artifact = clean(parent, "broken", run_with(1), steps=ALL_KINDS)
    assert table(artifact)["text"].to_pylist() == ["good text"]
    assert parent.manifest.rows["rejected"] == 3


class Listener:
    """A progress that keeps what was said and which shards' work was tracked."""

    def __init__(self):
        self.said, self.tracked = [], []

    def track(self, label, answers, total):
        self.tracked.append(label)
        return answers

    def say(self, line):
        self.said.append(line)


def test_a_second_identical_run_does_no_work_and_says_so(documents, store, engines):
    parent, listener = documents(SHORT), Listener()
    first = clean(parent, "sample", Run(store, engines[1]), steps=["exact_duplicates"])
    second = clean(parent, "sample", Run(store, engines[1], listener), steps=[{"exact_duplicates": {"keep": "first"}}])
    assert second == first
    assert (listener.said, listener.tracked) == ([f"{first.ref}: already there, nothing to do"], [])


def test_another_bound_is_another_artifact_of_the_same_parent(documents, run_with):
    parent = documents(["a", "a b"])
    one, other = (clean(parent, "sample", run_with(1), steps=[{"word_count": {"min": low}}]) for low in (1, 2))
    assert one.manifest.fingerprint != other.manifest.fingerprint
    assert one.manifest.parents == other.manifest.parents == [parent.ref]
    assert (len(ids(one)), len(ids(other))) == (2, 1)


def test_wrong_steps_are_all_told_before_anything_is_written(documents, store, run_with):
    with pytest.raises(RecipeError, match="2 problems"):
        clean(documents(["a"]), "sample", run_with(1), steps=["unicod", "word_count"])
    assert not (store.root / "clean").exists()


@pytest.mark.parametrize("limit", [{"on": ["assistant"]}, {"key": "prompt"}])
def test_roles_and_parts_of_conversations_are_refused_where_there_are_texts(documents, run_with, limit):
    with pytest.raises(RecipeError, match=r"step 1, exact_duplicates: '(on|key)' is for conversations, .* holds texts"):
        clean(documents(["a"]), "sample", run_with(1), steps=[{"exact_duplicates": limit}])


def test_a_damaged_shard_of_the_parent_is_named(documents, run_with):
    parent = documents(["one", "two"])
    (shard,) = parent.files("documents")
    shard.write_bytes(shard.read_bytes()[:-20])
    with pytest.raises(BrokenArtifact, match=r"00000\.parquet: cannot be read"):
        clean(parent, "x", run_with(1), steps=["unicode"])
