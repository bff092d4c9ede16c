"""A row as JSON has it -> its conversation's turns, with the names and texts of the source, and what else the row holds.

    shape      row                                                                 who writes it
    messages   {"messages": [{"role", "content", "tool_calls"?, ...}]}             OpenAI, TRL, axolotl's chat_template
    sharegpt   {"conversations" or "conversation": [turn, ...]}                    ShareGPT, FastChat, LLaMA-Factory; under
               a turn: {"from", "value"}, {"role", "content"}                      "conversation" LMSYS-Chat and WildChat
               or a pair: {"human": ..., "assistant": ...}
    turns      {"data": ["...", "...", ...]}, user and assistant in turn           UltraChat
    alpaca     {"instruction", "input"?, "output" or "response",                   Alpaca, Dolly, LLaMA-Factory
                "history"?: [["question", "answer"], ...]}
    prompt     {"prompt", "completion" or "response" or "generation"},             OpenAI's legacy, TRL, metharme; OpenOrca,
               {"question" or "query", "answer" or "response"},                    MetaMathQA; FLAN
               {"input", "output"}, {"inputs", "targets"}; lists of turns too
    chosen     {"prompt"?, "chosen", "rejected"}: the chosen answer                preference data of TRL, UltraFeedback, HH
    discord, slack: rooms of several people, see `rooms`

A column `system` or `system_prompt` is the first turn. `tools`, or OpenAI's legacy `functions`, becomes the column `tools`.
A preference row is read only where `chosen` is asked for: half of it is what a model shall not say.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import chain
from typing import Any, Literal

from pipeline.conversations.calls import calls_text, functions_text, json_text

MOST_TOLD = 5  # names of fields in a remark

Shape = Literal["auto", "text", "alpaca", "sharegpt", "messages", "turns", "prompt", "chosen", "discord", "slack"]
Row = dict[str, Any]

LISTS = {"messages": ("messages",), "sharegpt": ("conversations", "conversation"), "turns": ("data",)}
ALPACA = (("instruction", "output"), ("instruction", "response"))
PAIRS = (
    ("prompt", "response"), ("prompt", "completion"), ("prompt", "generation"), ("question", "answer"),
    ("question", "response"), ("query", "response"), ("query", "answer"), ("input", "output"), ("inputs", "targets"),
    ("INSTRUCTION", "RESPONSE"),
)  # fmt: skip
SYSTEM = ("system", "system_prompt")
FUNCTIONS = ("tools", "functions")
SIGNS = {*chain.from_iterable(LISTS.values()), "chosen", *(pair[1] for pair in ALPACA + PAIRS)}
"""Of these, every row but a text has one."""
SPEAKER, TEXT = ("role", "from"), ("content", "value", "text")
READ = {*SPEAKER, *TEXT, "name", "tool_calls", "function_call", "tool_call_id", "weight", "train"}
ALWAYS, TEXTS_ALONE = {"role", "content", "tool_calls"}, {"name", "tool_call_id"}
"""Of a turn's fields those that are read whatever else it has, and those that are read where they are texts."""
JSON_SPEAKERS = ("tool", "observation", "function", "function_call", "function_response", "tool_call", "tool_response")
"""Those whose text some sources give as JSON itself, not as its text."""


Turn = tuple[str | None, str, str | None, str | None, str | None, float | None]
"""A turn as the source has it: who speaks, what, and what `documents.MORE` lists. Plain tuples: there are millions."""


def shape_of(row: Row) -> Shape:
    """Tell a row's shape by its keys.

    >>> shape_of({"prompt": "Hi", "response": "Yo"}), shape_of({"text": "Hi"})
    ('prompt', 'text')
    """
    if SIGNS.isdisjoint(row):
        return "text"
    if "messages" in row:
        return "messages"
    if isinstance(row.get("conversations"), list) or _is_told(row.get("conversation")):
        return "sharegpt"
    if "instruction" in row and ("output" in row or "response" in row):
        return "alpaca"
    if "chosen" in row and "rejected" in row:
        return "chosen"
    if row.keys() <= {"id", "data"} and isinstance(row.get("data"), list):
        return "turns"
    return "prompt" if _pair(row, PAIRS) else "text"


