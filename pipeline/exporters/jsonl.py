"""Documents -> JSONL: one file a split, one document a line, as `datasets`, polars and most trainers read it."""

from collections.abc import Sequence

from pipeline.artifacts import Artifact
from pipeline.exporters._documents import Share, write_lines
from pipeline.exporters._folder import Export, Folder
from pipeline.exporters._messages import as_json

TAKES = ("ingest", "clean")


def jsonl(artifact: Artifact, folder: Folder, splits: Sequence[str], *, validation: Share = 0.0) -> Export:
    """Write `train.jsonl` and, for a share of the documents, `validation.jsonl`: `id`, `text` or `messages`, other columns.

    Tool calls, their arguments and `tools` are objects; what is null is left out.
    """
    rows = write_lines(artifact, folder.path, splits, validation, as_json)
    files = {split: str(folder.home / f"{split}.jsonl") for split in rows}
    return Export(rows, f'datasets.load_dataset("json", data_files={files})')
