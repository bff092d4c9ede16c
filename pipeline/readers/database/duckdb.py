"""A table or query of a DuckDB database -> its rows, through Arrow, in bounded memory.

Integers of up to 64 bits give int64 (UBIGINT uint64), FLOAT and DOUBLE float64, BLOB large_binary, all else the text that
DuckDB shows, times with a zone in UTC.
"""

import importlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.documents import STRING, Rejection, Rows
from pipeline.errors import SourceError
from pipeline.places import numbered
from pipeline.readers._choice import chosen, distinct
from pipeline.readers.database.sql import quoted, refused
from pipeline.sources import Source

BATCH = 10_000
MEMORY = "1GB"  # for what has to be sorted; more of it goes to the disk
KINDS = {
    **dict.fromkeys(("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"), "BIGINT"),
    "UBIGINT": "UBIGINT",
    **dict.fromkeys(("FLOAT", "DOUBLE"), "DOUBLE"),
    "BLOB": "BLOB",
}
TYPES = {"BIGINT": pa.int64(), "UBIGINT": pa.uint64(), "DOUBLE": pa.float64(), "BLOB": pa.large_binary(), "VARCHAR": STRING}
DAMAGE = ("IO Error", "Data Corruption Error", "Serialization Error", "Catalog Error: Cannot open encrypted")
TABLES = """SELECT schema_name, table_name, true FROM duckdb_tables() WHERE database_name = current_database() UNION ALL
SELECT schema_name, view_name, false FROM duckdb_views() WHERE database_name = current_database() AND NOT internal
ORDER BY ALL"""


def sniff(head: bytes) -> bool:
    """Tell a DuckDB database by its magic bytes, behind a checksum."""
    return head[8:12] == b"DUCK"


def read(source: Source, path: Path, table: str | None, query: str | None) -> Iterator[Rows | Rejection]:
    """Read a table, a view or what a query answers of the database at `path`."""
    duckdb = _driver(source)
    number, label = 0, "query"
    try:
        with _connected(duckdb, path) as connection:
            label, select = (
                ("query", _one(source, duckdb, connection, query)) if query else _of_table(source, connection, table)
            )
            asked = connection.sql(select)
            distinct(source.path, asked.columns)
            kinds = [KINDS.get(str(kind), "VARCHAR") for kind in asked.types]
            cells = [
                f"CAST({quoted(name)} AS {kind}) AS {quoted(name)}" for name, kind in zip(asked.columns, kinds, strict=True)
            ]
            schema = pa.schema([(name, TYPES[kind]) for name, kind in zip(asked.columns, kinds, strict=True)])
            for batch in asked.project(", ".join(cells)).to_arrow_reader(BATCH):
                places = numbered(f"{label}:", number + 1, batch.num_rows)
                yield Rows(pa.Table.from_batches([batch]).cast(schema), places)
                number += batch.num_rows
    except (duckdb.Error, OSError) as error:  # the latter is Arrow's, in the middle of the rows
        said = " ".join(str(error).split())
        if "Could not set lock" in said:
            raise SourceError(f"{source.path}: another program has it open. Run again when it has finished.") from error
        if not said.startswith(DAMAGE):
            raise refused(source, error) from error
        yield Rejection(f"{label}:{number + 1}" if number else "", f"damaged, encrypted or no DuckDB database ({said})", b"")


def _driver(source: Source) -> Any:  # noqa: ANN401  a module
    try:
        return importlib.import_module("duckdb")
    except ImportError as error:
        raise SourceError(f"{source.path}: needs duckdb. Type: pip install 'prep[databases]'") from error


@contextmanager
def _connected(duckdb: Any, path: Path) -> Iterator[Any]:  # noqa: ANN401  DuckDB's own
    with tempfile.TemporaryDirectory() as spill:
        options = {"threads": "1", "memory_limit": MEMORY, "temp_directory": spill, "arrow_large_buffer_size": "true"}
        with duckdb.connect(str(path), read_only=True, config=options) as connection:
            connection.execute("SET enable_external_access = false; SET TimeZone = 'UTC'")  # a query reads this file alone
            yield connection


def _of_table(source: Source, connection: Any, table: str | None) -> tuple[str, str]:  # noqa: ANN401
    found, tables = {}, []
    for schema, name, stored in connection.execute(TABLES).fetchall():
        shown = name if schema == "main" else f"{schema}.{name}"
        found[shown] = f"{quoted(schema)}.{quoted(name)}"
        tables += [shown] if stored else []
    name = chosen(source.path, table, sorted(found), sorted(tables))
    return name, f"SELECT * FROM {found[name]}"


def _one(source: Source, duckdb: Any, connection: Any, query: str) -> str:  # noqa: ANN401
    """Return a query as it is; raises `SourceError` where it is no single SELECT."""
    statements = connection.extract_statements(query)
    if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
        raise SourceError(f"{source.path}: the query is no single SELECT.")
    return str(statements[0].query)
