"""What became of a document: its id -> one sentence for each artifact that met it, oldest first."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.artifacts import STAGES, Artifact, Store, read_shard
from pipeline.errors import PrepError


def why(store: Store, document: str) -> list[str]:
    """Say what became of a document, through all stages; the newest artifact of each name is looked at.

    Raises `PrepError` where no artifact has met it.
    """
    sentences: list[str] = []
    seen: set[tuple[str, str]] = set()
    for artifact in sorted(store.list(), key=lambda artifact: STAGES.index(artifact.manifest.stage)):
        key = (artifact.manifest.stage, artifact.manifest.name)
        if key not in seen:
            seen.add(key)
            sentences += _sentences(artifact, document)
    if not sentences:
        raise PrepError(f"no artifact in {store.place} has met a document {document!r}. `prep show REF` prints some ids.")
    return sentences


def _sentences(artifact: Artifact, document: str) -> list[str]:
    ref, sentences = artifact.ref, []
    sentences += [f"{ref}: rejected: {row['error']}" for row in _rejected(artifact, document)]
    sentences += [f"{ref}: {_edit(row)}" for row in _rows(artifact.files("edits"), "id", document)]
    sentences += [f"{ref}: removed by {_reason(row)}" for row in _rows(artifact.files("removed"), "id", document)]
    if _rows(artifact.files("documents"), "id", document):
        sentences.append(f"{ref}: {'read' if artifact.manifest.stage == 'ingest' else 'kept'}")
    if windows := _rows(artifact.files("index"), "document", document):
        tokens, split = sum(row["length"] for row in windows), windows[0]["split"]
        rows = f"row {windows[0]['row']}" if len(windows) == 1 else f"{len(windows)} rows from {windows[0]['row']}"
        sentences.append(f"{ref}: tokenized: {tokens} tokens, {rows} of {split}")
    return list(dict.fromkeys(sentences))


DEEDS = {"rewrite": "rewritten", "truncate": "cut short", "redact": "redacted"}


def _edit(row: dict[str, Any]) -> str:
    """Say what a filter altered in a document that stays: `stripped by slop; "As an AI" at byte 17`."""
    deed = DEEDS.get(row["action"], "stripped")
    return "; ".join([f"{deed} by {row['filter']}", *_places(row["evidence"], in_chat=None)])


def _places(evidence: list[dict[str, Any]] | None, *, in_chat: bool | None) -> list[str]:
    """Say what was found where: the first three places, and how many more there are."""
    found = evidence or []
    said = []
    for span in found[:3]:
        message = span["message"]
        turn = f" in message {message + 1}" if message is not None and (in_chat or (in_chat is None and message)) else ""
        at = f" at byte {span['start']}" if span["start"] is not None else ""
        said.append(f"{_found(span['text'], span['label'])}{turn}{at}")
    return said + ([f"{len(found) - 3} more"] if len(found) > 3 else [])


def _found(text: str | None, label: str | None) -> str:
    """Say what was found, and its label where that says more: a benchmark's row or a kind, not the phrase once more.

    >>> _found("As an AI", "as an ai"), _found("1.2.3.4", "ip"), _found(None, "email")
    ("'As an AI'", "'1.2.3.4' (ip)", 'email')
    """
    if text is None or label is None:
        return str(label) if text is None else f"{text!r}"
    plain = label.strip("^$").lower()
    says_more = "\\" not in label and plain not in " ".join(text.replace("’", "'").lower().split())
    return f"{text!r} ({label})" if says_more else f"{text!r}"


def _reason(row: dict[str, Any]) -> str:
    parts = [str(row["filter"])]
    if row["twin"] is not None:
        parts.append(f"similarity {_number(row['similarity'])} to {row['twin']}, which stays")
    elif row["measure"] is not None:
        value = f" {_number(row['value'])}" if row["value"] is not None else ""
        parts.append(f"{row['measure']}{value}, {row['bound']}")
    parts += _places(row["evidence"], in_chat=row.get("messages") is not None)
    return "; ".join(parts)


def _number(value: float) -> str:
    """Say a number: whole if it is one, else to four digits.

    >>> _number(1234567.0), _number(0.85169)
    ('1234567', '0.8517')
    """
    return f"{value:.0f}" if value == int(value) else f"{value:.4g}"


def _rejected(artifact: Artifact, document: str) -> list[dict[str, Any]]:
    """Return the rejections at the place that a document's id names: a whole source, or a row of it."""
    if artifact.manifest.stage == "clean":
        return [{"error": f"{row['filter']}: {row['error']}"} for row in _rows(artifact.files("rejected"), "id", document)]
    rows: list[dict[str, Any]] = []
    parts = document.split(":")
    for cut in range(1, len(parts) + 1):
        found = _rows(artifact.files("rejected"), "source", ":".join(parts[:cut]))
        rows += [row for row in found if row["place"] == ":".join(parts[cut:])]
    return rows


def _rows(files: list[Path], column: str, value: str) -> list[dict[str, Any]]:
    """Return the rows of Parquet files where a column has a value; only that column is read of the others."""
    rows: list[dict[str, Any]] = []
    for file in files:
        hits = pc.equal(read_shard(file, [column])[column], value)
        if pc.any(hits).as_py():
            rows += read_shard(file).filter(hits).to_pylist()
    return rows


def sample(artifact: Artifact, count: int) -> pa.Table | None:
    """Return the first documents of an artifact, or None where it holds none."""
    for file in artifact.files("documents"):
        table = read_shard(file)
        if table.num_rows:
            return table.slice(0, count)
    return None
