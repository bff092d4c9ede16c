"""Ingest: sources -> documents, and `rejected/`: what could not be read, with its raw bytes.

    expand the sources, tell their formats, hash their bytes        -> identity
    (rows of a live database are brought to this disk meanwhile)
    a task for each large source, or for a few hundred small ones   -> parts in work/, of at most 32 MiB of text
    one schema for all parts                                        -> documents/, rejected/, remarks/, sources/

Parts are numbered in the order of the sources' names, whoever made them.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.artifacts import Artifact, Draft, Identity, atomic, canonical, refusals, remembered
from pipeline.documents import STRING
from pipeline.engine.memory import Weighed
from pipeline.errors import SourceError, StoreError
from pipeline.exchange import most_of
from pipeline.ingesting import hashing
from pipeline.ingesting.hashing import Held, Look, between
from pipeline.ingesting.opening import opened
from pipeline.ingesting.parts import Parts, mixed, place, unified
from pipeline.ingesting.plan import plan
from pipeline.ingesting.reading import documents
from pipeline.ingesting.repeated import repeated_ids
from pipeline.ingesting.texts_at_once import texts_at_once
from pipeline.readers.live_database.address import LiveSource
from pipeline.readers.live_database.spool import scratch, spooled
from pipeline.run import Run, versions
from pipeline.sources import Source, ensure_unchanged
from pipeline.sources.planned import PACK, Cut, Kinds, Planned, Task
from pipeline.sources.remote import RemoteSource, fetched
from pipeline.timing import phase

VERSION = 7  # of what the stage and the readers make of a source; it enters the fingerprint
TASK_BYTES, TASK_SOURCES = 32 << 20, 1024  # a task's sources on the disk
TASK_HOLDS = 240 << 20  # bytes, as measured with workers that read JSONL, Parquet and CSV
ROW_GROUP = 64 << 10  # sources in a row group of sources/, of which some 20 MB are held
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
    `pipeline.ingesting.threads`. The columns that are named for all sources are the tables': pages and text files beside
    them have their own. Raises `SourceError` for what cannot be read at all, `RecipeError` with every wrong setting.
    """
    shared = {
        "format": format, "text_column": text_column, "id_column": id_column, "keep_columns": keep_columns,
        "chat_by": chat_by, "role_column": role_column, "order_by": order_by, "roles": roles, "table": table, "query": query,
        "encoding": encoding, "repair": repair or None,
    }  # fmt: skip
    planned = plan(sources, {key: value for key, value in shared.items() if value is not None})
    with _scratch(run.store.root) as folder:
        return _made(_on_disk(planned, folder, run), folder, name, run, shared)


@contextmanager
def _scratch(root: Path) -> Iterator[Path | StoreError]:
    """Give a folder on the store's disk, or the store's refusal: what is there already can be answered nevertheless."""
    with ExitStack() as stack:
        folder: Path | StoreError
        try:
            folder = stack.enter_context(scratch(root))
        except StoreError as refusal:
            folder = refusal
        yield folder


def _made(planned: Planned, folder: Path | StoreError, name: str, run: Run, shared: Settings) -> Artifact:
    sources, tasks = _looked_at(planned, folder, run)
    identity = Identity("ingest", {"version": VERSION, "settings": shared}, (), sources)
    if known := run.answered(identity, name):
        return known
    with run.store.draft(identity, name) as draft:
        if isinstance(folder, StoreError):
            raise folder
        task = Weighed(partial(_read, Work(draft.work, folder, planned.common)), _need)
        answers = run.engine.map(task, tasks)
        parts = list(_one_kind(run.progress.track("ingest", answers, len(tasks))))
        kept, rejected = sum(part["kept"] for part in parts), sum(part["rejected"] for part in parts)
        if not kept:
            more = f" (and {rejected - 1} more rejected)" if rejected > 1 else ""
            raise SourceError(f"no document was read: {_first_reason(draft.work, len(tasks))}{more}")
        if repeated := _repeated_ids(draft, run) if any(kind.settings["id_column"] for kind in planned.common.kinds) else 0:
            run.progress.say(f"{repeated} documents have an id that another one has")
        _finish(draft, len(tasks))
        _write_sources(draft, planned, folder)
        _say_remarks(draft, run)
        return draft.publish(
            {"in": sum(part["in"] for part in parts), "kept": kept, "rejected": rejected},
            counts=[{"reason": reason, "rejected": count} for reason, count in _reasons(parts).items()],
            versions=versions("pyarrow", "pandas", "resiliparse", "fastwarc", "sqlparse"),
            run=run.facts(),
        )


