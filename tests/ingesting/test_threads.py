"""Rows of a table -> conversations."""

import json
import random

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.documents import Rejection, Remark, Rows
from pipeline.errors import SourceError
from pipeline.ingesting.threads import spill, threads
from pipeline.sources import Source

SOURCE = Source("a.csv", "a.csv", "csv")


def made(rows, tmp_path=None, **settings):
    """Give rows of (thread, role, content, order) to `threads`; return the conversations by place, and the rejections."""
    columns = dict(zip(("thread", "role", "content", "sent"), zip(*rows, strict=True), strict=False)) if rows else {}
    found = [Rows(pa.table(columns), [str(number) for number in range(1, len(rows) + 1)])] if rows else []
    return told(threads(SOURCE, iter(found), tmp_path, **{"chat_by": "thread", "role_column": "role", **settings}))


def told(answers):
    chats, rejected = {}, []
    for found in answers:
        if isinstance(found, Rejection):
            rejected.append(found)
        elif isinstance(found, Rows):
            for place, messages in zip(found.places, found.table["messages"].to_pylist(), strict=True):
                chats[place] = [(turn["role"], turn["content"]) for turn in messages]
    return chats, rejected


def test_the_rows_of_a_thread_become_its_turns():
    chats, rejected = made([("7", "user", "Hi"), ("8", "user", "Hello"), ("7", "assistant", "Yo")])
    assert chats == {"thread=7": [("user", "Hi"), ("assistant", "Yo")], "thread=8": [("user", "Hello")]}
    assert rejected == []


def test_conversations_come_in_the_order_of_their_first_rows():
    assert list(made([("b", "user", "1"), ("a", "user", "2"), ("b", "user", "3")])[0]) == ["thread=b", "thread=a"]


@pytest.mark.parametrize(
    ("orders", "expected"),
    [
        (("10", "9"), ["second", "first"]),
        (("9007199254740993", "9007199254740992"), ["second", "first"]),
        (("1.5", "-2e3"), ["second", "first"]),
        (("2024-05-02T10:00", "2024-05-02T09:59"), ["second", "first"]),
        (("10", "9a"), ["first", "second"]),
        (("1", "1"), ["first", "second"]),
        ((2, 1), ["second", "first"]),
    ],
    ids=["integers", "beyond a float's digits", "decimals", "ISO dates", "text where one is no number", "equal", "typed"],
)
def test_turns_stand_in_the_order_of_a_column(orders, expected):
    rows = [("7", "user", "first", orders[0]), ("7", "user", "second", orders[1])]
    chats, _ = made(rows, order_by="sent")
    assert [content for _, content in chats["thread=7"]] == expected


def test_what_is_no_number_in_one_thread_does_not_sort_another_as_text():
    rows = [("7", "user", "ten", "10"), ("7", "user", "nine", "9"), ("8", "user", "other", "noon")]
    assert made(rows, order_by="sent")[0]["thread=7"] == [("user", "nine"), ("user", "ten")]


def test_usual_names_of_roles_are_known_and_others_are_mapped():
    rows = [("7", "Human", "Hi"), ("7", " GPT ", "Yo"), ("7", "agent", "Hm")]
    assert [role for role, _ in made(rows, roles={"agent": "assistant"})[0]["thread=7"]] == ["user", "assistant", "assistant"]


def test_what_the_user_says_of_a_role_stands_over_what_is_usual():
    assert made([("7", "bot", "Hi"), ("7", "user", "Yo")], roles={"user": "assistant", "bot": "user"})[0] == {
        "thread=7": [("user", "Hi"), ("assistant", "Yo")]
    }


def test_a_thread_with_an_unknown_role_is_rejected_whole_with_its_rows():
    chats, (rejected,) = made([("7", "user", "Hi"), ("7", "boss", "Go"), ("8", "user", "Yo")])
    assert list(chats) == ["thread=8"]
    assert rejected.place == "thread=7"
    assert rejected.error == "row 2: unknown role 'boss'. Say whose it is with --role boss=user"
    assert json.loads(rejected.raw) == [
        {"thread": "7", "role": "user", "content": "Hi"},
        {"thread": "7", "role": "boss", "content": "Go"},
    ]


@pytest.mark.parametrize("thread", [None, ""])
def test_a_row_without_a_thread_is_rejected(thread):
    chats, (rejected,) = made([(thread, "user", "Hi"), ("8", "user", "Yo")])
    assert (list(chats), rejected.place, rejected.error) == (["thread=8"], "1", "the column 'thread' is NULL or empty")


def test_a_thread_with_a_turn_without_an_order_is_rejected():
    _, (rejected,) = made([("7", "user", "Hi", None)], order_by="sent")
    assert rejected.error == "row 1: the column 'sent' is NULL"


def test_what_is_said_may_be_a_template_over_columns():
    assert made([("7", "user", "Hi", "Tom")], text_column="{sent}: {content}")[0] == {"thread=7": [("user", "Tom: Hi")]}


def test_the_columns_of_the_first_turn_ride_along():
    rows = Rows(pa.table({"thread": [7, 7], "role": ["user", "user"], "text": ["a", "b"], "topic": ["x", "y"]}), ["1", "2"])
    (found,) = threads(SOURCE, iter([rows]), None, chat_by="thread", role_column="role", order_by=None)
    assert found.table.select(["thread", "topic"]).to_pylist() == [{"thread": 7, "topic": "x"}]


def test_a_column_that_is_not_there_is_told():
    with pytest.raises(SourceError, match=r"no column 'rolle'\. Did you mean 'role'"):
        made([("7", "user", "Hi")], role_column="rolle")


def test_rejections_and_remarks_of_the_reader_pass():
    passing = [Rejection("1", "why", b"raw"), Remark("told")]
    assert list(threads(SOURCE, iter(passing), None, chat_by="thread", role_column="role")) == passing


ROWS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["user", "assistant", "boss"]), st.text(max_size=3)))


@given(ROWS, st.integers(1, 4))
def test_rows_that_went_through_files_give_the_same_conversations(tmp_path_factory, rows, batch):
    tables = [
        Rows(pa.table(dict(zip(("thread", "role", "content"), zip(*some, strict=True), strict=True))), [""] * len(some))
        for some in (rows[at : at + batch] for at in range(0, len(rows), batch))
    ]
    settings = {"chat_by": "thread", "role_column": "role"}
    held = told(threads(SOURCE, iter(tables), None, **settings))
    work = tmp_path_factory.mktemp("work")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spill, "MOST_HELD", 100)
        chats, rejected = told(threads(SOURCE, iter(tables), work, **settings))
    assert chats == held[0]
    assert sorted(one.place for one in rejected) == sorted(one.place for one in held[1])
    assert list(work.iterdir()) == []


@given(ROWS.map(lambda rows: [(*row, number) for number, row in enumerate(rows)]), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter_where_a_column_gives_it(rows, chance: random.Random):
    shuffled = chance.sample(rows, len(rows))
    assert made(shuffled, order_by="sent")[0] == made(rows, order_by="sent")[0]


@given(ROWS)
def test_no_row_is_lost(rows):
    chats, rejected = made(rows)
    turns = sum(map(len, chats.values())) + sum(len(json.loads(one.raw)) for one in rejected)
    assert turns == len(rows)
