"""Pages of (id, text) -> the values that datatrove computes in its Gopher and FineWeb filters, both as JSON lines.

    python datatrove_values.py < pages.jsonl > values.jsonl      (the Python that datatrove is installed for)

Datatrove's filters answer yes or no. Each value is had from their own code all the same: the bounds they are given let
everything pass and write down what they are compared with. Words are split at white space, so that no tokenizer comes
between. Where datatrove divides by the number of words and there are none, the rest of that filter's values is missing.
"""

import contextlib
import json
import sys
from collections.abc import Mapping
from typing import Any

from datatrove.data import Document
from datatrove.pipeline.filters import fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter

for module in (fineweb_quality_filter, gopher_quality_filter, gopher_repetition_filter):
    module.split_into_words = lambda text, language: text.split()


class Recorder(float):
    """A bound that everything passes and that remembers what it was compared with."""

    __array_ufunc__ = None  # so that numpy's numbers leave the comparison to it, too
    seen: list[float]

    def __new__(cls) -> "Recorder":
        recorder = super().__new__(cls, 1)
        recorder.seen = []
        return recorder

    def __gt__(self, value: Any) -> bool:
        self.seen.append(float(value))
        return False

    __lt__ = __gt__


def named(names: Mapping[str, str], recorders: Mapping[str, Recorder]) -> dict[str, float]:
    """Return what recorders saw under our names; `a+b` are the first and the second value of one bound."""
    found: dict[str, float] = {}
    for theirs, ours in names.items():
        found.update(zip(ours.split("+"), recorders[theirs].seen, strict=False))
    return found


def quality(document: Document) -> dict[str, float]:
    names = {
        "min_doc_words": "words",
        "min_avg_word_length": "mean_word_length",
        "max_symbol_word_ratio": "hash_ratio+ellipsis_ratio",
        "max_bullet_lines_ratio": "bullet_lines",
        "max_ellipsis_lines_ratio": "ellipsis_lines",
        "max_non_alpha_words_ratio": "alpha_words",
        "min_stop_words": "stop_words",
    }
    bounds = {name: Recorder() for name in names}
    with contextlib.suppress(ZeroDivisionError):
        gopher_quality_filter.GopherQualityFilter(**bounds, max_doc_words=None, max_avg_word_length=None).filter(document)
    return named(names, bounds)


def repetition(document: Document) -> dict[str, float]:
    names = {
        "dup_line_frac": "duplicate_line_fraction",
        "dup_para_frac": "duplicate_paragraph_fraction",
        "dup_line_char_frac": "duplicate_line_character_fraction",
        "dup_para_char_frac": "duplicate_paragraph_character_fraction",
    }
    bounds = {name: Recorder() for name in names}
    tops = {n: Recorder() for n in range(2, 5)}
    duplicates = {n: Recorder() for n in range(5, 11)}
    gopher_repetition_filter.GopherRepetitionFilter(
        **bounds, top_n_grams=tuple(tops.items()), dup_n_grams=tuple(duplicates.items())
    ).filter(document)
    grams = {f"top_{n}_gram": top for n, top in tops.items()} | {f"duplicate_{n}_grams": of for n, of in duplicates.items()}
    return named(names, bounds) | named({name: name for name in grams}, grams)


def fineweb(document: Document) -> dict[str, float]:
    names = {
        "line_punct_thr": "line_punct_ratio",
        "short_line_thr": "short_line_ratio",
        "char_duplicates_ratio": "char_dup_ratio",
        "new_line_ratio": "newline_ratio",
    }
    bounds = {name: Recorder() for name in names}
    with contextlib.suppress(ZeroDivisionError):
        fineweb_quality_filter.FineWebQualityFilter(**bounds).filter(document)
    return named(names, bounds)


def main() -> None:
    for line in sys.stdin:
        page = json.loads(line)
        document = Document(text=page["text"], id=page["id"])
        print(json.dumps({"id": page["id"]} | quality(document) | repetition(document) | fineweb(document)))


if __name__ == "__main__":
    main()
