"""A CSV or TSV file -> its rows, every cell a string.

Reading order:

    read      a file's start: what is found out about it, and told
    other     files that are named .csv and are something else
    dialect   the delimiter, and how cells are quoted
    header    what stands above the table, and its columns' names
    rows      the table's blocks -> rows and rejections
    scan      bytes -> where records and fields end (a kernel)
    parsed    records that are all in order -> Arrow's strings, by pandas
    cells     any records -> Arrow's strings (a kernel)
"""

from collections.abc import Iterator
from typing import Literal

from pipeline.documents import Found
from pipeline.sources import Source

SUFFIXES = (".csv", ".tsv")


def csv(
    source: Source,
    *,
    delimiter: str = "",
    encoding: str = "",
    header: bool | Literal["auto"] = "auto",
    quote: Literal["auto", "double", "single", "none"] = "auto",
    backslash: bool | Literal["auto"] = "auto",
) -> Iterator[Found]:
    r"""Read a CSV or TSV file; a row's place is its number, from 1, the rejected ones counted.

    What is not set is found out by the file's start, and a `Remark` tells it. `delimiter`: comma, semicolon, tab, bar, \x01 or
    \x1f, or what a first line `sep=;` says (`.tsv`: tab); `none` takes each line for one cell. `encoding`: by byte order mark;
    without one UTF-8 or UTF-16 where it is that, else by its bytes, in doubt cp1252. `header`: the first line names the columns
    unless it clearly is data, which has numbers where the lines below have them, or repeats their values; without a header,
    columns are named `column_1`, ..., and of two columns of one name the second is `name_2`. `quote` and `backslash` are other
    than double quotes, doubled, only where the file cannot be read so; with `backslash`, MySQL's backslash-N is NULL.

    All cells are text as they stand; an empty one is the empty string. Lines above the header, rows of another width, with
    broken quotes or not in the encoding, and a header that comes again are rejected with their bytes; a quote inside a quoted
    cell that is not doubled is kept where the row has one line and the right width. Raises `SourceError` for a header that
    cannot be read, and for an unknown delimiter or encoding.
    """
    from pipeline.readers.csv.dialect import Wanted
    from pipeline.readers.csv.read import read

    yield from read(source, Wanted(delimiter, encoding, header, quote, backslash))
