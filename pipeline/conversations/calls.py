"""Tool calls and functions in their usual shapes -> OpenAI's lists, as JSON text.

    tool_calls      [{"id", "type", "function": {"name", "arguments"}}]         OpenAI, Mistral
                    [{"name", "arguments" or "parameters"}]                     bare calls
    function_call   {"name", "arguments"}                                       OpenAI's legacy, LLaMA-Factory
    tools           [{"type": "function", "function": {"name", ...}}]           OpenAI
    functions       [{"name", "description", "parameters"}]                     OpenAI's legacy

Each may itself be JSON text. `arguments` stay as the source has them, an object or its JSON text.
"""

from typing import Any

import orjson


def json_text(value: object) -> str:
    """Return a value's JSON; raises `ValueError` where it is nested too deeply to be written.

    >>> json_text({"a": [1, None]})
    '{"a":[1,null]}'
    """
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:
        raise ValueError("a value is nested too deeply") from error


def without_nulls(value: Any) -> Any:  # noqa: ANN401  JSON
    """Return nested values without the keys that are null: a column of structs has every key in every row.

    >>> without_nulls({"city": "Rome", "unit": None, "days": [{"day": None}]})
    {'city': 'Rome', 'days': [{}]}
    """
    if isinstance(value, dict):
        return {key: without_nulls(cell) for key, cell in value.items() if cell is not None}
    return [without_nulls(cell) for cell in value] if isinstance(value, list) else value


def calls_text(value: object) -> str | None:
    """Return calls in any of their shapes as the JSON of OpenAI's list, none as None; raises `ValueError` for what are none.

    >>> calls_text('{"name": "add", "arguments": {"a": 1}}')
    '[{"type":"function","function":{"name":"add","arguments":{"a":1}}}]'
    >>> calls_text([]) is None
    True
    """
    value = _parsed(value)
    calls = [value] if isinstance(value, dict) else value
    if not calls:
        return None
    if not isinstance(calls, list):
        raise ValueError(f"has no calls but {json_text(value)[:40]}")
    return json_text([_call(call) for call in calls])


def _call(call: object) -> dict[str, Any]:
    function = call.get("function", call) if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict) or not isinstance(function.get("name"), str):
        raise ValueError(f"has a call without a name: {json_text(call)[:40]}")
    arguments = function.get("arguments", function.get("parameters"))
    told = {"name": function["name"], "arguments": {} if arguments is None else arguments}
    head = {"id": call["id"]} if isinstance(call.get("id"), str) else {}
    return {**head, "type": "function", "function": told}


def functions_text(value: object) -> str | None:
    """Return functions that a conversation may call as the JSON of OpenAI's `tools`; text that is no JSON stays as it is.

    >>> functions_text([{"name": "add", "parameters": {}}])
    '[{"type":"function","function":{"name":"add","parameters":{}}}]'
    """
    try:
        tools = _parsed(value)
    except ValueError:
        return str(value)
    if not tools:
        return None
    return json_text([_function(tool) for tool in tools] if isinstance(tools, list) else tools)


def _function(tool: object) -> object:
    bare = isinstance(tool, dict) and "name" in tool and "function" not in tool and tool.get("type", "function") == "function"
    return {"type": "function", "function": tool} if bare else tool


def _parsed(value: object) -> Any:  # noqa: ANN401  JSON
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"has no calls but {json_text(value[:40])}") from error
