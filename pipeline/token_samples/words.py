"""Rows -> lines of plain text, with `[[...]]` around what is trained, or the same in colours on a terminal.

White space that an eye would miss is marked: a line's end by `⏎`, a tab by `⇥`, spaces beside others or at an end by `·`.
"""

import re
import sys
import unicodedata
from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.text import Text

from pipeline.token_samples.rows import Piece, Row, Stretch

SUPERVISED, UNSUPERVISED, BORDER = "bright_green on grey11", "dim", "cyan"
JOINERS = "\u200c\u200d"  # within words and emoji
UNSEEN = re.compile(r" {2,}|^ +$| (?=\n)|(?<=\n) ", re.MULTILINE)


def readable(text: str) -> str:
    r"""Return a text with its white space and its unprintable characters to be seen.

    >>> readable("a\tb  c\x1b[0m")
    'a⇥b··c\\x1b[0m'
    """
    marked = UNSEEN.sub(lambda found: "·" * len(found[0]), text)
    return "".join(_seen(letter) for letter in marked)


def _seen(letter: str) -> str:
    if letter in "\n\t":
        return "⏎\n" if letter == "\n" else "⇥"
    unseen = unicodedata.category(letter) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp") and letter not in JOINERS
    return letter.encode("unicode_escape").decode("ascii") if unseen else letter


def heading(row: Row) -> str:
    """Say what a row is: its place, its size, how much of it is trained, its documents."""
    share = row.supervised / max(row.tokens, 1)
    place = f"{row.split} row {row.number}"
    held = f"{len(row.documents)} documents" if len(row.documents) > 1 else ", ".join(row.documents)
    return f"{place}: {row.tokens:,} tokens, {row.supervised:,} supervised ({share:.0%}), {held}"


def by_document(row: Row) -> Iterator[tuple[str | None, list[Stretch]]]:
    """Yield a row's documents: the border before one, where there are several, and its stretches."""
    for number, stretches in groupby(row.stretches, key=lambda stretch: stretch.document):
        name = row.documents[number] if number < len(row.documents) else "?"
        packed = len(row.documents) > 1 or row.stretches[-1].document > 0
        yield f"document {number + 1}: {name}" if packed else None, list(stretches)


def left_out(stretches: Sequence[Stretch]) -> str:
    """Say how many tokens of a long row are not shown."""
    return f"... {sum(stretch.tokens for stretch in stretches):,} tokens left out ..."


def shown(stretches: Sequence[Stretch]) -> Iterator[tuple[list[Stretch], bool]]:
    """Yield neighbours that are shown, and those that are left out, as (stretches, shown)."""
    for has_text, found in groupby(stretches, key=lambda stretch: bool(stretch.pieces)):
        yield list(found), has_text


def plain(row: Row) -> list[str]:
    """Return a row in lines of plain text."""
    lines = [f"== {heading(row)}"]
    for border, stretches in by_document(row):
        lines += [f"-- {border}"] if border else []
        parts = [
            "".join(map(_bracketed, found)) if has_text else f"\n{left_out(found)}\n" for found, has_text in shown(stretches)
        ]
        lines += "".join(parts).split("\n")
    return lines


def _bracketed(stretch: Stretch) -> str:
    text = "".join(readable(run) for run, _ in _runs(stretch.pieces))
    return f"[[{text}]]" if stretch.supervised else text


def _runs(pieces: Sequence[Piece]) -> Iterator[tuple[str, bool]]:
    """Yield neighbouring pieces as one text, and whether they are control tokens."""
    for special, run in groupby(pieces, key=lambda piece: piece.special):
        yield "".join(piece.text for piece in run), special


def coloured(row: Row) -> Text:
    """Return a row in the colours of a terminal."""
    drawn = Text.assemble((heading(row) + "\n", "bold"))
    for border, stretches in by_document(row):
        drawn.append(f"── {border} ──\n" if border else "", BORDER)
        for found, has_text in shown(stretches):
            if not has_text:
                drawn.append(f"\n{left_out(found)}\n", BORDER)
            for stretch in found:
                style = SUPERVISED if stretch.supervised else UNSUPERVISED
                for text, special in _runs(stretch.pieces):
                    drawn.append(readable(text), f"{style} italic" if special else style)
        drawn.append("\n")
    return drawn


def say(rows: Sequence[Row]) -> None:
    """Print rows: in colours on a terminal, as plain text elsewhere."""
    console = Console(highlight=False, soft_wrap=True)
    for row in rows:
        if console.is_terminal:
            console.print(Text("\n"), coloured(row), end="")
        else:
            sys.stdout.write("\n".join(["", *plain(row), ""]))
