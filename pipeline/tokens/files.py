"""Token rows -> the files of a tokens artifact: Arrow shards that `datasets.load_from_disk` opens as they are, and the index.

    tokens/dataset_dict.json  tokens/train/00000.arrow ...  tokens/train/{state,dataset_info}.json   (the same for validation)
    index/00000.parquet       a row for each token row; `row` counts through the split

All content is fixed by the rows and the artifact's fingerprint; `datasets` itself would write a random one, and paths.
"""

import contextlib
import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.artifacts import atomic
from pipeline.tokens.rows import INDEX, TOKENS

SPLITS = ("train", "validation")
FEATURE = {"feature": {"dtype": "int32", "_type": "Value"}, "_type": "List"}


class ShardWriter:
    """Writes one shard's rows as they come; a split without a row gets no file. Enter it with `with`.

    The index goes to `work/index/`, its rows counted within the shard, until `number_rows` knows the shards before it.
    """

    def __init__(self, draft: Path, shard: int) -> None:
        self._draft, self._shard = draft, shard
        self._files = contextlib.ExitStack()
        self._writers: dict[str, pa.ipc.RecordBatchStreamWriter] = {}
        self._index: list[pa.Table] = [INDEX.empty_table()]
        self.rows = dict.fromkeys(SPLITS, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            index = pa.concat_tables(self._index)
            temporary = self._files.enter_context(atomic(waiting_index(self._draft, self._shard)))
            pq.write_table(index, temporary, compression="zstd")
        self._files.__exit__(kind, error, trace)

    def write(self, split: str, tokens: pa.Table, index: pa.Table) -> None:
        """Append rows to a split."""
        if split not in self._writers:
            temporary = self._files.enter_context(atomic(self._draft / "tokens" / split / f"{self._shard:05}.arrow"))
            self._writers[split] = self._files.enter_context(pa.ipc.new_stream(temporary, TOKENS))
        self._writers[split].write_table(tokens)
        self._index.append(index)
        self.rows[split] += tokens.num_rows


def waiting_index(draft: Path, shard: int) -> Path:
    """Return where a shard's index waits for the numbers of its rows."""
    return draft / "work" / "index" / f"{shard:05}.parquet"


def number_rows(draft: Path, shard: int, before: dict[str, int]) -> None:
    """Write a shard's index, its rows counted on from the rows of each split in the shards before it."""
    index = pq.read_table(waiting_index(draft, shard), schema=INDEX)
    first = np.where(index["split"].to_numpy() == "train", before["train"], before["validation"])
    numbered = index.set_column(1, INDEX.field("row"), pa.array(index["row"].to_numpy() + first))
    with atomic(draft / "index" / f"{shard:05}.parquet") as temporary:
        pq.write_table(numbered, temporary, compression="zstd")


def describe(draft: Path, fingerprint: str) -> None:
    """Write what `datasets` wants to find beside the shards; a split without a row gets an Arrow file without one."""
    _write_json(draft / "tokens" / "dataset_dict.json", {"splits": list(SPLITS)})
    for split in SPLITS:
        folder = draft / "tokens" / split
        if not any(folder.glob("*.arrow")):
            with atomic(folder / "00000.arrow") as temporary, pa.ipc.new_stream(temporary, TOKENS):
                pass
        shards = sorted(path.name for path in folder.glob("*.arrow"))
        _write_json(folder / "state.json", _state(split, shards, fingerprint))
        _write_json(folder / "dataset_info.json", {"features": dict.fromkeys(TOKENS.names, FEATURE)})


def _state(split: str, shards: list[str], fingerprint: str) -> dict[str, Any]:
    return {
        "_data_files": [{"filename": name} for name in shards],
        "_fingerprint": f"{fingerprint}-{split}",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split,
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
