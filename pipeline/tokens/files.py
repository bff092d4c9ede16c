"""Token rows -> the files of a tokens artifact: Arrow shards that `datasets.load_from_disk` opens as they are, and the index.

    tokens/dataset_dict.json  tokens/train/00000.arrow ...  tokens/train/{state,dataset_info}.json   (the same for validation)
    index/00000.parquet       a line for each document, or window of one, in its row; `row` counts through the split

All content is fixed by the rows and the artifact's fingerprint; `datasets` itself would write a random one, and paths.
"""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.artifacts import atomic
from pipeline.tokens.packed_rows import PACKED

SPLITS = ("train", "validation")
FEATURE = {"feature": {"dtype": "int32", "_type": "Value"}, "_type": "List"}


def describe(draft: Path, fingerprint: str) -> None:
    """Write what `datasets` wants to find beside the shards; a split without a row gets an Arrow file without one."""
    _write_json(draft / "tokens" / "dataset_dict.json", {"splits": list(SPLITS)})
    for split in SPLITS:
        folder = draft / "tokens" / split
        if not any(folder.glob("*.arrow")):
            with atomic(folder / "00000.arrow") as temporary, pa.ipc.new_stream(temporary, PACKED):
                pass
        shards = sorted(path.name for path in folder.glob("*.arrow"))
        _write_json(folder / "state.json", state(split, shards, fingerprint))
        _write_json(folder / "dataset_info.json", {"features": dict.fromkeys(PACKED.names, FEATURE)})


def state(split: str, shards: list[str], fingerprint: str) -> dict[str, Any]:
    """Return what `datasets` keeps in state.json beside the shards of a split."""
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
