"""Some rows of arrays and tables; where that is all of them nothing is copied, for one of them may be a huge document."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def taken(rows: pa.Array | pa.Table, places: npt.NDArray[np.int64]) -> Any:  # noqa: ANN401  what was given: an array or a table
    """Return the rows at places.

    >>> taken(pa.array(["a", "b"]), np.array([1])).to_pylist()
    ['b']
    """
    if np.array_equal(places, np.arange(len(rows))):
        return rows
    return rows.take(pa.array(places))


def chosen(rows: pa.Array | pa.Table, mask: npt.NDArray[np.bool_]) -> Any:  # noqa: ANN401  what was given: an array or a table
    """Return the rows for which a mask is true.

    >>> chosen(pa.table({"id": ["a", "b"]}), np.array([True, False]))["id"].to_pylist()
    ['a']
    """
    return rows if mask.all() else rows.filter(pa.array(mask))
