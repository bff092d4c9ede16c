"""Conversations in disorder are put in order, and what was done is counted."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.conversations.settle import settle
from pipeline.documents import FULL_MESSAGES

CALL = '[{"type":"function","function":{"name":"f","arguments":{}}}]'
LETTERS = {"s": "system", "u": "user", "a": "assistant", "c": "assistant", "t": "tool", "x": "narrator", "e": "assistant"}


def talk(turns):
    """Make a conversation of letters, each turn with its own text; c: the assistant calls, e: it is silent."""
    texts = ["" if turn in "ce" else f"{turn}{number}" for number, turn in enumerate(turns)]
    calls = [CALL if turn == "c" else None for turn in turns]
    return [
        {"role": LETTERS[turn], "content": text, "tool_calls": call}
        for turn, text, call in zip(turns, texts, calls, strict=True)
    ]


def mended(*chats):
    return settle(pa.array([talk(chat) for chat in chats], FULL_MESSAGES), repair=True)


def texts(turns):
    (chat,) = mended(turns).messages.to_pylist()
    return ["call" if turn["tool_calls"] else turn["content"] for turn in chat]


@pytest.mark.parametrize(
    ("turns", "left"),
    [
        ("uuaa", ["u0\n\nu1", "a2\n\na3"]),
        ("uae", ["u0", "a1"]),
        ("aua", ["u1", "a2"]),
        ("uauu", ["u0", "a1"]),
        ("suas", ["s0\n\ns3", "u1", "a2"]),
        ("uas", ["s2", "u0", "a1"]),
        ("ucua", ["u0\n\nu2", "a3"]),
        ("uca", ["u0", "a2"]),
        ("uctua", ["u0\n\nu3", "a4"]),
        ("uact", ["u0", "call"]),
        ("uta", ["u0", "a2"]),
        ("ucctta", ["u0", "call", "t3", "t4", "a5"]),
    ],
)
def test_what_can_be_mended_is(turns, left):
    assert texts(turns) == left


def test_what_cannot_be_mended_has_the_reason_it_had_before():
    assert mended("uuux", "uu", "ue").why.to_pylist() == [
        "turn 2 (user) follows a user turn",
        "turn 2 (user) follows a user turn",
        "turn 2 (assistant) is empty",
    ]


def test_what_was_mended_is_counted():
    assert mended("ua", "uuae", "auaa", "uu").repaired == (2, 2, 2)
    assert mended("ua", "uu").repaired == (0, 0, 0)


@given(st.lists(st.text("suacte", max_size=8), max_size=4))
def test_what_is_mended_is_in_order_and_mending_it_again_changes_nothing(chats):
    once = mended(*chats)
    good = once.messages.filter(once.why.is_null())
    again = settle(good, repair=True)
    assert again.why.null_count == len(good)
    assert (again.messages.to_pylist(), again.repaired) == (good.to_pylist(), (0, 0, 0))


@given(st.lists(st.text("suactxe", max_size=6), max_size=4))
def test_conversations_in_order_stay_as_they_are(chats):
    before, after = settle(pa.array([talk(chat) for chat in chats], FULL_MESSAGES)), mended(*chats)
    for chat, why, now in zip(before.messages.to_pylist(), before.why.to_pylist(), after.messages.to_pylist(), strict=True):
        roles = [turn["role"] for turn in chat if turn["role"] != "system"]
        if why is None and roles[0] == "user" and roles[-1] == "assistant":
            assert now == chat
