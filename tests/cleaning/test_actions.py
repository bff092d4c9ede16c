"""What the stage does about spans: which documents go, which bytes are cut, and what is written down of both."""

import re
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import kinds
from filters.kinds import Spans
from pipeline.cleaning.answers import Answers
from pipeline.cleaning.passage import Passage, through
from pipeline.cleaning.plan import plan
from pipeline.documents import EDITS, schema
from pipeline.stages.clean import clean

ALTERING = ["strip", "strip_sentence", "strip_line", "truncate", "redact"]
PIECES = ["bad", "bad thing", "good", "é", "🎉", "שלום", "\u0301", " ", "\n", ". ", "! ", "\0", "\r\n", "broken", "[bad]"]
TEXT = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
TURN = st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), TEXT)
CHAT = st.lists(TURN, min_size=1, max_size=5)
ACTION = st.sampled_from(["drop", *ALTERING])


def bad(texts):
    """Find "bad" and "bad thing", which overlap; a text with "broken" cannot be looked at."""
    found, failed = [], []
    for row, text in enumerate(texts.to_pylist()):
        if "broken" in text:
            failed.append((row, "broken, it says"))
            continue
        raw = text.encode()
        found += [(row, hit.start(), hit.end(), 0) for hit in re.finditer(b"bad", raw)]
        found += [(row, hit.start() + 2, hit.end(), 1) for hit in re.finditer(b"bad thing", raw)]
    columns = np.array(sorted(found), dtype=np.int64).reshape(-1, 4).T
    return Spans(*columns, ["bad", "thing"], tuple(failed))


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    kinds.filters()
    monkeypatch.setattr(kinds, "_REGISTRY", dict(kinds._REGISTRY))
    kinds.spans(version=1)(bad)
    kinds.filters.cache_clear()
    yield
    kinds.filters.cache_clear()


def texts(*contents, **extra):
    ids = [f"d{number}" for number in range(len(contents))]
    fields = [pa.field(name, pa.large_string()) for name in extra]
    return pa.table([ids, contents, ids, *extra.values()], schema=schema("text", fields))


def chats(*contents):
    ids = [f"d{number}" for number in range(len(contents))]
    bodies = [[{"role": role, "content": text} for role, text in turns] for turns in contents]
    return pa.table([ids, bodies, ids], schema=schema("chat"))


@pytest.fixture
def act(tmp_path_factory):
    """Take a table through the toy filter: `act(table, action="strip")`."""

    def acted(table, **own):
        planned, problems = plan([{"bad": own}])
        assert problems == []
        passage = Passage(table, np.arange(table.num_rows))
        through(passage, planned, planned, Answers(tmp_path_factory.mktemp("answers"), "00000"))
        return passage

    return acted


def kept(passage):
    """Return what stays: the texts, or of each conversation its turns."""
    if "text" in passage.documents.column_names:
        return passage.documents["text"].to_pylist()
    return [[turn["content"] for turn in turns] for turns in passage.documents["messages"].to_pylist()]


def ids(table):
    return table["id"].to_pylist()


def rows(passage, part):
    return passage.table(part).to_pylist()


def cuts(passage):
    """Return of each edit its id, and of each piece in it the label, text, message and bytes."""
    return {
        row["id"]: [tuple(span[key] for key in ("label", "text", "message", "start", "end")) for span in row["evidence"]]
        for row in rows(passage, "edits")
    }


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({}, ["d0"]),
        ({"max": 1}, ["d0", "d1"]),
        ({"min": 1}, ["d1", "d2"]),
        ({"min": 1, "max": 1}, ["d1"]),
        ({"max": 0}, ["d0"]),
    ],
)
def test_documents_whose_hits_lie_outside_the_bounds_go(act, bounds, expected):
    assert ids(act(texts("good", "bad", "bad and bad"), **bounds).documents) == expected


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ({"max_per_1000_words": 250}, ["d0", "d1"]),
        ({"min_per_1000_words": 250}, ["d1", "d2"]),
        ({"max_per_1000_words": 249.9}, ["d0"]),
    ],
)
def test_hits_can_be_bounded_per_1000_words(act, bounds, expected):
    assert ids(act(texts("good", "one bad in four", "a bad"), **bounds).documents) == expected


