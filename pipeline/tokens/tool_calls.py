"""Documents' messages -> conversations as chat templates take them: tool calls and functions parsed, nothing null.

Templates want the arguments of a call as an object (`tojson` of a text would quote it again); the few that want its text get it
when they refuse the object.
"""

import json
from collections.abc import Sequence
from itertools import repeat
from typing import Any

import pyarrow as pa

Message = dict[str, Any]
BROKEN = "broken"


class Conversation(list[Message]):
    """Messages, and the functions that they may call; `BROKEN` where these are no JSON list."""

    def __init__(self, messages: Sequence[Message], tools: Any = None) -> None:  # noqa: ANN401  JSON
        super().__init__(messages)
        self.tools = tools


def conversations(documents: pa.Table) -> list[Conversation]:
    """Return the conversations of chats, `messages` and, where they have it, `tools`."""
    tools = documents["tools"].to_pylist() if "tools" in documents.column_names else repeat(None)
    return [told(messages, functions) for messages, functions in zip(documents["messages"].to_pylist(), tools, strict=False)]


def told(messages: Sequence[Message], tools: str | None) -> Conversation:
    """Parse one conversation's calls and functions.

    >>> calls = '[{"function": {"name": "add", "arguments": "{}"}}]'
    >>> told([{"role": "assistant", "content": "", "name": None, "tool_calls": calls}], None)
    [{'role': 'assistant', 'content': '', 'tool_calls': [{'function': {'name': 'add', 'arguments': {}}}]}]
    """
    parsed = [{name: cell for name, cell in message.items() if cell is not None} for message in messages]
    for message in parsed:
        if "tool_calls" in message:
            message["tool_calls"] = [_with_arguments(call, _object) for call in json.loads(message["tool_calls"])]
    return Conversation(parsed, _functions(tools))


def with_text_arguments(conversation: Sequence[Message], tools: Any) -> Conversation:  # noqa: ANN401  JSON
    """Return a conversation whose calls have their arguments as JSON text."""
    return Conversation(
        [
            {**message, "tool_calls": [_with_arguments(call, _text) for call in message["tool_calls"]]}
            if "tool_calls" in message
            else message
            for message in conversation
        ],
        tools,
    )


def shown(call: Message, text: str) -> bool:
    """Say whether a call's name, and every key and value of its arguments, stand in a text.

    >>> call = {"function": {"name": "add", "arguments": {"a": 1, "b": "x"}}}
    >>> shown(call, '{"name": "add", "parameters": {"a": 1, "b": "x"}}'), shown(call, "add(1)")
    (True, False)
    """
    function = call["function"]
    return function["name"] in text and all(_stands(piece, text) for piece in _pieces(_object(function["arguments"])))


def in_json(text: str) -> str:
    r"""Return a text as it stands inside a JSON string.

    >>> in_json('"é"')
    '\\"é\\"'
    """
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _functions(tools: str | None) -> Any:  # noqa: ANN401  JSON
    if tools is None:
        return None
    try:
        found = json.loads(tools)
    except ValueError:
        return BROKEN
    fine = isinstance(found, list) and all(isinstance(tool, dict) for tool in found)
    return (found or None) if fine else BROKEN


def _with_arguments(call: Message, form: Any) -> Message:  # noqa: ANN401  a function
    function = call["function"]
    return {**call, "function": {**function, "arguments": form(function["arguments"])}}


def _object(arguments: Any) -> Any:  # noqa: ANN401  JSON
    """Return arguments as an object where they are the JSON text of one."""
    if not isinstance(arguments, str):
        return arguments
    try:
        found = json.loads(arguments)
    except ValueError:
        return arguments
    return found if isinstance(found, dict) else arguments


def _text(arguments: Any) -> str:  # noqa: ANN401  JSON
    return arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)


def _pieces(value: Any) -> list[Any]:  # noqa: ANN401  JSON
    """Return every key and every plain value of nested JSON."""
    if isinstance(value, dict):
        return [*value, *(piece for cell in value.values() for piece in _pieces(cell))]
    return [piece for cell in value for piece in _pieces(cell)] if isinstance(value, list) else [value]


def _stands(piece: Any, text: str) -> bool:  # noqa: ANN401  JSON
    if isinstance(piece, str):
        return piece in text or in_json(piece) in text
    return json.dumps(piece) in text or str(piece) in text