def unread(turns: object) -> list[str]:
    """Return the names of the fields of turns, once for each, that are not read: a model's thoughts, a name that is no text.

    >>> unread([{"role": "assistant", "content": "4", "reasoning_content": "2 + 2"}, {"human": "?", "context": ["a map"]}])
    ['reasoning_content', 'context']
    """
    objects = [turn for turn in turns if isinstance(turn, dict)] if isinstance(turns, list) else []
    told = [turn for turn in objects if len(turn) > 2 or ("role" not in turn and "from" not in turn)]
    return [name for turn in told for name, cell in turn.items() if cell is not None and not _is_read(name, cell, turn)]


def _is_read(name: str, cell: object, turn: Row) -> bool:
    if name in ALWAYS:
        return True
    if name in TEXTS_ALONE or turn.keys().isdisjoint((*SPEAKER, *TEXT)):  # or a pair: {"human": ..., "assistant": ...}
        return isinstance(cell, str)
    if name in ("weight", "train"):
        return _weight(cell) is not None and name == ("weight" if "weight" in turn else "train")
    first = next((next(one for one in alike if one in turn) for alike in (SPEAKER, TEXT) if name in alike), name)
    return name in READ and cell == turn[first]


def fields_left_out(counts: Counter[str]) -> str:
    """Say which fields of turns were not read, and how often each stood there.

    >>> fields_left_out(Counter({"reasoning_content": 3}))
    "fields of turns that are left out: 'reasoning_content' (3)"
    """
    names = ", ".join(f"{name!r} ({count})" for name, count in counts.most_common(MOST_TOLD))
    return f"fields of turns that are left out: {names}{' ...' * (len(counts) > MOST_TOLD)}"


def chat(row: Row, shape: Shape) -> tuple[Row, list[Turn]]:
    """Return what is left of a row beside its conversation, and the conversation's turns; raises `ValueError`."""
    if shape in LISTS:
        used, turns = _told(row, LISTS[shape])
    else:
        used, turns = _chosen(row) if shape == "chosen" else _asked(row, ALPACA if shape == "alpaca" else PAIRS)
    rest = {name: cell for name, cell in row.items() if name not in used and name != "messages"}
    for name in SYSTEM:
        if rest.get(name) and not (turns and turns[0][0] == "system"):  # else it stays a column
            turns = [_plain("system", _text(rest.pop(name), repr(name))), *turns]
    functions = [name for name in FUNCTIONS if rest.get(name)]  # of both, the second stays a column
    if not rest.keys().isdisjoint(FUNCTIONS):
        rest["tools"] = functions_text(rest.pop(functions[0])) if functions else None
    return rest, turns


def _told(row: Row, keys: Sequence[str]) -> tuple[Sequence[str], list[Turn]]:
    key = next((key for key in keys if key in row), keys[0])
    if not isinstance(row.get(key), list):
        raise ValueError(f"{key!r} is not a list" if key in row else f"no {key!r}")
    return (key,), _turns(row[key])


def _asked(row: Row, pairs: Sequence[tuple[str, str]]) -> tuple[Sequence[str], list[Turn]]:
    found = _pair(row, pairs)
    if found is None:
        raise ValueError("none of " + ", ".join(f"{first!r} with {second!r}" for first, second in pairs))
    question, answer = (_said(row[name], role, repr(name)) for name, role in zip(found, ("user", "assistant"), strict=True))
    if pairs is not ALPACA:
        return found, question + answer
    more = _text(row.get("input"), "'input'")
    if more.strip():
        question = [_plain("user", f"{question[0][1]}\n\n{more}")]
    return (*found, "input", "history"), _past(row.get("history")) + question + answer


