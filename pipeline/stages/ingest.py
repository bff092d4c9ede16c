"""Ingest: sources -> documents, and `rejected/`: what could not be read, with its raw bytes.

    expand the sources, tell their formats, hash their bytes        -> identity
    a task for each large source, or for a few hundred small ones   -> parts in work/, of at most 32 MiB of text
    one schema for all parts                                        -> documents/, rejected/, sources/

Parts are numbered in the order of the sources' names, whoever made them.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.artifacts import Artifact, Draft, Identity, atomic, canonical, remembered
from pipeline.documents import REJECTED, STRING, Rejection, Rows, form, kind_of, no_column
from pipeline.errors import RecipeError, SourceError, UsageError
from pipeline.readers import columns, format_of, reader
from pipeline.recipe import Fields, check, fields_of
from pipeline.run import Run, versions
from pipeline.sources import Source, collision, content_hash, expand

VERSION = 1  # of what the stage and the readers make of a source; it enters the fingerprint
TASK_BYTES, TASK_SOURCES = 32 << 20, 1024  # a task's sources on the disk
SHARD_BYTES = 32 << 20  # a shard's documents in memory
FOREIGN = "foreign"  # no reader's format: the file is rejected, its bytes stay where they are
ROW_SETTINGS = ("text_column", "id_column", "keep_columns")
RAGGED = ("jsonl",)  # formats whose rows need not have the same columns
SOURCE: Fields = {"path": (str, ...), "format": (str | None, None)}

SOURCES = pa.schema([("name", STRING), ("format", STRING), ("sha256", STRING), ("bytes", pa.int64())])
Settings = dict[str, Any]


def ingest(
    sources: Sequence[str | Mapping[str, Any]],
    name: str,
    run: Run,
    *,
    format: str | None = None,
    text_column: str | None = None,
    id_column: str | None = None,
    keep_columns: list[str] | Literal["all"] | None = None,
    table: str | None = None,
    query: str | None = None,
) -> Artifact:
    """Read files, folders and globs into documents.

    A source is a path, or a mapping `{path: ..., format: ..., text_column: ..., ...}` with settings of its own, among them
    those of its reader. The columns that are named for all sources are the tables': pages and text files beside them have
    their own. Raises `SourceError` for what cannot be read at all, `RecipeError` with every wrong setting.
    """
    shared = {
        "format": format, "text_column": text_column, "id_column": id_column, "keep_columns": keep_columns,
        "table": table, "query": query,
    }  # fmt: skip
    planned = _plan(sources, {key: value for key, value in shared.items() if value is not None})
    hashes = _hashes([source for source, _ in planned], run)
    rows = [[source.name, source.format, digest, settings] for (source, settings), digest in zip(planned, hashes, strict=True)]
    identity = Identity("ingest", {"version": VERSION, "settings": shared}, (), _digest(rows))
    if known := run.answered(identity, name):
        return known
    with run.store.draft(identity, name) as draft:
        tasks = list(_tasks(planned))
        answers = run.engine.map(partial(_read, draft.work), list(enumerate(tasks)))
        parts = list(_one_kind(run.progress.track("ingest", answers, len(tasks))))
        kept, rejected = sum(part["kept"] for part in parts), sum(part["rejected"] for part in parts)
        if not kept:
            more = f" (and {rejected - 1} more rejected)" if rejected > 1 else ""
            raise SourceError(f"no document was read: {_first_reason(draft.work, len(tasks))}{more}")
        _finish(draft, len(tasks))
        _write_sources(draft, [source for source, _ in planned], hashes)
        return draft.publish(
            {"in": sum(part["in"] for part in parts), "kept": kept, "rejected": rejected},
            counts=[{"reason": reason, "rejected": count} for reason, count in _reasons(parts).items()],
            versions=versions("pyarrow", "pandas", "resiliparse", "sqlparse"),
            run=run.facts(),
        )


def default_name(sources: Sequence[str | Mapping[str, Any]]) -> str:
    """Return an artifact's name for sources that were given none: the first one's, without suffix.

    >>> default_name(["in/posts.csv"]), default_name(["in/my pages/"])
    ('posts', 'my-pages')
    """
    first = sources[0]
    path = str(first["path"] if isinstance(first, Mapping) else first)
    stem = Path(path).resolve().name.split(".")[0]
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._") or "documents"


def _plan(sources: Sequence[str | Mapping[str, Any]], shared: Settings) -> list[tuple[Source, Settings]]:
    """Find the files, tell their formats, and check each one's settings against its reader; all problems at once."""
    if not sources:
        raise UsageError("nothing to ingest. Name files, folders or globs: prep ingest pages/ posts.csv")
    found, problems = _found(sources, shared.get("format"))
    tables = any(columns(source.format) is None for source, _ in found)
    of_all = {key: value for key, value in shared.items() if key != "format"}
    checked: dict[str, Settings] = {}
    planned = []
    for source, own in found:
        key = repr((source.format, own))
        if key not in checked:
            checked[key], wrong = _settings(source, _of_pages(source, of_all) if tables else of_all, own)
            problems += wrong
        planned.append((source, checked[key]))
    problems += _of_no_use(of_all, {source.format for source, _ in found}) if found else []
    if problems:
        raise RecipeError("ingest", problems)
    return planned


