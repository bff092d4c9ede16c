"""PostgreSQL, MySQL and MariaDB as they run -> the rows of a table or query, read-only and in one snapshot."""

from collections.abc import Iterator

from pipeline.documents import Rejection, Rows
from pipeline.readers.live_database.address import LiveSource
from pipeline.readers.live_database.rows import typed
from pipeline.readers.live_database.spool import answer

SUFFIXES = ()


def live_database(source: LiveSource, *, table: str | None = None, query: str | None = None) -> Iterator[Rows | Rejection]:
    """Read a table of a running PostgreSQL, MySQL or MariaDB, or what a query answers; its URL is the source.

    `table` names the table or view, in PostgreSQL also with its schema (`public.posts`); with neither, the database's only
    table is read. A row's place is the table and its primary key (`posts:17`, `posts:17,2`), in whose order it is read; rows
    of a table without one, and of a query, are numbered from 1 as the server gives them: give a query its ORDER BY, so that
    the numbers stay.

    Columns have the types that an SQL dump's would have: integers int64 (BIGINT UNSIGNED uint64), FLOAT, DOUBLE and REAL
    float64, BLOB, BINARY, BYTEA, geometry and MySQL's BIT large_binary, all else large_string with the text that SELECT
    shows, times with a zone in UTC. A row with a text that is not UTF-8 is a `Rejection`.

    Several tables or queries of one database are several sources of a recipe, each with its `table` or `query`.

    What the URL does not say of password and host, the drivers find: PGPASSWORD, ~/.pgpass and PGHOST, MYSQL_PWD and
    ~/.my.cnf. Raises `SourceError` where the server cannot be reached or refuses, and for a table that is not there or not
    chosen; no error shows the password.
    """
    with answer(source, table, query) as asked:
        yield from typed(asked)
