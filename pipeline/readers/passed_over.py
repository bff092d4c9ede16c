"""Files of a folder that are no documents, but tell of the others -> a remark that says what they are."""

from collections.abc import Iterator

from pipeline.documents import Remark
from pipeline.sources import Source

SUFFIXES = ()


def passed_over(source: Source) -> Iterator[Remark]:
    """Pass over what another tool noted beside its documents, and say so; name such a file itself to have it read."""
    yield Remark(f"passed over: {source.why}")
