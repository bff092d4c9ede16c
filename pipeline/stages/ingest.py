"""Ingest: sources -> documents, and `rejected/`: what could not be read, with its raw bytes.

    expand the sources, tell their formats, hash their bytes        -> identity
    (rows of a live database are brought to this disk meanwhile)
    a task for each large source, or for a few hundred small ones   -> parts in work/, of at most 32 MiB of text
    one schema for all parts                                        -> documents/, rejected/, remarks/, sources/

Parts are numbered in the order of the sources' names, whoever made them.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.artifacts import Artifact, Draft, Identity, canonical, refusals, remembered
from pipeline.documents import LONGEST, STRING
from pipeline.engine.memory import Weighed
from pipeline.errors import SourceError
from pipeline.parts import Parts, mixed, place, unified
from pipeline.readers.live_database.address import LiveSource
from pipeline.readers.live_database.spool import scratch, spooled
from pipeline.reading import documents
from pipeline.remote import RemoteSource, fetched
from pipeline.run import Run, versions
from pipeline.source_plan import opened, plan
from pipeline.sources import Source, ensure_unchanged, hashed, size_of
from pipeline.timing import phase
from pipeline.writing import write_parquet

VERSION = 7  # of what the stage and the readers make of a source; it enters the fingerprint
TASK_BYTES, TASK_SOURCES = 32 << 20, 1024  # a task's sources on the disk
TASK_HOLDS = 240 << 20  # bytes, as measured with workers that read JSONL, Parquet and CSV
MOST_SAID = 5  # sources of which is told how they were read

SOURCES = pa.schema([("name", STRING), ("format", STRING), ("sha256", STRING), ("bytes", pa.int64()), ("settings", STRING)])
Settings = dict[str, Any]
Role = Literal["user", "assistant", "system", "tool"]


def ingest(
    sources: Sequence[str | Mapping[str, Any]],
    name: str,
    run: Run,
    *,
    format: str | None = None,
    text_column: str | None = None,
    id_column: str | None = None,
    keep_columns: list[str] | Literal["all"] | None = None,
    chat_by: str | None = None,
    role_column: str | None = None,
    order_by: str | None = None,
    roles: dict[str, Role] | None = None,
    table: str | None = None,
    query: str | None = None,
    encoding: str | None = None,
    repair: bool = False,
) -> Artifact:
    """Read files, folders, globs and live databases into documents; of an archive (zip, tar) each member by its own format.

    A source is a path, a database's URL, or a mapping `{path: ..., format: ..., text_column: ..., ...}` with settings of its
    own, among them those of its reader. With `chat_by` and `role_column` rows are turns of conversations: see
    `pipeline.threads`. The columns that are named for all sources are the tables': pages and text files beside
    them have their own. Raises `SourceError` for what cannot be read at all, `RecipeError` with every wrong setting.
    """
    shared = {
        "format": format, "text_column": text_column, "id_column": id_column, "keep_columns": keep_columns,
        "chat_by": chat_by, "role_column": role_column, "order_by": order_by, "roles": roles, "table": table, "query": query,
        "encoding": encoding, "repair": repair or None,
    }  # fmt: skip
    planned = plan(sources, {key: value for key, value in shared.items() if value is not None})
    with _on_disk(planned, run) as local:
        return _made(local, name, run, shared)


def _made(planned: list[tuple[Source, Settings]], name: str, run: Run, shared: Settings) -> Artifact:
    hashes = _hash_in_place(planned, run)
    identity = Identity("ingest", {"version": VERSION, "settings": shared}, (), _digest(planned, hashes))
    if known := run.answered(identity, name):
        return known
    with run.store.draft(identity, name) as draft:
        tasks = list(_tasks(planned))
        answers = run.engine.map(Weighed(partial(_read, draft.work), _need), list(enumerate(tasks)))
        parts = list(_one_kind(run.progress.track("ingest", answers, len(tasks))))
        kept, rejected = sum(part["kept"] for part in parts), sum(part["rejected"] for part in parts)
        if not kept:
            more = f" (and {rejected - 1} more rejected)" if rejected > 1 else ""
            raise SourceError(f"no document was read: {_first_reason(draft.work, len(tasks))}{more}")
        if repeated := _repeated_ids(draft.work) if any(settings["id_column"] for _, settings in planned) else 0:
            run.progress.say(f"{repeated} documents have an id that another one has")
        _finish(draft, len(tasks))
        _write_sources(draft, planned, hashes)
        _say_remarks(draft, run)
        return draft.publish(
            {"in": sum(part["in"] for part in parts), "kept": kept, "rejected": rejected},
            counts=[{"reason": reason, "rejected": count} for reason, count in _reasons(parts).items()],
            versions=versions("pyarrow", "pandas", "resiliparse", "fastwarc", "sqlparse"),
            run=run.facts(),
        )


@contextmanager
def _on_disk(planned: list[tuple[Source, Settings]], run: Run) -> Iterator[list[tuple[Source, Settings]]]:
    """Bring live databases' rows and files from elsewhere to the store's disk until the stage is done; others stay."""
    live = {place: source for place, (source, _) in enumerate(planned) if isinstance(source, LiveSource)}
    far = {place: source for place, (source, _) in enumerate(planned) if isinstance(source, RemoteSource)}
    if not live and not far:
        yield planned
        return
    local = list(planned)
    with scratch(run.store.root) as folder:
        with refusals(folder):
            for place, source in run.progress.track("ingest, from databases", iter(live.items()), len(live)):
                settings = planned[place][1]
                spool = folder / f"{place:05}.arrow"
                local[place] = (spooled(source, spool, table=settings["table"], query=settings["query"]), settings)
            for place, copy in run.progress.track("ingest, copying", fetched(far, folder), len(far)):
                local[place] = (copy, planned[place][1])
        yield local


def _hash_in_place(planned: list[tuple[Source, Settings]], run: Run) -> list[str]:
    """Put the sources, as they were when they were hashed, in the place of those that were planned; return their hashes.

    A million of small files would be held twice otherwise.
    """
    cuts = range(0, len(planned), TASK_SOURCES)
    groups = [[source for source, _ in planned[at : at + TASK_SOURCES]] for at in cuts]
    hashes: list[str] = []
    for done in run.progress.track("ingest, hashing", run.engine.map(_hash_all, groups), len(groups)):
        for source, digest in done:
            planned[len(hashes)] = source, planned[len(hashes)][1]
            hashes.append(digest)
    return hashes


def _hash_all(sources: list[Source]) -> list[tuple[Source, str]]:
    return [(source, source.digest) if isinstance(source, LiveSource) else hashed(source) for source in sources]


def _size(source: Source) -> int:
    return source.size if isinstance(source, LiveSource) else size_of(source)


def _digest(planned: list[tuple[Source, Settings]], hashes: list[str]) -> str:
    """Return the hash of the canonical list of all sources, row by row: of a million it would have 300 MB."""
    content = hashlib.sha256(b"[")
    for number, ((source, settings), digest) in enumerate(zip(planned, hashes, strict=True)):
        content.update(("," * (number > 0) + canonical([source.name, source.format, digest, settings])).encode())
    content.update(b"]")
    return content.hexdigest()


def _tasks(planned: list[tuple[Source, Settings]]) -> Iterator[list[tuple[Source, Settings]]]:
    """Cut the sources, in order, into tasks of bounded bytes and number."""
    task: list[tuple[Source, Settings]] = []
    size = 0
    for source, settings in planned:
        own = _size(source)
        if task and (size + own > TASK_BYTES or len(task) == TASK_SOURCES):
            yield task
            task, size = [], 0
        task.append((source, settings))
        size += own
    if task:
        yield task


def _need(item: tuple[int, list[tuple[Source, Settings]]]) -> int:
    """Return the bytes that a task holds: a part's rows, or a text file that is one document."""
    texts = [_size(source) for source, settings in item[1] if settings.get("split") == "file"]
    return TASK_HOLDS + 3 * min(LONGEST, max(texts, default=0))


