"""A tokenize artifact -> some of its rows as they will be trained: which tokens are supervised, where documents begin.

Reading order: `summary` (how many, how long, whose), `density` (how many bytes a token stands for), `rows` (which rows, and
their tokens as text), `words` (as plain text or on a terminal), `page` (as HTML). A token is known by its bytes,
`pipeline.tokens.encoding.spelling`.
"""

import sys
from pathlib import Path

from pipeline.artifacts import Artifact, atomic

LONGEST, LONGEST_ON_A_PAGE = 600, 4000  # tokens of a row that are shown


def show_rows(artifact: Artifact, split: str, count: int, html: str | None = None, compare_to: str | None = None) -> None:
    """Print what splits hold and some rows of one, or write them as a page; raises `BrokenArtifact`.

    With `compare_to`, the name of a tokenizer, say how many bytes a token of it would stand for; raises `TokenizerError`.
    """
    from pipeline.token_samples import density, page, rows, summary, words
    from pipeline.tokens.tokenizer import load

    other = None if compare_to is None else load(compare_to)
    found = summary.summaries(artifact)
    sys.stdout.write("".join(f"{line}\n" for one in found for line in ["", *summary.in_words(one)]))
    if other is not None and compare_to is not None:
        sys.stdout.write(f"  {density.compared(density.sampled(artifact, split), other, compare_to)}\n")
    if html is None:
        words.say(rows.rows_of(artifact, split, count, LONGEST))
        return
    written = page.page(artifact.ref, found, rows.rows_of(artifact, split, count, LONGEST_ON_A_PAGE))
    with atomic(Path(html)) as temporary:
        temporary.write_text(written, encoding="utf-8")
    sys.stdout.write(f"\nrows: {html}\n")
