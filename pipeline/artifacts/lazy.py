"""A path into the folder of a store in a bucket, whose file is fetched when somebody opens it for the first time.

Whatever opens a path, lists it or asks whether it is there turns it into text by `os.fspath`, and so do pyarrow, numpy and
`shutil`: there the file is fetched, and of a folder all files. So a shard comes to the machine that reads it, when it does, and
nobody need know where the store lies. `str(path)` is for people, and fetches nothing.
"""

import os
from pathlib import Path, PosixPath

from pipeline.artifacts.cache import root_of, url_of


class Lazy(PosixPath):
    """A path of a published artifact."""

    @property
    def place(self) -> str:
        """Return its URL in the bucket."""
        root = root_of(self)
        return f"{url_of(root)}/{self.relative_to(root).as_posix()}" if root else str(self)

    def __fspath__(self) -> str:
        """Return the path as text, when what lies there by the artifact's manifest is there."""
        place = str(self)
        if not os.path.isfile(place):  # noqa: PTH113  a Path would ask itself
            from pipeline.artifacts.mirror import fetch

            fetch(Path(place))
        return place