def test_a_hit_in_a_text_without_words_counts_as_in_one_word(act):
    (row,) = rows(act(texts("bad"), max_per_1000_words=999), "removed")
    assert (row["measure"], row["value"], row["bound"]) == ("hits per 1,000 words", 1000.0, "max 999")


def test_bounds_apply_beside_an_action_that_alters(act):
    outcome = act(texts("good", "a bad one", "bad bad bad a"), action="strip", max=2)
    assert kept(outcome) == ["good", "a  one"]
    assert [(row["id"], row["measure"], row["value"], row["bound"]) for row in rows(outcome, "removed")] == [
        ("d2", "hits", 3.0, "max 2")
    ]


def test_hits_of_a_conversation_are_counted_over_its_messages(act):
    outcome = act(chats([("user", "bad"), ("assistant", "bad")], [("user", "bad"), ("assistant", "good")]), max=1)
    assert ids(outcome.documents) == ["d1"]


def test_only_the_roles_of_the_step_are_looked_at(act):
    outcome = act(chats([("user", "bad"), ("assistant", "good")], [("user", "good"), ("assistant", "bad")]), on=["assistant"])
    assert ids(outcome.documents) == ["d0"]


@pytest.mark.parametrize(
    ("action", "text", "after"),
    [
        ("strip", "a bad one", "a  one"),
        ("strip", "bad start", " start"),
        ("strip", "the end is bad", "the end is"),
        ("strip", "the end is bad \n", "the end is  \n"),
        ("strip", "é bad 🎉 bad שלום", "é  🎉  שלום"),
        ("strip", "a bad thing here", "a  here"),
        ("strip", "xbadbady", "xy"),
        ("strip_sentence", "One is good. Two is bad, see. Three.", "One is good. Three."),
        ("strip_sentence", "One is bad. Two is good.", "Two is good."),
        ("strip_sentence", "One is good. Two is bad.", "One is good."),
        ("strip_sentence", "Été! Bad? No: bad. שלום. 🎉", "Été! Bad? שלום. 🎉"),
        ("strip_line", "one\ntwo bad, bad\nthree", "one\nthree"),
        ("strip_line", "one\r\nbad\r\nthree", "one\r\nthree"),
        ("strip_line", "one\nbad", "one"),
        ("strip_line", "bad\n🎉", "🎉"),
        ("truncate", "one\ntwo\nthree bad\nfour", "one\ntwo"),
        ("truncate", "é\nbad\né\nbad\né", "é"),
        ("redact", "a bad one", "a [bad] one"),
        ("redact", "badbad", "[bad][bad]"),
        ("redact", "a bad thing", "a [bad]"),
        ("redact", "é bad 🎉", "é [bad] 🎉"),
    ],
)
def test_what_an_action_leaves_of_a_text(act, action, text, after):
    assert kept(act(texts(text), action=action)) == [after]


@pytest.mark.parametrize(
    ("action", "after"),
    [
        ("strip", ["bad?", "a  one", "ok", "fine"]),
        ("strip_sentence", ["bad?", "Good.", "ok", "fine"]),
        ("strip_line", ["bad?", "Good.", "ok", "fine"]),
        ("redact", ["bad?", "a [bad] one", "ok", "fine"]),
    ],
)
def test_an_action_alters_the_roles_of_its_step_only(act, action, after):
    answer = {"strip": "a bad one", "redact": "a bad one"}.get(action, "Good.\nIt is bad.")
    chat = [("user", "bad?"), ("assistant", answer), ("user", "ok"), ("assistant", "fine")]
    assert kept(act(chats(chat), action=action, on=["assistant"])) == [after]


