"""What a database answers: columns, and batches of cells as the text that the server sends."""

import importlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.documents import STRING
from pipeline.errors import SourceError
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