def _past(history: Any) -> list[Turn]:  # noqa: ANN401  JSON
    """Return the turns of earlier questions and answers: LLaMA-Factory's `history`."""
    if history and not isinstance(history, list):
        raise ValueError("'history' is not a list")
    turns = []
    for number, pair in enumerate(history or [], 1):
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(f"'history' has no question and answer at {number}")
        question, answer = (_text(said, f"'history' {number}") for said in pair)
        turns += [_plain("user", question), _plain("assistant", answer)]
    return turns


def _chosen(row: Row) -> tuple[Sequence[str], list[Turn]]:
    if "chosen" not in row:
        raise ValueError("no 'chosen'")
    prompt, answer = _said(row.get("prompt", []), "user", "'prompt'"), _said(row["chosen"], "assistant", "'chosen'")
    whole = answer[: len(prompt)] == prompt or len(answer) > 1  # the chosen list most often repeats the prompt
    repeated = {turn[1].strip() for turn in prompt} <= {turn[1].strip() for turn in answer}
    used = ("prompt", "chosen", "rejected") if repeated or not whole else ("chosen", "rejected")  # else it stays a column
    return used, answer if whole else prompt + answer


def _pair(row: Row, pairs: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    return next((pair for pair in pairs if pair[0] in row and pair[1] in row), None)


def _is_told(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _said(value: object, role: str, where: str) -> list[Turn]:
    """Return the turn of a text, or turns that are told one by one."""
    if isinstance(value, list) and all(isinstance(turn, dict) and not turn.keys().isdisjoint(SPEAKER) for turn in value):
        return _turns(value)
    return [_plain(role, _text(value, where))]


def _plain(role: str | None, content: str) -> Turn:
    return (role, content, None, None, None, None)


def _turns(values: list[Any]) -> list[Turn]:
    turns: list[Turn] = []
    for number, value in enumerate(values, 1):
        if type(value) is dict and len(value) == 2:
            (speaker, role), (text, said) = value.items()
            if speaker in SPEAKER and text in TEXT and type(role) is type(said) is str:
                turns.append((role, said, None, None, None, None))
                continue
        if isinstance(value, str):
            turns.append(_plain("user" if number % 2 else "assistant", value))
        elif not isinstance(value, dict):
            raise ValueError(f"turn {number} is not an object")
        elif not value.keys().isdisjoint((*SPEAKER, *TEXT)):
            turns.append(_turn(value, f"turn {number}"))
        else:
            turns += [_plain(name, said) for name, said in value.items() if isinstance(said, str)] or [_plain(None, "")]
    return turns


def _turn(value: Row, where: str) -> Turn:
    named = value.get("role", value.get("from"))
    role = named if isinstance(named, str) or named is None else json_text(named)
    said = next((value[key] for key in TEXT if key in value), None)
    if isinstance(said, dict) and role and role.lower() in JSON_SPEAKERS:
        said = json_text(said)
    try:
        calls = calls_text(value.get("tool_calls") or value.get("function_call"))
    except ValueError as error:
        raise ValueError(f"{where} {error}") from error
    name, answered = (cell if isinstance(cell, str) else None for cell in (value.get("name"), value.get("tool_call_id")))
    return (role, _text(said, where), name, calls, answered, _weight(value.get("weight", value.get("train"))))


def _weight(value: object) -> float | None:
    return float(value) if isinstance(value, bool | int | float) else None


def _text(value: object, where: str) -> str:
    """Return a content: a text, or parts that are texts."""
    if value is None or isinstance(value, str):
        return value or ""
    if not isinstance(value, list):
        raise ValueError(f"{where} is not a text but {json_text(value)[:40]}")
    return "".join(_part(part, where) for part in value)


def _part(part: object, where: str) -> str:
    is_text = isinstance(part, dict) and part.get("type", "text") in ("text", "input_text", "output_text")
    text = part.get("text") if isinstance(part, dict) and is_text else part
    if not isinstance(text, str):
        raise ValueError(f"{where} has a part that is not text: {json_text(part)[:40]}")
    return text