@pytest.mark.parametrize(
    ("turns", "after"),
    [
        ([("user", "q"), ("assistant", "a"), ("user", "q"), ("assistant", "bad")], ["q", "a"]),
        ([("user", "q"), ("assistant", "a"), ("user", "bad"), ("assistant", "a")], ["q", "a"]),
        ([("user", "q"), ("assistant", "a"), ("user", "q"), ("tool", "t"), ("assistant", "bad")], ["q", "a"]),
        ([("system", "s"), ("user", "q"), ("assistant", "a"), ("assistant", "bad")], ["s", "q", "a"]),
        ([("user", "q"), ("assistant", "a"), ("user", "q"), ("assistant", "bad"), ("user", "bad")], ["q", "a"]),
    ],
)
def test_a_conversation_ends_before_the_turn_with_the_first_hit_and_the_question_it_answers(act, turns, after):
    assert kept(act(chats(turns), action="truncate")) == [after]


@pytest.mark.parametrize(
    "turns",
    [
        [("user", "q"), ("assistant", "bad")],
        [("system", "s"), ("user", "q"), ("assistant", "bad"), ("user", "q"), ("assistant", "a")],
        [("user", "bad"), ("assistant", "a")],
    ],
)
def test_a_conversation_of_which_no_answer_is_left_goes(act, turns):
    outcome = act(chats(turns), action="truncate")
    assert kept(outcome) == []
    (row,) = rows(outcome, "removed")
    assert (row["measure"], row["value"], row["bound"], len(row["messages"])) == ("text left", 0.0, "min 1", len(turns))


def test_conversations_around_one_that_is_cut_are_whole(act):
    good = [("user", "q"), ("assistant", "a"), ("user", "open")]
    cut = [("user", "q"), ("assistant", "a"), ("user", "q"), ("assistant", "bad")]
    assert kept(act(chats(good, cut, good), action="truncate")) == [["q", "a", "open"], ["q", "a"], ["q", "a", "open"]]


def test_a_hit_of_another_role_does_not_cut_a_conversation(act):
    chat = [("user", "bad"), ("assistant", "a"), ("user", "q"), ("assistant", "bad")]
    assert kept(act(chats(chat), action="truncate", on=["assistant"])) == [["bad", "a"]]


@pytest.mark.parametrize(
    ("action", "spans"),
    [
        ("strip", [("bad", "bad", 0, 3, 6), ("bad", "bad thing", 0, 7, 16)]),
        ("strip_line", [("bad", "é bad bad thing", 0, 0, 16)]),
        ("strip_sentence", [("bad", "é bad bad thing", 0, 0, 16)]),
        ("redact", [("bad", None, 0, 3, 6), ("bad", None, 0, 7, 16)]),
    ],
)
def test_what_was_cut_stands_in_the_edits_with_its_place(act, action, spans):
    last = "\ngood" if action.startswith("strip_") else ""
    outcome = act(texts("é bad bad thing" + last), action=action)
    if last:
        spans = [(spans[0][0], "é bad bad thing\n", 0, 0, 17)]
    assert cuts(outcome) == {"d0": spans}
    assert [(row["filter"], row["action"]) for row in rows(outcome, "edits")] == [("bad", action)]


def test_an_edit_names_the_message_of_the_whole_conversation(act):
    chat = [("system", "bad"), ("user", "bad"), ("assistant", "a bad one")]
    assert cuts(act(chats(chat), action="strip", on=["assistant"])) == {"d0": [("bad", "bad", 2, 2, 5)]}


def test_the_turn_that_cut_a_conversation_stands_in_the_edits(act):
    chat = [("user", "q"), ("assistant", "a"), ("user", "q"), ("assistant", "so bad"), ("user", "bad")]
    assert cuts(act(chats(chat), action="truncate")) == {"d0": [("bad", "bad", 3, 3, 6)]}


def test_documents_that_were_not_altered_have_no_edit(act):
    outcome = act(texts("good", "a bad one", "good"), action="strip")
    assert list(cuts(outcome)) == ["d1"]
    assert outcome.counts[0]["changed"] == 1