def _on_disk(planned: Planned, folder: Path | StoreError, run: Run) -> Planned:
    """Bring live databases' rows and files from elsewhere to a folder of the store's disk; others stay."""
    live, far = planned.odd(LiveSource), planned.odd(RemoteSource)
    if not live and not far:
        return planned
    if isinstance(folder, StoreError):
        raise folder
    local: dict[int, Source] = {}
    with refusals(folder):
        for place, (source, settings) in run.progress.track("ingest, from databases", iter(live.items()), len(live)):
            local[place] = spooled(source, folder / f"{place:05}.arrow", table=settings["table"], query=settings["query"])
        copies = fetched({place: source for place, (source, _) in far.items()}, folder)
        local.update(run.progress.track("ingest, copying", copies, len(far)))
    return planned.replaced(local)


def _looked_at(planned: Planned, folder: Path | StoreError, run: Run) -> tuple[str, list[Task]]:
    """Have all sources hashed and what was seen written to a folder; return the hash of the canonical list, and the tasks.

    The list has each source's name, format, hash and settings: of a million some 300 MB, so it is hashed pack by pack.
    """
    content = hashlib.sha256(b"[")
    cut = Cut(TASK_BYTES, TASK_SOURCES)
    answers = run.engine.map(
        Look(planned.common, None if isinstance(folder, StoreError) else folder), list(enumerate(planned.packs))
    )
    for number, seen in enumerate(run.progress.track("ingest, hashing", answers, len(planned.packs))):
        content.update(b"," * (number > 0) + seen.text)
        for size, held in zip(seen.sizes.tolist(), seen.held.tolist(), strict=True):
            cut.add(size, held)
    content.update(b"]")
    return content.hexdigest(), cut.close()


class Work(NamedTuple):
    """What every task knows: where its parts go, where its sources are, and how they are read."""

    parts: Path
    folder: Path
    common: Kinds


def _need(task: Task) -> int:
    """Return the bytes that a task holds: a part's rows, and its largest document."""
    return TASK_HOLDS + task.largest


def _read(work: Work, task: Task) -> dict[str, Any]:
    """Read a task's sources into parts; answer with what was counted."""

    def read() -> dict[str, Any]:
        parts = Parts(work.parts, task.number)
        for held, places in between(work.folder, task.start, task.stop):
            for some, texts in texts_at_once(held, work.common, places):
                if texts is None:
                    _read_each(work, held, some, parts)
                else:
                    parts.add_each(held.source(work.common, some.start), *texts)
        return parts.close()

    try:
        return remembered(work.parts / f"{task.number:05}.json", read)
    except SourceError:
        for part in work.parts.glob(f"{task.number:05}-*.parquet"):  # of other bytes than those that were hashed, perhaps
            part.unlink()
        raise


def _read_each(work: Work, held: Held, places: range, parts: Parts) -> None:
    """Have sources read one by one."""
    for at in places:
        named, settings = held.source(work.common, at), work.common.kinds[held.pack.kinds[at]].settings
        for source, of_source in opened(held.from_memory(named, at), settings):
            for found in documents(source, of_source, work.parts) if isinstance(of_source, dict) else (of_source,):
                parts.add(source, found)
        ensure_unchanged(named)


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
def _repeated_ids(draft: Draft, run: Run) -> int:
    return repeated_ids(sorted(draft.work.glob("*-*[0-9].parquet")), most_of(run.memory))


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
def _write_sources(draft: Draft, planned: Planned, folder: Path) -> None:
    settings = pa.array([canonical(kind.settings) for kind in planned.common.kinds], STRING)
    with (
        atomic(draft.path / "sources" / "00000.parquet") as temporary,
        pq.ParquetWriter(temporary, SOURCES, compression="zstd") as file,
    ):
        for some in _groups(len(planned.packs), ROW_GROUP // PACK):
            found = pa.concat_tables(hashing.table(folder, number) for number in some).combine_chunks()
            columns = [*found.columns[:-1], settings.take(found["kind"])]
            file.write_table(pa.table(columns, schema=SOURCES))


def _groups(count: int, size: int) -> Iterator[range]:
    """Cut the numbers below `count` into ranges of a size."""
    return (range(at, min(at + size, count)) for at in range(0, count, size))


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