def _read(work: Path, item: tuple[int, list[tuple[Source, Settings]]]) -> dict[str, Any]:
    """Read a task's sources into parts; answer with what was counted."""
    number, sources = item

    def read() -> dict[str, Any]:
        parts = Parts(work, number)
        for named, of_named in sources:
            for source, settings in opened(named, of_named):
                for found in documents(source, settings, work) if isinstance(settings, dict) else (settings,):
                    parts.add(source, found)
            ensure_unchanged(named)
        return parts.close()

    try:
        return remembered(work / f"{number:05}.json", read)
    except SourceError:
        for part in work.glob(f"{number:05}-*.parquet"):  # of other bytes than those that were hashed, perhaps
            part.unlink()
        raise


def _one_kind(answers: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Pass the tasks' answers on; raises `SourceError` where some read texts and others chats."""
    first: dict[str, Any] | None = None
    for answer in answers:
        if answer["kind"] is not None:
            if first is not None and answer["kind"] != first["kind"]:
                raise SourceError(mixed(answer["first"], answer["kind"], first["kind"]))
            first = first or answer
        yield answer


@phase("repeated ids")
def _repeated_ids(work: Path) -> int:
    """Count the documents whose id stands elsewhere already; sources' own ids need not be unique."""
    ids = [pq.read_table(part, columns=["id"])["id"] for part in sorted(work.glob("*-*[0-9].parquet"))]
    chunks = [chunk for column in ids for chunk in column.chunks]
    return sum(len(chunk) for chunk in chunks) - int(pc.count_distinct(pa.chunked_array(chunks, STRING)).as_py())


@phase("finish")
def _finish(draft: Draft, tasks: int) -> None:
    """Give all parts one schema, and their place in the artifact; what an interrupted run has placed is not placed twice."""

    def finish() -> dict[str, Any]:
        parts = sorted(draft.work.glob("*-*[0-9].parquet"))
        schemas = [pq.read_schema(part) for part in parts]
        schema = unified(schemas)
        for number, (part, own) in enumerate(zip(parts, schemas, strict=True)):
            place(part, draft.path / "documents" / f"{number:05}.parquet", None if own.equals(schema) else schema)
        for kind in ("rejected", "remarks"):
            for number, part in enumerate(sorted(draft.work.glob(f"*.{kind}.parquet"))):
                place(part, draft.path / kind / f"{number:05}.parquet", None)
        return {"tasks": tasks}

    remembered(draft.work / "finished.json", finish)


def _say_remarks(draft: Draft, run: Run) -> None:
    """Tell how the first sources were read."""
    files = sorted((draft.path / "remarks").glob("*.parquet"))
    said = (f"{row['source']}: {row['text']}" for file in files for row in pq.read_table(file).to_pylist() if row["text"])
    for line in islice(said, MOST_SAID):
        run.progress.say(line)
    if next(said, None):
        run.progress.say("and so on for more sources: remarks/ has them all")


@phase("write sources")
def _write_sources(draft: Draft, planned: list[tuple[Source, Settings]], hashes: list[str]) -> None:
    rows = [
        (source.name, source.format, digest, _size(source), canonical(settings))
        for (source, settings), digest in zip(planned, hashes, strict=True)
    ]
    table = pa.table([list(column) for column in zip(*rows, strict=True)], schema=SOURCES)
    write_parquet(table, draft.path / "sources" / "00000.parquet")


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