def test_a_document_that_goes_has_no_edit(act):
    outcome = act(texts("bad bad bad", "bad"), action="strip", max=2)
    assert (rows(outcome, "edits"), ids(outcome.documents)) == ([], [])


@pytest.mark.parametrize("action", ["strip", "strip_sentence", "strip_line", "truncate"])
def test_a_text_from_which_everything_was_cut_goes_with_the_reason(act, action):
    outcome = act(texts(" bad ", "good"), action=action)
    (row,) = rows(outcome, "removed")
    assert (row["id"], row["text"], row["measure"], row["value"], row["bound"]) == ("d0", " bad ", "text left", 0.0, "min 1")
    assert [span["label"] for span in row["evidence"]] == ["bad"]
    assert kept(outcome) == ["good"]


def test_a_conversation_of_which_a_turn_was_emptied_goes(act):
    outcome = act(chats([("user", "q"), ("assistant", "bad")]), action="strip")
    assert [row["id"] for row in rows(outcome, "removed")] == ["d0"]


def test_a_turn_that_was_empty_before_is_no_reason_to_go(act):
    assert kept(act(chats([("user", ""), ("assistant", "a bad one")]), action="strip")) == [["", "a  one"]]


def test_a_placeholder_is_for_the_recipe_to_say(act):
    assert kept(act(texts("a bad one, bad thing"), action="redact", placeholder="<{label}|{label}>")) == [
        "a <bad|bad> one, <bad|bad>"
    ]


def test_what_was_redacted_is_nowhere_in_the_edits(act):
    outcome = act(texts("the bad thing"), action="redact")
    assert "bad thing" not in str([span for row in rows(outcome, "edits") for span in row["evidence"]])


def test_a_document_that_a_filter_could_not_look_at_is_rejected_with_the_reason(act):
    outcome = act(texts("good", "broken", "bad"), max=0)
    assert ids(outcome.documents) == ["d0"]
    (row,) = rows(outcome, "rejected")
    assert row == {"id": "d1", "text": "broken", "source": "d1", "filter": "bad", "error": "broken, it says"}
    assert outcome.counts == [{"step": 0, "in": 3, "removed": 1, "rejected": 1}]


def test_a_conversation_with_one_message_that_could_not_be_looked_at_is_rejected_once(act):
    chat = [("user", "broken"), ("assistant", "bad"), ("user", "broken")]
    outcome = act(chats([("user", "good")], chat), action="strip")
    assert [row["id"] for row in rows(outcome, "rejected")] == ["d1"]
    assert (ids(outcome.documents), rows(outcome, "removed"), rows(outcome, "edits")) == (["d0"], [], [])


def test_a_rejected_documents_own_columns_keep_apart_from_the_reason(act):
    outcome = act(texts("broken", error=["404"], filter=["mine"]))
    names = outcome.table("rejected").column_names
    assert len(set(names)) == len(names)
    row = rows(outcome, "rejected")[0]
    assert (row["filter"], row["error"]) == ("bad", "broken, it says")


def test_what_was_rejected_is_counted_and_published(cleaned):
    artifact = cleaned(["good", "broken", "bad"], ["bad"], shards=2)
    assert artifact.manifest.rows == {"in": 3, "kept": 1, "removed": 1, "rejected": 1}
    (file,) = artifact.files("rejected")
    assert pq.read_table(file)["error"].to_pylist() == ["broken, it says"]


def test_edits_have_their_schema_on_the_disk(cleaned):
    (file,) = cleaned(["a bad one"], [{"bad": {"action": "strip"}}]).files("edits")
    assert pq.read_table(file).schema.equals(EDITS)


def test_the_edits_of_steps_stand_in_their_order(cleaned):
    (file,) = cleaned(["a bad Ã©"], ["unicode", {"bad": {"action": "redact"}}]).files("edits")
    assert [(row["filter"], row["action"]) for row in pq.read_table(file).to_pylist()] == [
        ("unicode", "rewrite"),
        ("bad", "redact"),
    ]


