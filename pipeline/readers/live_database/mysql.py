"""A table or query of MySQL or MariaDB -> its cells, through an unbuffered cursor in one read-only snapshot."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.documents import STRING
from pipeline.errors import SourceError
from pipeline.readers._choice import chosen, distinct
from pipeline.readers.live_database.address import Address
from pipeline.readers.live_database.answers import BATCH, BATCH_BYTES, BINARY, Answer, driver

SESSION = (
    "SET SESSION time_zone = '+00:00', SESSION net_write_timeout = 3600",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
)
TABLES = "SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY table_name"
STORED = (b"BASE TABLE", b"SYSTEM VERSIONED")
KEY = """SELECT column_name FROM information_schema.statistics
WHERE table_schema = DATABASE() AND table_name = %s AND index_name = 'PRIMARY' ORDER BY seq_in_index"""
OPTIONS = ("unix_socket", "ssl_ca", "ssl_cert", "ssl_key", "read_default_file", "read_default_group")
INTEGERS, FLOATS, BYTES = (1, 2, 3, 8, 9), (4, 5), (16, 255)  # field types of the protocol; bytes are BIT and geometry
STRINGS, LONGLONG, UNSIGNED, BINARY_CHARSET = (15, 249, 250, 251, 252, 253, 254), 8, 32, 63


@contextmanager
def ask(address: Address, table: str | None, query: str | None) -> Iterator[Answer]:
    """Ask for a table in the order of its primary key, or else as it is stored, or for what a query answers.

    Raises `SourceError` where the server cannot be reached, refuses, or has no such table.
    """
    pymysql = driver(address, "pymysql", "PyMySQL")
    connection = _connected(pymysql, address)
    try:
        label, keys, select = ("query", [], query) if query else _of_table(connection, address, table)
        with _asked(pymysql, connection, select) as cursor:
            fields = cursor._result.fields if cursor.description else []
            distinct(address.shown, [field.name for field in fields])
            columns = {field.name: _kind(field) for field in fields}
            yield Answer(label, columns, keys, _batches(cursor, list(columns)))
    except pymysql.Error as error:
        raise SourceError(f"{address.shown}: the query fails: {address.said(error.args[-1])}.") from None
    finally:
        connection.close()


def _connected(pymysql: Any, address: Address) -> Any:  # noqa: ANN401  PyMySQL's own
    unknown = [name for name, _ in address.options if name not in OPTIONS]
    if unknown:
        raise SourceError(f"{address.shown}: no option {unknown[0]!r}. There are: {', '.join(OPTIONS)}.")
    options = dict(address.options)
    password = address.password or os.environ.get("MYSQL_PWD", "")
    if Path("~/.my.cnf").expanduser().is_file():
        options.setdefault("read_default_file", "~/.my.cnf")
    try:
        connection = pymysql.connect(
            host=address.host or None, port=address.port or 0, user=address.user or None, password=password,
            database=address.database, charset="utf8mb4", use_unicode=False, conv=pymysql.converters.encoders,
            connect_timeout=20, **options,
        )  # fmt: skip
        for statement in SESSION:
            connection.query(statement)
    except (pymysql.Error, OSError, RuntimeError) as error:
        raise SourceError(f"{address.shown}: {address.said(error.args[-1] if error.args else error)}.") from None
    return connection


def _of_table(connection: Any, address: Address, table: str | None) -> tuple[str, list[str], str]:  # noqa: ANN401
    """Return a table's name, its primary key, and the SELECT that reads it."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        found = {name.decode(): kind for name, kind in cursor.fetchall()}
        name = chosen(address.shown, table, list(found), [name for name, kind in found.items() if kind in STORED])
        cursor.execute(KEY, [name])
        keys = [key.decode() for (key,) in cursor.fetchall()]
    order = f" ORDER BY {', '.join(map(_quoted, keys))}" if keys else ""
    return name, keys, f"SELECT * FROM {_quoted(name)}{order}"


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _kind(field: Any) -> pa.DataType:  # noqa: ANN401
    code = field.type_code
    if code in INTEGERS:
        return pa.uint64() if code == LONGLONG and field.flags & UNSIGNED else pa.int64()
    if code in FLOATS:
        return pa.float64()
    return BINARY if code in BYTES or (code in STRINGS and field.charsetnr == BINARY_CHARSET) else STRING


@contextmanager
def _asked(pymysql: Any, connection: Any, query: str) -> Iterator[Any]:  # noqa: ANN401
    """Run a query; on leaving, what has not been read of its answer is left on the server."""
    cursor = pymysql.cursors.SSCursor(connection)
    try:
        cursor.execute(query)
        yield cursor
    finally:
        if cursor._result is not None:
            cursor._result.unbuffered_active = False
        cursor.connection = None


def _batches(cursor: Any, names: list[str]) -> Iterator[pa.Table]:  # noqa: ANN401
    held: list[tuple[bytes | None, ...]] = []
    size = 0
    for row in iter(cursor.fetchone, None):
        held.append(row)
        size += sum(map(len, filter(None, row)))
        if len(held) == BATCH or size >= BATCH_BYTES:
            yield _table(held, names)
            held, size = [], 0
    if held:
        yield _table(held, names)


def _table(rows: list[tuple[bytes | None, ...]], names: list[str]) -> pa.Table:
    return pa.table([pa.array(cells, BINARY) for cells in zip(*rows, strict=True)], names=names)