def _found(entries: Sequence[str | Mapping[str, Any]], format: str | None) -> tuple[list[tuple[Source, Settings]], list[str]]:
    """Find the files of all entries, sorted by name, each with its format and the settings of its own; and the problems."""
    found: dict[str, tuple[Source, Settings]] = {}
    problems: list[str] = []
    for number, entry in enumerate(entries, 1):
        head, own, wrong = _entry(entry, f"ingest, source {number}")
        problems += wrong
        for source in expand([head["path"]]) if head else []:
            source = replace(source, format=head["format"] or format or format_of(source))
            reader(source.format)
            if source.name in found and found[source.name][0].path != source.path:
                raise collision(source.name, found[source.name][0].path, source.path)
            found[source.name] = (source, own)
    return [found[name] for name in sorted(found)], problems


def _entry(entry: str | Mapping[str, Any], where: str) -> tuple[Settings, Settings, list[str]]:
    """Return an entry's path and format, its other settings, and what is wrong with the former, which are then left out."""
    if isinstance(entry, str):
        return {"path": entry, "format": None}, {}, []
    head, wrong = check(SOURCE, {key: entry[key] for key in SOURCE if key in entry}, where)
    return head, {key: value for key, value in entry.items() if key not in SOURCE}, wrong


def _of_no_use(shared: Settings, formats: set[str]) -> list[str]:
    """Return a problem for each setting for all sources that is for none of their readers."""
    known = {name for format in formats for name in fields_of(reader(format))}.union(ROW_SETTINGS)
    return [f"ingest: {name!r} is no setting of {', '.join(sorted(formats))}" for name in shared if name not in known]


def _of_pages(source: Source, shared: Settings) -> Settings:
    """Return what of the settings for all sources is meant for this one: a page's columns are not the tables'."""
    own = columns(source.format)
    if own is None:
        return shared
    kept = {key: value for key, value in shared.items() if key not in ("text_column", "id_column")}
    if isinstance(kept.get("keep_columns"), list):
        kept["keep_columns"] = [name for name in kept["keep_columns"] if name in own]
    return kept


def _settings(source: Source, shared: Settings, own: Settings) -> tuple[Settings, list[str]]:
    """Check one source's settings; what was set for all sources and this reader does not know is not for it."""
    of_reader = fields_of(reader(source.format))
    of_rows = {name: fields_of(ingest)[name] for name in ROW_SETTINGS}
    fields = {**of_reader, **of_rows}
    wanted = {**{key: value for key, value in shared.items() if key in fields}, **own}
    if isinstance(wanted.get("keep_columns"), str) and wanted["keep_columns"] != "all":
        wanted["keep_columns"] = [name.strip() for name in wanted["keep_columns"].split(",")]
    if "shape" in of_reader and "text_column" in wanted:
        wanted.setdefault("shape", "text")  # rows whose text is named are no chats
    return check(fields, wanted, f"ingest, {source.path}")


def _hashes(sources: list[Source], run: Run) -> list[str]:
    groups = [sources[at : at + TASK_SOURCES] for at in range(0, len(sources), TASK_SOURCES)]
    answers = run.progress.track("ingest, hashing", run.engine.map(_hash_all, groups), len(groups))
    return [digest for group in answers for digest in group]


