"""The user's own patterns: text -> where they match, each text within a time limit."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from filters import regexes
from filters.kinds import Spans, Texts, spans


def _problem(*, patterns: Sequence[str], **_: object) -> str | None:
    broken = ((pattern, wrong) for pattern in patterns if (wrong := regexes.problem(pattern)))
    return next((f"the pattern {pattern!r} is broken ({wrong})" for pattern, wrong in broken), None)


@spans(version=1, check=_problem)
def patterns(
    texts: Texts,
    *,
    patterns: Annotated[Sequence[str], Field(min_length=1)],
    ignore_case: bool = False,
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0,
) -> Spans:
    """Find your own patterns, in the syntax of the `regex` package (that of `re`, and more).

    A text on which one pattern takes longer than `seconds` is rejected with the reason, and the run goes on. Matches of
    different patterns may overlap.

    >>> import pyarrow as pa
    >>> found = patterns(pa.array(["Call me", "Ring: 0123 4567"], pa.large_string()), patterns=[r"\\d{4} \\d{4}"])
    >>> found.text.tolist(), found.start.tolist(), found.end.tolist()
    ([1], [6], [15])
    """
    return regexes.search(texts, patterns, ignore_case=ignore_case, seconds=seconds)
