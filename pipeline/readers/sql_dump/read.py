"""A dump -> the rows of one of its tables: chooses the table, and puts what its statements hold one behind the other."""

from collections.abc import Iterator
from typing import BinaryIO

from pipeline.documents import Found, Rejection
from pipeline.errors import SourceError, did_you_mean
from pipeline.readers.sql_dump.dump import Dump, unreadable_charset
from pipeline.readers.sql_dump.table_rows import TableRows
from pipeline.sources import Source, open_bytes


def read(source: Source, wanted: str | None, encoding: str = "") -> Iterator[Found]:
    """Yield how a table is read, its rows and what is none of them; raises `SourceError` if it is not clear which table."""
    with unreadable_charset(source):
        if wanted is None:
            with open_bytes(source) as file:
                wanted = _only_table(source, file, encoding)
        with open_bytes(source) as file:
            yield from _read(Dump(source, file, encoding), wanted)


def _only_table(source: Source, file: BinaryIO, encoding: str) -> str | None:
    dump = Dump(source, file, encoding)
    found: list[str] = []
    for statement in dump.statements():
        dump.skip(statement)
        name = str(statement.table)
        if name not in found and not statement.table.name.startswith("sqlite_") and statement.kind in ("insert", "copy"):
            found.append(name)
    if len(found) > 1:
        raise SourceError(f"{source.path} holds {len(found)} tables: {', '.join(found)}. Choose one with --table {found[0]}.")
    return found[0] if found else None


def _read(dump: Dump, wanted: str | None) -> Iterator[Found]:
    """Yield the rows of a table named bare or with its schema."""
    table: TableRows | None = None
    met_broken = False
    for statement in dump.statements():
        if statement.kind == "cut" or (statement.kind == "broken" and not statement.table.name):
            met_broken = True
            yield dump.broken(statement, wanted or "statement", 1 + (table.count if table else 0))
        elif wanted is None or not dump.is_wanted(wanted, statement.table):
            dump.skip(statement)
        else:
            if table is not None and table.name != statement.table:
                both = f"{table.name} and {statement.table}"
                raise SourceError(f"{dump.source.path} has both {both}. Choose one with --table.")
            table = table or TableRows(dump, statement.table)
            yield from table.read(statement)
    if dump.window.error:
        error = f"the source cannot be read further: {dump.window.error}"
        yield Rejection(f"byte {dump.window.place}", error, b"")
    if table is None and not met_broken:
        yield from _nothing(dump, wanted)


def _nothing(dump: Dump, wanted: str | None) -> Iterator[Rejection]:
    known = list(dict.fromkeys([*dump.met, *dump.session.created]))
    if wanted is not None and not any(dump.is_wanted(wanted, table) for table in known):
        names = [str(table) for table in known]
        hint = did_you_mean(wanted, [*names, *(table.name for table in known)])
        holds = f"It holds: {', '.join(names)}." if names else "It holds none."
        if dump.window.error:
            holds += f" It cannot be read beyond byte {dump.window.place}: {dump.window.error}."
        raise SourceError(f"{dump.source.path}: no table {wanted!r}.{hint} {holds}")
    if not known and not dump.window.error:
        yield Rejection("byte 0", "no CREATE TABLE, INSERT or COPY: not an SQL dump, or cut before its first table", b"")
