"""A sample's shape -> whether its first line names the columns, and the names."""

import re
from collections import Counter
from collections.abc import Sequence

NUMBER = re.compile(r"\s*[+-]?[$€£]?\d[\d.,' ]*(?:[eE][+-]?\d+)?\s*%?\s*")
MOMENT = re.compile(r"\s*\d{1,4}([-/.])\d{1,2}\1\d{1,4}(?:[T ].*)?|\s*\d{1,2}:\d{2}(?::\d{2})?\s*")


def is_data(first: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Say whether a table's first line clearly is data.

    It is where all columns that hold numbers (or moments) below hold one in the first line too, or where a cell of it is a
    value that its column has again and again. Years, or numbers that count up, are names.

    >>> is_data(["1", "Hi"], [["2", "Yo"]]), is_data(["id", "text"], [["2", "Yo"]]), is_data(["town", "2001"], [["X", "7"]])
    (True, False, False)
    """
    rows = [row for row in below if len(row) == len(first) and row != first]
    if not rows:
        return False
    kinds = [_kind_of_all([row[place] for row in rows]) for place in range(len(first))]
    typed = [(cell, kind) for cell, kind in zip(first, kinds, strict=True) if kind]
    if any(cell.strip() and _kind(cell) != kind for cell, kind in typed):
        return False
    if any(cell.strip() for cell, _ in typed):
        return not _counted([cell for cell in first if _kind(cell)])
    return any(_again(cell, [row[place] for row in rows]) for place, cell in enumerate(first))


def named(cells: Sequence[str]) -> list[str]:
    """Return columns' names: one that is empty is `column_N`, one that is taken gets the next number.

    >>> named(["a", "", "a", "a_2", "a"])
    ['a', 'column_2', 'a_3', 'a_2', 'a_4']
    """
    wanted = [cell or f"column_{place}" for place, cell in enumerate(cells, 1)]
    if len(set(wanted)) == len(wanted):
        return wanted
    taken, met = set(wanted), Counter[str]()
    names = []
    for name in wanted:
        met[name] += 1
        unique = name
        while met[name] > 1 and unique in taken:
            unique = f"{name}_{met[name]}"
            met[name] += unique in taken
        taken.add(unique)
        names.append(unique)
    return names


def twice(cells: Sequence[str]) -> list[str]:
    """Return the names that several columns have.

    >>> twice(["a", "b", "a"])
    ['a']
    """
    return [name for name, count in Counter(cells).items() if count > 1 and name]


def _kind(cell: str) -> str:
    if NUMBER.fullmatch(cell):
        return "number"
    return "moment" if MOMENT.fullmatch(cell) else ""


def _kind_of_all(cells: Sequence[str]) -> str:
    kinds = {_kind(cell) for cell in cells if cell.strip()}
    return kinds.pop() if len(kinds) == 1 else ""


def _counted(cells: Sequence[str]) -> bool:
    """Say whether numbers may be names: years, or counted up from 0, or three or more from 1."""
    if all(re.fullmatch(r"(?:1[89]|20)\d\d", cell) for cell in cells):
        return True
    return any(len(cells) > 1 + first and cells == [str(first + place) for place in range(len(cells))] for first in (0, 1))


def _again(cell: str, column: Sequence[str]) -> bool:
    count = column.count(cell)
    return bool(cell.strip()) and count > 1 and count * 10 >= len(column)
