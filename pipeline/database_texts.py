"""A database, in a file or on a server -> its tables with their rows and, of each column's texts, mean length and longest.

One query asks for all columns, and one for rows and lengths of some hundred tables: the database counts, nothing is fetched.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipeline.documents import Rejection, Rows
from pipeline.errors import SourceError
from pipeline.readers.database import database, duckdb
from pipeline.readers.live_database import live_database
from pipeline.readers.live_database.address import LiveSource
from pipeline.sources import Source, head

NO_TEXT = re.compile(
    r"(?i)(?:date|time|year|interval|decimal|numeric|number|money|smallmoney|float|real|double|bool|bit|uuid|uniqueidentifier"
    r"|enum|set|inet|cidr|oid|geometry|point)\b|timestamp|datetime"
)
_TEXT = re.compile(r"(?i)char|text|json|xml")
_TYPED = ("mysql", "postgresql")  # where a column's type says what its cells are
_COLUMNS = {  # a table's name, how SQL writes it, a column's name and type
    "sqlite": """
        SELECT t.name AS t, '"' || replace(t.name, '"', '""') || '"' AS written, c.name AS c, c.type AS declared
        FROM sqlite_master AS t JOIN pragma_table_xinfo(t.name) AS c
        WHERE t.type = 'table' AND substr(t.name, 1, 7) <> 'sqlite_' AND c.hidden <> 1 ORDER BY t.rowid, c.cid""",
    "duckdb": """
        SELECT c.table_name AS t, '"' || replace(c.table_name, '"', '""') || '"' AS written, c.column_name AS c,
        lower(c.data_type) AS declared
        FROM duckdb_columns() AS c JOIN duckdb_tables() AS t USING (table_oid) ORDER BY c.table_oid, c.column_index""",
    "mysql": """
        SELECT t.table_name AS t, concat('`', replace(t.table_name, '`', '``'), '`') AS written, c.column_name AS c,
        c.column_type AS declared
        FROM information_schema.tables AS t JOIN information_schema.columns AS c
        ON c.table_schema = t.table_schema AND c.table_name = t.table_name
        WHERE t.table_schema = DATABASE() AND t.table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')
        ORDER BY t.table_name, c.ordinal_position""",
    "postgresql": """
        SELECT CASE WHEN pg_table_is_visible(t.oid) THEN t.relname::text ELSE n.nspname || '.' || t.relname END AS t,
        quote_ident(n.nspname) || '.' || quote_ident(t.relname) AS written, c.attname AS c,
        format_type(c.atttypid, c.atttypmod) AS declared
        FROM pg_class AS t JOIN pg_namespace AS n ON n.oid = t.relnamespace
        JOIN pg_attribute AS c ON c.attrelid = t.oid AND c.attnum > 0 AND NOT c.attisdropped
        WHERE t.relkind IN ('r', 'p') AND NOT t.relispartition AND has_table_privilege(t.oid, 'SELECT')
        AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' ORDER BY n.nspname, t.relname, c.attnum""",
}
_LENGTH = {  # of a text in bytes, NULL of anything else
    "sqlite": "CASE WHEN typeof({0}) = 'text' THEN length(CAST({0} AS BLOB)) END",
    "duckdb": "CASE WHEN typeof({0}) = 'VARCHAR' THEN strlen(CAST({0} AS VARCHAR)) END",
    "mysql": "length({0})",
    "postgresql": "octet_length({0}::text)",
}
_CALLS = 200  # tables measured by one query; SQLite takes 500 SELECTs in one


class Texts(NamedTuple):
    """A column: its declared type, and of its texts the mean length and the longest, in bytes; 0 where it holds none."""

    name: str
    declared: str
    mean: float
    longest: int


def texts_of(source: Source) -> Iterator[tuple[str, int, list[Texts]]]:
    """Yield each table's name, rows and columns, in the database's order; raises `SourceError` for a damaged one."""
    dialect = _dialect(source)
    columns: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for table, written, column, declared in _answers(source, _COLUMNS[dialect]):
        columns.setdefault((table, written), []).append((column, declared))
    names = list(columns)
    for first in range(0, len(names), _CALLS):
        chosen = names[first : first + _CALLS]
        measures = [_measures(dialect, number, name[1], columns[name]) for number, name in enumerate(chosen)]
        for number, rows, lengths in _answers(source, " UNION ALL ".join(measures)):
            name = chosen[int(number)]
            yield name[0], int(rows), [*_with_lengths(columns[name], lengths)]


def _dialect(source: Source) -> str:
    if isinstance(source, LiveSource):
        return source.address.dialect if source.address else ""
    return "duckdb" if duckdb.sniff(head(source, 12)) else "sqlite"


def _answers(source: Source, query: str) -> Iterator[list[str]]:
    found = live_database(source, query=query) if isinstance(source, LiveSource) else database(source, query=query)
    for piece in found:
        if isinstance(piece, Rejection):
            raise SourceError(f"{source.path}: not a readable database ({piece.error}).")
        if isinstance(piece, Rows):
            yield from ([*row.values()] for row in piece.table.to_pylist())


def _measures(dialect: str, number: int, table: str, columns: Sequence[tuple[str, str]]) -> str:
    """Write the query for a table's rows and, as one text, the mean length and the longest of each column's texts."""
    mark = "`" if dialect == "mysql" else '"'
    measures = []
    for name, declared in columns:
        if _TEXT.search(declared) if dialect in _TYPED else not NO_TEXT.match(declared):
            length = _LENGTH[dialect].format(f"{mark}{name.replace(mark, mark * 2)}{mark}")
            measures += [f"coalesce(avg({length}), 0)", f"coalesce(max({length}), 0)"]
        else:
            measures.append("'0 0'")
    joined = f"concat_ws(' ', {', '.join(measures)})" if dialect == "mysql" else " || ' ' || ".join(measures)
    return f"SELECT {number} AS number, count(*) AS found, {joined} AS lengths FROM {table}"


def _with_lengths(columns: Sequence[tuple[str, str]], lengths: str) -> Iterator[Texts]:
    numbers = iter(lengths.split())
    for name, declared in columns:
        yield Texts(name, declared.lower(), float(next(numbers)), int(next(numbers)))
