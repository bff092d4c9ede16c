"""Where the rows of a batch stand: a label and what comes behind it, in Arrow; a string only of a row that is asked for."""

from collections.abc import Iterator, Sequence
from typing import overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.documents import STRING


class Places(Sequence[str]):
    """The places of some rows: `label` and, for each row, a number or a text (`ends`, an Arrow array without nulls).

    >>> places = numbered("posts:", 17, 2)
    >>> len(places), places[1], list(places)
    (2, 'posts:18', ['posts:17', 'posts:18'])
    """

    def __init__(self, label: str, ends: pa.Array) -> None:
        self.label, self.ends = label, ends

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.ends)

    def __iter__(self) -> Iterator[str]:
        """Go through all places."""
        return iter(self.texts().to_pylist())

    @overload
    def __getitem__(self, row: int) -> str: ...

    @overload
    def __getitem__(self, row: slice) -> list[str]: ...

    def __getitem__(self, row: int | slice) -> str | list[str]:
        """Return where a row stands, or where some do."""
        return self.texts()[row].to_pylist() if isinstance(row, slice) else f"{self.label}{self.ends[row].as_py()}"

    def __arrow_array__(self, type: pa.DataType | None = None) -> pa.LargeStringArray:
        """Return all places for `pa.array(places)`."""
        return self.texts()

    def texts(self, before: str = "") -> pa.LargeStringArray:
        """Return all places as strings, with `before` in front of each.

        >>> numbered("posts:", 1, 2).texts("dump.sql:").to_pylist()
        ['dump.sql:posts:1', 'dump.sql:posts:2']
        """
        head = pa.scalar(before + self.label, STRING)
        return pc.binary_join_element_wise(head, self.ends.cast(STRING), pa.scalar("", STRING))


def numbered(label: str, first: int, count: int) -> Places:
    """Return the places of rows that are numbered from `first` on."""
    return Places(label, pa.array(np.arange(first, first + count, dtype=np.int64)))


def unlabelled(places: Sequence[str]) -> Sequence[str]:
    """Return places without what stands before the first colon of each.

    >>> list(unlabelled(numbered("posts:", 1, 2))), unlabelled(["posts:3"])
    (['1', '2'], ['3'])
    """
    if isinstance(places, Places) and ":" in places.label:
        return Places(places.label.partition(":")[2], places.ends)
    return [place.partition(":")[2] for place in places]