def _hash_all(sources: list[Source]) -> list[str]:
    return [content_hash(source) for source in sources]


def _digest(rows: list[Any]) -> str:
    return hashlib.sha256(canonical(rows).encode()).hexdigest()


def _tasks(planned: list[tuple[Source, Settings]]) -> Iterator[list[tuple[Source, Settings]]]:
    """Cut the sources, in order, into tasks of bounded bytes and number."""
    task: list[tuple[Source, Settings]] = []
    size = 0
    for source, settings in planned:
        own = Path(source.path).stat().st_size
        if task and (size + own > TASK_BYTES or len(task) == TASK_SOURCES):
            yield task
            task, size = [], 0
        task.append((source, settings))
        size += own
    if task:
        yield task


def _read(work: Path, item: tuple[int, list[tuple[Source, Settings]]]) -> dict[str, Any]:
    """Read a task's sources into parts; answer with what was counted."""
    number, sources = item

    def read() -> dict[str, Any]:
        parts = _Parts(work, number)
        for source, settings in sources:
            for found in _documents(source, settings):
                parts.add(source, found)
        return parts.close()

    return remembered(work / f"{number:05}.json", read)


def _documents(source: Source, settings: Settings) -> Iterator[pa.Table | Rejection]:
    """Have a source read, and its rows formed into documents and rejections."""
    own = {key: value for key, value in settings.items() if key not in ROW_SETTINGS}
    for_rows = {key: settings[key] for key in ROW_SETTINGS if settings[key] is not None}
    read = reader(source.format)(source, **own)
    if source.format in RAGGED and isinstance(settings["keep_columns"], list):
        read = _filled(source, read, settings["keep_columns"])
    for found in read:
        if isinstance(found, Rows):
            documents, rejected = form(source, found, **for_rows)
            yield documents
            yield from rejected
        else:
            yield found


def _filled(source: Source, read: Iterator[Rows | Rejection], names: Sequence[str]) -> Iterator[Rows | Rejection]:
    """Give rows the columns they lack, all NULL; raises `SourceError` in the end where no row of the source has one."""
    met: dict[str, None] = {}
    for found in read:
        if isinstance(found, Rows):
            met.update(dict.fromkeys(found.table.column_names))
            for name in names:
                if name not in found.table.column_names:
                    nulls = pa.nulls(found.table.num_rows, STRING)
                    found = Rows(found.table.append_column(name, nulls), found.places)
        yield found
    for name in names:
        if met and name not in met:
            raise no_column(source, name, list(met))


class _Parts:
    """A task's parts while they fill: documents are written whenever they come to a shard's size or change their columns."""

    def __init__(self, work: Path, task: int) -> None:
        self.work, self.task = work, task
        self.tables: list[pa.Table] = []
        self.rejected: list[tuple[str, str, str, bytes]] = []
        self.counts: dict[str, Any] = {"in": 0, "kept": 0, "rejected": 0, "parts": 0, "rejects": 0, "reasons": {}, "kind": None}

    def add(self, source: Source, found: pa.Table | Rejection) -> None:
        """Take documents, or a rejection, of a source."""
        if isinstance(found, Rejection):
            self._reject(source, found)
            return
        self.counts["in"] += found.num_rows
        if not found.num_rows:
            return
        if self.tables and self.tables[0].schema != found.schema:
            self._flush()
        kind = kind_of(found.schema)
        if self.counts["kind"] not in (None, kind):
            raise SourceError(_mixed(source.path, kind, self.counts["kind"]))
        self.counts["kind"], self.counts["first"] = kind, self.counts.get("first", source.path)
        self.tables.append(found)
        if sum(table.nbytes for table in self.tables) >= SHARD_BYTES:
            self._flush()

    def _reject(self, source: Source, found: Rejection) -> None:
        self.counts["in"] += 1
        self.counts["rejected"] += 1
        reason = found.error if len(found.error) < 80 else found.error[:77] + "..."
        self.counts["reasons"][reason] = self.counts["reasons"].get(reason, 0) + 1
        self.rejected.append((source.name, found.place, found.error, found.raw))
        if sum(len(entry[3]) for entry in self.rejected[-1000:]) >= SHARD_BYTES or len(self.rejected) >= 100_000:
            self._flush_rejected()

    def close(self) -> dict[str, Any]:
        """Write what is left and return the counts."""
        self._flush()
        self._flush_rejected()
        return self.counts

    def _flush(self) -> None:
        if self.tables:
            table = pa.concat_tables(self.tables).combine_chunks()
            self.counts["kept"] += table.num_rows
            with atomic(self.work / f"{self.task:05}-{self.counts['parts']:05}.parquet") as temporary:
                pq.write_table(table, temporary, compression="zstd")
            self.counts["parts"] += 1
            self.tables = []

    def _flush_rejected(self) -> None:
        if self.rejected:
            cells = zip(*self.rejected, strict=True)
            columns = [pa.array(column, field.type) for column, field in zip(cells, REJECTED, strict=True)]
            with atomic(self.work / f"{self.task:05}-{self.counts['rejects']:05}.rejected.parquet") as temporary:
                pq.write_table(pa.table(columns, schema=REJECTED), temporary, compression="zstd")
            self.counts["rejects"] += 1
            self.rejected = []


