"""What a database answers: columns, and batches of cells as the text that the server sends."""

import importlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.documents import STRING
from pipeline.errors import SourceError, did_you_mean
from pipeline.readers.live_database.address import Address

BATCH = 10_000
BATCH_BYTES = 4 << 20
BINARY = pa.large_binary()
KINDS = {str(kind): kind for kind in (pa.int64(), pa.uint64(), pa.float64(), BINARY, STRING)}

Columns = dict[str, pa.DataType]


class Answer(NamedTuple):
    """The rows of a table or query.

    `label` begins their places; `columns` are the names and the types to come; `keys` are the columns of the primary key,
    or none; each of `batches` has all columns as large_binary: a cell's text in UTF-8, or the bytes of a binary one.
    """

    label: str
    columns: Columns
    keys: Sequence[str]
    batches: Iterator[pa.Table]


def driver(address: Address, module: str, package: str) -> Any:  # noqa: ANN401  a module
    """Return a database's driver; raises `SourceError` with what to type where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise SourceError(f"{address.shown}: needs {package}. Type: pip install 'prep[databases]'") from error


def choose(address: Address, table: str | None, known: Sequence[str], tables: Sequence[str]) -> str:
    """Return the table that is meant among the `known` ones, views with them; without a name, the only one of `tables`.

    Raises `SourceError` where there is no such table, or no only one.
    """
    if table is not None and table in known:
        return table
    if table is not None:
        hint = did_you_mean(table, known)
        raise SourceError(f"{address.shown}: no table {table!r}.{hint} It has: {_some(known) or 'none'}.")
    if len(tables) != 1:
        many = f"{len(tables)} tables: {_some(tables)}. Choose one with --table {tables[0]}" if tables else "no table"
        raise SourceError(f"{address.shown} holds {many}.")
    return tables[0]


def _some(names: Sequence[str], most: int = 50) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def distinct(address: Address, names: Sequence[str]) -> None:
    """Raise `SourceError` where a query answers without columns, or with two of one name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or not names:
        why = f"gives two columns named {twice[0]!r}. Rename one with AS" if twice else "gives no rows. Write a SELECT"
        raise SourceError(f"{address.shown}: the query {why}.")
