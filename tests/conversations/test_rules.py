"""Conversations that a chat template can render, and what is wrong with the others."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.conversations.settle import settle
from pipeline.conversations.turns import ROLES
from pipeline.documents import FULL_MESSAGES, MESSAGES

CALL = '[{"type":"function","function":{"name":"f","arguments":{}}}]'
LETTERS = {"s": "system", "u": "user", "a": "assistant", "c": "assistant", "t": "tool", "x": "narrator", "e": "assistant"}
EMPTY = {**dict.fromkeys("suatx", "Hi"), "c": "", "e": " \n"}


def talk(turns):
    """Make a conversation of letters: system, user, assistant, assistant that calls, tool, e: assistant that is silent."""
    return [{"role": LETTERS[turn], "content": EMPTY[turn], "tool_calls": CALL if turn == "c" else None} for turn in turns]


def why(turns, **settings):
    return settle(pa.array([talk(turns)], FULL_MESSAGES), **settings).why.to_pylist()[0]


@pytest.mark.parametrize("turns", ["ua", "sua", "uaua", "uc", "ucta", "ucttcta", "aua", "uau", "uat", "uata", "suct"])
def test_a_conversation_in_order_is_taken(turns):
    assert why(turns) is None


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ("", "the conversation is empty"),
        ("s", "the conversation is empty"),
        ("u", "no assistant turn"),
        ("sa", "no user turn"),
        ("uax", "turn 3 has an unknown role 'narrator'"),
        ("uas", "turn 3 (system) stands behind another turn"),
        ("ssua", "turn 2 (system) stands behind another turn"),
        ("ue", "turn 2 (assistant) is empty"),
        ("uua", "turn 2 (user) follows a user turn"),
        ("uaa", "turn 3 (assistant) follows an assistant turn"),
        ("uca", "turn 3 (assistant) follows calls that no tool has answered"),
        ("ucua", "turn 3 (user) follows calls that no tool has answered"),
        ("uctua", "turn 4 (user) follows a tool turn"),
        ("uta", "turn 2 (tool) follows a user turn"),
        ("tua", "turn 1 (tool) answers nobody"),
        ("suauu", "turn 5 (user) follows a user turn"),
    ],
)
def test_the_first_fault_is_told_with_the_turns_number_and_role(turns, reason):
    assert why(turns) == reason


def test_only_the_assistant_makes_calls():
    messages = [{"role": "user", "content": "Hi", "tool_calls": CALL}, {"role": "assistant", "content": "Yo"}]
    assert settle(pa.array([messages])).why.to_pylist() == ["turn 1 (user) makes calls, which only the assistant does"]


def test_an_empty_system_turn_is_left_out_and_the_others_keep_their_numbers():
    empty = {"role": "system", "content": "", "tool_calls": None}
    settled = settle(pa.array([[empty, *talk("ua")], [empty, *talk("uua")]], FULL_MESSAGES))
    assert settled.why.to_pylist() == [None, "turn 3 (user) follows a user turn"]
    assert [turn["role"] for turn in settled.messages[0].as_py()] == ["user", "assistant"]


@pytest.mark.parametrize(("name", "role"), ROLES.items())
def test_the_names_of_speakers_become_roles(name, role):
    content = CALL if "call" in name else "Hi"
    messages = settle(pa.array([[{"role": f" {name.title()}", "content": content}]])).messages
    assert messages[0].as_py()[0]["role"] == role


def test_the_text_of_a_turn_that_calls_becomes_its_calls():
    said = [{"role": "human", "content": "Hi"}, {"role": "function_call", "content": '{"name": "f", "arguments": {}}'}]
    (turns,) = settle(pa.array([said])).messages.to_pylist()
    assert (turns[1]["content"], turns[1]["tool_calls"]) == ("", CALL)


def test_messages_without_more_than_role_and_content_have_the_narrow_type():
    lists = pa.array([[{"role": "user", "content": None}], None])
    assert settle(lists).messages.type == MESSAGES
    assert settle(lists.slice(1)).messages.to_pylist() == [[]]


@given(st.lists(st.text("suactxe", max_size=6), max_size=5), st.integers(0, 2))
def test_a_batch_is_judged_as_its_conversations_are_alone(chats, start):
    batch = pa.array([talk(chat) for chat in chats], FULL_MESSAGES).slice(start)
    assert settle(batch).why.to_pylist() == [why(chat) for chat in chats[start:]]


def test_a_text_beside_calls_of_a_caller_stays():
    said = [{"role": "user", "content": "Hi"}, {"role": "function_call", "content": "Let me look.", "tool_calls": CALL}]
    turn = settle(pa.array([said])).messages.to_pylist()[0][1]
    assert (turn["content"], turn["tool_calls"]) == ("Let me look.", CALL)