def _one_kind(answers: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Pass the tasks' answers on; raises `SourceError` where some read texts and others chats."""
    first: dict[str, Any] | None = None
    for answer in answers:
        if answer["kind"] is not None:
            if first is not None and answer["kind"] != first["kind"]:
                raise SourceError(_mixed(answer["first"], answer["kind"], first["kind"]))
            first = first or answer
        yield answer


def _mixed(path: str, kind: str, before: str) -> str:
    return (
        f"{path} holds {kind} documents, the sources before it {before} documents, and an artifact holds one kind. "
        f"Ingest them apart, each with a --name."
    )


def _finish(draft: Draft, tasks: int) -> None:
    """Give all parts one schema, and their place in the artifact; what an interrupted run has placed is not placed twice."""

    def place() -> dict[str, Any]:
        parts = sorted(draft.work.glob("*-*[0-9].parquet"))
        schemas = [pq.read_schema(part) for part in parts]
        schema = _unified(schemas)
        for number, (part, own) in enumerate(zip(parts, schemas, strict=True)):
            _place(part, draft.path / "documents" / f"{number:05}.parquet", None if own.equals(schema) else schema)
        for number, part in enumerate(sorted(draft.work.glob("*.rejected.parquet"))):
            _place(part, draft.path / "rejected" / f"{number:05}.parquet", None)
        return {"tasks": tasks}

    remembered(draft.work / "finished.json", place)


def _place(part: Path, path: Path, schema: pa.Schema | None) -> None:
    with atomic(path) as temporary:
        if schema is None:
            temporary.hardlink_to(part)
        else:
            table = pq.read_table(part)
            columns = [
                table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
                for field in schema
            ]
            pq.write_table(pa.table(columns, schema=schema), temporary, compression="zstd")


def _unified(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """Return one schema for all parts: a column that some lack is null there; two types of one become text."""
    fields: dict[str, pa.Field] = {}
    for field in (field for schema in schemas for field in schema):
        known = fields.get(field.name)
        if known is None:
            fields[field.name] = field
        elif known.type != field.type:
            fields[field.name] = pa.field(field.name, STRING)
    return pa.schema(list(fields.values()))


def _write_sources(draft: Draft, sources: list[Source], hashes: list[str]) -> None:
    sizes = [Path(source.path).stat().st_size for source in sources]
    table = pa.table(
        [[source.name for source in sources], [source.format for source in sources], hashes, sizes], schema=SOURCES
    )
    with atomic(draft.path / "sources" / "00000.parquet") as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _reasons(parts: list[dict[str, Any]]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for reason, count in (entry for part in parts for entry in part["reasons"].items()):
        totals[reason] = totals.get(reason, 0) + count
    return dict(sorted(totals.items(), key=lambda entry: (-entry[1], entry[0]))[:50])


def _first_reason(work: Path, tasks: int) -> str:
    for number in range(tasks):
        for part in sorted(work.glob(f"{number:05}-*.rejected.parquet")):
            row = pq.read_table(part).slice(0, 1).to_pylist()[0]
            return f"{row['source']}{':' if row['place'] else ''}{row['place']}: {row['error']}"
    return "the sources hold no rows."
