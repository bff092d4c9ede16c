"""An ingest or clean artifact -> its documents, a batch at a time, each with its split; and those written to files.

Which documents are held out for validation is decided as `prep tokenize` does by default: near duplicates stay together, and a
group's side follows from its documents' ids. The rows on the disk are counted before an export gets its name.
"""

import base64
import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from pipeline.artifacts import Artifact, read_schema
from pipeline.documents import flat_text, strings_of
from pipeline.errors import BrokenArtifact, RowsLost
from pipeline.exporters._shards import Shards, rows_in
from pipeline.tokens import near
from pipeline.tokens.split import hashed, held_out_of

BATCH = 4096  # documents held at a time
SIMILARITY = 0.5  # Jaccard, as `prep tokenize` has it by default
Share = Annotated[float, Field(ge=0, lt=1)]
"""The share of the documents that is held out for validation."""


def schema_of(artifact: Artifact) -> pa.Schema:
    """Return the columns of an artifact's documents."""
    return read_schema(artifact.files("documents")[0]).remove_metadata()


def divided(artifact: Artifact, validation: float) -> Iterator[tuple[str, pa.Table]]:
    """Yield batches of documents, each with its split; raises `RowsLost` where they are not as many as the manifest says."""
    read = 0
    chosen_out = held_out(artifact, validation)
    for path in artifact.files("documents"):
        for table in _batches(path):
            held = chosen_out[read : read + table.num_rows]
            read += table.num_rows
            for split, chosen in (("train", ~held), ("validation", held)):
                if chosen.any():
                    yield split, table if chosen.all() else table.filter(pa.array(chosen))
    if read != artifact.manifest.rows["kept"]:
        raise RowsLost(artifact.ref, {"in": artifact.manifest.rows["kept"], "read": read})


def _batches(path: Path) -> Iterator[pa.Table]:
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH):
                yield pa.Table.from_batches([batch]).replace_schema_metadata()
    except (pa.ArrowInvalid, OSError) as error:
        why = " ".join(str(error).split())
        raise BrokenArtifact(f"{path}: cannot be read ({why}). `prep verify` lists what is broken.") from error


def held_out(artifact: Artifact, share: float) -> npt.NDArray[np.bool_]:
    """Say which documents are for validation, `bool[documents]`: near duplicates together; a shard in memory at a time."""
    if share == 0:
        return np.zeros(artifact.manifest.rows["kept"], np.bool_)
    ids = [np.zeros(0, np.uint64)]
    with tempfile.TemporaryDirectory() as folder:
        places = [near.Place(path, Path(folder) / f"{number:05}") for number, path in enumerate(artifact.files("documents"))]
        for place in places:
            documents = pa.concat_tables([schema_of(artifact).empty_table(), *_batches(place.documents)])
            texts, offsets, _ = flat_text(documents)
            near.write_keys([near.keys(texts, offsets)], place.work)
            ids.append(hashed(strings_of(documents["id"])))
        groups = near.groups(places, SIMILARITY, Path(folder))
    return held_out_of(ids, groups, share)


def write_shards(
    artifact: Artifact, folders: Mapping[str, tuple[Path, str]], suffix: Literal["arrow", "parquet"], validation: float
) -> dict[str, list[Path]]:
    """Write documents to shards, those of a split to its folder under its stem; return the files of each split with a row."""
    read: Counter[str] = Counter()
    schema = schema_of(artifact)
    with contextlib.ExitStack() as opened:
        writers = {
            split: opened.enter_context(Shards(folder, stem, suffix, schema)) for split, (folder, stem) in folders.items()
        }
        for split, table in divided(artifact, validation):
            if split in writers:
                writers[split].write(table)
                read[split] += table.num_rows
    files = {split: writer.files for split, writer in writers.items() if writer.files}
    _all_there(artifact, read, {split: rows_in(paths) for split, paths in files.items()})
    return files


def write_lines(
    artifact: Artifact,
    folder: Path,
    splits: Sequence[str],
    validation: float,
    shape: Callable[[dict[str, Any]], dict[str, Any]],
) -> dict[str, int]:
    """Write `<split>.jsonl`, a shaped document a line; return the rows of each split with one."""
    read: Counter[str] = Counter()
    with contextlib.ExitStack() as opened:
        files = {split: opened.enter_context((folder / f"{split}.jsonl").open("wb")) for split in splits}
        for split, table in divided(artifact, validation):
            if split in files:
                files[split].writelines(_line(shape(row)) for row in table.to_pylist())
                read[split] += table.num_rows
    paths = {split: folder / f"{split}.jsonl" for split in splits}
    written = {split: _lines_in(path) for split, path in paths.items()}
    _all_there(artifact, read, {split: rows for split, rows in written.items() if rows})
    for split in splits:
        if not written[split]:
            paths[split].unlink()
    return dict(read)


def _line(row: dict[str, Any]) -> bytes:
    return orjson.dumps(row, default=_plain, option=orjson.OPT_APPEND_NEWLINE)


def _plain(cell: object) -> str:
    """Write what JSON has no form for: bytes in base64, anything else (decimals, durations) as it is spelled."""
    return base64.b64encode(cell).decode() if isinstance(cell, bytes) else str(cell)


def _lines_in(path: Path) -> int:
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))


def _all_there(artifact: Artifact, read: Mapping[str, int], written: Mapping[str, int]) -> None:
    if dict(read) != dict(written):
        raise RowsLost(artifact.ref, {"in": sum(read.values()), "written": sum(written.values())})
