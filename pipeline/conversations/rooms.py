"""What people and bots said in a chat room -> conversations: Discord's channels, Slack's channels and threads.

    discord   {"guild", "channel", "messages": [{"timestamp", "type", "author": {"name", "isBot"}, "content"}]}
              a file of DiscordChatExporter: one conversation
    slack     [{"type": "message", "ts", "thread_ts"?, "user", "text", "subtype"?, "bot_id"?}]
              a day of a channel in an export: a conversation of it, and one of each thread

Bots, or else those whom `assistants` names, are the assistant, all others users, whose name is the message's `name`. Messages
are taken in the order of their times, and those of one author in a row are one turn.
"""

import html
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from pipeline.conversations.calls import json_text
from pipeline.conversations.shapes import Row, Turn

DISCORD = ("guild", "channel", "messages")
DISCORD_TYPES = ("Default", "Reply")
SLACK_TYPES = ("bot_message", "file_share", "me_message", "thread_broadcast")


class Said(NamedTuple):
    """A message: when it was sent, the names of its author, the one to show first, whether that is a bot; its text."""

    at: float
    names: tuple[str, ...]
    bot: bool
    text: str


def is_discord(row: Row) -> bool:
    """Tell a file of DiscordChatExporter."""
    return all(key in row for key in DISCORD) and isinstance(row["messages"], list)


def of_discord(row: Row, left: Counter[str]) -> list[Said]:
    """Return a channel's messages, and count those without text and those that nobody wrote; raises `ValueError`."""
    if not is_discord(row):
        raise ValueError("no file of DiscordChatExporter: it has `guild`, `channel` and a list of `messages`")
    said = []
    for number, message in enumerate(row["messages"], 1):
        try:
            at, author, text = datetime.fromisoformat(message["timestamp"]).timestamp(), message["author"], message["content"]
            names = _names(author.get("nickname"), author["name"], author.get("id"), first=author["name"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"message {number} has no timestamp, author or content ({json_text(message)[:40]})") from error
        if why := _why_not(message.get("type") or DISCORD_TYPES[0], DISCORD_TYPES, text):
            left[why] += 1
        else:
            said.append(Said(at, names, bool(author.get("isBot")), text))
    return said


def of_slack(message: object, left: Counter[str]) -> tuple[str, Said | None]:
    """Return a message's thread, empty for the channel, and the message, none where it is counted; raises `ValueError`."""
    if not isinstance(message, dict) or message.get("type") != "message" or not isinstance(message.get("ts"), str):
        raise ValueError(f"no message of Slack: {json_text(message)[:40]}")
    text, thread = message.get("text", ""), str(message.get("thread_ts") or "")
    if why := _why_not(message.get("subtype") or SLACK_TYPES[0], SLACK_TYPES, text):
        left[why] += 1
        return thread, None
    profiles = [profile for key in ("user_profile", "bot_profile") if isinstance(profile := message.get(key), dict)]
    told = [profile.get(key) for profile in profiles for key in ("display_name", "real_name", "name")]
    names = _names(*told, message.get("username"), message.get("user"), message.get("bot_id"))
    return thread, Said(float(message["ts"]), names, bool(message.get("bot_id")), html.unescape(text))


def _names(*names: object, first: str = "") -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for name in (first, *names) if isinstance(name, str) and name)) or ("?",)


def _why_not(kind: object, kinds: Sequence[str], text: object) -> str:
    if kind not in kinds:
        return str(kind)
    return "" if isinstance(text, str) and text.strip() else "without text"


def turns_of_room(said: Sequence[Said], assistants: Sequence[str]) -> list[Turn]:
    r"""Return a conversation's turns; raises `ValueError` where no one in it is an assistant.

    >>> said = [Said(2, ("Bot",), True, "Yo"), Said(0, ("Ann",), False, "Hi"), Said(1, ("Ann",), False, "there")]
    >>> [turn[:3] for turn in turns_of_room(said, [])]
    [('user', 'Hi\nthere', 'Ann'), ('assistant', 'Yo', None)]
    """
    chosen = set(assistants)
    turns: list[Turn] = []
    for names, messages in groupby(sorted(said, key=lambda one: one.at), key=lambda one: one.names):
        own = list(messages)
        assistant = not chosen.isdisjoint(names) if chosen else own[0].bot
        text = "\n".join(one.text for one in own)
        turns.append(("assistant", text, None, None, None, None) if assistant else ("user", text, names[0], None, None, None))
    if not any(turn[0] == "assistant" for turn in turns):
        people = ", ".join(dict.fromkeys(one.names[0] for one in said)) or "nobody"
        raise ValueError(f"no assistant among {people[:80]}. The setting `assistants: [NAME, ...]` says who is one")
    return turns


def left_out(left: Counter[str]) -> str:
    """Say how many messages are left out, and of which kinds.

    >>> left_out(Counter({"channel_join": 3, "without text": 1}))
    '4 messages are left out: channel_join (3), without text (1)'
    """
    kinds = ", ".join(f"{kind} ({count})" for kind, count in left.most_common(5))
    return f"{left.total()} message{'s are' if left.total() > 1 else ' is'} left out: {kinds}{' ...' * (len(left) > 5)}"
