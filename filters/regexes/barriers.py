"""A pattern -> the characters that part a text for it: no match holds one, and none is decided by what stands beyond one."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from filters.regexes.loose import ASCII, parsed

BREAK = ord("\n")
MARKS = frozenset(map(ord, "!\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~\n"))  # no letter, digit or blank but the line break
NONE: frozenset[int] = frozenset()


def barriers(patterns: Iterable[str], ignore_case: bool) -> str:
    r"""Return the ASCII marks, or the line break, behind which a text can be cut without a loss to any of the patterns.

    A text that is cut there has the same matches in its pieces as in the whole. None where the syntax is not that of `re`.

    >>> barriers([r"\bfoo[ ,.]+bar\b"], False)
    '\n!"#$%&\'()*+-/:;<=>?@[\\]^`{|}~'
    >>> barriers([r"(?s)a.*b"], False), barriers([r"a.*b"], False), barriers([r"^a"], False), barriers([r"(?m)^a"], False)
    ('', '\n', '', '\n')
    """
    left = MARKS
    for pattern in patterns:
        tree = parsed(pattern, ignore_case)
        left = left & _parting(tree) if tree is not None else NONE
    return "".join(map(chr, sorted(left)))


def _parting(tree: Any) -> frozenset[int]:  # noqa: ANN401  what the parser of `re` gives
    """Return the marks that no node may hold; an anchor, which asks for a text's ends, stands only line breaks, or nothing."""
    flags = tree.state.flags
    left = MARKS
    for name, value in _nodes(tree):
        if name == "AT":
            lines = flags & re.MULTILINE and value.name in ("AT_BEGINNING", "AT_END")
            left &= MARKS if "BOUNDARY" in value.name else frozenset([BREAK]) if lines else NONE
        elif name == "SUBPATTERN" and (value[1] | value[2]) & (re.DOTALL | re.MULTILINE):
            left = NONE
        else:
            left -= _held(name, value, bool(flags & re.DOTALL))
    return left


def _nodes(tree: Iterable[tuple[Any, Any]]) -> Iterator[tuple[str, Any]]:
    """Yield every node of a tree by its name, those within others too."""
    for operator, value in tree:
        yield operator.name, value
        for part in value if isinstance(value, tuple | list) else [value]:
            for own in part if isinstance(part, list) else [part]:
                if isinstance(own, re._parser.SubPattern):  # type: ignore[attr-defined]
                    yield from _nodes(own)


def _held(name: str, value: Any, dotall: bool) -> frozenset[int]:  # noqa: ANN401  what the parser of `re` gives
    """Return which marks a node itself may hold."""
    match name:
        case "LITERAL":
            return frozenset([value])
        case "NOT_LITERAL":
            return MARKS - {value}
        case "ANY":
            return MARKS if dotall else MARKS - {BREAK}
        case "IN":
            return _members(value)
        case "SUBPATTERN" | "BRANCH" | "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT" | "ATOMIC_GROUP" | "GROUPREF":
            return NONE
        case "ASSERT" | "ASSERT_NOT":
            return NONE
    return MARKS


def _members(members: Iterable[tuple[Any, Any]]) -> frozenset[int]:
    """Return the marks in a set."""
    held, negated = NONE, False
    for operator, value in members:
        match operator.name:
            case "NEGATE":
                negated = True
            case "CATEGORY":
                own = ASCII[value.name.rpartition("_")[2]]
                held |= MARKS - own if "_NOT_" in value.name else MARKS & own
            case "RANGE":
                held |= {mark for mark in MARKS if value[0] <= mark <= value[1]}
            case _:
                held |= {value}
    return MARKS - held if negated else held
