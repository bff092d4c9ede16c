r"""A table or query of PostgreSQL -> its cells, by `COPY ... TO STDOUT` in one read-only snapshot.

The text form of COPY has a row a line, a tab between cells and `\N` for NULL; the eight characters that could be taken for
these are escaped (https://www.postgresql.org/docs/current/sql-copy.html). So a CSV parser without quotes cuts it, and a few
replacements over whole columns undo the escapes.
"""

import binascii
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from pipeline.documents import STRING
from pipeline.errors import SourceError
from pipeline.readers._choice import chosen, distinct
from pipeline.readers.live_database.address import Address
from pipeline.readers.live_database.answers import BATCH, BATCH_BYTES, BINARY, Answer, driver

SESSION = (
    "SET client_encoding = 'UTF8'; SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC'; "
    "SET bytea_output = 'hex'; SET extra_float_digits = 3; SET statement_timeout = 0; SET synchronize_seqscans = off; "
    "SET max_parallel_workers_per_gather = 0"  # with the one before: rows that nothing orders come as they are stored
)
TABLES = """SELECT c.relname, n.nspname, pg_table_is_visible(c.oid), c.relkind IN ('r', 'p'), c.oid
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
AND NOT c.relispartition ORDER BY n.nspname, c.relname"""
KEY = """SELECT a.attname FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY k(number, place)
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
WHERE i.indisprimary AND i.indrelid = %s ORDER BY k.place"""
BYTEA = 17
KINDS = {
    **dict.fromkeys((20, 21, 23), pa.int64()),  # bigint, smallint, integer: pg_type's OIDs
    **dict.fromkeys((700, 701), pa.float64()),  # real, double precision
    BYTEA: BINARY,
}
BACKSLASH = ("\0", "\\")  # a NUL stands for the backslash meanwhile: no text of PostgreSQL's holds one
ESCAPES = (
    ("\\\\", "\0"),
    ("\\n", "\n"),
    ("\\t", "\t"),
    ("\\r", "\r"),
    ("\\b", "\b"),
    ("\\f", "\f"),
    ("\\v", "\v"),
    BACKSLASH,
)


@contextmanager
def ask(address: Address, table: str | None, query: str | None) -> Iterator[Answer]:
    """Ask for a table in the order of its primary key, or else as it is stored, or for what a query answers.

    Raises `SourceError` where the server cannot be reached, refuses, or has no such table.
    """
    psycopg = driver(address, "psycopg", "psycopg")
    try:
        with closing(_connected(psycopg, address)) as connection:  # without a commit, whatever a query's functions did
            label, keys, select = ("query", [], query) if query else _of_table(connection, address, table)
            names, oids = _described(psycopg, connection, select)
            distinct(address.shown, names)
            columns = {name: KINDS.get(oid, STRING) for name, oid in zip(names, oids, strict=True)}
            if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
                connection.execute("SET client_encoding = 'SQL_ASCII'")  # bytes as they are: such a database checks none
            with connection.cursor() as cursor, cursor.copy(f"COPY ({_one(select)}\n) TO STDOUT".encode()) as copy:
                yield Answer(label, columns, keys, _batches(copy, list(columns.items())))
    except psycopg.Error as error:
        why = error.diag.message_primary or error
        raise SourceError(f"{address.shown}: the query fails: {address.said(why)}.") from None


def _connected(psycopg: Any, address: Address) -> Any:  # noqa: ANN401  psycopg's own
    given = {"host": address.host, "port": address.port, "user": address.user, "password": address.password}
    options = {"connect_timeout": "20", **{name: value for name, value in given.items() if value}, **dict(address.options)}
    try:
        connection = psycopg.connect(**{**options, "dbname": address.database})
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute(SESSION)
    except (psycopg.Error, TypeError, ValueError) as error:
        raise SourceError(f"{address.shown}: {address.said(error)}.") from None
    return connection


def _of_table(connection: Any, address: Address, table: str | None) -> tuple[str, list[str], str]:  # noqa: ANN401
    """Return a table's name, its primary key, and the SELECT that reads it."""
    found, tables = {}, []
    listed = connection.execute(TABLES).fetchall()
    for name, schema, visible, stored, oid in listed:
        shown = name if visible else f"{schema}.{name}"
        found[shown] = (schema, name, oid)
        tables += [shown] if stored else []
    full = {f"{schema}.{name}": (schema, name, oid) for name, schema, _, _, oid in listed}
    of = found.get(table or "") or full.get(table or "") or found[chosen(address.shown, table, list(found), tables)]
    schema, name, oid = of
    keys = [key for (key,) in connection.execute(KEY, [oid])]
    order = f" ORDER BY {', '.join(map(_quoted, keys))}" if keys else ""
    return name, keys, f"SELECT * FROM {_quoted(schema)}.{_quoted(name)}{order}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _one(query: str) -> str:
    return query.strip().rstrip(";")


def _described(psycopg: Any, connection: Any, query: str) -> tuple[list[str], list[int]]:  # noqa: ANN401
    """Return the names and the types' OIDs of a query's columns; it is not run."""
    prepared = connection.pgconn.prepare(b"", _one(query).encode())
    described = connection.pgconn.describe_prepared(b"")
    for answer in (prepared, described):
        if answer.status != psycopg.pq.ExecStatus.COMMAND_OK:
            raise psycopg.errors.error_from_result(answer)
    places = range(described.nfields)
    return [described.fname(place).decode() for place in places], [described.ftype(place) for place in places]


def _batches(copy: Any, columns: list[tuple[str, pa.DataType]]) -> Iterator[pa.Table]:  # noqa: ANN401
    held: list[bytes] = []
    size = 0
    for row in copy:
        held.append(bytes(row))
        size += len(row)
        if len(held) == BATCH or size >= BATCH_BYTES:
            yield _table(held, columns)
            held, size = [], 0
    if held:
        yield _table(held, columns)


def _table(rows: list[bytes], columns: list[tuple[str, pa.DataType]]) -> pa.Table:
    data = b"".join(rows)
    places = [str(place) for place in range(len(columns))]
    cut = csv.read_csv(
        pa.BufferReader(data),
        csv.ReadOptions(column_names=places, block_size=len(data) + 1, use_threads=False),
        csv.ParseOptions(delimiter="\t", quote_char=False, escape_char=False, ignore_empty_lines=False),
        csv.ConvertOptions(
            column_types=dict.fromkeys(places, BINARY), null_values=["\\N"], strings_can_be_null=True, check_utf8=False
        ),
    )
    escapes = [pair for pair in ESCAPES if pair[0].encode() in data or pair == BACKSLASH]
    plain = [_unescaped(column, kind, escapes) for column, (_, kind) in zip(cut.columns, columns, strict=True)]
    return pa.table(plain, names=[name for name, _ in columns])


def _unescaped(column: pa.ChunkedArray, kind: pa.DataType, escapes: list[tuple[str, str]]) -> pa.ChunkedArray:
    if kind == BINARY:  # \\x and hexadecimal digits
        cells = [None if cell is None else binascii.unhexlify(cell[3:]) for cell in column.to_pylist()]
        return pa.chunked_array([pa.array(cells, BINARY)])
    if kind == STRING and pc.any(pc.match_substring(column, "\\")).as_py():
        for escaped, character in escapes:
            column = pc.replace_substring(column, escaped, character)
    return column
