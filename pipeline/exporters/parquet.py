"""Documents -> a folder of Parquet shards, laid out as data sets are on the hub."""

from collections.abc import Sequence

from pipeline.artifacts import Artifact
from pipeline.exporters._documents import Share, write_shards
from pipeline.exporters._folder import Export, Folder
from pipeline.exporters._shards import rows_in

TAKES = ("ingest", "clean")


def parquet(artifact: Artifact, folder: Folder, splits: Sequence[str], *, validation: Share = 0.0) -> Export:
    """Write `data/train-00000-of-00002.parquet` and so on, with the columns as the artifact has them."""
    folders = {split: (folder.path / "data", split) for split in splits}
    files = write_shards(artifact, folders, "parquet", validation)
    return Export({split: rows_in(paths) for split, paths in files.items()}, f'datasets.load_dataset("{folder.home}")')
