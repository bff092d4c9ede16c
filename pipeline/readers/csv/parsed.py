"""A block of records that are all in order -> a table of strings, parsed by pandas; what is not plain CSV is cut in `cells`."""

import codecs
import io
from collections.abc import Sequence

import pyarrow as pa

from pipeline.documents import STRING
from pipeline.readers.csv.scan import Dialect, Records

MOST_COLUMNS = 4096  # pandas takes a minute and a half for a file of a million


def parsed_of(block: Records, names: Sequence[str], dialect: Dialect) -> pa.Table | None:
    """Return the cells of all records, as pandas' C parser reads them, every one a string.

    None where pandas might read otherwise than the block does: another dialect than RFC 4180's, bare carriage returns (it
    takes the cells behind one at the start for another's), byte order marks amid the data, lines of blanks.
    """
    data = block.data[: block.rest].tobytes()
    plain = dialect.quote == '"' and dialect.delimiter and not dialect.backslash and not dialect.blanks
    plain = plain and len(names) <= MOST_COLUMNS
    if not plain or codecs.BOM_UTF8 in data or data.count(b"\r") != data.count(b"\r\n"):
        return None
    import pandas as pd

    frame = pd.read_csv(
        io.BytesIO(data),
        sep=dialect.delimiter,
        header=None,
        names=range(len(names)),
        index_col=False,
        dtype=pd.ArrowDtype(STRING),
        na_filter=False,
        engine="c",
    )
    if len(frame) != len(block.starts):
        return None
    return pa.Table.from_arrays([_column(frame[place]) for place in range(len(names))], list(names))


def _column(series: "object") -> pa.ChunkedArray:
    array: pa.ChunkedArray = series.array.__arrow_array__()  # type: ignore[attr-defined]
    return array
