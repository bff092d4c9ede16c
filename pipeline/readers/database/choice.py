"""What a user asked of a database in a file -> the table that is meant, or one line that says what cannot be had."""

from collections import Counter
from collections.abc import Sequence

from pipeline.errors import SourceError, did_you_mean
from pipeline.sources import Source


def chosen(source: Source, table: str | None, known: Sequence[str], tables: Sequence[str]) -> str:
    """Return the table that is meant among the `known` ones, views with them; without a name, the only one of `tables`.

    Raises `SourceError` where there is no such table, or no only one.
    """
    if table is not None and table in known:
        return table
    if table is not None:
        hint = did_you_mean(table, known)
        raise SourceError(f"{source.path}: no table {table!r}.{hint} It has: {', '.join(known) or 'none'}.")
    if len(tables) != 1:
        many = f"{len(tables)} tables: {', '.join(tables)}. Choose one with --table {tables[0]}" if tables else "no table"
        raise SourceError(f"{source.path} holds {many}.")
    return tables[0]


def distinct(source: Source, names: Sequence[str]) -> None:
    """Raise `SourceError` where a query answers without columns, or with two of one name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or not names:
        why = f"gives two columns named {twice[0]!r}. Rename one with AS" if twice else "gives no rows. Write a SELECT"
        raise SourceError(f"{source.path}: the query {why}.")


def refused(source: Source, error: Exception) -> SourceError:
    """Return the error that says, in one line, why a database refuses a query."""
    return SourceError(f"{source.path}: the query fails: {' '.join(str(error).split()).rstrip('.')}.")


def quoted(name: str) -> str:
    """Return a name as SQL writes it.

    >>> print(quoted('an "odd" name'))
    "an ""odd"" name"
    """
    return '"' + name.replace('"', '""') + '"'