@settings(max_examples=60)
@given(st.lists(TEXT, max_size=5), st.sampled_from(ALTERING))
def test_altering_again_changes_nothing_where_nothing_is_found_anymore(act, contents, action):
    once = act(texts(*contents), action=action, placeholder="(B)")
    if any("bad" in text for text in kept(once)):
        return  # what a cut brings together is another word
    twice = act(once.documents, action=action, placeholder="(B)")
    assert (kept(twice), rows(twice, "removed"), rows(twice, "edits")) == (kept(once), [], [])


@settings(max_examples=60)
@given(st.lists(TEXT, max_size=5), st.sampled_from(["strip_sentence", "strip_line", "truncate"]))
def test_what_whole_sentences_and_lines_leave_holds_no_hit(act, contents, action):
    assert not any("bad" in text for text in kept(act(texts(*contents), action=action)))


@settings(max_examples=80)
@given(st.lists(TEXT, max_size=5), st.sampled_from(ALTERING))
def test_no_byte_beside_what_stands_in_the_edits_is_touched(act, contents, action):
    outcome = act(texts(*contents), action=action)
    cut = cuts(outcome)
    for id_, after in zip(ids(outcome.documents), kept(outcome), strict=True):
        before = contents[int(id_[1:])].encode()
        pieces, at = [], 0
        for label, _, _, start, end in cut.get(id_, []):
            pieces += [before[at:start], f"[{label}]".encode() if action == "redact" else b""]
            at = end
        expected = b"".join([*pieces, before[at:]])
        if action != "redact" and at == len(before) and id_ in cut:
            expected = expected.rstrip(b" \t\n\r\v\f")
        assert after.encode() == expected


@settings(max_examples=60)
@given(st.lists(TEXT, max_size=5), st.sampled_from(["strip", "strip_sentence", "strip_line", "truncate"]))
def test_the_edits_hold_the_bytes_that_were_cut(act, contents, action):
    for id_, spans in cuts(act(texts(*contents), action=action)).items():
        before = contents[int(id_[1:])].encode()
        assert [text.encode() for _, text, _, _, _ in spans] == [before[start:end] for *_, start, end in spans]
        assert all(left[4] <= right[3] for left, right in pairwise(spans))


@settings(max_examples=25)
@given(
    st.lists(TEXT, min_size=1, max_size=8) | st.lists(CHAT, min_size=1, max_size=5),
    ACTION,
    st.none() | st.integers(0, 3),
    st.none() | st.just(["assistant"]),
)
def test_every_document_is_kept_removed_or_rejected_once(documents, run_with, contents, action, most, roles):
    limits = {"max": most, "on": roles if isinstance(contents[0], list) else None}
    steps = [{"bad": {"action": action, **{name: limit for name, limit in limits.items() if limit is not None}}}]
    artifact = clean(documents(contents, shards=2), "sample", run_with(1), steps=steps)
    found = [ids(pq.read_table(file)) for part in ("documents", "removed", "rejected") for file in artifact.files(part)]
    assert sorted(id_ for own in found for id_ in own) == sorted(f"d{number}" for number in range(len(contents)))


@settings(max_examples=40)
@given(st.lists(CHAT, min_size=1, max_size=5))
def test_a_truncated_conversation_is_the_beginning_of_what_it_was_and_ends_with_an_answer(act, contents):
    outcome = act(chats(*contents), action="truncate")
    cut = cuts(outcome)
    for id_, turns in zip(ids(outcome.documents), outcome.documents["messages"].to_pylist(), strict=True):
        before = contents[int(id_[1:])]
        assert [(turn["role"], turn["content"]) for turn in turns] == before[: len(turns)]
        assert (len(turns) < len(before)) == (id_ in cut)
        assert id_ not in cut or turns[-1]["role"] == "assistant"
