"""Numbers and labels meet the recipe's bounds: which documents go, by which measure, with which value."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.cleaning.picking import chosen
from pipeline.cleaning.plan import Step
from pipeline.documents import EVIDENCE, ledger

Mask = npt.NDArray[np.bool_]


class Verdict(NamedTuple):
    """Which documents stay, and the ledger's rows for those that go."""

    stays: Mask
    removed: pa.Table


def bounded(step: Step, documents: pa.Table, answer: pa.Table) -> Verdict:
    """Apply the bounds of a step's measures one after the other; what breaks several goes by the first."""
    stays = np.ones(documents.num_rows, dtype=bool)
    removed: list[pa.Table] = []
    for measure, bound in step.bounds.items():
        for out, words in _outside(answer[measure], bound):
            gone = stays & out
            if gone.any():
                removed.append(_entries(step, documents, answer[measure], measure, gone, words))
                stays &= ~gone
    return Verdict(stays, pa.concat_tables(removed) if removed else ledger(documents.slice(0, 0), step.filter.name))


def _outside(values: pa.ChunkedArray, bound: dict[str, Any]) -> list[tuple[Mask, str]]:
    """Return, for each end of a bound, which values lie outside, and the bound in words."""
    if pa.types.is_floating(values.type):
        numbers = values.to_numpy()
        low, high = bound.get("min"), bound.get("max")
        below = [(numbers < low, in_a_bound("min", low))] if low is not None else []
        return below + ([(numbers > high, in_a_bound("max", high))] if high is not None else [])
    choices = [("in", True), ("not_in", False)]
    return [
        (pc.is_in(values, pa.array(bound[key], values.type)).to_numpy(zero_copy_only=False) != wanted,
         in_a_bound(key, bound[key]))
        for key, wanted in choices if key in bound
    ]  # fmt: skip


def in_a_bound(end: str, value: Any) -> str:  # noqa: ANN401  a number, or labels
    """Say one end of a bound as the ledger has it.

    >>> in_a_bound("min", 2.0), in_a_bound("not_in", ["de", "en"])
    ('min 2', 'not in de, en')
    """
    return f"{end.replace('_', ' ')} {', '.join(value) if isinstance(value, list) else format(value, '.15g')}"


def _entries(step: Step, documents: pa.Table, values: pa.ChunkedArray, measure: str, gone: Mask, bound: str) -> pa.Table:
    mask = pa.array(gone)
    why: dict[str, Any] = {"measure": measure, "bound": bound}
    if pa.types.is_floating(values.type):
        why["value"] = values.filter(mask)
    else:
        labels = [[{"label": label}] for label in values.filter(mask).to_pylist()]
        why["evidence"] = pa.array(labels, EVIDENCE)
    return ledger(chosen(documents, gone), step.filter.name, **why)


def span_bounds(bounds: dict[str, Any]) -> list[tuple[str, str, float]]:
    """Return the bounds of a spans filter: the measure, `min` or `max`, and the number."""
    named = [("hits", "min"), ("hits", "max"), ("hits per 1,000 words", "min"), ("hits per 1,000 words", "max")]
    values = [bounds["min"], bounds["max"], bounds["min_per_1000_words"], bounds["max_per_1000_words"]]
    return [(measure, end, value) for (measure, end), value in zip(named, values, strict=True) if value is not None]
