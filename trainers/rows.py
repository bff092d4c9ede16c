"""Rows of tokens, as they lie in Arrow: how many tokens they hold, whether they can be trained on, a sample of them."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
from datasets import Dataset, DatasetDict

from pipeline.errors import TrainingError

IGNORED = -100  # the label of a token that is not supervised, as in torch and transformers
COLUMNS = ["input_ids", "labels", "position_ids"]
# Supervised tokens of the training sample. A token's loss spreads by some 2.5 nats, so the mean of as many is right to 0.011.
MOST_SAMPLED = 50_000

Counts = npt.NDArray[np.int64]


class Amount(NamedTuple):
    """What a split holds."""

    rows: int
    tokens: int
    supervised: int


def amount(rows: Dataset) -> Amount:
    """Count a split's rows, tokens and supervised tokens."""
    tokens = pc.sum(pc.list_value_length(rows.data["input_ids"])).as_py() or 0
    return Amount(len(rows), tokens, int(supervised(rows).sum()))


def supervised(rows: Dataset) -> Counts:
    """Return the number of supervised tokens of each row of a split, as it lies on the disk: no selection of one."""
    counts = [supervised_tokens(chunk) for chunk in rows.with_format(None).data["labels"].chunks]
    return np.concatenate(counts or [np.zeros(0, np.int64)])


def supervised_tokens(labels: Any) -> Counts:  # noqa: ANN401  a pyarrow array
    """Count each row's supervised tokens in an Arrow list array; a row's first label is never predicted, so it does not count.

    >>> import pyarrow as pa
    >>> supervised_tokens(pa.array([[5, -100, 7, 8], [5], []], pa.list_(pa.int64()))).tolist()
    [2, 0, 0]
    """
    offsets = labels.offsets.to_numpy().astype(np.int64)
    counted = labels.values.to_numpy()[offsets[0] : offsets[-1]] != IGNORED
    offsets = offsets - offsets[0]
    starts, ends = offsets[:-1], offsets[1:]
    counted[starts[starts < ends]] = False
    before = np.concatenate([[0], np.cumsum(counted)])
    counts: Counts = before[ends] - before[starts]
    return counts


def longest_row(tokens: DatasetDict) -> int:
    """Return the number of tokens of the longest row of all splits."""
    lengths = (pc.max(pc.list_value_length(rows.data["input_ids"])) for rows in tokens.values())
    return max(length.as_py() or 0 for length in lengths)


def check_rows(tokens: DatasetDict) -> None:
    """Raise `TrainingError` where there is nothing to train on, or a row has no supervised token.

    With that, no optimizer step is without one, however rows are put together.
    """
    if len(tokens["train"]) == 0:
        raise TrainingError(
            "the training split is empty: there is nothing to train on. See `prep show` of the tokenize artifact."
        )
    for split, rows in tokens.items():
        silent = np.flatnonzero(supervised(rows) == 0)
        if len(silent):
            raise TrainingError(
                f"{len(silent)} of {len(rows)} {split} rows have no supervised token (the first: row {silent[0]}), "
                f"so nothing can be learnt of them. Tokenize with longer rows, or clean such documents away."
            )


def sample(counts: Counts, most: int) -> Counts:
    """Choose rows, by a hash of their numbers, that together hold at most so many supervised tokens, but at least one row.

    >>> sample(np.array([3, 3, 3, 3, 3]), most=7).tolist()
    [2, 4]
    """
    order = np.argsort(_mixed(np.arange(len(counts), dtype=np.uint64)), kind="stable")
    fitting = int(np.searchsorted(np.cumsum(counts[order]), most, side="right"))
    chosen: Counts = np.sort(order[: max(1, fitting)]).astype(np.int64)
    return chosen


def _mixed(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Mix 64-bit numbers thoroughly: the last steps of splitmix64 (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        numbers = (numbers + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
        numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
