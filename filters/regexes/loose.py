"""A pattern -> a looser one of Rust's linear-time engine, which hits every text that the pattern hits."""

import re
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

ANY = "(?s:.)"
BEYOND_ASCII = r"\x{80}-\x{10FFFF}"
MOST_COPIES = 8  # of what a loose pattern repeats: more would make it large, not sharper
ASCII = {
    "DIGIT": frozenset(map(ord, "0123456789")),
    "SPACE": frozenset(map(ord, "\t\n\v\f\r ")),
    "WORD": frozenset(code for code in range(128) if chr(code).isalnum() or chr(code) == "_"),
}
KIN = {"i": "İ", "I": "ı", "s": "ſ", "S": "ſ", "k": "\u212a", "K": "\u212a"}  # equal but for case, beyond ASCII


def loose(pattern: str, ignore_case: bool) -> str | None:
    """Loosen a pattern to one of Rust's linear-time engine that hits every text the pattern hits, and maybe others.

    None where its syntax is not that of `re`, whose parser is used: what only `regex` knows may mean anything.

    >>> loose(r"ab+(?=c)", False)
    '\\\\x{61}(?:\\\\x{62}){1,}'
    >>> loose(r"(?:cats){e<=1}", False) is None
    True
    """
    tree = parsed(pattern, ignore_case)
    return None if tree is None else _loosened(tree, bool(tree.state.flags & re.IGNORECASE))


def parsed(pattern: str, ignore_case: bool) -> Any:  # noqa: ANN401  what the parser of `re` gives
    """Return a pattern's tree, or None where its syntax is not that of `re`."""
    own = re.sub(r"\\.|\{(?:[0-9]+(?:,[0-9]*)?|,[0-9]+)\}", "", pattern, flags=re.DOTALL)
    if "{" in own or "[:" in own or re.search(r"\(\?[a-zA-Z]*x", own):  # fuzzy matches, POSIX classes, verbose patterns
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return re._parser.parse(pattern, re.IGNORECASE if ignore_case else 0)  # type: ignore[attr-defined]
    except (re.error, RecursionError, OverflowError, Warning):
        return None


def _loosened(tree: Iterable[tuple[Any, Any]], ignore_case: bool) -> str:
    return "".join(_loosened_node(operator.name, value, ignore_case) for operator, value in tree)


def _loosened_node(operator: str, value: Any, ignore_case: bool) -> str:  # noqa: ANN401  what the parser gives
    match operator, value:
        case "LITERAL", code:
            return _literal(code, ignore_case)
        case "IN", members:
            return _set(members, ignore_case)
        case (("ANY" | "NOT_LITERAL"), _):
            return ANY
        case (("AT" | "ASSERT" | "ASSERT_NOT"), _):
            return ""
        case "SUBPATTERN", (_, added, dropped, body):
            return f"(?:{_loosened(body, bool((ignore_case or added & re.IGNORECASE) and not dropped & re.IGNORECASE))})"
        case "BRANCH", (_, branches):
            return f"(?:{'|'.join(_loosened(branch, ignore_case) for branch in branches)})"
        case (("MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT"), (least, _, body)):
            return f"(?:{_loosened(body, ignore_case)}){{{min(least, MOST_COPIES)},}}"
        case "ATOMIC_GROUP", body:
            return _loosened(body, ignore_case)
    return f"{ANY}*"  # a group met before, and what else there is


def _literal(code: int, ignore_case: bool) -> str:
    if not ignore_case:
        return f"\\x{{{code:x}}}"
    if code >= 128:
        return ANY
    letter = chr(code)
    return "[" + "".join(f"\\x{{{ord(form):x}}}" for form in sorted({letter, letter.swapcase(), *KIN.get(letter, "")})) + "]"


def _set(members: Sequence[tuple[Any, Any]], ignore_case: bool) -> str:
    """Loosen a set: exact in ASCII unless the case is ignored in a negated one; beyond, all characters or none."""
    negated = members[0][0].name == "NEGATE"
    if negated and ignore_case:
        return ANY
    inside: set[int] = set()
    beyond = negated or ignore_case
    for operator, value in members[1:] if negated else members:
        if operator.name == "CATEGORY":
            own = ASCII[value.name.rpartition("_")[2]]
            inside |= set(range(128)) - own if "_NOT_" in value.name else own
            beyond = True
        else:
            low, high = value if operator.name == "RANGE" else (value, value)
            inside |= set(range(low, min(high, 127) + 1))
            beyond = beyond or high > 127
    if ignore_case:
        inside |= {ord(chr(code).swapcase()) for code in inside}
    codes = sorted(set(range(128)) - inside if negated else inside)
    return "[" + "".join(f"\\x{{{code:x}}}" for code in codes) + (BEYOND_ASCII if beyond else "") + "]"
