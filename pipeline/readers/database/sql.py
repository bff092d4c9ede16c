"""What the databases in files share: names as SQL writes them, and why a query is refused."""

from pipeline.errors import SourceError
from pipeline.sources import Source


def refused(source: Source, error: Exception) -> SourceError:
    """Return the error that says, in one line, why a database refuses a query."""
    return SourceError(f"{source.path}: the query fails: {' '.join(str(error).split()).rstrip('.')}.")


def quoted(name: str) -> str:
    """Return a name as SQL writes it.

    >>> print(quoted('an "odd" name'))
    "an ""odd"" name"
    """
    return '"' + name.replace('"', '""') + '"'
