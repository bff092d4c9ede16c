"""Documents -> a folder that `datasets.load_from_disk` opens without a copy."""

from collections.abc import Sequence

from pipeline.artifacts import Artifact
from pipeline.exporters._documents import Share, schema_of, write_shards
from pipeline.exporters._folder import Export, Folder
from pipeline.exporters._shards import rows_in, save_to_disk

TAKES = ("ingest", "clean")


def hf(artifact: Artifact, folder: Folder, splits: Sequence[str], *, validation: Share = 0.0) -> Export:
    """Write what `DatasetDict.save_to_disk` does, with the columns as the artifact has them."""
    folders = {split: (folder.path / split, "data") for split in splits}
    files = write_shards(artifact, folders, "arrow", validation)
    save_to_disk(folder.path, files, schema_of(artifact), artifact.manifest.fingerprint)
    return Export({split: rows_in(paths) for split, paths in files.items()}, f'datasets.load_from_disk("{folder.home}")')
