"""A tokenize artifact -> the tokens of its documents, a row for each document or window; or its rows as they are packed.

Rows of tokens hold one document or several. The index says how long each of them is, in the order in which they stand in their
row, so that a batch's documents are new offsets over the same buffers: nothing is copied. Where the rows have `position_ids`,
these must say the same.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.artifacts import Artifact, read_shard
from pipeline.errors import BrokenArtifact, RowsLost
from pipeline.exporters._shards import Shards, columns_in, rows_in, save_to_disk

Ints = npt.NDArray[np.int64]
LIST = pa.list_(pa.int32())
MASKS = pa.list_(pa.int8())
UNPACKED = pa.schema([("input_ids", LIST), ("labels", LIST)])
MASKED = pa.schema([("input_ids", LIST), ("attention_mask", MASKS), ("labels", LIST)])
PACKED = pa.schema([*UNPACKED, ("seq_lengths", LIST)])


class Cut(NamedTuple):
    """A batch of rows and its documents: token buffers, `int32` offsets of the documents in them, and the rows' in those."""

    input_ids: pa.Array
    labels: pa.Array
    documents: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int32]

    def unpacked(self) -> pa.Table:
        """Return `input_ids` and `labels`, a row a document."""
        return pa.Table.from_arrays(
            [_lists(self.documents, column) for column in (self.input_ids, self.labels)], schema=UNPACKED
        )

    def masked(self) -> pa.Table:
        """Return `input_ids`, `attention_mask` and `labels`, a row a document; the mask is all ones."""
        ones = _lists(self.documents, pa.array(np.ones(len(self.input_ids), dtype=np.int8)))
        ids, labels = (_lists(self.documents, column) for column in (self.input_ids, self.labels))
        return pa.Table.from_arrays([ids, ones, labels], schema=MASKED)

    def packed(self) -> pa.Table:
        """Return the rows as they are, `input_ids` and `labels`, with the lengths of their documents as `seq_lengths`."""
        bounds = self.documents[self.rows]
        lengths = _lists(self.rows, pa.array(np.diff(self.documents)))
        return pa.Table.from_arrays([_lists(bounds, self.input_ids), _lists(bounds, self.labels), lengths], schema=PACKED)


def cuts(artifact: Artifact, split: str) -> Iterator[Cut]:
    """Yield the batches of a split, cut into documents; raises `BrokenArtifact` where index and tokens do not agree.

    The numbers of a split's index are held: 12 bytes a document.
    """
    rows, lengths = _index(artifact, split)
    first = 0
    for path in artifact.files(f"tokens/{split}"):
        if path.suffix == ".arrow":
            for batch in _batches(path):
                begin, end = np.searchsorted(rows, [first, first + batch.num_rows])
                yield _cut(path, batch, rows[begin:end] - first, lengths[begin:end])
                first += batch.num_rows
    if len(rows) and rows[-1] >= first:
        raise BrokenArtifact(f"{artifact.path}: the index of {split} names row {rows[-1]}, and there are {first}. {VERIFY}")


VERIFY = "`prep verify` lists what is broken."


def _index(artifact: Artifact, split: str) -> tuple[Ints, npt.NDArray[np.int32]]:
    """Return row and length of each document of a split, in the order of rows."""
    rows, lengths = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
    for path in artifact.files("index"):
        table = read_shard(path, ["split", "row", "length"])
        chosen = table["split"].to_numpy() == split
        rows.append(table["row"].to_numpy()[chosen])
        lengths.append(table["length"].to_numpy()[chosen])
    row = np.concatenate(rows)
    order = np.argsort(row, kind="stable")
    return row[order], np.concatenate(lengths)[order]


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    try:
        with pa.memory_map(os.fspath(path)) as file, pa.ipc.open_stream(file) as stream:
            yield from stream
    except (pa.ArrowInvalid, OSError) as error:
        raise BrokenArtifact(f"{path}: cannot be read ({' '.join(str(error).split())}). {VERIFY}") from error


def _cut(path: Path, batch: pa.RecordBatch, row: Ints, length: npt.NDArray[np.int32]) -> Cut:
    """Cut rows into their documents; the lengths of a row's documents must add up to the row."""
    lists = batch.column("input_ids")
    bounds = lists.offsets.to_numpy().astype(np.int64)
    documents = np.concatenate([[0], np.cumsum(length)])
    rows = np.searchsorted(row, np.arange(batch.num_rows + 1))
    fits = (documents[rows] == bounds - bounds[0]).all()
    if fits and "position_ids" in batch.schema.names:
        fits = np.array_equal(np.flatnonzero(_flat(batch.column("position_ids")).to_numpy() == 0), documents[:-1])
    if not fits:
        raise BrokenArtifact(f"{path}: its rows are not as long as the documents that the index names for them. {VERIFY}")
    input_ids, labels = _flat(lists), _flat(batch.column("labels"))
    return Cut(input_ids, labels, documents.astype(np.int32), rows.astype(np.int32))


def _flat(lists: pa.ListArray) -> pa.Array:
    first, last = lists.offsets[0].as_py(), lists.offsets[-1].as_py()
    return lists.values.slice(first, last - first)


def _lists(offsets: npt.NDArray[np.int32], values: pa.Array) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets), values)


Shape = Callable[[Cut], pa.Table]


def write_dataset(artifact: Artifact, folder: Path, splits: Sequence[str], schema: pa.Schema, shape: Shape) -> dict[str, int]:
    """Write tokens as `DatasetDict.save_to_disk` does; return the rows of each split with one."""
    files = {split: write_split(artifact, split, Shards(folder / split, "data", "arrow", schema), shape) for split in splits}
    written = {split: paths for split, paths in files.items() if paths}
    save_to_disk(folder, written, schema, artifact.manifest.fingerprint)
    return {split: rows_in(paths) for split, paths in written.items()}


def write_split(artifact: Artifact, split: str, shards: Shards, shape: Shape) -> list[Path]:
    """Write a split's tokens to shards and return their files; raises `RowsLost` where not all of them are on the disk."""
    rows = 0
    with shards:
        for cut in cuts(artifact, split):
            table = shape(cut)
            shards.write(table)
            rows += table.num_rows
    tokens = next(int(count["tokens"]) for count in artifact.manifest.counts if count.get("split") == split)
    written = {"rows": rows_in(shards.files), "tokens": _tokens_in(shards.files)}
    if written != {"rows": rows, "tokens": tokens}:
        raise RowsLost(artifact.ref, {"in": rows, f"of {tokens} tokens, in as many rows": written["tokens"], **written})
    return shards.files


def _tokens_in(files: Iterable[Path]) -> int:
    """Count the tokens that stand in shards on the disk."""
    return sum(pc.sum(pc.list_value_length(column)).as_py() or 0 for path in files for column in columns_in(path, "input_ids"))


def sequence_length(artifact: Artifact) -> int:
    """Return the most tokens that a row holds."""
    return int(artifact.manifest.recipe["sequence_length"])
