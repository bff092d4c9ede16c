"""A document's row -> the JSON that other tools take: calls and functions as objects, nothing null.

Loaders give a column one type, in which the arguments of all calls become one struct with every key of every call. Where a
tool's loader does so, arguments and parameters are written as JSON text, which it parses.
"""

import json
from typing import Any

import orjson

from pipeline.conversations.calls import without_nulls
from pipeline.errors import UsageError

Row = dict[str, Any]


def as_json(row: Row) -> Row:
    """Return a document without nulls; of a chat, `tool_calls`, their `arguments` and `tools` as objects.

    >>> calls = '[{"function": {"name": "add", "arguments": "{}"}}]'
    >>> as_json({"id": "a", "messages": [{"role": "assistant", "content": "", "name": None, "tool_calls": calls}]})["messages"]
    [{'role': 'assistant', 'content': '', 'tool_calls': [{'function': {'name': 'add', 'arguments': {}}}]}]
    """
    told = {name: cell for name, cell in row.items() if cell is not None}
    if "messages" in told:
        told["messages"] = [_message(message) for message in told["messages"]]
        if "tools" in told:
            told["tools"] = _parsed(told["tools"])
    return told


def _message(message: Row) -> Row:
    told: Row = without_nulls(message)
    if "tool_calls" in told:
        told["tool_calls"] = orjson.loads(told["tool_calls"])
        for call in told["tool_calls"]:
            call["function"]["arguments"] = _parsed(call["function"]["arguments"])
    return told


def _parsed(value: Any) -> Any:  # noqa: ANN401  JSON
    """Return the object or list that a text is the JSON of; any other text is left as it is."""
    try:
        found = orjson.loads(value) if isinstance(value, str) else value
    except orjson.JSONDecodeError:
        return value
    return found if isinstance(found, dict | list) else value


def with_text(row: Row) -> Row:
    """Return a chat as `as_json` has it, but calls' `arguments` and functions' `parameters` as JSON text."""
    told = as_json(row)
    functions = [call["function"] for message in told["messages"] for call in message.get("tool_calls", ())]
    for function in functions:
        function["arguments"] = _text(function["arguments"])
    for tool in told["tools"] if isinstance(told.get("tools"), list) else ():
        if "parameters" in tool.get("function", {}):
            tool["function"]["parameters"] = _text(tool["function"]["parameters"])
    return told


def _text(value: Any) -> str:  # noqa: ANN401  JSON
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def sharegpt(row: Row) -> Row:
    """Return a chat in LLaMA-Factory's ShareGPT: `from` and `value`, a call as its own speaker, `system` and `tools` beside it.

    Raises `UsageError` for a conversation that LLaMA-Factory would skip: one whose turns do not alternate.

    >>> sharegpt({"id": "a", "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]})
    {'conversations': [{'from': 'human', 'value': 'Hi'}, {'from': 'gpt', 'value': 'Yo'}], 'system': '', 'tools': ''}
    """
    told = as_json(row)
    turns = [_turn(row["id"], message) for message in told["messages"]]
    system = turns.pop(0)["value"] if turns and turns[0]["from"] == "system" else ""
    turns = _joined(turns)
    asks = [turn["from"] in ("human", "observation") for turn in turns]
    if len(turns) % 2 or asks != [True, False] * (len(turns) // 2) or not turns:
        raise UsageError(
            f"{row['id']}: its turns do not alternate, and LLaMA-Factory would skip it. Mend the turns with "
            "`prep ingest --repair`, or tokenize and export the tokens."
        )
    return {"conversations": turns, "system": system, "tools": _text(told.get("tools", ""))}


def _turn(document: str, message: Row) -> Row:
    refuse_weights(document, message, "LLaMA-Factory")
    if calls := message.get("tool_calls"):
        if message["content"]:
            raise UsageError(
                f"{document}: a turn both speaks and calls a tool, which LLaMA-Factory cannot hold. "
                "Tokenize and export the tokens."
            )
        return {"from": "function_call", "value": _text([call["function"] for call in calls])}
    names = {"user": "human", "assistant": "gpt", "tool": "observation"}
    return {"from": names.get(message["role"], message["role"]), "value": message["content"]}


def _joined(turns: list[Row]) -> list[Row]:
    """Join the answers of several calls, as LLaMA-Factory's own reader of OpenAI's messages does."""
    joined: list[Row] = []
    for turn in turns:
        if joined and turn["from"] == joined[-1]["from"] == "observation":
            joined[-1]["value"] += f"\n</tool_response>\n<tool_response>\n{turn['value']}"
        else:
            joined.append(turn)
    return joined


def refuse_weights(document: str, message: Row, tool: str) -> None:
    """Raise `UsageError` for a turn that is not to be trained, where the tool would train it."""
    if message["role"] == "assistant" and message.get("weight") == 0:
        raise UsageError(
            f"{document}: a turn has weight 0, which {tool} does not know: it would train it. Tokenize and export the tokens."
        )
