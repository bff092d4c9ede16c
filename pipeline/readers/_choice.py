"""What a user asked of a database -> the table that is meant, or one line that says what cannot be had."""

from collections import Counter
from collections.abc import Sequence

from pipeline.errors import SourceError, did_you_mean

MOST_NAMED = 50  # tables of a database in an error


def chosen(shown: str, table: str | None, known: Sequence[str], tables: Sequence[str]) -> str:
    """Return the table that is meant among the `known` ones, views with them; without a name, the only one of `tables`.

    `shown` is what an error calls the database. Raises `SourceError` where there is no such table, or no only one.

    >>> chosen("shop.db", None, ["posts", "recent"], ["posts"])
    'posts'
    """
    if table is not None and table in known:
        return table
    if table is not None:
        hint = did_you_mean(table, known)
        raise SourceError(f"{shown}: no table {table!r}.{hint} It has: {_some(known) or 'none'}.")
    if len(tables) != 1:
        many = f"{len(tables)} tables: {_some(tables)}. Choose one with --table {tables[0]}" if tables else "no table"
        raise SourceError(f"{shown} holds {many}.")
    return tables[0]


def _some(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def distinct(shown: str, names: Sequence[str]) -> None:
    """Raise `SourceError` where a query answers without columns, or with two of one name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or not names:
        why = f"gives two columns named {twice[0]!r}. Rename one with AS" if twice else "gives no rows. Write a SELECT"
        raise SourceError(f"{shown}: the query {why}.")
