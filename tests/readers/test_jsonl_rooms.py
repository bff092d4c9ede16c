"""Exports of Discord and Slack, read as conversations."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.artifacts import Store
from pipeline.documents import Found, Rejection, Remark, Rows
from pipeline.engine.local import Local
from pipeline.readers.jsonl import jsonl
from pipeline.run import Run
from pipeline.sources import Source
from pipeline.stages.ingest import ingest
from pipeline.stages.retry import retry


def discord(*messages: tuple[str, str, str], **more: Any) -> dict[str, Any]:
    """Return a file of DiscordChatExporter: minutes, authors (a bot's ends with `Bot`) and texts."""
    said = [
        {
            "id": str(number),
            "type": "Default",
            "timestamp": f"2024-03-01T10:{minute}:00.5+00:00",
            "content": text,
            "author": {"id": f"u-{name}", "name": name, "nickname": f"{name} the Great", "isBot": name.endswith("Bot")},
        }
        for number, (minute, name, text) in enumerate(messages)
    ]
    head = {"guild": {"id": "1", "name": "Shop"}, "channel": {"id": "2", "name": "help"}, "dateRange": {"after": None}}
    return {**head, "messages": said, "messageCount": len(said), **more}


def slack(ts: str, user: str, text: str, **more: Any) -> dict[str, Any]:
    return {"type": "message", "ts": ts, "user": user, "text": text, **more}


def read(tmp_path: Path, value: Any, indent: int | None = 2, **settings: Any) -> list[Found]:
    (tmp_path / "room.json").write_text(json.dumps(value, indent=indent))
    return list(jsonl(Source("room.json", str(tmp_path / "room.json")), **settings))


def chats(found: list[Found]) -> dict[str, list[tuple[str, str, str | None]]]:
    """Return the conversations by place."""
    told = {}
    for part in (part for part in found if isinstance(part, Rows)):
        for place, messages in zip(part.places, part.table["messages"].to_pylist(), strict=True):
            told[place] = [(turn["role"], turn["content"], turn["name"]) for turn in messages]
    return told


@pytest.mark.parametrize("indent", [None, 2])
def test_a_discord_channel_is_a_conversation_in_the_order_of_time(tmp_path: Path, indent: int | None) -> None:
    found = read(tmp_path, discord(("03", "HelpBot", "Yo"), ("01", "Ann", "Hi"), ("02", "Ann", "there")), indent)
    assert chats(found) == {"1": [("user", "Hi\nthere", "Ann"), ("assistant", "Yo", None)]}


@pytest.mark.parametrize("name", ["Bob", "Bob the Great", "u-Bob"])
def test_those_whom_assistants_names_are_the_assistant_and_bots_are_then_users(tmp_path: Path, name: str) -> None:
    room = discord(("01", "Ann", "Hi"), ("02", "Bob", "Yo"), ("03", "HelpBot", "Beep"))
    assert [turn[0] for turn in chats(read(tmp_path, room, assistants=[name]))["1"]] == ["user", "assistant", "user"]


def test_a_conversation_without_an_assistant_is_rejected_with_what_to_set(tmp_path: Path) -> None:
    (rejected,) = read(tmp_path, discord(("01", "Ann", "Hi"), ("02", "Bob", "Yo")))
    assert isinstance(rejected, Rejection)
    assert rejected.error == "no assistant among Ann, Bob. The setting `assistants: [NAME, ...]` says who is one"


def test_messages_that_say_nothing_or_that_nobody_wrote_are_left_out_and_counted(tmp_path: Path) -> None:
    room = discord(("01", "Ann", "Hi"), ("02", "HelpBot", "Yo"), ("03", "Ann", ""), ("04", "Bob", "Joined the server."))
    room["messages"][3]["type"] = "GuildMemberJoin"
    rows, told = read(tmp_path, room)
    assert len(chats([rows])["1"]) == 2
    assert told == Remark("2 messages are left out: without text (1), GuildMemberJoin (1)")


def test_a_message_without_an_author_is_an_error_that_names_it(tmp_path: Path) -> None:
    (rejected,) = read(tmp_path, discord() | {"messages": [{"timestamp": "2024-03-01T10:00:00+00:00"}]})
    assert isinstance(rejected, Rejection)
    assert rejected.error.startswith("message 1 has no timestamp, author or content")


DAY = [
    slack("10.000100", "U1", "Where &amp; when?", thread_ts="10.000100", reply_count=1),
    slack("11.000000", "U2", "Hello", user_profile={"real_name": "Bob B", "display_name": "bob"}),
    {"type": "message", "subtype": "bot_message", "ts": "12.5", "bot_id": "B1", "username": "helper", "text": "Hi all"},
    slack("13.000000", "U9", "Here &lt;now&gt;", thread_ts="10.000100", bot_id="B1"),
    slack("14.000000", "U3", "<@U3> has joined the channel", subtype="channel_join"),
]


def test_a_slack_day_is_the_channels_conversation_and_one_of_each_thread(tmp_path: Path) -> None:
    found = read(tmp_path, DAY, shape="slack")
    assert chats(found) == {
        "10.000100": [("user", "Where & when?", "U1"), ("assistant", "Here <now>", None)],
        "11.000000": [("user", "Hello", "bob"), ("assistant", "Hi all", None)],
    }
    assert found[1:] == [Remark("1 message is left out: channel_join (1)")]


def test_what_is_no_slack_message_is_rejected_with_its_number(tmp_path: Path) -> None:
    users = [{"id": "U1", "name": "ann"}, slack("soon", "U1", "Hi"), "x"]
    errors = [(part.place, part.error) for part in read(tmp_path, users, None, shape="slack") if isinstance(part, Rejection)]
    assert errors == [
        ("1", 'no message of Slack: {"id":"U1","name":"ann"}'),
        ("2", "could not convert string to float: 'soon'"),
        ("3", 'no message of Slack: "x"'),
    ]


def test_a_rejected_slack_thread_is_read_again_with_an_assistant(tmp_path: Path) -> None:
    day = [slack("1.5", "U1", "Hi"), slack("2.5", "U2", "Yo"), slack("3.5", "U1", "So", thread_ts="3.5"), DAY[0], DAY[3]]
    folder = tmp_path / "export" / "general"
    folder.mkdir(parents=True)
    (folder / "2024-03-01.json").write_text(json.dumps(day))
    run = Run(Store(tmp_path / "store"), Local(1))
    first = ingest([{"path": str(tmp_path / "export"), "shape": "slack"}], "slack", run)
    assert first.manifest.rows["rejected"] == 2
    again = retry(first, "slack", run, changes={"assistants": ["U2"]})
    ids = [row["id"] for file in again.files("documents") for row in pq.read_table(file).to_pylist()]
    assert ids == [f"export/general/2024-03-01.json:{place}" for place in ("10.000100", "1.500000")]
