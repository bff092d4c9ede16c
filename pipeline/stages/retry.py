"""Retry: an ingest artifact and its rejected rows, mended or read with other settings -> the artifact that has both.

The parent's documents stay as they are, and its sources are not read again. Each rejected row is made a source of its own, read
as the one that it came from was: a table's line behind the table's header, a dump's row in its statement, cells that were kept
as JSON as the row they are. What still cannot be read stays rejected, with its reason of now.
"""

import hashlib
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.artifacts import Artifact, Draft, Identity, canonical, read_schema, read_shard, remembered
from pipeline.documents import Rejection, Remark
from pipeline.errors import RecipeError, SourceError, UsageError
from pipeline.ingesting.parts import Parts, place, unified
from pipeline.ingesting.reading import documents
from pipeline.ingesting.settings import ARCHIVE, resettled
from pipeline.readers import format_of
from pipeline.rejections import Frame, Mended, Raw, frames
from pipeline.run import Run, versions
from pipeline.sources import Source
from pipeline.sources.unpacking import packed_as, packing

VERSION = 1  # of what the stage does; it enters the fingerprint
CELLS = ("parquet", "database", "live_database", "sql_dump")  # formats whose rows may have been kept as JSON

Settings = dict[str, Any]
Chosen = dict[int, list[Raw]]  # of a shard of rejected rows: a row's number, and what stands for it now


@dataclass(frozen=True)
class Plan:
    """What every task knows."""

    parent: Artifact
    work: Path
    changes: Settings


def retry(parent: Artifact, name: str, run: Run, *, rows: Mended | None = None, changes: Settings | None = None) -> Artifact:
    """Read rejected rows again, and make an artifact of the parent's documents and of theirs.

    `rows` says what stands now for a source and place, see `pipeline.rejections`; the others stay rejected. Without it all are
    read again as they are. `changes` are settings of ingest that are not the parent's. Raises `UsageError` for a row that was
    not rejected, and where none was; `RecipeError` for wrong settings.
    """
    files = parent.files("rejected")
    if not files:
        raise UsageError(f"{parent.ref} has no rejected rows.")
    chosen = _chosen(parent, rows) if rows is not None else [None] * len(files)
    identity = Identity("ingest", {"version": VERSION, "retry": changes or {}}, (parent.ref,), _digest(rows))
    if known := run.answered(identity, name):
        return known
    with run.store.draft(identity, name) as draft:
        task = partial(_retried, Plan(parent, draft.work, changes or {}))
        parts = list(run.progress.track("retry", run.engine.map(task, list(enumerate(chosen))), len(files)))
        _finish(draft, parent)
        reasons: Counter[str] = sum((Counter(part["reasons"]) for part in parts), Counter())
        kept = parent.manifest.rows["kept"] + sum(part["kept"] for part in parts)
        return draft.publish(
            {"in": kept + reasons.total(), "kept": kept, "rejected": reasons.total()},
            counts=[{"reason": reason, "rejected": count} for reason, count in reasons.most_common(50)],
            versions=versions("pyarrow", "pandas"),
            run=run.facts(),
        )


def _digest(rows: Mended | None) -> str:
    written = None if rows is None else [[*key, [str(raw) for raw in raws]] for key, raws in rows.items()]
    return hashlib.sha256(canonical(written).encode()).hexdigest()


def _chosen(parent: Artifact, rows: Mended) -> list[Chosen | None]:
    """Find the rows that were mended: of several at one place each gets one line, the last of them what is left."""
    keys = [read_shard(file, ["source", "place"]) for file in parent.files("rejected")]
    places = [list(zip(*(table[name].to_pylist() for name in ("source", "place")), strict=True)) for table in keys]
    left = Counter(key for shard in places for key in shard)
    for source, at in rows:
        if (source, at) not in left:
            raise UsageError(f"{source}:{at} is no rejected row of {parent.ref}. `prep rejected {parent.ref}` prints those.")
    lines = {key: list(raws) for key, raws in rows.items()}
    chosen: list[Chosen | None] = []
    for shard in places:
        taken: Chosen = {}
        for number, key in enumerate(shard):
            left[key] -= 1
            if lines.get(key):
                many = 1 if left[key] else len(lines[key])
                taken[number], lines[key] = lines[key][:many], lines[key][many:]
        chosen.append(taken)
    return chosen


def _retried(plan: Plan, item: tuple[int, Chosen | None]) -> dict[str, Any]:
    """Read a shard's rows again into parts; answer with what was counted."""
    number, chosen = item

    def read() -> dict[str, Any]:
        parts, origins = Parts(plan.work, number), Origins(plan)
        for row_number, row in enumerate(read_shard(plan.parent.files("rejected")[number]).to_pylist()):
            now = [row["raw"]] if chosen is None else chosen.get(row_number)
            for which, raw in enumerate(now or (), 1):
                for found in origins.read(row["source"], row["place"] if which == 1 else f"{row['place']}.{which}", raw):
                    if not isinstance(found, Remark):
                        parts.add(Source(row["source"], row["source"]), found)
            if not now:
                parts.add(Source(row["source"], row["source"]), Rejection(row["place"], row["error"], row["raw"]))
        return parts.close()

    return remembered(plan.work / f"{number:05}.json", read)


class Origins:
    """The sources that rejected rows came from: how each was read, so that a row can be read like it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.frames = frames(plan.parent)
        self.known = {row["name"]: row for file in plan.parent.files("sources") for row in read_shard(file).to_pylist()}

    def read(self, name: str, at: str, raw: Raw) -> Iterator[pa.Table | Rejection | Remark]:
        """Read a row again; what yields nothing at all is a rejection."""
        held = self.frames.get(name, Frame()).bytes_of(raw)
        try:
            source, settings = self._source(name, raw)
        except (SourceError, RecipeError) as error:
            yield Rejection(at, str(error), held)
            return
        met = False
        for found in documents(source, settings, self.plan.work, place=at):
            met = met or isinstance(found, Rejection) or (isinstance(found, pa.Table) and found.num_rows > 0)
            yield found._replace(place=at, raw=held) if isinstance(found, Rejection) else found
        if not met:
            yield Rejection(at, "nothing to read", held)

    def _source(self, name: str, raw: Raw) -> tuple[Source, Settings]:
        row = self._known(name)
        settings, frame = orjson.loads(row["settings"]), self.frames.get(name, Frame())
        content, encoding = frame.around(raw)
        path = name if packing(content) else name.removesuffix(packed_as(name))
        source = Source(name, path, alone=False, part=partial(io.BytesIO, content))
        format_ = self.plan.changes.get("format") or row["format"]
        if format_ == ARCHIVE:
            format_ = settings["format"] or format_of(source)
            settings = settings["members"][format_]
        turns, bare = settings.get("chat_by") is not None, raw.encode() if isinstance(raw, str) else raw
        if cells := _cells(bare) if turns or format_ in CELLS else []:
            source, format_, encoding = replace(source, part=partial(io.BytesIO, orjson.dumps(cells))), "jsonl", {}
        elif format_ == "foreign":
            format_ = format_of(source)
        if turns and not bare.startswith(b"["):
            raise SourceError("a turn is read with its conversation. Mend the source and ingest it again")
        source = replace(source, format=format_)
        changes = {key: value for key, value in self.plan.changes.items() if key != "format"}
        return source, resettled(source, settings, {**frame.settings, **encoding, **changes})

    def _known(self, name: str) -> dict[str, Any]:
        """Return what is known of a source, or of the archive that it is a member of."""
        end = len(name)
        while name[:end] not in self.known:
            end = name.rindex("/", 0, end)
        row: dict[str, Any] = self.known[name[:end]]
        return row


def _cells(raw: bytes) -> list[Settings]:
    """Return a row if its bytes are its cells as JSON, or the rows of a conversation; else none."""
    if not raw.startswith((b"{", b"[")):
        return []
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return []
    rows = value if isinstance(value, list) else [value]
    return rows if all(isinstance(row, dict) for row in rows) else []


def _finish(draft: Draft, parent: Artifact) -> None:
    """Place the parent's documents and the new ones behind them, in one schema; the parent's types stay where they can."""

    def finish() -> dict[str, Any]:
        before, new = parent.files("documents"), sorted(draft.work.glob("*-*[0-9].parquet"))
        schema = read_schema(before[0])
        schema = unified([schema, *(_as_before(part, schema) for part in new)])
        for number, part in enumerate([*before, *new]):
            place(part, draft.path / "documents" / f"{number:05}.parquet", None if read_schema(part).equals(schema) else schema)
        for number, part in enumerate(sorted(draft.work.glob("*.rejected.parquet"))):
            place(part, draft.path / "rejected" / f"{number:05}.parquet", None)
        for kind in ("sources", "remarks"):
            for number, part in enumerate(parent.files(kind)):
                place(part, draft.path / kind / f"{number:05}.parquet", None)
        return {"documents": len(before) + len(new)}

    remembered(draft.work / "finished.json", finish)


def _as_before(part: Path, before: pa.Schema) -> pa.Schema:
    """Return a part's schema, with a column's type of before where all its cells can have it."""
    table = pq.read_table(part)
    fields = []
    for field in table.schema:
        known = before.field(field.name) if field.name in before.names else field
        try:
            table[field.name].cast(known.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            known = field
        fields.append(known)
    return pa.schema(fields)
